"""Code cells of a driver: contexts by name, cells by key, values beside the code."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import cache
from importlib import resources
from typing import Any, NoReturn

from sandbook.api import (
    CodeContext,
    CodeEvent,
    CodeRequest,
    Done,
    Failed,
    Rich,
    Text,
)
from sandbook.drivers.channel import Channel, ChannelClosed
from sandbook.drivers.failures import failure
from sandbook.drivers.inside.languages import PART
from sandbook.drivers.link import Link
from sandbook.errors import ProviderError, SpecRejected, Unsupported

LANGUAGES = frozenset({"python", "bash", "javascript"})
"""Those that our driver knows."""

_PROGRAMS = {
    "python": ("python_cells.py", "notebook.py"),
    "javascript": ("javascript.js",),
}
_LARGEST = 8 << 20
_TRIES = 5


async def open_code(
    link: Link, request: CodeContext, *, others: frozenset[str] = frozenset()
) -> DriverCode:
    """The context of this language and name, which is made where there is none.

    `others` are languages that the provider itself knows.

    Raises:
        Unsupported: Our driver does not know the language, or its program is missing.
    """
    if request.language not in LANGUAGES:
        _refuse_language(link, request.language, LANGUAGES | others)
    code = DriverCode(link, request)
    await code.open()
    return code


class DriverCode:
    """A context; `id` is another one when its variables are gone."""

    def __init__(self, link: Link, context: CodeContext) -> None:
        self._link = link
        self._context = context
        self._name(life="")

    def _name(self, *, life: str) -> None:
        self._life = life
        self.id = f"{self._context.language}/{self._context.name}/{life}"

    async def open(self) -> None:
        """Find or make the context."""
        await self._begin("open")

    async def restart(self) -> None:
        """Start afresh, with no variables."""
        await self._begin("restart")

    async def interrupt(self) -> None:
        """Interrupt the cell that runs; the variables stay."""
        await self._link.call(self._asked("interrupt"), operation="code.interrupt")

    async def run(self, cell: CodeRequest) -> AsyncGenerator[CodeEvent]:
        """Run a cell, or tell again what the one with this key gave.

        Leaving the loop before `Done` gives it up: it is interrupted.

        Raises:
            SpecRejected: It is too large.
        """
        if not self._life:
            await self.open()  # its end was told, so this one begins anew
        order = self._order(cell)
        answers = _Answers()
        for _ in range(_TRIES):
            try:
                channel = await self._link.channel()
                async with aclosing(self._told(channel, order, answers)) as told:
                    async for event in told:
                        yield event
            except ChannelClosed:
                await self._link.host.must_live("code.run")
            else:
                break
        else:
            self._link.lose("code.run")
        if not answers.is_over:
            for event in self._died():
                yield event

    async def _told(
        self, channel: Channel, order: Mapping[str, object], answers: _Answers
    ) -> AsyncGenerator[CodeEvent]:
        asked = {**order, "after": answers.count}
        async with channel.ask(asked) as question:
            async for answer in question.answers():
                if "event" not in answer:
                    break  # it is not there any more
                event = answers.read(answer["event"])
                if isinstance(event, Done):
                    question.is_over = True
                    self._name(life=answers.life)
                if event is not None:
                    yield event
                if answers.is_over:
                    break

    def _died(self) -> tuple[CodeEvent, ...]:
        self._name(life="")
        why = "what kept its interpreter is gone, and all variables with it"
        return (
            Failed(name="InterpreterDied", value=why, traceback=""),
            Done(status="died", values={}, state_kept=False, count=0),
        )

    def _asked(self, what: str) -> dict[str, object]:
        context = self._context
        return {
            "do": "code",
            "what": what,
            "language": context.language,
            "name": context.name,
        }

    async def _begin(self, what: str) -> None:
        context = self._context
        asked = {
            **self._asked(what),
            "cwd": context.cwd,
            "env": dict(context.env),
            "program": program(context.language),
        }
        answer = await self._link.call(asked, operation="code")
        if "error" in answer:
            raise failure(self._link, answer["error"], context.cwd or ".", "code")
        if "needs" in answer:
            self._refuse_missing(answer["needs"])
        if "life" not in answer:
            self._refuse(str(answer.get("refused", "its interpreter is gone")))
        self._name(life=answer["life"])

    def _order(self, cell: CodeRequest) -> dict[str, object]:
        order: dict[str, object] = {
            **self._asked("run"),
            "life": self._life,
            "key": cell.key,
            "source": cell.source,
            "bind": dict(cell.bind),
            "read": dict(cell.read),
            "timeout": cell.timeout,
        }
        if len(json.dumps(order)) > _LARGEST:
            ref = self._link.host.ref
            raise SpecRejected(
                "the code and the values that go with it are too large",
                provider=ref.provider,
                operation="code.run",
                ref=ref,
                sent="no",
                remedy="write large data into a file, and read that",
            )
        return order

    def _refuse_missing(self, program: str) -> NoReturn:
        ref = self._link.host.ref
        raise Unsupported(
            f"code in {self._context.language} cannot be run: the sandbox has no "
            f"{program!r}",
            provider=ref.provider,
            operation="code",
            ref=ref,
            sent="no",
            remedy=f"take a template that has {program!r} on its PATH",
        )

    def _refuse(self, why: str) -> NoReturn:
        ref = self._link.host.ref
        raise ProviderError(
            f"code in {self._context.language} cannot be run: {why}",
            provider=ref.provider,
            operation="code",
            ref=ref,
            sent="maybe",
            remedy="run it as a command, or take another template",
        )


class _Answers:
    """What a cell gave so far, whichever way it came."""

    def __init__(self) -> None:
        self.count = 0
        self.is_over = False
        self.life = ""
        self._parts: dict[str, list[str]] = {}

    def read(self, told: list[Any]) -> CodeEvent | None:
        """The event of a line; None for a part of one."""
        self.count += 1
        kind, *rest = told
        if kind == "part":
            self._parts.setdefault(rest[0], []).append(rest[1])
            return None
        if kind == "text":
            return Text(stream=rest[0], data=_clean(rest[1]))
        if kind == "rich":
            kinds, main = rest
            parts, self._parts = self._parts, {}
            data = {k: base64.b64decode("".join(parts.get(k, ()))) for k in kinds}
            return Rich(data=data, main=main)
        if kind == "failed":
            name, value, traceback = map(_clean, rest)
            return Failed(name=name, value=value, traceback=traceback)
        status, values, kept, count, self.life = rest
        self.is_over = True
        return Done(status=status, values=values, state_kept=kept, count=count)


def _clean(text: str) -> str:
    """A text that can be written anywhere, whatever the sandbox made of it."""
    return text.encode("utf-8", "replace").decode()


@cache
def program(language: str) -> str:
    """Our own part of an interpreter, as text."""
    files = resources.files("sandbook.drivers.programs")
    names = _PROGRAMS.get(language, ())
    return PART.join(files.joinpath(name).read_text("utf-8") for name in names)


def _refuse_language(link: Link, language: str, there: frozenset[str]) -> NoReturn:
    ref = link.host.ref
    told = ", ".join(sorted(there))
    raise Unsupported(
        f"code in {language!r} cannot be run there; there is: {told}",
        provider=ref.provider,
        operation="code",
        ref=ref,
        sent="no",
        remedy=f"write it in one of: {told}; or run it as a command",
    )
