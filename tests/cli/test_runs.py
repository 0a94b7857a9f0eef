"""`sandbook runs` and `sandbook show`."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.calls import Cli, stable
from tests.cli.test_run import valid

HELLO = "name: Hello\nsteps: [{name: Greet, command: echo hi}]"


def test_without_runs_the_first_step_is_shown(cli: Cli) -> None:
    called = cli("runs")
    assert (called.code, called.out) == (0, "no runs yet: sandbook run FILE\n")
    assert cli("runs", "--json").rows("runs") == []
    none = cli("show")
    assert (none.code, none.err) == (
        2,
        "error: there are no runs yet\n  start one: sandbook run FILE\n",
    )


def test_runs_are_listed_newest_first(cli: Cli) -> None:
    book = cli.book(HELLO)
    red = cli.book("steps: [{command: exit 1}]", "red.yaml")
    assert [cli("run", book, "-q").code, cli("run", red, "-q").code] == [0, 1]
    called = cli("runs")
    heading, first, second = called.out.splitlines()
    assert heading.split() == ["run", "verdict", "started", "took", "file"]
    assert stable(first).split() == ["RUN", "failed", "WHEN", "Ns", "red.yaml"]
    assert stable(second).split() == ["RUN", "passed", "WHEN", "Ns", "book.yaml"]
    rows = cli("runs", "ls", "--json").rows("runs")
    assert [row["exit"] for row in rows] == [1, 0]
    limited = cli("runs", "--limit", "1").out.splitlines()
    assert limited[1:] == [first, "1 more: sandbook runs --limit 2"]


def test_a_damaged_journal_hides_no_other_run(cli: Cli) -> None:
    book = cli.book(HELLO)
    assert cli("run", book, "-q").code == 0
    journal = cli.newest() / "journal.jsonl"
    journal.write_text("nonsense\n" + journal.read_text())
    assert cli("run", book, "-q").code == 0
    rows = cli("runs", "--json").rows("runs")
    assert [row["status"] for row in rows] == ["passed", "unreadable"]
    shown = cli("show", str(rows[1]["id"]))
    assert shown.code == 70
    assert "the journal is damaged" in shown.err


def test_show_tells_the_newest_run_in_the_words_of_the_run(cli: Cli) -> None:
    told = cli("run", cli.book(HELLO))
    shown = cli("show")
    assert shown.code == 0
    # The output is kept beside the journal and asked for.
    assert shown.out == told.out.replace("  │ hi\n", "")
    assert cli("show", "--output").out == told.out


def test_what_a_red_run_advises_shows_every_step_with_its_output(cli: Cli) -> None:
    book = cli.book("steps: [{command: echo first}, {command: exit 1}]")
    advice = "see every step with its output"
    told = cli("run", book, "-q").out.splitlines()
    (line,) = (line for line in told if line.endswith(advice))
    program, *words = line.removesuffix(advice).split()
    assert program == "sandbook"
    assert "  │ first\n" in cli(*words).out


def test_a_run_is_found_by_the_beginning_of_its_id(cli: Cli) -> None:
    book = cli.book(HELLO)
    assert [cli("run", book, "-q").code for _ in range(2)] == [0, 0]
    first, second = sorted(path.name for path in (cli.state / "runs").iterdir())
    same = os.path.commonprefix([first, second])  # noqa: RUF071 - no paths
    assert cli("show", first, "--json").json()["run"] == first
    assert cli("show", first[: len(same) + 1], "--json").json()["run"] == first
    many = cli("show", same[:1])
    assert many.code == 2
    assert many.err == (
        f"error: 2 runs begin with {same[:1]!r}: {second}, {first}\n"
        "  give more of the id\n"
    )
    none = cli("show", "zzz")
    assert none.code == 2
    assert none.err == "error: there is no run 'zzz'\n  list them: sandbook runs\n"


@pytest.mark.parametrize("id", ["../state", "/", ".", "*"])
def test_what_is_no_id_finds_nothing(cli: Cli, id: str) -> None:
    assert cli("run", cli.book(HELLO), "-q").code == 0
    assert cli("show", id).code == 2
    assert cli("runs", "cancel", id, "--yes").code == 2


def test_show_prints_the_report_and_the_journal_as_data(cli: Cli) -> None:
    assert cli("run", cli.book(HELLO), "-q").code == 0
    report = valid(cli("show", "--json").json())
    kept = json.loads((cli.newest() / "report.json").read_text())
    assert report == kept
    events = [json.loads(line) for line in cli("show", "--events").out.splitlines()]
    journal = (cli.newest() / "journal.jsonl").read_text().splitlines()
    assert events == [json.loads(line) for line in journal]
    both = cli("show", "--events", "--json")
    assert both.code == 2


def _age(run: Path, days: int) -> None:
    """Move what a run tells into the past."""
    journal = run / "journal.jsonl"
    at = datetime.now(UTC) - timedelta(days=days)
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    aged = [json.dumps({**line, "at": at.isoformat()}) for line in lines]
    journal.write_text("".join(f"{line}\n" for line in aged))


def test_prune_removes_finished_runs_of_a_certain_age(cli: Cli) -> None:
    book = cli.book(HELLO)
    for _ in range(3):
        assert cli("run", book, "-q").code == 0
    old, torn, new = sorted((cli.state / "runs").iterdir())
    _age(old, days=40)
    _age(torn, days=40)
    journal = torn / "journal.jsonl"
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:-1]))

    promise = cli("runs", "prune")
    assert promise.out == "would remove 1 run; do it: add --yes\n"
    assert old.exists()
    done = cli("runs", "prune", "--yes")
    assert done.out == "removed 1 run\n"
    # An interrupted run may still be wanted.
    assert [old.exists(), torn.exists(), new.exists()] == [False, True, True]
    assert cli("runs", "prune", "--yes").out == "nothing to remove\n"
    assert cli("runs", "prune", "--yes", "--older-than", "0s").out == "removed 1 run\n"
    assert not new.exists()
