"""An event is checked, masked and kept before anybody sees it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path

import pytest

from sandbook.api import JSON, StreamName
from sandbook.errors import SandbookError
from sandbook.events import ENVELOPE, EVENTS, Event, Recorder
from sandbook.journal import Journal, read_journal
from sandbook.masking import Masker
from tests.sandbook.told_runs import (
    Teller,
    failed_run,
    fields_of,
    fits_schema,
    passed_run,
    read_schema,
)


class Seen:
    """An observer that remembers what it was shown, and what the journal held then."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.events: list[Event] = []
        self.kept: list[int] = []
        self.output: list[tuple[str, StreamName, bytes]] = []
        self.notes: list[tuple[str, str]] = []

    def on_event(self, event: Event) -> None:
        self.events.append(event)
        self.kept.append(len(list(read_journal(self.path))))

    def on_output(self, step: str, stream: StreamName, data: bytes) -> None:
        self.output.append((step, stream, data))

    def on_note(self, step: str, text: str) -> None:
        self.notes.append((step, text))


class Broken:
    """An observer that fails each time."""

    def __init__(self) -> None:
        self.asked = 0

    def on_event(self, event: Event) -> None:
        self.asked += 1
        raise RuntimeError(f"cannot show {event.name} to alice")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal.create(path, sync=False) as journal:
        yield journal


def recorder(journal: Journal, *observers: Seen | Broken, **secrets: str) -> Recorder:
    return Recorder(journal, Masker(secrets), observers, run="r1")


def test_an_observer_sees_an_event_only_when_the_journal_has_it(
    journal: Journal, path: Path
) -> None:
    seen = Seen(path)
    record = recorder(journal, seen)
    first = record.emit("finally.started")
    second = record.emit("run.cancelling", by="SIGINT")
    assert (first.seq, second.seq) == (1, 2)
    assert first.run == "r1"
    assert first.at.tzinfo is UTC
    assert seen.events == [first, second]
    assert seen.kept == [1, 2]


def test_what_an_observer_sees_equals_what_is_read_back(
    journal: Journal, path: Path
) -> None:
    seen = Seen(path)
    odd: JSON = {"tuple": (1, 2), "nan": float("nan"), "big": float("inf"), "n": [None]}
    recorder(journal, seen).emit(
        "step.finished", **fields_of("step.finished", saved=odd)
    )
    assert seen.events == list(read_journal(path))
    assert seen.events[0].fields["saved"] == {
        "tuple": [1, 2],
        "nan": "nan",
        "big": "inf",
        "n": [None],
    }


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_without_one_of_its_fields_is_a_fault_of_the_caller(
    journal: Journal, path: Path, name: str
) -> None:
    record = recorder(journal)
    for key in EVENTS[name]:
        given = fields_of(name)
        del given[key]
        with pytest.raises(ValueError, match=f"{name}.* lacks {key}"):
            record.emit(name, **given)
    assert list(read_journal(path)) == []
    assert record.emit(name, **fields_of(name), further=1).fields["further"] == 1


@pytest.mark.parametrize(
    ("name", "fields", "told"),
    [
        ("step.begun", {}, "unknown event 'step.begun'"),
        ("finally.started", {"at": "now"}, "may not set at"),
        ("run.cancelling", {"by": object()}, "field 'by' holds object, not JSON"),
        ("run.cancelling", {"by": b"x"}, "field 'by' holds bytes, not JSON"),
    ],
    ids=["unknown", "envelope", "object", "bytes"],
)
def test_what_is_no_event_is_a_fault_of_the_caller(
    journal: Journal, path: Path, name: str, fields: dict[str, JSON], told: str
) -> None:
    seen = Seen(path)
    with pytest.raises(ValueError, match=told):
        recorder(journal, seen).emit(name, **fields)
    assert seen.events == list(read_journal(path)) == []


