"""The report is a fold: read back it says what it said live."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbook.api import JSON, StreamName
from sandbook.errors import SandbookError
from sandbook.events import EVENTS, Event, Recorder
from sandbook.journal import Journal, read_journal
from sandbook.masking import Masker
from sandbook.output import OutputFile
from sandbook.report import QuotaUse, Report, ReportFold, Totals, fold
from sandbook.state import RunFolder
from tests.sandbook.told_runs import (
    BEGIN,
    RUN,
    Teller,
    failed_run,
    fields_of,
    fits_schema,
    passed_run,
    read_schema,
    unhurried,
)

Run = Callable[[], Iterator[Event]]
EVENT = st.tuples(
    st.sampled_from(sorted(EVENTS)),
    st.sampled_from(("steps[0]", "steps[0].each[1]", "steps[1]", "finally[0]")),
    st.integers(0, 3),
    st.sampled_from(("passed", "failed", "skipped", "cancelled", "nonsense")),
)


def journal_of(folder: Path, events: Iterator[Event]) -> Path:
    path = folder / "journal.jsonl"
    with Journal.create(path, sync=False) as journal:
        for event in events:
            journal.append(event)
    return path


@pytest.mark.parametrize("run", [passed_run, failed_run])
def test_live_and_read_back_are_the_same_report_after_every_event(
    tmp_path: Path, run: Run
) -> None:
    live = ReportFold()
    with Journal.create(tmp_path / "j", sync=False) as journal:
        record = Recorder(journal, Masker({"T": "hello"}), (live,), run=RUN)
        for event in run():
            record.emit(event.name, **event.fields)
            assert live.report() == fold(read_journal(tmp_path / "j"))


@unhurried
@given(st.lists(EVENT, max_size=12))
def test_any_order_of_events_gives_a_report_that_fits_the_schema(
    told: list[tuple[str, str, int, str]],
) -> None:
    tell = Teller()
    folded = ReportFold()
    folded.add(tell("run.started"))
    for name, step, attempt, status in told:
        given_: dict[str, JSON] = {"step": step, "attempt": attempt, "status": status}
        own = {k: v for k, v in given_.items() if k in EVENTS[name]}
        folded.add(tell(name, **({} if name == "run.finished" else own)))
    assert fits_schema("report", folded.report().to_json())


@pytest.mark.parametrize("run", [passed_run, failed_run])
def test_a_report_fits_its_schema_and_the_schema_knows_no_more(run: Run) -> None:
    data = fold(run()).to_json()
    assert fits_schema("report", data)
    assert list(data) == read_schema("report")["required"]
    assert not fits_schema("report", {**data, "more": 1})


def test_a_failed_run_says_what_failed_first_and_what_lives_on() -> None:
    report = fold(failed_run())
    assert (report.status, report.exit, report.is_final) == ("failed", 1, True)
    assert report.failed_step == "steps[2]"
    assert report.cause == "exit code 7, expected 0\nthe server said no"
    assert report.totals == Totals(passed=4, failed=1, pending=1)
    assert [step.path for step in report.steps] == [
        "steps[0]",
        "steps[1]",
        "steps[2]",
        "steps[3]",
        "finally[0]",
    ]
    assert [child.path for child in report.steps[1].children] == [
        "steps[1].parallel[0]",
        "steps[1].parallel[1]",
    ]
    (box,) = report.alive
    assert (box.name, box.provider, box.id, box.created) == ("main", "e2b", "i1", True)
    assert box.expires_at == BEGIN + timedelta(minutes=10)
    assert [attempt.provider for attempt in report.attempts] == ["daytona", "e2b"]
    assert report.seconds == 11.0


def test_each_try_of_a_step_is_kept_and_the_last_one_counts() -> None:
    step = fold(failed_run()).step("steps[2]")
    assert step is not None
    assert [(t.number, t.status, t.code) for t in step.attempts] == [
        (1, "failed", 7),
        (2, "failed", 7),
    ]
    first, last = step.attempts
    assert first.output is None
    assert last.output is not None
    assert last.output.file == "steps-2.try-2.txt"
    assert last.attached == ("process", "41")
    assert step.seconds == pytest.approx(2.4)


def test_items_stand_below_their_step_in_their_order() -> None:
    tell = Teller()
    events = [tell("run.started"), tell("step.started", step="steps[0]")]
    for index in (10, 9, 2):
        events += tell.step(f"steps[0].each[{index}]")
        events += tell.step(f"steps[0].each[{index}].parallel[0]")
    (top, *_) = fold(events).steps
    assert [item.path for item in top.children] == [
        "steps[0].each[2]",
        "steps[0].each[9]",
        "steps[0].each[10]",
    ]
    assert [len(item.children) for item in top.children] == [1, 1, 1]


def test_quota_counts_what_the_run_made_and_the_most_at_one_time() -> None:
    tell = Teller()
    ref = fields_of("sandbox.created")["ref"]
    assert isinstance(ref, dict)
    events = [
        tell("run.started"),
        tell("sandbox.created", name="a", ref={**ref, "id": "1"}),
        tell("sandbox.created", name="b", ref={**ref, "id": "2"}),
        tell("sandbox.ended", name="a", seconds=1.2),
        tell("sandbox.created", name="c", ref={**ref, "id": "3"}),
        tell("sandbox.attached", name="d", ref={**ref, "id": "4"}),
        tell("sandbox.ended", name="b", seconds=3.0),
        tell("run.finished"),
    ]
    report = fold(events)
    # c lives since 1.5 s, which counts as 2.
    expected = QuotaUse(
        provider="e2b",
        sessions=3,
        seconds=2 + 3 + 2,
        concurrent=3,
        month_used=13,
        month_limit=1000,
    )
    assert report.quota == (expected,)
    assert [box.name for box in report.alive] == ["c", "d"]


def test_a_resumed_run_that_joins_its_own_sandbox_still_made_it() -> None:
    tell = Teller()
    later = "2026-11-22T22:00:00+00:00"
    events = [
        tell("run.started"),
        tell("sandbox.created"),
        tell("run.resumed"),
        tell("sandbox.attached", expires_at=later),
    ]
    report = fold(events)
    (box,) = report.sandboxes
    assert box.created
    assert box.expires_at is not None
    assert box.expires_at.isoformat() == later
    assert (report.status, report.resumed) == ("resuming", 1)
    running = fold([*events, tell("step.started")])
    assert running.status == "running"


@pytest.mark.parametrize("inner", [True, False], ids=["inside", "itself"])
def test_a_failure_that_is_allowed_is_neither_counted_nor_the_cause(
    *, inner: bool
) -> None:
    tell = Teller()
    bad: dict[str, JSON] = {"status": "failed", "cause": "no matter"}
    events = [tell("run.started", step_hashes={}), tell("step.started")]
    if inner:
        events += tell.step("steps[0].parallel[0]", **bad)
    events.append(tell("step.finished", allowed=True, **bad))
    events += tell.step("steps[1]", status="failed", cause="this one")
    report = fold([*events, tell("run.finished", status="failed", exit=1)])
    assert (report.cause, report.failed_step) == ("this one", "steps[1]")
    assert report.totals == Totals(failed=1, allowed=1)


def test_a_cancelled_step_is_not_the_cause_while_another_failed() -> None:
    tell = Teller()
    events = [
        tell("run.started"),
        *tell.step("steps[0].parallel[1]", status="cancelled"),
        *tell.step("steps[0].parallel[0]", status="timed_out", cause="after 10m"),
        tell("run.finished", status="failed", exit=1),
    ]
    assert fold(events).failed_step == "steps[0].parallel[0]"


def test_the_cause_that_the_run_tells_comes_before_that_of_a_step() -> None:
    tell = Teller()
    events = [
        tell("run.started"),
        tell("run.finished", status="refused", exit=3, cause="no provider"),
    ]
    report = fold(events)
    assert (report.cause, report.failed_step) == ("no provider", None)


def test_a_green_run_has_no_cause() -> None:
    report = fold(passed_run())
    assert (report.exit, report.cause, report.alive) == (0, None, ())
    assert report.totals == Totals(passed=2, skipped=1)


def test_tainted_values_and_unknown_events_pass_through() -> None:
    tell = Teller()
    tainted = {"tainted": True}
    unknown = Event(seq=99, run=RUN, at=BEGIN, name="moon.rose", fields={})
    events = [
        tell("run.started"),
        unknown,
        *tell.step("steps[0]", saved={"x": tainted}),
    ]
    step = fold(events).step("steps[0]")
    assert step is not None
    assert step.last is not None
    assert step.last.saved == {"x": tainted}


def test_a_run_without_an_owner_that_did_not_end_is_interrupted(
    tmp_path: Path,
) -> None:
    path = journal_of(tmp_path, iter(list(failed_run())[:9]))
    report = Report.from_journal(path)
    assert (report.status, report.exit) == ("interrupted", None)
    assert report.totals.started == 1
    assert fits_schema("report", report.to_json())


def test_a_run_whose_owner_lives_is_running(tmp_path: Path) -> None:
    path = journal_of(tmp_path, iter(list(failed_run())[:9]))
    program = f"""
