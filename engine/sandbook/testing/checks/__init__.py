"""The checks, one module per part of the contract; importing this enters them all."""

from sandbook.testing.checks import (
    code,
    commands,
    endings,
    files,
    folders,
    joining,
    keys,
    lifecycle,
    links,
    ports,
    registration,
    streams,
    terminals,
    transfers,
    walls,
    watching,
)

__all__ = [
    "code",
    "commands",
    "endings",
    "files",
    "folders",
    "joining",
    "keys",
    "lifecycle",
    "links",
    "ports",
    "registration",
    "streams",
    "terminals",
    "transfers",
    "walls",
    "watching",
]
