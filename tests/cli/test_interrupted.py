"""Ctrl-C, `runs cancel`, a killed process, and what ends its sandbox."""

from __future__ import annotations

import signal
import sqlite3
from pathlib import Path

import pytest

from tests.cli.calls import Cli, bare_plugin, finish, interrupt, wait_until

SLOW = """
    name: Slow
    steps: [{command: sleep 600}]
    finally: [{command: echo tidied}]
"""
STUBBORN = """
    name: Stubborn
    steps: [{command: sleep 600}]
    finally: [{command: sleep 600}]
"""


@pytest.mark.language("§8 code 130")
def test_ctrl_c_runs_finally_and_teardown_and_exits_130(cli: Cli) -> None:
    process = cli.start("run", cli.book(SLOW))
    cli.wait_for_event("step.attached")
    interrupt(process)
    called = finish(process)
    assert called.code == 130
    assert "stopping (SIGINT)" in called.out
    assert "│ tidied" in called.out
    assert "Slow was cancelled by SIGINT" in called.out
    assert not cli.sandboxes()


def test_a_second_ctrl_c_exits_at_once_and_says_what_lives_on(cli: Cli) -> None:
    process = cli.start("run", cli.book(STUBBORN))
    cli.wait_for_event("sandbox.created")
    interrupt(process)
    cli.wait_for_event("finally.started")
    interrupt(process)
    called = finish(process)
    assert called.code == 130
    (left,) = cli.sandboxes()
    assert "left at once; clean-up was not finished" in called.err
    assert f"sandbox {left['id']} (local) lives until " in called.err
    assert "end it now: sandbook sandboxes kill ID" in called.err
    killed = cli("sandboxes", "kill", str(left["id"]))
    assert killed.out == f"sandbox {left['id']}: destroyed\n"
    assert not cli.sandboxes()


def test_after_a_cancelled_file_the_next_does_not_run(cli: Cli) -> None:
    other = cli.book("name: Other\nsteps: [{command: 'true'}]", "other.yaml")
    process = cli.start("run", cli.book(SLOW), other)
    cli.wait_for_event("step.attached")
    interrupt(process)
    called = finish(process)
    assert called.code == 130
    assert "Other" not in called.out


def test_cancel_says_what_it_would_do_then_stops_the_run(cli: Cli) -> None:
    process = cli.start("run", cli.book(SLOW))
    run = cli.wait_for_event("step.attached").name
    (row,) = cli("runs", "--json").rows("runs")
    assert (row["id"], row["status"], row["exit"]) == (run, "running", None)
    shown = cli("show", run)
    assert f"run {run} is still running" in shown.out

    promise = cli("runs", "cancel", run)
    assert promise.out == (
        f"would stop run {run}, process {process.pid}; do it: add --yes\n"
    )
    assert process.poll() is None

    done = cli("runs", "cancel", run[:10], "--yes")
    assert (done.code, done.out) == (0, f"run {run}: cancelled\n")
    assert finish(process).code == 130


def test_a_run_that_is_over_cannot_be_cancelled(cli: Cli) -> None:
    assert cli("run", cli.book("steps: [{command: 'true'}]"), "-q").code == 0
    run = cli.newest().name
    called = cli("runs", "cancel", run, "--yes")
    assert called.code == 2
    assert called.err == (
        f"error: run {run!r} is not running: it is passed\n"
        f"  see it: sandbook show {run}\n"
    )


def _kill(cli: Cli, *argv: str) -> str:
    """Kill a run in its step; its id."""
    process = cli.start("run", cli.book(SLOW), *argv)
    run = cli.wait_for_event("step.attached").name
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return run


def test_a_killed_run_is_interrupted_and_reap_ends_its_sandbox(cli: Cli) -> None:
    run = _kill(cli)
    (row,) = cli("runs", "--json").rows("runs")
    assert (row["id"], row["status"]) == (run, "interrupted")
    assert f"run {run} was interrupted: its process is gone" in cli("show").out
    (left,) = cli.sandboxes()
    assert (left["run"], left["name"]) == (run, "main")

    # Its lease is not over: a resumed run could still take it over.
    early = cli("reap", "--yes")
    assert f"sandbox {left['id']} of run {run} is given up at " in early.out
    assert f"end it now: sandbook sandboxes kill {left['id']}" in early.out
    assert cli.sandboxes() == [left]
    _end_leases(cli)
    doctor = cli("doctor")
    assert "warning  leftovers: dead runs left 1 sandbox, " in doctor.out
    promise = cli("reap")
    assert promise.code == 0
    assert promise.out.startswith(f"would end sandbox {left['id']} (local, run {run}, ")
    assert promise.out.endswith("do it: sandbook reap --yes\n")
    assert cli.sandboxes() == [left]

    assert cli("reap", "--yes").out == f"ended sandbox {left['id']}\n"
    assert not cli.sandboxes()
    again = cli("reap", "--yes")
    assert (again.code, again.out) == (0, "nothing is left behind\n")