import sys
from pathlib import Path
from sandbook.state import RunFolder
with RunFolder(path=Path({str(tmp_path)!r})).acquire():
    print("mine", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "mine\n"
        assert Report.from_journal(path).status == "running"
        owner.kill()
        owner.wait()
    assert Report.from_journal(path).status == "interrupted"


def test_a_run_that_ended_is_never_interrupted(tmp_path: Path) -> None:
    path = journal_of(tmp_path, failed_run())
    with RunFolder(path=tmp_path).acquire():
        pass
    assert Report.from_journal(path).status == "failed"


def test_a_journal_without_any_event_says_so(tmp_path: Path) -> None:
    with pytest.raises(SandbookError, match="tells of no run") as caught:
        Report.from_journal(journal_of(tmp_path, iter(())))
    assert caught.value.remedy


HIDDEN = "s3cret-token"


class Shown:
    """Who is shown output."""

    def __init__(self) -> None:
        self.pieces: list[tuple[str, StreamName, bytes]] = []

    def __call__(self, step: str, stream: StreamName, data: bytes) -> None:
        self.pieces.append((step, stream, data))


def output_file(
    folder: Path, shown: Shown, *, kept: int = 100, secret: str = HIDDEN
) -> OutputFile:
    return OutputFile(
        folder,
        step="steps[2].each[0]",
        attempt=1,
        masker=Masker({"T": secret}),
        show=shown,
        kept=kept,
    )


def test_output_is_masked_stored_then_shown(tmp_path: Path) -> None:
    shown = Shown()
    output = output_file(tmp_path, shown)
    file = tmp_path / "steps-2.each-0.try-1.txt"
    output.show("stdout", b"a s3c")
    assert file.read_bytes() == b"a "
    output.show("stderr", b"warning\n")
    output.show("stdout", b"ret-token\n")
    fields = output.close()
    assert fields == {
        "step": "steps[2].each[0]",
        "file": file.name,
        "bytes": 14,
        "dropped": 0,
    }
    assert file.read_bytes() == b"a warning\n***\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [piece[1:] for piece in shown.pieces] == [
        ("stdout", b"a "),
        ("stderr", b"warning\n"),
        ("stdout", b"***\n"),
    ]
    assert output.close() is None


