"""What the checks said of a provider, as JSON and as Markdown."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from sandbook.testing._check import Check
from sandbook.testing._perform import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One check's outcome; `result` is passed, skipped, failed or deviates."""

    number: str
    rule: str
    result: str
    reason: str
    seconds: float

    @classmethod
    def of(cls, check: Check, outcome: Outcome, *, deviation: str | None) -> Entry:
        """The entry of a check; a known deviation that fails is no failure."""
        deviates = deviation is not None and outcome.result == "failed"
        return cls(
            number=check.number,
            rule=check.name.replace("_", " "),
            result="deviates" if deviates else outcome.result,
            reason=deviation or "" if deviates else outcome.reason,
            seconds=round(outcome.seconds, 3),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All entries of one provider, in the order of the list."""

    provider: str
    entries: tuple[Entry, ...]

    def counts(self) -> Mapping[str, int]:
        """How many checks ended in each way."""
        return Counter(entry.result for entry in self.entries)

    def json(self) -> str:
        """A versioned object with one row a check."""
        rows = [asdict(entry) for entry in self.entries]
        whole = {"v": 1, "provider": self.provider, "checks": rows}
        return json.dumps(whole, indent=1) + "\n"

    def markdown(self) -> str:
        """A section with a table, for plugins/CONFORMANCE.md."""
        told = ", ".join(f"{n} {how}" for how, n in sorted(self.counts().items()))
        lines = [f"## {self.provider}", "", f"{told}.", ""]
        lines += ["| check | rule | result | seconds |", "|---|---|---|---|"]
        for entry in self.entries:
            result = f"{entry.result}: {entry.reason}" if entry.reason else entry.result
            safe = result.replace("|", "\\|").replace("\n", " ")
            row = (entry.number, entry.rule, safe, f"{entry.seconds:.2f}")
            lines.append(f"| {' | '.join(row)} |")
        return "\n".join(lines) + "\n"


def store(folder: Path, provider: str, entry: Entry) -> None:
    """Keep one entry; a file each, because tests run in several processes."""
    place = folder / provider
    place.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(entry))
    (place / f"{entry.number}.json").write_text(text, encoding="utf-8")


def read_reports(folder: Path) -> list[Report]:
    """Every provider's report that `store` has written below `folder`."""
    reports: list[Report] = []
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = sorted(place.glob("*.json"))
        entries = tuple(Entry(**json.loads(f.read_text("utf-8"))) for f in files)
        reports.append(Report(provider=place.name, entries=entries))
    return reports
