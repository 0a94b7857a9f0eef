"""What this call knows to be secret is in no line that it prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbook.masking import Masker

_known: dict[str, str] = {}
_maskers: list[Masker] = []


def remember_secrets(values: Mapping[str, str]) -> None:
    """From now on these are masked in whatever this process says."""
    # Hardly a call has secrets; the others need not load what masks.
    from sandbook.masking import Masker

    # Two runbooks may be given two values of one name.
    _known.update({f"{name} {value}": value for name, value in values.items()})
    _maskers[:] = [Masker(_known)] if _known else []


def hidden(text: str) -> str:
    """The text without the secrets that are known by now."""
    for masker in _maskers:
        text = masker.text(text)
    return text