def test_a_step_that_says_nothing_leaves_no_file(tmp_path: Path) -> None:
    assert output_file(tmp_path, Shown()).close() is None
    assert list(tmp_path.iterdir()) == []


@unhurried
@given(
    sizes=st.lists(st.integers(0, 60), max_size=12),
    other=st.integers(0, 10),
)
def test_of_each_stream_the_first_and_last_bytes_are_kept(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], other: int
) -> None:
    folder = tmp_path_factory.mktemp("output")
    output = output_file(folder, Shown(), kept=50, secret="")
    whole = b"".join(
        bytes(65 + (i + j) % 26 for j in range(n)) for i, n in enumerate(sizes)
    )
    start = 0
    for size in sizes:
        output.show("stdout", whole[start : start + size])
        start += size
    output.show("stderr", b"!" * other)
    fields = output.close()
    dropped = max(0, len(whole) - 100)
    if fields is None:
        assert not whole
        return
    stored = (folder / str(fields["file"])).read_bytes()
    head, tail = whole[:50], whole[max(50, len(whole) - 50) :]
    note = b"\n[... %d bytes of stdout dropped ...]\n" % dropped if dropped else b""
    assert stored == head + b"!" * other + note + tail
    assert (fields["bytes"], fields["dropped"]) == (len(whole) + other, dropped)


def test_output_that_cannot_be_stored_is_not_shown(tmp_path: Path) -> None:
    shown = Shown()
    output = output_file(tmp_path / "missing", shown)
    with pytest.raises(SandbookError, match="could not be stored: no such file"):
        output.show("stdout", b"x\n")
    assert shown.pieces == []


def test_the_stored_output_of_a_try_can_be_read_from_the_report(
    tmp_path: Path,
) -> None:
    path = journal_of(tmp_path, failed_run())
    folder = tmp_path / "output"
    folder.mkdir()
    (folder / "steps-2.try-2.txt").write_bytes(b"curl: refused\n")
    report = Report.from_journal(path, folder)
    step = report.step("steps[2]")
    assert step is not None
    assert [report.read_output(each) for each in step.attempts] == [
        b"",
        b"curl: refused\n",
    ]
