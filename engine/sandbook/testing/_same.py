"""Large data compared: pytest would look for a diff of it for minutes."""

from __future__ import annotations

_AROUND = 20


def must_be_same(found: bytes | bytearray, wanted: bytes) -> None:
    """Fail where the data differ, with the place."""
    if found == wanted:
        return
    pairs = zip(found, wanted, strict=False)
    shorter = min(len(found), len(wanted))
    at = next((i for i, (one, other) in enumerate(pairs) if one != other), shorter)
    start, end = max(0, at - _AROUND), at + _AROUND
    raise AssertionError(
        f"{len(found)} bytes came and {len(wanted)} were wanted; from byte {at} on "
        f"there is {found[start:end]!r} and not {wanted[start:end]!r}"
    )
