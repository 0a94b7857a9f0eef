"""What `doctor` looks at, and how bad each finding is."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Literal

from sandbook import __version__
from sandbook.api import JSON
from sandbook.cli._preflight import (
    BROKEN,
    ProviderState,
    diagnose_all,
    plugin_problems,
)
from sandbook.cli._words import counted
from sandbook.errors import SandbookError
from sandbook.installation import Installation
from sandbook.sweep import find_leftovers

State = Literal["ok", "unused", "warning", "problem"]
_NOT_SET_UP = ("not_configured", "not_installed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found."""

    name: str
    state: State
    message: str
    remedy: str = ""

    def as_json(self) -> JSON:
        """For programs."""
        return {
            "name": self.name,
            "state": self.state,
            "message": self.message,
            "remedy": self.remedy,
        }


async def examine(installation: Installation) -> AsyncIterator[Finding]:
    """Everything, in the order in which one thing needs the other."""
    yield Finding(name="sandbook", state="ok", message=__version__)
    yield _python()
    yield _platform()
    for check in (_state_folder, _settings):
        finding = check(installation)
        yield finding
        if finding.state == "problem":
            return
    ledger = await _ledger(installation)
    yield ledger
    for finding in _plugins(installation):
        yield finding
    states = await diagnose_all(installation, live=False)
    preferences = installation.preferences
    chosen = frozenset(preferences.chain) if preferences.chain_is_chosen else ()
    for state in states:
        yield _provider(state, is_chosen=state.name in chosen)
    if not any(state.state == "ready" for state in states):
        yield Finding(
            name="providers",
            state="problem",
            message="no provider can be used",
            remedy="follow the remedy of one of those above",
        )
    if ledger.state != "problem":
        async for finding in _leftovers(installation):
            yield finding


def _python() -> Finding:
    message = f"{platform.python_version()} at {sys.executable}"
    return Finding(name="python", state="ok", message=message)


def _platform() -> Finding:
    message = f"{platform.system()} {platform.release()}, {platform.machine()}"
    if sys.platform == "linux":
        return Finding(name="platform", state="ok", message=message)
    return Finding(
        name="platform",
        state="warning",
        message=f"{message}: no sandboxes on this computer itself",
        remedy="use docker or a remote provider",
    )


def _state_folder(installation: Installation) -> Finding:
    try:
        folder = installation.state.root
    except SandbookError as error:
        return _problem("state", error)
    if not os.access(folder, os.W_OK | os.X_OK):
        return Finding(
            name="state",
            state="problem",
            message=f"{str(folder)!r} cannot be written to",
            remedy="set SANDBOOK_STATE to a folder of your own on a local disk",
        )
    return Finding(name="state", state="ok", message=str(folder))


def _settings(installation: Installation) -> Finding:
    try:
        chain = installation.preferences.chain
    except SandbookError as error:
        return _problem("settings", error)
    chosen = "chosen" if installation.preferences.chain_is_chosen else "the default"
    message = f"providers {', '.join(chain)} ({chosen})"
    return Finding(name="settings", state="ok", message=message)


async def _ledger(installation: Installation) -> Finding:
    try:
        wrong = await installation.ledger.verify()
        live = await installation.ledger.live()
    except SandbookError as error:
        return _problem("ledger", error)
    if wrong:
        return Finding(
            name="ledger",
            state="problem",
            message=f"counters that disagree with its events: {len(wrong)}",
            remedy="report it; the events are complete, so nothing is lost",
        )
    message = f"readable, {counted(len(live), 'reservation')} in use"
    return Finding(name="ledger", state="ok", message=message)


def _plugins(installation: Installation) -> Iterator[Finding]:
    try:
        broken = plugin_problems(installation)
    except SandbookError as error:
        yield _problem("plugins", error)
        return
    for each in broken:
        yield Finding(
            name="plugins",
            state="problem",
            message=str(each),
            remedy=f"set SANDBOOK_DISABLE_PLUGINS={each.plugin}, or mend or uninstall "
            f"{each.distribution or 'it'}",
        )
    if not broken:
        count = len(installation.registry.provider_names)
        message = f"all usable, {counted(count, 'provider')}"
        yield Finding(name="plugins", state="ok", message=message)


def _provider(state: ProviderState, *, is_chosen: bool) -> Finding:
    name = f"provider {state.name}"
    if state.state == "ready":
        return Finding(name=name, state="ok", message=state.message or "ready")
    return Finding(
        name=name,
        state=_weight(state, is_chosen=is_chosen),
        message=f"{state.state.replace('_', ' ')}: {state.message}",
        remedy=state.remedy,
    )


def _weight(state: ProviderState, *, is_chosen: bool) -> State:
    """A provider that nobody set up is no fault; one that was and fails is."""
    if state.state in _NOT_SET_UP and state.name != "local":
        return "warning" if is_chosen else "unused"
    is_fault = state.state in (BROKEN, "refused") and state.info is not None
    return "problem" if is_fault and state.name != "local" else "warning"


async def _leftovers(installation: Installation) -> AsyncIterator[Finding]:
    try:
        left = await find_leftovers(installation)
    except SandbookError as error:
        yield _problem("leftovers", error)
        return
    if left.is_empty:
        yield Finding(name="leftovers", state="ok", message="none")
        return
    told = (
        counted(len(left.sandboxes), "sandbox", "sandboxes"),
        counted(len(left.reservations), "reservation"),
        counted(left.folders, "folder"),
    )
    yield Finding(
        name="leftovers",
        state="warning",
        message=f"dead runs left {', '.join(told)}",
        remedy="sandbook reap --yes",
    )


def _problem(name: str, error: SandbookError) -> Finding:
    return Finding(name=name, state="problem", message=str(error), remedy=error.remedy)
