"""The checks, one module per part of the contract; importing this enters them all."""

from sandbook.testing.checks import (
    commands,
    endings,
    files,
    folders,
    joining,
    keys,
    lifecycle,
    links,
    registration,
    streams,
    terminals,
    transfers,
    walls,
    watching,
)

__all__ = [
    "commands",
    "endings",
    "files",
    "folders",
    "joining",
    "keys",
    "lifecycle",
    "links",
    "registration",
    "streams",
    "terminals",
    "transfers",
    "walls",
    "watching",
]
