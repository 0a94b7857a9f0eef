"""Each fault of the service has the outcome that the table in the docs says."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.sandbook_e2b.calls import Called, Cli
from tests.sandbook_e2b.fault_table import AWAY, PASSED, PLACES, ROWS, Row, table

README = Path(__file__).parents[2] / "plugins" / "README.md"
PATIENCE = {
    "sandbook.runner._reattach.WITHIN": 180.0,
    "sandbook.runner._reattach._FIRST_PAUSE": 0.02,
    "sandbook.runner._sandboxes.LONGEST_BEAT": 0.2,
}
SHORT = {**PATIENCE, "sandbook.runner._reattach.WITHIN": 1.0}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_fault_has_the_outcome_that_is_documented(cli: Cli, row: Row) -> None:
    # Only who is never answered is waited for; any other request may be slow.
    cli.settings({"request_timeout": 4 if "black hole" in row.faults else 60})
    cli.constants = SHORT if row.for_good else PATIENCE
    before = cli.server.made()
    for fault in row.armed():
        cli.server.arm(fault)
    if AWAY in row.faults:
        cli.server.go_away()
    ran = _ran(cli, row)
    assert ran.code == row.exit, ran.out + ran.err
    assert _end(ran) == row.end, ran.out + ran.err
    assert row.says in (ran.report.cause or "" if ran.report else ran.err)
    assert ran.ledger == (row.ledger,)
    assert cli.server.made() - before == row.made
    assert cli.server.unmet() == []
    _leaves(cli, row)
    cli.server.check_clean()


def _ran(cli: Cli, row: Row) -> Called:
    """Run the place's runbook; one that waits is let go on when all was met."""
    over = threading.Event()

    def let_go_on() -> None:
        deadline = time.monotonic() + 60.0
        while cli.server.unmet() and time.monotonic() < deadline:
            over.wait(0.1)
        cli.server.touch("go")

    waiting = threading.Thread(target=let_go_on)
    if row.place == "renew":
        waiting.start()
    try:
        return cli.run(PLACES[row.place].book)
    finally:
        over.set()
        if waiting.ident is not None:
            waiting.join()


def _end(ran: Called) -> str:
    """How it ended: the provider's outcome before the first step, else the step's."""
    assert ran.report is not None
    outcome = ran.report.attempts[-1].outcome
    if outcome != "created":
        return outcome
    statuses = [step.status for step in ran.report.steps]
    return next((s for s in statuses if s not in (PASSED, "pending")), PASSED)


def _leaves(cli: Cli, row: Row) -> None:
    """Nothing; what could not be ended is ended by a reap once the service answers."""
    left: Any = cli.server.state()["sandboxes"]
    assert len(left) == row.left
    if not row.left:
        return
    cli.server.disarm()
    reaped = cli("reap", "--yes")
    assert reaped.code == 0, reaped.out + reaped.err
    assert reaped.ledger == ("committed",)


def test_the_table_of_faults_is_in_the_docs() -> None:
    assert table() in README.read_text(encoding="utf-8")
