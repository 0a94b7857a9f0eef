"""envd's watches: one that streams, and one that is asked now and then."""

from __future__ import annotations

import posixpath
from contextlib import suppress

import anyio
from e2b.envd.filesystem import filesystem_pb as pb

from sandbook.api import WatchEvent, WatchRequest
from sandbook.errors import FileError, FileMissing, NotAFolder
from tests.servers.core.watches import Watcher
from tests.servers.e2b import access, connect_protocol
from tests.servers.e2b.connect_protocol import RpcError, Stream
from tests.servers.e2b.envd_files import resolve
from tests.servers.e2b.envd_filesystem import describe
from tests.servers.e2b.envd_processes import Call, keepalive, timeout_of
from tests.servers.e2b.replies import Json
from tests.servers.e2b.sandboxes import E2BSandbox
from tests.servers.web.exchange import Exchange

_TYPES = {
    "created": "EVENT_TYPE_CREATE",
    "modified": "EVENT_TYPE_WRITE",
    "deleted": "EVENT_TYPE_REMOVE",
}


async def watch(exchange: Exchange, made: E2BSandbox) -> None:
    """Tell what happens in a folder, until the call's deadline."""
    asked = connect_protocol.read(
        pb.WatchDirRequest, await connect_protocol.only_request(exchange)
    )
    access.check_user(exchange)
    stream = Stream(exchange, pb.WatchDirResponse)
    watcher = await _start(made, asked)
    try:
        with anyio.move_on_after(timeout_of(exchange)) as scope:
            async with exchange.while_connected():
                await stream.send({"start": {}})
                await _follow(stream, made, watcher, silence=keepalive(exchange))
    finally:
        made.machine.watches.stop(watcher)
    if scope.cancelled_caught:
        await stream.end(RpcError("deadline_exceeded", "context deadline exceeded"))


async def create_watcher(exchange: Exchange, made: E2BSandbox) -> None:
    """Watch a folder until it is told otherwise."""
    asked = connect_protocol.read(pb.CreateWatcherRequest, await exchange.body())
    access.check_user(exchange)
    watcher = await _start(made, asked)
    body = {"watcherId": watcher.id}
    await connect_protocol.reply(exchange, pb.CreateWatcherResponse, body)


async def get_watcher_events(exchange: Exchange, made: E2BSandbox) -> None:
    """What happened since the last time."""
    asked = connect_protocol.read(pb.GetWatcherEventsRequest, await exchange.body())
    watcher = _find(made, asked.watcher_id)
    events: list[Json] = []
    for event in watcher.taken():
        events += await _told(made, watcher, event)
    body = {"events": events}
    await connect_protocol.reply(exchange, pb.GetWatcherEventsResponse, body)


async def remove_watcher(exchange: Exchange, made: E2BSandbox) -> None:
    """Watch no more."""
    asked = connect_protocol.read(pb.RemoveWatcherRequest, await exchange.body())
    watcher = _find(made, asked.watcher_id)
    made.machine.watches.stop(watcher)
    await connect_protocol.reply(exchange, pb.RemoveWatcherResponse)


UNARY: dict[str, Call] = {
    "CreateWatcher": create_watcher,
    "GetWatcherEvents": get_watcher_events,
    "RemoveWatcher": remove_watcher,
}
STREAMED: dict[str, Call] = {"WatchDir": watch}


async def _follow(
    stream: Stream, made: E2BSandbox, watcher: Watcher, *, silence: float
) -> None:
    while True:
        event = await watcher.next(silence=silence)
        if event is None:
            await stream.send({"keepalive": {}})
            continue
        for row in await _told(made, watcher, event):
            await stream.send({"filesystem": row})


async def _told(made: E2BSandbox, watcher: Watcher, event: WatchEvent) -> list[Json]:
    """An event as fsnotify tells it: a rename is two."""
    if event.kind == "overflow":
        raise RpcError("internal", "watcher error: queue or buffer overflow")
    if event.kind != "renamed":
        return [await _row(made, watcher, event.path, _TYPES[event.kind])]
    return [
        await _row(made, watcher, event.was or event.path, "EVENT_TYPE_RENAME"),
        await _row(made, watcher, event.path, "EVENT_TYPE_CREATE"),
    ]


async def _row(made: E2BSandbox, watcher: Watcher, name: str, kind: str) -> Json:
    row: Json = {"name": name, "type": kind}
    if watcher.with_entry:
        path = posixpath.normpath(posixpath.join(watcher.request.path, name))
        # What is gone by now has no entry.
        with suppress(FileError):
            row["entry"] = await describe(made, path)
    return row


async def _start(
    made: E2BSandbox, asked: pb.WatchDirRequest | pb.CreateWatcherRequest
) -> Watcher:
    path = resolve(made, asked.path)
    try:
        found = await made.machine.sandbox.files.stat(path, follow=True)
        if found.kind != "folder":
            raise RpcError("invalid_argument", f"path {path} not a directory")
        request = WatchRequest(path=path, recursive=asked.recursive)
        return await made.machine.watches.start(request, with_entry=asked.include_entry)
    except (FileMissing, NotAFolder) as error:
        raise RpcError("not_found", f"path {path} not found") from error


def _find(made: E2BSandbox, name: str) -> Watcher:
    found = made.machine.watches.find(name)
    if found is None:
        raise RpcError("not_found", f"watcher with id {name} not found")
    return found