def test_texts_of_others_are_masked_in_journal_and_observers(
    journal: Journal, path: Path
) -> None:
    seen = Seen(path)
    record = recorder(journal, seen, KEY="s3cret", PIN="4711")
    fields = fields_of(
        "step.finished",
        results={"stdout": "token s3cret", "s3cret": 4711},
        cause="not s3cret",
        label="Say s3cret",
    )
    record.emit("step.finished", **fields)
    assert "s3cret" not in path.read_text()
    assert "4711" not in path.read_text()
    assert "s3cret" not in str(seen.events)
    assert seen.events[0].fields["cause"] == "not ***"
    assert seen.events[0].fields["label"] == "Say ***"


def test_a_secret_that_looks_like_a_name_of_ours_changes_no_name(
    journal: Journal, path: Path
) -> None:
    record = recorder(journal, A="main", B="passed", C="steps", D="0000", E="1000")
    record.emit("run.started", **fields_of("run.started", name="main story"))
    record.emit("sandbox.created", **fields_of("sandbox.created"))
    record.emit("step.finished", **fields_of("step.finished"))
    record.emit("run.finished", **fields_of("run.finished"))
    started, created, step, finished = read_journal(path)
    assert started.fields["file_hash"] == "0" * 64
    assert started.fields["name"] == "*** story"
    assert created.fields["name"] == "main"
    assert (step.fields["step"], step.fields["status"]) == ("steps[0]", "passed")
    assert finished.fields["totals"] == fields_of("run.finished")["totals"]


def test_an_observer_that_raises_is_dropped_told_once_and_breaks_nothing(
    journal: Journal, path: Path
) -> None:
    broken, seen = Broken(), Seen(path)
    told: list[str] = []
    record = Recorder(
        journal, Masker({"N": "alice"}), (broken, seen), run="r", complain=told.append
    )
    record.emit("finally.started")
    record.emit("finally.started")
    assert broken.asked == 1
    assert len(seen.events) == 2
    what = "RuntimeError: cannot show finally.started to ***"
    assert told == [f"Broken failed and is told nothing more: {what}"]


def test_nobody_is_shown_an_event_that_could_not_be_kept(path: Path) -> None:
    seen = Seen(path)
    journal = Journal.create(path)
    record = recorder(journal, seen)
    record.emit("finally.started")
    journal.close()
    with pytest.raises(SandbookError, match="could not be written"):
        record.emit("finally.started")
    assert [event.seq for event in seen.events] == [1]


def test_a_resumed_run_counts_on(journal: Journal, path: Path) -> None:
    recorder(journal).emit("finally.started")
    journal.close()
    with Journal.open_append(path) as again:
        record = recorder(again)
        record.restart_seq(again.last_seq)
        assert record.emit("run.resumed", from_step="steps[1]").seq == 2


def test_output_and_notes_reach_those_who_want_them(
    journal: Journal, path: Path
) -> None:
    seen, broken = Seen(path), Broken()
    record = recorder(journal, broken, seen, KEY="s3cret")
    record.output("steps[0]", "stderr", b"ready\n")
    record.note("steps[0]", "sh is used, with s3cret")
    assert seen.output == [("steps[0]", "stderr", b"ready\n")]
    assert seen.notes == [("steps[0]", "sh is used, with ***")]
    (kept,) = read_journal(path)
    assert kept.name == "step.noted"
    assert kept.fields == {"step": "steps[0]", "text": "sh is used, with ***"}


@pytest.mark.parametrize("run", [passed_run, failed_run])
def test_every_event_is_valid_against_the_schema(
    run: Callable[[], Iterator[Event]],
) -> None:
    for event in run():
        assert fits_schema("event", event.to_json())


def test_the_schema_knows_the_events_and_fields_of_the_contract() -> None:
    schema = read_schema("event")
    definitions = schema["$defs"]
    assert schema["required"] == list(ENVELOPE)
    assert {name: tuple(d["required"]) for name, d in definitions.items()} == EVENTS
    lacking = Teller()("step.output").to_json()
    del lacking["dropped"]
    assert not fits_schema("event", lacking)


@pytest.mark.parametrize(
    "module", ["events", "journal", "masking", "output", "report", "console"]
)
def test_importing_it_loads_nothing_heavy(module: str) -> None:
    program = (
        f"import sys, sandbook.{module}\n"
        "heavy = 'rich jsonschema anyio asyncio jinja2 yaml click tempfile'.split()\n"
        "print(*(name for name in heavy if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
