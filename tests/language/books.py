"""Runbooks of a few lines, read with the verbs that are there."""

from __future__ import annotations

from sandbook.api import VerbSpec
from sandbook.verbs import sandbook_verbs
from tests.sandbook import reading

VERBS: dict[str, VerbSpec] = {one.spec.name: one.spec for one in sandbook_verbs()}
STEPS = "steps: [{command: x}]\n"


def problems(text: str) -> list[str]:
    """`CODE line:column message` of what is wrong; `runbook: 1` is the first line."""
    found = reading.problems_of(f"runbook: 1\n{text}", VERBS)
    # An input that nothing uses is not what these tests are about.
    return [one for one in found if not one.startswith("SB406")]


def places(text: str) -> list[str]:
    """`CODE line:column` of the same."""
    return [" ".join(one.split(" ", 2)[:2]) for one in problems(text)]
