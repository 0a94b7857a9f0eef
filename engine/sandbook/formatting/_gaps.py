"""The space between two tokens of one line."""

from __future__ import annotations

from typing import Any, Final

from yaml import tokens as kinds

_OPENING: Final = (kinds.FlowMappingStartToken, kinds.FlowSequenceStartToken)
_CLOSING: Final = (kinds.FlowMappingEndToken, kinds.FlowSequenceEndToken)
_NAMES: Final = (kinds.AliasToken, kinds.AnchorToken)
_WITH_SPACE: Final = (
    kinds.BlockEntryToken,
    kinds.ValueToken,
    kinds.FlowEntryToken,
    kinds.AnchorToken,
)


def gap(before: Any, after: Any) -> str | None:
    """What stands between them in the canonical form; None = what the author wrote."""
    if isinstance(after, (*_CLOSING, kinds.FlowEntryToken)):
        # Without its space the colon of `{a: }` would belong to the key.
        return None if isinstance(before, (*_NAMES, kinds.ValueToken)) else ""
    if isinstance(after, kinds.ValueToken):
        return None if isinstance(before, _NAMES) else ""
    if isinstance(before, _OPENING):
        return ""
    return " " if isinstance(before, _WITH_SPACE) else None
