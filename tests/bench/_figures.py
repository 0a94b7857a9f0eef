"""What was measured, and how it is shown: spread, never a single number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

HEAD = ("", "n", "min", "median", "max", "CPU", "ratio", "to")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Milliseconds of one subject, one value a round.

    `to` names the figure that stands for 1: a peer or a floor of the same rounds.
    `cpu` is user and system time of the process and of those it waited for; what a
    detached supervisor uses is not in it.
    """

    name: str
    wall: tuple[float, ...]
    cpu: tuple[float, ...] = ()
    to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The figures of one bench; `notes` say what was left out and why."""

    title: str
    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()

    def ratio(self, figure: Figure) -> float | None:
        """Median of the rounds' own ratios: a slow moment hits both sides alike."""
        base = next((other for other in self.figures if other.name == figure.to), None)
        if base is None:
            return None
        pairs = zip(_compared(figure, base), _compared(base, figure), strict=False)
        return median(ours / theirs for ours, theirs in pairs)

    def lines(self) -> Iterator[str]:
        """The table as text."""
        rows = [HEAD, *(self._row(figure) for figure in self.figures)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        yield f"{self.title} (milliseconds)"
        for name, *cells in rows:
            shown = (cell.rjust(w) for cell, w in zip(cells, widths[1:], strict=True))
            yield f"  {name.ljust(widths[0])}  {'  '.join(shown)}".rstrip()
        yield from (f"  {note}" for note in self.notes)

    def as_json(self) -> Mapping[str, object]:
        """The table with every value."""
        return {
            "title": self.title,
            "notes": list(self.notes),
            "figures": [
                {
                    "name": figure.name,
                    "wall_ms": _rounded(figure.wall),
                    "cpu_ms": _rounded(figure.cpu),
                    "to": figure.to or None,
                    "ratio": self.ratio(figure),
                }
                for figure in self.figures
            ],
        }

    def _row(self, figure: Figure) -> tuple[str, ...]:
        wall, ratio = figure.wall, self.ratio(figure)
        return (
            figure.name,
            str(len(wall)),
            _shown(min(wall)),
            _shown(median(wall)),
            _shown(max(wall)),
            _shown(median(figure.cpu)) if figure.cpu else "",
            "" if ratio is None else f"x {ratio:.2f}",
            figure.to,
        )


def _compared(figure: Figure, other: Figure) -> Sequence[float]:
    """CPU where both have it: on a busy machine it is the steadier of the two."""
    return figure.cpu if figure.cpu and other.cpu else figure.wall


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, 4) for value in values]


def _shown(value: float) -> str:
    return f"{value:.3f}" if value < 1 else f"{value:.1f}"
