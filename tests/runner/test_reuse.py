"""Sandboxes that outlive a run and are found again by their metadata."""

from __future__ import annotations

import pytest

from tests.runner.conftest import Runs

SESSION = """
    steps:
      - id: box
        create: {reuse: {session: s1}, timeout: 1m}
      - id: seen
        command: cat counter || true; echo x >> counter
    outputs: {reused: "${{ steps.box.reused }}", seen: "${{ steps.seen.text }}"}
"""


@pytest.mark.language("§6 create reuse", "§6 create if_missing")
def test_the_second_run_finds_the_sandbox_of_the_first(run: Runs) -> None:
    first = run(SESSION)
    assert first.report.outputs == {"reused": False, "seen": ""}
    assert len(run.sandboxes()) == 1
    second = run(SESSION)
    assert second.report.outputs == {"reused": True, "seen": "x"}
    assert "sandbox.attached" in second.names()
    assert len(run.sandboxes()) == 1
    run.end_all()


@pytest.mark.language("§6 create reuse")
def test_other_metadata_is_another_sandbox(run: Runs) -> None:
    run(SESSION)
    other = run(SESSION.replace("s1", "s2"))
    assert other.report.outputs["reused"] is False
    assert len(run.sandboxes()) == 2
    run.end_all()


@pytest.mark.language("§6 create if_missing")
def test_a_missing_one_fails_where_the_author_says_so(run: Runs) -> None:
    ran = run("""
        steps:
          - create: {reuse: {session: nowhere}, if_missing: fail}
    """)
    assert ran.code == 1
    assert "session: nowhere" in (ran.report.cause or "")
    assert run.sandboxes() == []


@pytest.mark.language("§6 teardown")
def test_teardown_ends_a_reused_sandbox_too(run: Runs) -> None:
    run(SESSION)
    ran = run("""
        steps:
          - create: {reuse: {session: s1}}
          - teardown:
    """)
    assert ran.code == 0
    assert run.sandboxes() == []
