"""Where the driver of a language is reached, as both sides know it."""

from __future__ import annotations

_FOLDER = "/dev/shm/sandbook"  # noqa: S108 (the sandbox's own; names must be short)


def place(language: str) -> str:
    """The folder of a language's driver, inside."""
    return f"{_FOLDER}/{language}"


def socket_path(language: str) -> str:
    """The socket it listens on."""
    return f"{place(language)}/driver"
