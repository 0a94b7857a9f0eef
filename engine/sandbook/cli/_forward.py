"""A port of a sandbox on this computer, for as long as somebody wants it."""

from __future__ import annotations

import signal
import sys
from urllib.parse import urlsplit

import anyio
from anyio.abc import ByteReceiveStream, SocketStream

from sandbook.api import PortUrl, Sandbox
from sandbook.cli._joining import PORTS, open_live
from sandbook.cli._opening import here
from sandbook.cli._words import say, warn
from sandbook.errors import SandbookError, Unsupported, UsageError

_HOST = "127.0.0.1"
_LOOK_S = 2.0


async def open_forward(start: str, port: int, local: int | None) -> int:
    """0 when it was ended from here, 1 when the sandbox ended first.

    Raises:
        UsageError: There is no such sandbox, or the local port is taken.
        Unsupported: Its provider cannot do this.
        PortClosed: Nothing listens there.
    """
    async with (
        here() as installation,
        open_live(installation, start, need=PORTS) as sandbox,
    ):
        place = await sandbox.port(port)
        return await _hold(sandbox, place, port=port, local=local)


async def _hold(
    sandbox: Sandbox, place: PortUrl, *, port: int, local: int | None
) -> int:
    """Serve `local`, if it is asked for, until somebody leaves; the exit code."""
    if local is None:
        _tell(sandbox, place, port)
        return await _until_left(sandbox)
    target = _plain_place(sandbox, place)
    listener = await _listen(local)

    async def join(way: SocketStream) -> None:
        await _join(way, target)

    code = 0
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, join)
        _tell(sandbox, PortUrl(url=f"http://{_HOST}:{local}"), port)
        code = await _until_left(sandbox)
        tasks.cancel_scope.cancel()
    return code


def _tell(sandbox: Sandbox, place: PortUrl, port: int) -> None:
    say(place.url)
    for name, value in place.headers.items():
        say(f"  with the header {name}: {value}")
    sys.stdout.flush()
    warn(f"port {port} of sandbox {sandbox.ref.id}; leave with Ctrl-C")


async def _until_left(sandbox: Sandbox) -> int:
    """Wait for a signal, or for the end of the sandbox."""
    code = 0
    async with anyio.create_task_group() as tasks:

        async def look() -> None:
            nonlocal code
            while True:
                await anyio.sleep(_LOOK_S)
                try:
                    await sandbox.info()
                except SandbookError as error:
                    warn(f"error: {error}")
                    code = 1
                    tasks.cancel_scope.cancel()

        tasks.start_soon(look)
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                break
        tasks.cancel_scope.cancel()
    return code


def _plain_place(sandbox: Sandbox, place: PortUrl) -> tuple[str, int]:
    """Host and port where bytes can be sent as they are."""
    found = urlsplit(place.url)
    if found.scheme != "http" or place.headers or not found.hostname:
        raise Unsupported(
            f"{place.url} cannot be had on a port of this computer: it needs more than "
            "a connection",
            provider=sandbox.ref.provider,
            operation="port",
            ref=sandbox.ref,
            sent="no",
            remedy="leave out --to, and use the address itself",
        )
    return found.hostname, found.port or 80


async def _listen(local: int) -> anyio.abc.Listener[SocketStream]:
    try:
        return await anyio.create_tcp_listener(local_host=_HOST, local_port=local)
    except OSError as error:
        raise UsageError(
            f"port {local} of this computer cannot be had: "
            f"{(error.strerror or str(error)).lower()}",
            remedy="name another one with --to, or leave it out",
        ) from error


async def _join(way: SocketStream, target: tuple[str, int]) -> None:
    """Carry both directions; what breaks one connection is no matter of others."""
    async with way:
        try:
            async with (
                await anyio.connect_tcp(*target) as inner,
                anyio.create_task_group() as tasks,
            ):
                tasks.start_soon(_carry, way, inner)
                tasks.start_soon(_carry, inner, way)
        except* (OSError, anyio.BrokenResourceError):
            await way.aclose()


async def _carry(source: ByteReceiveStream, target: SocketStream) -> None:
    async for data in source:
        await target.send(data)
    await target.send_eof()
