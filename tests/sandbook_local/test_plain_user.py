"""The same rules hold for a plain user: the other modules run again as one.

Root is the only one who can become somebody else, so this does nothing for others.
"""

from __future__ import annotations

import os

import pytest

from tests.sandbook_local.again import GROUPS, HERE, run_again

AS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="is a plain user already")
_ITSELF = {"bwrap", "plain_user"}
"""Of these the first runs itself as a plain user, and the second is this one."""


@AS_ROOT
@pytest.mark.again
@pytest.mark.parametrize("group", GROUPS)
def test_the_same_rules_hold_for_a_plain_user(group: str) -> None:
    run_again(GROUPS[group], plain=True)


def test_every_module_is_among_those_that_run_again() -> None:
    grouped = {module for modules in GROUPS.values() for module in modules}
    there = {path.stem.removeprefix("test_") for path in HERE.glob("test_*.py")}
    assert there - _ITSELF == {one for one in grouped if not one.startswith("..")}


@AS_ROOT
@pytest.mark.stress
def test_a_plain_user_s_sandboxes_survive_as_much() -> None:
    told = run_again(["survival"], "-s", "-m", "stress", plain=True)
    print(told)  # noqa: T201 (the figures, by `-s`)
