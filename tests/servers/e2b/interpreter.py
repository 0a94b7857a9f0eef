"""The code interpreter, which is on another port of a sandbox (49999)."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from e2b_code_interpreter.models import (  # pyright: ignore[reportMissingTypeStubs]  # it has types
    Context,
    Execution,
    parse_output,
)

from sandbook.api import Done, Failed, Rich, Text
from sandbook.errors import ProviderError
from tests.servers.core.kernels import Aborted, Began, Cell, CellEvent, Kernel
from tests.servers.e2b import access
from tests.servers.e2b.envd_files import resolve
from tests.servers.e2b.replies import Json
from tests.servers.e2b.sandboxes import E2BSandbox
from tests.servers.web.exchange import Exchange

_KEEPALIVE = 5.0
_DEFAULTS = ("python", "javascript")
_KINDS = {
    "text/plain": "text",
    "text/html": "html",
    "text/markdown": "markdown",
    "image/svg+xml": "svg",
    "text/latex": "latex",
    "application/javascript": "javascript",
}
_ENCODED = {"image/png": "png", "image/jpeg": "jpeg", "application/pdf": "pdf"}

_SET = """\
import os as _e2b_os
_e2b_before = {{name: _e2b_os.environ.get(name) for name in {names!r}}}
_e2b_os.environ.update({envs!r})
"""
_UNSET = """\
for _e2b_name, _e2b_value in _e2b_before.items():
    if _e2b_value is None:
        _e2b_os.environ.pop(_e2b_name, None)
    else:
        _e2b_os.environ[_e2b_name] = _e2b_value
del _e2b_before, _e2b_name, _e2b_value, _e2b_os
"""

Answer = Callable[[Exchange, E2BSandbox], Awaitable[None]]


async def execute(exchange: Exchange, made: E2BSandbox) -> None:
    """Run a cell and tell of it line by line; who hangs up interrupts it."""
    access.check_token(exchange, made)
    asked: Json = await exchange.json()
    kernel = await _chosen(made, asked)
    if kernel is None:
        await _say(exchange, 404, f"Context {asked.get('context_id')} not found")
        return
    try:
        await kernel.open()
    except ProviderError as error:
        await _say(exchange, 500, f"cannot run {kernel.language}: {error}")
        return
    before, after = _around(kernel, asked.get("env_vars") or {})
    cell = kernel.run(asked["code"], before=before, after=after)
    try:
        await exchange.begin(200, {"content-type": "application/x-ndjson"})
        async with exchange.while_connected():
            await _follow(exchange, cell)
            await exchange.finish()
    finally:
        kernel.give_up(cell)


async def create_context(exchange: Exchange, made: E2BSandbox) -> None:
    """Make a context, and start it."""
    asked: Json = await exchange.json() or {}
    _add_defaults(made)
    kernel = made.machine.kernels.add(
        language=str(asked.get("language") or "python").lower(),
        cwd=resolve(made, str(asked.get("cwd") or "")),
    )
    try:
        await kernel.open()
    except ProviderError as error:
        made.machine.kernels.remove(kernel)
        await _say(exchange, 500, f"cannot create the context: {error}")
        return
    await exchange.reply_json(200, _told(kernel))


async def list_contexts(exchange: Exchange, made: E2BSandbox) -> None:
    """Every context; the first are those that are always there."""
    _add_defaults(made)
    found = [_told(kernel) for kernel in made.machine.kernels]
    await exchange.reply_json(200, found)


async def remove_context(exchange: Exchange, made: E2BSandbox) -> None:
    """It is not wanted any more."""
    kernel = made.machine.kernels.find(exchange.params["context"])
    if kernel is None:
        await _say(exchange, 404, "Context not found")
        return
    made.machine.kernels.remove(kernel)
    await exchange.reply(204)


async def restart_context(exchange: Exchange, made: E2BSandbox) -> None:
    """Start it afresh."""
    kernel = made.machine.kernels.find(exchange.params["context"])
    if kernel is None:
        await _say(exchange, 404, "Context not found")
        return
    await kernel.restart()
    await exchange.reply(204)


ROUTES: tuple[tuple[str, str, Answer], ...] = (
    ("POST", "/execute", execute),
    ("POST", "/contexts", create_context),
    ("GET", "/contexts", list_contexts),
    ("DELETE", "/contexts/{context}", remove_context),
    ("POST", "/contexts/{context}/restart", restart_context),
)


async def _follow(exchange: Exchange, cell: Cell) -> None:
    async for event in cell.events(silence=_KEEPALIVE):
        line = _line(event)
        if line is not None:
            data = json.dumps(line)
            parse_output(Execution(), data)  # raises, where the SDK would
            await exchange.write(data.encode() + b"\n")


def _line(event: CellEvent | None) -> Json | None:
    match event:
        case None:
            return {"type": "keepalive"}
        case Began():
            return {"type": "number_of_executions", "execution_count": event.count}
        case Text():
            now = datetime.now(UTC).isoformat()
            return {"type": event.stream, "text": event.data, "timestamp": now}
        case Rich():
            return {"type": "result", "is_main_result": event.main, **_data(event.data)}
        case Failed():
            return {
                "type": "error",
                "name": event.name,
                "value": event.value,
                "traceback": event.traceback,
            }
        case Done() | Aborted():
            # An aborted cell is told as one that had nothing to say.
            return {"type": "end_of_execution"}


def _data(found: Mapping[str, bytes]) -> Json:
    body: Json = {"extra": {}}
    for kind, data in found.items():
        if kind in _ENCODED:
            body[_ENCODED[kind]] = base64.b64encode(data).decode()
        elif kind == "application/json":
            body["json"] = json.loads(data)
        elif kind in _KINDS:
            body[_KINDS[kind]] = data.decode()
        else:
            body["extra"][kind] = data.decode("utf-8", "replace")
    if "text" in body:
        body["text"] = _unquoted(body["text"])
    return body


def _unquoted(text: str) -> str:
    """A text is told without the quotes of its representation."""
    quotes = ("'", '"')
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in quotes
    return text[1:-1] if is_quoted else text


async def _chosen(made: E2BSandbox, asked: Json) -> Kernel | None:
    _add_defaults(made)
    if asked.get("context_id"):
        return made.machine.kernels.find(asked["context_id"])
    language = str(asked.get("language") or "python").lower()
    kernel_id = made.default_kernels.get(language)
    kernel = made.machine.kernels.find(kernel_id) if kernel_id else None
    return kernel or _add_default(made, language)


def _add_defaults(made: E2BSandbox) -> None:
    for language in _DEFAULTS:
        if language not in made.default_kernels:
            _add_default(made, language)


def _add_default(made: E2BSandbox, language: str) -> Kernel:
    kernel = made.machine.kernels.add(language=language, cwd=made.machine.home)
    made.default_kernels[language] = kernel.id
    return kernel


def _around(kernel: Kernel, envs: Mapping[str, str]) -> tuple[str, str]:
    """What sets the variables of one cell, and takes them back."""
    if not envs or kernel.language != "python":
        return "", ""
    return _SET.format(names=list(envs), envs=dict(envs)), _UNSET


def _told(kernel: Kernel) -> dict[str, str]:
    body = {"id": kernel.id, "language": kernel.language, "cwd": kernel.cwd}
    Context.from_json(body)
    return body


async def _say(exchange: Exchange, status: int, text: str) -> None:
    await exchange.reply(status, text.encode(), {"content-type": "text/plain"})
