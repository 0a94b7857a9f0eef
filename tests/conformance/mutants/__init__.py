"""Providers that each break one rule, to show that the check of that rule finds it."""

from tests.conformance.mutants import (
    cells,
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
from tests.conformance.mutants.wrap import INFOS, MUTANTS, PROVIDERS, Mutant

__all__ = [
    "INFOS",
    "MUTANTS",
    "PROVIDERS",
    "Mutant",
    "cells",
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
