"""Sessions far away: reused, listed, joined, extended and ended by commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from sandbook.api import SandboxRef
from tests.cli.calls import DEADLINE
from tests.cli.calls import Cli as Person
from tests.cli.person import at_terminal
from tests.sandbook_e2b.calls import Called, Cli
from tests.sandbook_e2b.conftest import Away
from tests.servers.core.faults import Fault

SESSION = """
    steps:
      - create: {reuse: {session: blue}, timeout: 2m}
      - command: cat counter || true; echo x >> counter
"""
SILENT = "e2b did not answer within 1 s"
LIST = Fault(kind="black_hole", method="GET", path="*/sandboxes", count=None)


@pytest.fixture
def far(cli: Cli) -> Iterator[Cli]:
    """Calls of which nothing is left, here or at E2B."""
    yield cli
    cli.server.disarm()
    cli("sandboxes", "kill", "--all", "--yes")
    cli.server.check_clean()


def _session(cli: Cli) -> Called:
    """Run the session's runbook."""
    called = cli.run(SESSION)
    assert called.code == 0, called.out + called.err
    return called


def _session_here(cli: Cli) -> None:
    """Run the same runbook, with a sandbox of this computer."""
    assert cli("run", "book.yaml", "--provider", "local").code == 0


def _rows(cli: Cli, *argv: str) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(cli("sandboxes", *argv, "--json").out)[
        "sandboxes"
    ]
    return told


def _ids(cli: Cli, *argv: str) -> list[str]:
    return [str(row["id"]) for row in _rows(cli, *argv)]


def test_sessions_are_reused_and_found_by_metadata_across_providers(far: Cli) -> None:
    assert _session(far).stdout(1) == ""
    (e2b,) = _ids(far)
    assert _session(far).stdout(1) == "x\n"
    _session_here(far)
    local, same = _ids(far, "-m", "session=blue")
    assert same == e2b
    assert _ids(far, "ls", "-m", "session=red") == []
    promise = far("sandboxes", "kill", "-m", "session=blue")
    assert promise.out == "would end 2 sandboxes; add --yes\n"
    done = far("sandboxes", "kill", "-m", "session=blue", "--yes")
    assert done.out == f"sandbox {local}: destroyed\nsandbox {e2b}: destroyed\n"
    none = far("sandboxes", "attach", "-m", "session=blue")
    assert none.code == 2
    assert none.err.startswith("error: no sandbox lives with the metadata session=blue")


def test_a_life_is_extended_and_never_shortened(far: Cli) -> None:
    _session(far)
    made, before = _only(far)
    called = far("sandboxes", "extend", made[:-2], "--for", "2h")
    assert (called.code, called.err) == (0, "")
    assert called.out.startswith(f"sandbox {made}: lives until 20")
    _, after = _only(far)
    assert (after - before).total_seconds() > 3600
    assert far("sandboxes", "extend", "-m", "session=blue", "--for", "1m").code == 0
    assert _only(far)[1] >= after
    assert far("reap", "--yes").out == "nothing is left behind\n"


def _only(cli: Cli) -> tuple[str, datetime]:
    """The sandbox there is, and its end."""
    (row,) = _rows(cli)
    return str(row["id"]), datetime.fromisoformat(str(row["expires_at"]))


def test_a_terminal_opens_in_a_paused_sandbox_and_leaves_it_kept(
    far: Cli, away: Away, tmp_path: Path
) -> None:
    _session(far)
    (row,) = _rows(far)
    made = str(row["id"])
    created = datetime.fromisoformat(str(row["created_at"]))

    async def pause() -> None:
        ref = SandboxRef(provider="e2b", id=made, created_at=created)
        box = await away.provider().attach(ref)
        await box.pause()
        await box.aclose()

    anyio.run(pause)
    assert [row["state"] for row in _rows(far)] == ["paused"]
    (tmp_path / "person").mkdir()
    person = Person(tmp_path / "person")
    person.environ |= {**away.environ, "SANDBOOK_STATE": str(tmp_path / "state")}
    with at_terminal(person, "sandboxes", "attach", "-m", "session=blue") as terminal:
        terminal.see(f"in sandbox {made} (e2b)")
        terminal.type("stty size; cat counter; echo ${TERM}al\n")
        terminal.see("33 91")
        terminal.see("xtermal")
        terminal.type("exit 9\n")
        assert terminal.process.wait(DEADLINE) == 9
    assert [row["state"] for row in _rows(far)] == ["running"]
    assert _session(far).stdout(1) == "x\n"


def test_who_could_not_be_asked_is_told_and_waited_for_no_longer(far: Cli) -> None:
    _session(far)
    _session_here(far)
    refused = far("sandboxes", E2B_API_KEY="e2b_wrong")
    assert refused.code == 0
    assert refused.err.startswith("warning: e2b could not be asked: ")
    assert "e2b_wrong" not in refused.err
    far.server.arm(LIST)
    called = far("sandboxes", "ls", "--within", "1s", "--json")
    assert called.code == 0
    assert called.err == f"warning: e2b could not be asked: {SILENT}\n"
    told = json.loads(called.out)
    # The ledger knows of the other one, and its provider does not say that it is gone.
    rows = [(row["provider"], row["state"]) for row in told["sandboxes"]]
    assert rows == [("local", "running"), ("e2b", "unknown")]
    assert told["silent"] == [{"name": "e2b", "reason": SILENT}]


def test_who_may_have_one_to_reuse_and_does_not_answer_is_told(far: Cli) -> None:
    far.server.arm(replace(LIST, kind="status", status=503))
    refused = far.run(SESSION.replace("timeout: 2m", "if_missing: fail"))
    assert refused.code == 1
    assert "e2b could not be asked for one to reuse" in refused.out
    told = _session(far).out
    assert "e2b could not be asked for one to reuse" in told
    assert "a new one is made" in told