def _end_leases(cli: Cli) -> None:
    """Let the time pass that a dead run is waited for."""
    with sqlite3.connect(cli.state / "ledger.db") as db:
        db.execute("UPDATE reservation SET lease_until = 0")
    db.close()


def test_reap_leaves_the_sandboxes_of_live_and_kept_runs_alone(cli: Cli) -> None:
    kept = cli.book("steps: [{command: 'true'}]", "kept.yaml")
    assert cli("run", kept, "--keep", "-q").code == 0
    first = cli.newest().name
    process = cli.start("run", cli.book(SLOW))
    cli.wait_for_event("step.attached", after=first)
    before = cli.sandboxes()
    assert len(before) == 2
    _end_leases(cli)
    assert cli("reap", "--yes").out == "nothing is left behind\n"
    assert cli.sandboxes() == before
    interrupt(process)
    finish(process)


def test_without_the_ledger_the_run_speaks_for_its_sandbox(cli: Cli) -> None:
    kept = cli.book("steps: [{command: 'true'}]", "kept.yaml")
    assert cli("run", kept, "--keep", "--no-quota", "-q").code == 0
    first = cli.newest().name
    process = cli.start("run", cli.book(SLOW), "--no-quota")
    run = cli.wait_for_event("step.attached", after=first).name
    assert len(cli.sandboxes()) == 2
    assert cli("reap", "--yes").out == "nothing is left behind\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (left,) = [row for row in cli.sandboxes() if row["run"] == run]
    assert cli("reap", "--yes").out == f"ended sandbox {left['id']}\n"
    assert [row["run"] for row in cli.sandboxes()] == [first]


def _dead_folder(cli: Cli) -> Path:
    """What is left of a sandbox whose supervisor was killed."""
    folder = cli.state / "sandboxes" / "0mw000000aa-0123456789ab"
    folder.mkdir(mode=0o700)
    for name in ("lock", "control.sock", "sandbox.json"):
        (folder / name).write_text("")
    return folder


def test_the_next_run_sweeps_the_folder_of_a_dead_sandbox(cli: Cli) -> None:
    book = cli.book("steps: [{command: 'true'}]")
    assert cli("run", book, "-q").code == 0
    folder = _dead_folder(cli)

    def is_gone_after_a_run() -> bool:
        assert cli("run", book, "-q").code == 0
        return not folder.exists()

    assert folder.exists()
    wait_until(is_gone_after_a_run)


def test_reap_removes_the_folder_of_a_dead_sandbox(cli: Cli) -> None:
    assert cli("run", cli.book("steps: [{command: 'true'}]"), "-q").code == 0
    folder = _dead_folder(cli)
    assert cli("reap").out == (
        "would remove 1 folder of sandboxes that ended\ndo it: sandbook reap --yes\n"
    )
    assert folder.exists()
    done = cli("reap", "--yes")
    assert done.out == "removed 1 folder of sandboxes that ended\n"
    assert not folder.exists()


def test_reap_settles_what_a_vanished_sandbox_held(cli: Cli) -> None:
    bare_plugin(cli)
    process = cli.start("run", cli.book(SLOW), "--provider", "bare")
    cli.wait_for_event("step.attached")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    env = {"SANDBOOK_PROVIDERS": "bare"}
    (left,) = cli("sandboxes", "--json", env=env).rows("sandboxes")
    (cli.state / "bare" / str(left["id"]) / "life").unlink()
    _end_leases(cli)
    assert cli("reap").out == (
        "would settle 1 reservation\ndo it: sandbook reap --yes\n"
    )
    assert cli("reap", "--yes").out == "settled 1 reservation\n"
    assert "0 reservations in use" in cli("doctor").out


def test_a_provider_that_does_not_answer_is_named_and_settles_nothing(
    cli: Cli,
) -> None:
    bare_plugin(cli, credentials=("BARE_KEY",))
    process = cli.start(
        "run", cli.book(SLOW), "--provider", "bare", env={"BARE_KEY": "k"}
    )
    cli.wait_for_event("step.attached")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    _end_leases(cli)
    (cli.site / "plugin_bare.py").write_text("import nothing_of_that_name\n")
    called = cli("reap", "--yes")
    assert "warning: bare could not be asked: " in called.err
    assert "settled" not in called.out
    (row,) = cli("sandboxes", "--json").rows("sandboxes")
    assert (row["provider"], row["state"]) == ("bare", "unknown")
