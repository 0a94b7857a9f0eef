"""Carries out a script, line by line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import anyio

from sandbook.verbs._script import _snapshots as snapshots
from sandbook.verbs._script._lines import (
    Action,
    Choice,
    Choose,
    Disconnect,
    ExpectExit,
    Line,
    NotSee,
    Press,
    Reconnect,
    Resize,
    Secret,
    See,
    Snapshot,
    Type,
    WaitIdle,
)
from sandbook.verbs._script._looking import Look, until, without_line_ends
from sandbook.verbs._script._session import Session, Stopped
from sandbook.verbs._script._telling import told_failure, why_not_seen

_LOOK_S: Final = 0.05
_ESCAPE_S: Final = 0.1
"""A program that reads Esc waits for what may follow: a key at once would be Alt."""

_ESC: Final = "\x1b"
_PASTE_BEGINS, _PASTE_ENDS = "\x1b[200~", "\x1b[201~"


class Script:
    """One execution of a script; `expected_exit` = a line has judged the exit code."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.expected_exit = False
        self.line: Line | None = None

    async def run(self, lines: Sequence[Line]) -> None:
        """Carry out all lines.

        Raises:
            Stopped: A line failed; its cause is ready to be told.
            SandbookError: The sandbox or the terminal is lost.
        """
        for line in lines:
            self.line = line
            if self._session.recording is not None:
                self._session.recording.marker(line.label)
            try:
                await self._do(line.action, line)
            except Stopped as stopped:
                if self.line is not line:
                    raise
                stopped.cause = told_failure(self._session, line, stopped.cause)
                self.line = None
                raise

    async def _do(self, action: Action, line: Line) -> None:
        if self._session.is_left and not isinstance(action, WaitIdle | Reconnect):
            raise Stopped("the terminal was left, and nobody came back to it")
        match action:
            case See():
                await self._see(action)
            case NotSee():
                await self._not_see(action)
            case Type() | Secret() | Press():
                await self._type(action)
            case Choose():
                await self._choose(action, line)
            case _:
                await self._handle(action)

    async def _type(self, action: Type | Secret | Press) -> None:
        match action:
            case Type():
                await self._type_text(action)
            case Secret():
                await self._type_secret(action)
            case Press():
                await self._press(action)

    async def _handle(self, action: Action) -> None:
        session = self._session
        match action:
            case WaitIdle():
                await self._wait_idle(action)
            case Resize():
                await session.resize(action.cols, action.rows)
            case Snapshot():
                await snapshots.compare(session, action)
            case Disconnect():
                await session.leave()
            case Reconnect():
                await session.come_back()
            case ExpectExit():
                await self._expect_exit(action)
            case _:
                raise AssertionError(action)

    # Looking.

    async def _see(self, action: See) -> None:
        look = Look(self._session.screen, action.sought)

        async def ask() -> bool | None:
            return await look() or None

        if not await until(self._session, ask, within=action.within):
            why = why_not_seen(self._session, action.sought)
            raise Stopped(f"{self._waited(action.within)} to see {action.sought}{why}")

    def _waited(self, within: float) -> str:
        if self._session.result is not None:
            return "the program ended before it was possible"
        return f"waited {within:g} s in vain"

    async def _not_see(self, action: NotSee) -> None:
        session = self._session
        text = without_line_ends(action.sought.text)
        appeared = anyio.Event()

        def watch() -> None:
            if text in "\n".join(session.screen.lines()):
                appeared.set()

        watch()
        session.watcher = watch
        try:
            with anyio.move_on_after(action.within):
                await appeared.wait()
        finally:
            session.watcher = None
        if appeared.is_set():
            raise Stopped(f"{action.sought} is on the screen, where it must not be")

    async def _choose(self, action: Choose, line: Line) -> None:
        while True:
            chosen = await self._first_of(action)
            await self.run(chosen.then)
            self.line = line
            if not chosen.again:
                return
            # What was there once is not there again, also when nothing was typed.
            self._session.screen.begin_turn()

    async def _first_of(self, action: Choose) -> Choice:
        looks = [
            (Look(self._session.screen, choice.sought), choice)
            for choice in action.choices
        ]

        async def ask() -> Choice | None:
            for look, choice in looks:
                if await look():
                    return choice
            return None

        found = await until(self._session, ask, within=action.within)
        if found is None:
            sought = " or ".join(str(choice.sought) for choice in action.choices)
            why = why_not_seen(self._session, action.choices[0].sought)
            raise Stopped(f"{self._waited(action.within)} to see {sought}{why}")
        return found

    # Typing.

    async def _type_text(self, action: Type) -> None:
        session = self._session
        state = await session.echo()
        session.screen.typed(action.text, state)
        data = action.text
        if action.is_paste and session.screen.brackets_paste:
            data = f"{_PASTE_BEGINS}{_without_end(data)}{_PASTE_ENDS}"
        shown = action.text.removesuffix("\r") if action.enter else action.text
        shown = shown.replace("\r", "<Enter>") + "<Enter>" * action.enter
        session.sent.append(session.step.masked(shown))
        await session.send(data.encode())

    async def _type_secret(self, action: Secret) -> None:
        session = self._session
        state = await session.echo_surely()
        with anyio.move_on_after(action.within):
            while state is not None and state != "hidden" and session.result is None:
                await anyio.sleep(_LOOK_S)
                state = await session.echo_surely()
        if state != "hidden":
            raise Stopped(_why_not_typed(state, action.within))
        session.screen.typed(action.text, "hidden")
        session.sent.append("(secret)<Enter>")
        await session.send(action.text.encode())

    async def _press(self, action: Press) -> None:
        session = self._session
        session.screen.pressed(self._sent(action).encode())
        for key, name in zip(action.keys, action.names, strict=True):
            session.sent.append(session.step.masked(f"<{name}>"))
            for _ in range(key.times):
                data = key.sent(cursor_keys=session.screen.has_cursor_keys)
                await session.send(data.encode())
                if data == _ESC:
                    await anyio.sleep(_ESCAPE_S)

    def _sent(self, action: Press) -> str:
        cursor_keys = self._session.screen.has_cursor_keys
        return "".join(
            key.sent(cursor_keys=cursor_keys) * key.times for key in action.keys
        )

    # Waiting.

    async def _wait_idle(self, action: WaitIdle) -> None:
        session = self._session
        if session.is_left:
            await anyio.sleep(action.seconds)
            return
        began = anyio.current_time()
        while session.result is None:
            quiet = anyio.current_time() - max(session.last_output, began)
            if quiet >= action.seconds:
                return
            if anyio.current_time() - began >= action.within:
                raise Stopped(
                    f"waited {action.within:g} s, and it was never quiet for "
                    f"{action.seconds:g} s"
                )
            change = session.change()
            with anyio.move_on_after(action.seconds - quiet):
                await change.wait()

    async def _expect_exit(self, action: ExpectExit) -> None:
        session = self._session

        async def ask() -> None:
            return None

        await until(session, ask, within=action.within)
        result = session.result
        if result is None:
            raise Stopped(f"waited {action.within:g} s, and the program did not end")
        self.expected_exit = True
        if action.code is not None and result.code != action.code:
            raise Stopped(
                f"it must end with code {action.code}, and ended with {result.code}",
                kind="exit",
            )


def _without_end(text: str) -> str:
    """A pasted text cannot end the paste itself."""
    return text.replace(_PASTE_ENDS, "")


def _why_not_typed(state: str | None, within: float) -> str:
    if state is None:
        return (
            "the secret was not typed: nobody can tell whether this terminal hides "
            "it; hand it over with `env`"
        )
    how = "shows what is typed"
    if state == "program":
        how = "hands each key to the program, which may show it"
    return (
        f"the secret was not typed: for {within:g} s the terminal did not hide it, it "
        f"{how}"
    )
