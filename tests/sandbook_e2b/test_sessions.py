"""Sessions far away: reused, listed, joined, extended and ended from the command line.

The commands are the real ones, the vendor's SDK is, and the server is ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from tests.cli.calls import DEADLINE, Cli
from tests.cli.person import at_terminal
from tests.servers.conftest import E2B_KEY
from tests.servers.core.faults import Fault
from tests.servers.running import RunningServer

SESSION = """
    steps:
      - id: box
        create: {reuse: {session: blue}, timeout: 2m}
      - command: cat counter || true; echo x >> counter
"""
NO_ANSWER = "warning: e2b could not be asked: e2b did not answer within 1 s\n"
LIST = Fault(kind="black_hole", method="GET", path="*/sandboxes", count=None)


@pytest.fixture
def far(tmp_path: Path, e2b_server: RunningServer) -> Iterator[Cli]:
    """Calls commands that find E2B besides this computer."""
    cli = Cli(tmp_path)
    cli.environ |= {
        "E2B_API_KEY": E2B_KEY,
        "E2B_API_URL": e2b_server.url,
        "E2B_SANDBOX_URL": e2b_server.url,
    }
    yield cli
    e2b_server.disarm()
    cli("sandboxes", "kill", "--all", "--yes")
    e2b_server.check_clean()


def _session(cli: Cli, provider: str = "e2b") -> str:
    """Run the session's runbook there; what it saw of earlier runs."""
    called = cli("run", cli.book(SESSION), "--provider", provider, "-v")
    assert called.code == 0, called.err
    return called.out


def _ids(cli: Cli, *argv: str) -> list[str]:
    return [
        str(row["id"]) for row in cli("sandboxes", *argv, "--json").rows("sandboxes")
    ]


def test_sessions_are_reused_and_found_by_metadata_across_providers(far: Cli) -> None:
    _session(far)
    (e2b,) = _ids(far)
    assert "is joined: e2b" in _session(far)
    _session(far, "local")
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


def _only(cli: Cli) -> tuple[str, datetime]:
    """The sandbox there is, and its end."""
    (row,) = cli.sandboxes()
    return str(row["id"]), datetime.fromisoformat(str(row["expires_at"]))


def test_a_terminal_opens_in_a_sandbox_at_e2b_and_leaves_it_kept(far: Cli) -> None:
    _session(far)
    (made,) = _ids(far)
    with at_terminal(far, "sandboxes", "attach", "-m", "session=blue") as terminal:
        terminal.see(f"in sandbox {made} (e2b)")
        terminal.type("stty size; cat counter; echo ${TERM}al\n")
        terminal.see("33 91")
        terminal.see("xtermal")
        terminal.type("exit 9\n")
        assert terminal.process.wait(DEADLINE) == 9
    assert far("reap", "--yes").out == "nothing is left behind\n"
    assert far("shell", made[:-2], stdin=b"cat counter").out == "x\n"


def test_who_could_not_be_asked_is_told_and_waited_for_no_longer(
    far: Cli, e2b_server: RunningServer
) -> None:
    _session(far, "local")
    _session(far)
    refused = far("sandboxes", env={"E2B_API_KEY": "e2b_wrong"})
    assert refused.code == 0
    assert refused.err.startswith("warning: e2b could not be asked: ")
    assert "e2b_wrong" not in refused.err
    e2b_server.arm(LIST)
    called = far("sandboxes", "ls", "--within", "1s", "--json")
    assert (called.code, called.err) == (0, NO_ANSWER)
    # The ledger knows of the other one, and its provider does not say that it is gone.
    rows = [(row["provider"], row["state"]) for row in called.rows("sandboxes")]
    assert rows == [("e2b", "unknown"), ("local", "running")]
    reason = "e2b did not answer within 1 s"
    assert called.json()["silent"] == [{"name": "e2b", "reason": reason}]


def test_who_may_have_one_to_reuse_and_does_not_answer_is_told(
    far: Cli, e2b_server: RunningServer
) -> None:
    e2b_server.arm(replace(LIST, kind="status", status=503))
    missing = SESSION.replace("timeout: 2m", "if_missing: fail")
    refused = far("run", far.book(missing), "--provider", "e2b")
    assert refused.code == 1
    assert "e2b could not be asked for one to reuse" in refused.out
    told = _session(far)
    assert "e2b could not be asked for one to reuse" in told
    assert "a new one is made" in told
