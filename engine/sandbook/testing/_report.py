"""What the checks said of a provider, kept in files by tests of several processes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from sandbook.testing._check import Check, place
from sandbook.testing._perform import Outcome

_ITS_OWN = "the provider's own description"


@dataclass(frozen=True, slots=True)
class Why:
    """Why something is left out, and where that is said."""

    why: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a check was skipped for: a capability, or a fact about the provider."""

    name: str
    why: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One check's outcome; `result` is passed, skipped, failed or deviates."""

    number: str
    rule: str
    result: str
    reason: str
    seconds: float
    limits: tuple[Limit, ...] = ()
    is_declared: bool = True

    @property
    def kind(self) -> str:
        """The result, with the two kinds of skips told apart."""
        if self.result != "skipped":
            return self.result
        return "does not apply" if self.is_declared else "not declared"

    @classmethod
    def of(
        cls,
        check: Check,
        outcome: Outcome,
        *,
        deviation: str | None,
        reasons: Mapping[str, Why] | None = None,
    ) -> Entry:
        """The entry of a check; a known deviation that fails is no failure."""
        deviates = deviation is not None and outcome.result == "failed"
        skipped = outcome.result == "skipped"
        return cls(
            number=check.number,
            rule=check.name.replace("_", " "),
            result="deviates" if deviates else outcome.result,
            reason=deviation or "" if deviates else outcome.reason,
            seconds=round(outcome.seconds, 3),
            limits=_limits(outcome, reasons or {}) if skipped else (),
            is_declared=not outcome.lacking,
        )


def _limits(outcome: Outcome, reasons: Mapping[str, Why]) -> tuple[Limit, ...]:
    return tuple(_limit(name, reasons) for name in outcome.lacking or (outcome.reason,))


def _limit(name: str, reasons: Mapping[str, Why]) -> Limit:
    given = reasons.get(name)
    if given is None and name.startswith("it has "):
        given = Why(why="the rule is about those without it", source=_ITS_OWN)
    if given is None:
        return Limit(name=name)
    return Limit(name=name, why=given.why, source=given.source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All entries of one provider, in the order of the list."""

    provider: str
    entries: tuple[Entry, ...]

    def json(self) -> str:
        """A versioned object with one row a check."""
        rows = [asdict(entry) for entry in self.entries]
        whole = {"v": 1, "provider": self.provider, "checks": rows}
        return json.dumps(whole, indent=1) + "\n"


def store(folder: Path, provider: str, entry: Entry) -> None:
    """Keep one entry; a file each, because tests run in several processes."""
    holder = folder / provider
    holder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(entry))
    (holder / f"{entry.number}.json").write_text(text, encoding="utf-8")


def read_reports(folder: Path) -> list[Report]:
    """Every provider's report that `store` has written below `folder`."""
    reports: list[Report] = []
    for holder in sorted(path for path in folder.iterdir() if path.is_dir()):
        entries = (_read(file) for file in holder.glob("*.json"))
        in_order = tuple(sorted(entries, key=lambda entry: place(entry.number)))
        reports.append(Report(provider=holder.name, entries=in_order))
    return reports


def _read(file: Path) -> Entry:
    told = json.loads(file.read_text("utf-8"))
    limits = tuple(Limit(**limit) for limit in told.pop("limits"))
    return Entry(**told, limits=limits)
