"""Every check finds the provider that breaks its rule, for no other reason."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbook.api import Settings
from sandbook.testing import conformance
from sandbook.testing._check import CHECKS, Check
from sandbook.testing._perform import judge, leaves
from sandbook.testing._subject import Subject
from tests.conformance.mutants import MUTANTS, Mutant
from tests.conformance.test_locked import OPTIONS

LIMIT = 12.0
"""Seconds until a check that a mutant keeps waiting has found it."""

SURVIVORS: dict[str, str] = {}
"""Number of a check that no mutant breaks -> why not."""

SLIPS = (TypeError, AttributeError, NameError, KeyError, ImportError)
"""What a mistake of ours in a mutant looks like."""

BY_NUMBER = {check.number: check for check in CHECKS.values()}


def _cases() -> Iterator[object]:
    for mutant in MUTANTS:
        check = BY_NUMBER[mutant.number]
        marks = [pytest.mark.stress] if check.stress else []
        yield pytest.param(mutant, id=f"{mutant.number}-{mutant.name}", marks=marks)


@pytest.mark.parametrize("mutant", list(_cases()))
def test_a_check_finds_the_mutant_of_its_rule(mutant: Mutant, tmp_path: Path) -> None:
    check = _impatient(BY_NUMBER[mutant.number])
    outcome = judge(check, _subject(mutant, tmp_path), folder=tmp_path)
    assert outcome.result == "failed", f"{check.id}: {outcome.result} {outcome.reason}"
    assert not any(isinstance(e, SLIPS) for e in leaves(outcome.error)), outcome.reason


def test_every_check_has_a_mutant_or_a_reason() -> None:
    killed = {mutant.number for mutant in MUTANTS}
    assert sorted(set(BY_NUMBER) - killed - set(SURVIVORS)) == []
    assert sorted(killed & set(SURVIVORS)) == [], "these are no survivors any more"


def _impatient(check: Check) -> Check:
    if check.stress:
        return check
    return dataclasses.replace(check, limit=min(check.limit, LIMIT))


def _subject(mutant: Mutant, folder: Path) -> Subject:
    base = OPTIONS if mutant.environ else conformance.Options(denied="/etc/shadow")
    fields: dict[str, object] = {
        "late": 4.0,
        "lifetime": 2.0,
        "patience": 4.0,
        **mutant.options,
    }
    settings = Settings(
        values=mutant.values,
        environ=mutant.environ,
        state=folder / "state",
        cache=folder / "cache",
    )
    options = dataclasses.replace(base, **fields)  # type: ignore[arg-type]  # by name
    return Subject(provider=mutant.provider, settings=settings, options=options)
