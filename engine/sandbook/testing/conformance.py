"""Puts the contract's checks into a test module, as one pytest test each."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest

from sandbook.api import JSON, Settings
from sandbook.testing import checks
from sandbook.testing._check import CHECKS, GROUPS, Check, in_order
from sandbook.testing._page import page
from sandbook.testing._perform import Outcome, judge
from sandbook.testing._report import Entry, Why, read_reports, store
from sandbook.testing._subject import Options, Sdk, Subject

__all__ = [
    "CHECKS",
    "GROUPS",
    "Options",
    "Sdk",
    "Undeclared",
    "Why",
    "checks",
    "install",
    "page",
    "read_reports",
    "report",
]

MakeSettings: TypeAlias = Callable[[Path], Settings]


@dataclass(frozen=True, slots=True)
class _Keep:
    """Where outcomes are left, and why some are skipped."""

    folder: Path
    limits: Mapping[str, Why]


class Undeclared(UserWarning):
    """Something works that the provider does not declare."""


def install(  # noqa: PLR0913 - what an author may say, all by keyword
    namespace: dict[str, object],
    *,
    provider: str,
    settings: MakeSettings | None = None,
    values: Mapping[str, JSON] | None = None,
    environ: Mapping[str, str] | None = None,
    options: Options | None = None,
    deviations: Mapping[str, str] | None = None,
    groups: str = "".join(GROUPS),
    results: Path | None = None,
    limits: Mapping[str, Why] | None = None,
) -> None:
    """Add a test per check to `namespace`, which is the module's `globals()`.

    Args:
        namespace: Where the tests go.
        provider: Import path of the provider's `ProviderInfo`, "package:INFO".
        settings: Makes the settings, given a folder that all tests share; by default
            `state` and `cache` in it, with `values` and `environ`.
        values: The provider's own settings.
        environ: Variables it may read credentials from.
        options: What the kit cannot find out by itself.
        deviations: Number of a check ("C31") to the reason why this provider does
            not pass it. Such a check must fail, else the deviation is out of date.
        groups: Letters of the groups whose checks are added, for a provider that is
            not whole yet; all of them when left out.
        results: A folder that gets one file per check, for `report`.
        limits: Why a capability is not declared, or a check does not apply, and where
            that is said; by the name of the capability, or the reason of the skip.
    """
    reasons = dict(deviations or {})
    numbers = {check.number for check in CHECKS.values()}
    if unknown := sorted(set(reasons) - numbers):
        raise ValueError(f"deviations from checks that are not there: {unknown}")
    if strange := sorted(set(groups) - set(GROUPS)):
        raise ValueError(f"groups that are not there: {strange}")
    make = settings or functools.partial(_settings, values or {}, environ or {})

    def subject(folder: Path) -> Subject:
        made = make(folder)
        return Subject(provider=provider, settings=made, options=options or Options())

    for check in _of_groups(groups):
        reason = reasons.get(check.number)
        keep = None if results is None else _Keep(results, limits or {})
        test = _test(check, subject, deviation=reason, keep=keep)
        namespace[f"test_{check.id}"] = test


def _of_groups(groups: str) -> Iterable[Check]:
    return (check for check in in_order() if check.group in groups)


def report(results: Path, markdown: Path) -> None:
    """Write what `results` holds as a Markdown page, and as JSON beside it."""
    reports = read_reports(results)
    markdown.write_text(page(reports), encoding="utf-8")
    for one in reports:
        path = markdown.with_name(f"{markdown.stem}-{one.provider}.json")
        path.write_text(one.json(), encoding="utf-8")


def _settings(
    values: Mapping[str, JSON], environ: Mapping[str, str], folder: Path
) -> Settings:
    return Settings(
        values=values, environ=environ, state=folder / "state", cache=folder / "cache"
    )


def _test(
    check: Check,
    subject: Callable[[Path], Subject],
    *,
    deviation: str | None,
    keep: _Keep | None,
) -> Callable[[Path, pytest.TempPathFactory], None]:
    """The pytest function of a check."""

    def run(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
        # One state folder for all: what a provider probes once is probed once.
        shared = tmp_path_factory.getbasetemp() / "conformance"
        shared.mkdir(exist_ok=True)
        made = subject(shared)
        outcome = judge(check, made, folder=tmp_path)
        if keep is not None:
            entry = Entry.of(check, outcome, deviation=deviation, reasons=keep.limits)
            store(keep.folder, made.info.name, entry)
        tell_pytest(outcome, deviation)

    run.__name__ = run.__qualname__ = f"test_{check.id}"
    run.__doc__ = f"{check.number}: {check.name.replace('_', ' ')}."
    return pytest.mark.stress(run) if check.stress else run


def tell_pytest(outcome: Outcome, deviation: str | None) -> None:
    """Pass, skip, fail or warn as an outcome asks."""
    if outcome.undeclared:
        warnings.warn(outcome.reason, Undeclared, stacklevel=2)
    if deviation is not None and outcome.result == "passed":
        pytest.fail(f"it passes, so it is no deviation any more: {deviation}")
    if deviation is not None and outcome.result == "failed":
        pytest.xfail(deviation)
    if outcome.error is not None:
        raise outcome.error
    if outcome.result == "skipped":
        pytest.skip(outcome.reason)
