"""From what was sampled to figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.bench._figures import Figure
from tests.bench._place import Sample


def figures_of(
    found: Mapping[str, Sequence[Sample]], *, to: str = ""
) -> tuple[Figure, ...]:
    """A figure for each subject; all but `to` itself are compared with it."""
    return tuple(
        Figure(
            name=name,
            wall=tuple(sample.wall for sample in samples),
            cpu=tuple(sample.cpu for sample in samples),
            to="" if name == to else to,
        )
        for name, samples in found.items()
    )


def slope(
    low: Sequence[Sample], high: Sequence[Sample], *, steps: int
) -> Sequence[Sample]:
    """What one step more takes, round by round."""
    return [
        Sample(wall=(more.wall - less.wall) / steps, cpu=(more.cpu - less.cpu) / steps)
        for less, more in zip(low, high, strict=True)
    ]
