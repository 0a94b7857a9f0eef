"""A connection that breaks in mid-run is made again, and nothing is lost by it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbook_e2b.calls import Called, Cli
from tests.servers.core.faults import Fault, FaultKind

COUNTING = """
steps:
  - id: count
    command: |
      for i in 1 2 3 4 5 6; do echo "line $i"; sleep 0.25; done
      echo over; echo ran >>~/runs
  - command: cat ~/runs
"""
WHOLE = "".join(f"line {i}\n" for i in range(1, 7)) + "over\n"
START = "/process.Process/Start"
MID_OUTPUT = 1600
"""Bytes of the driver's stream, behind which a command is in the middle."""


def whole(ran: Called) -> None:
    """All was heard, and it ran once."""
    assert ran.code == 0, ran.out + ran.err
    assert (ran.stdout(0), ran.stdout(1)) == (WHOLE, "ran\n")
    assert ran.ledger == ("committed",)


@pytest.mark.parametrize("kind", ["cut", "truncate", "stall"])
def test_a_command_whose_stream_breaks_is_heard_to_its_end(
    cli: Cli, kind: FaultKind
) -> None:
    if kind == "stall":
        cli.settings({"request_timeout": 3})
    cli.server.arm(Fault(kind=kind, path=START, after=MID_OUTPUT))
    whole(cli.run(COUNTING))
    cli.server.check_clean()


def test_a_command_outlives_a_service_that_is_away_for_a_while(cli: Cli) -> None:
    with cli.when("step.attached", lambda: cli.server.refuse(1.0)):
        ran = cli.run(COUNTING)
    whole(ran)
    assert "was found again after" in ran.out
    cli.server.check_clean()


def test_a_command_is_lost_when_the_service_stays_away(cli: Cli) -> None:
    cli.constants = {"sandbook.runner._reattach.WITHIN": 1.5}
    with cli.when("step.attached", cli.server.go_away):
        ran = cli.run(COUNTING)
    assert ran.code == 1, ran.out + ran.err
    assert ran.step(0).status == "lost"
    assert "it was not found again within" in str(ran.step(0).cause)
    assert ran.step(1).status == "pending"
    assert ran.report is not None
    told = str(ran.report.cause)
    assert 0 < told.index("not found again") < told.index("could not be ended")
    assert ran.ledger == ("bound",), "nobody could end it"
    left: Any = cli.server.state()["sandboxes"]
    assert len(left) == 1
    cli.server.come_back()
    reaped = cli("reap", "--yes")
    assert reaped.code == 0, reaped.out + reaped.err
    assert reaped.ledger == ("committed",)
    cli.server.check_clean()


def test_a_command_is_lost_with_its_sandbox(cli: Cli) -> None:
    cli.server.arm(Fault(kind="end_machine", path=START, after=MID_OUTPUT))
    ran = cli.run(COUNTING)
    assert ran.code == 1, ran.out + ran.err
    assert ran.step(0).status == "lost"
    assert "run afresh" in str(ran.step(0).cause)
    assert ran.ledger == ("committed",)
    assert cli.server.made() > 0
    cli.server.check_clean()
