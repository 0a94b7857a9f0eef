"""Which requests a fault hits."""

from __future__ import annotations

import pytest

from tests.servers.core.faults import Fault, FaultTable, UnknownFaultError, fault_from


def _hits(fault: Fault, requests: list[tuple[str, str]]) -> list[bool]:
    table = FaultTable()
    table.arm(fault)
    return [table.take(method, path) is fault for method, path in requests]


def test_a_fault_hits_once_unless_told_otherwise() -> None:
    requests = [("GET", "/a")] * 3
    assert _hits(Fault(kind="reset"), requests) == [True, False, False]
    assert _hits(Fault(kind="reset", count=2), requests) == [True, True, False]
    assert _hits(Fault(kind="reset", count=None), requests) == [True, True, True]
    assert _hits(Fault(kind="reset", skip=1), requests) == [False, True, False]


def test_a_fault_hits_only_the_requests_it_names() -> None:
    requests = [("GET", "/a"), ("POST", "/b"), ("POST", "/a/b"), ("POST", "/a")]
    assert _hits(Fault(kind="cut", method="POST", path="/a*"), requests) == [
        False,
        False,
        True,
        False,
    ]


def test_a_fault_that_hit_nothing_is_told() -> None:
    table = FaultTable()
    early, late = Fault(kind="reset", path="/a"), Fault(kind="stall", path="/b")
    table.arm(early)
    table.arm(late)
    assert table.unmet() == [early, late]
    assert table.take("GET", "/a") is early
    assert table.unmet() == [late]
    table.clear()
    assert table.unmet() == []
    assert table.take("GET", "/b") is None


@pytest.mark.parametrize("asked", [{"kind": "explode"}, {}, {"kind": "cut", "x": 1}])
def test_what_is_no_fault_is_refused(asked: dict[str, object]) -> None:
    with pytest.raises(UnknownFaultError):
        fault_from(asked)
