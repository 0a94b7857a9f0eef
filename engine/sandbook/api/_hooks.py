"""The hooks a plugin may implement.

Hooks register and observe; they are synchronous, cheap, and never operate a
sandbox: what works with one is a class whose methods are asynchronous.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pluggy

from sandbook.api._base import JSON
from sandbook.api._provider import ProviderInfo
from sandbook.api._reporters import Reporter
from sandbook.api._verbs import Verb

hookspec = pluggy.HookspecMarker("sandbook")
hookimpl = pluggy.HookimplMarker("sandbook")


class Hooks:
    """One method a hook; a plugin implements those it wants, marked `@hookimpl`."""

    @hookspec(firstresult=True)
    def sandbook_provider(self) -> ProviderInfo | None:
        """Describe the provider of this module, without importing its SDK."""

    @hookspec
    def sandbook_verbs(self) -> Sequence[Verb]:  # type: ignore[empty-body]
        """Verbs that this plugin adds to the language."""

    @hookspec
    def sandbook_reporters(self) -> Sequence[Reporter]:  # type: ignore[empty-body]
        """Formats of reports that this plugin adds, for `--report NAME=FILE`."""

    @hookspec(firstresult=True)
    def sandbook_secret(self, name: str, file: str) -> str | None:
        """The value of a secret that the runbook `file` lists; None = not here.

        Asked before anything starts, and only for what neither an option nor the
        environment gives. The first plugin that has a value counts.
        """

    @hookspec
    def sandbook_event(self, event: Mapping[str, JSON]) -> None:
        """See an event of a run, after it was masked and written to the journal."""
