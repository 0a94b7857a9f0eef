"""Python cells: each context is a Jupyter kernel, forked from a warm process.

We are its client: the kernel's protocol over sockets in a private folder, signed with
a key that nobody else knows.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import gc
import importlib
import json
import os
import re
import secrets
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from sandbook_local.inside import frames, loop, processes
from sandbook_local.inside.code import endings, late, nursery, packages
from sandbook_local.inside.peer import Peer

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket

    from sandbook_local.inside.code.context import Cell, Context, Interpreter, Make
    from sandbook_local.inside.frames import Frame

# The protocol of kernels is messages of any shape, in packages without types.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false

_LOOK = 0.003
_ASK_AGAIN = 0.01
_START_LIMIT = 60.0
_SHELL, _IOPUB = 1, 2
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_TEXT_IMAGES = ("image/svg+xml",)
_SOON = (
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "ipykernel.debugger",
    "tornado.locks",
    "tornado.platform.asyncio",
    "tornado.queues",
)
"""What a kernel would load as it begins: with it, each begins a third sooner."""

_BINARY = ("image/", "audio/", "video/", "application/pdf", "application/octet-stream")


def maker(lp: loop.Loop, place: Path) -> Make:
    """Load what kernels need, leave the nursery, and be ready to make kernels."""
    # All of it stays to the end: to look through it again and again was a quarter of
    # the time that it takes to load.
    gc.disable()
    links = place / "packages"
    links.mkdir()
    try:
        packages.link(links)
    except (packages.Missing, OSError) as error:
        raise SystemExit(
            f"the packages of a Python kernel are missing: {error}"
        ) from error
    sys.path.append(str(links))
    channel = nursery.leave(_warm)
    gc.enable()
    return Kernels(lp, place, channel).make


def _warm() -> None:
    # It loads what starts and watches kernels elsewhere, an eighth of it all.
    late.put_off("jupyter_client", "connect")
    # Where pip comes in an archive, each of them would be looked for in it first.
    path = sys.path[:]
    sys.path[:] = [place for place in path if not place.endswith(".whl")]
    try:
        importlib.import_module("sandbook_local.inside.code.kernel_app")
        for name in _SOON:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
    finally:
        sys.path[:] = path


class Kernels:
    """The kernels of all contexts, and the way to where they come from."""

    def __init__(self, lp: loop.Loop, place: Path, channel: _socket.socket) -> None:
        import zmq

        self.loop = lp
        self.zmq = zmq.Context(1)
        self._place = place
        self._count = 0
        self._kernels: dict[str, Kernel] = {}
        self._nursery = Peer(lp, channel, self._hear)
        # Without it no context can be had any more; whoever comes starts us afresh.
        self._nursery.when_closed.append(lambda: os._exit(1))

    def make(self, context: Context) -> Interpreter:
        """A new kernel for this context."""
        self._count += 1
        folder = self._place / str(self._count)
        folder.mkdir(mode=0o700)
        made = Kernel(self, context, folder)
        self._kernels[str(folder)] = made
        self._nursery.send(
            {
                "folder": str(folder),
                "key": made.key,
                "cwd": context.cwd,
                "env": dict(context.env),
            }
        )
        return made

    def _hear(self, _peer: Peer, frame: Frame) -> None:
        kernel = self._kernels[frames.text(frame.message, "folder")]
        if "pid" in frame.message:
            kernel.born(frames.whole(frame.message, "pid"))
            return
        del self._kernels[frames.text(frame.message, "folder")]
        if "ended" in frame.message:
            kernel.ended(endings.words(frames.whole(frame.message, "ended")))
        else:
            kernel.ended(frames.text(frame.message, "refused"))


class Kernel:
    """One kernel, and our connections to it."""

    def __init__(self, kernels: Kernels, context: Context, folder: Path) -> None:
        from jupyter_client.session import Session

        self.key = secrets.token_hex(16)
        self._loop = kernels.loop
        self._zmq = kernels.zmq
        self._context: Context | None = context
        self._folder = folder
        self._session = Session(key=self.key.encode(), username="sandbook")
        self._sockets: dict[int, Any] = {}
        self._pid: int | None = None
        self._request = ""
        self._has_reply = self._is_idle = False
        self._is_known = False
        self._reply: dict[str, Any] = {}
        self._began = loop.now()

    def born(self, pid: int) -> None:
        """It was forked; connect as soon as its sockets are there."""
        self._pid = pid
        if self._context is None:
            self.kill()
            return
        self._look()

    def run(self, cell: Cell) -> None:
        """Send a cell."""
        message = cell.message
        self._expect(
            "execute_request",
            {
                "code": frames.text(message, "source"),
                "silent": False,
                "store_history": True,
                "user_expressions": {},
                "allow_stdin": False,
                "stop_on_error": True,
                "bind": frames.child(message, "bind"),
                "read": frames.mapping(message, "read"),
            },
        )

    def interrupt(self) -> None:
        """What runs gets a KeyboardInterrupt; so does what it started."""
        if self._pid is not None:
            _signal(self._pid, signal.SIGINT)

    def waited(self) -> float:
        """Seconds."""
        return 0.0 if self._pid is None else processes.waited(self._pid)

    def kill(self) -> None:
        """End it, and what is below it."""
        self._context = None
        if self._pid is not None:
            processes.kill_below(self._pid)
            _kill(self._pid)

    def ended(self, why: str) -> None:
        """It is gone."""
        self._pid = None
        for found in self._sockets.values():
            self._loop.forget(found.fileno())
            found.close(linger=0)
        self._sockets.clear()
        shutil.rmtree(self._folder, ignore_errors=True)
        context, self._context = self._context, None
        if context is not None:
            context.died(why)

    def _look(self) -> None:
        if self._pid is None or self._context is None:
            return
        paths = [Path(f"{self._folder}/s-{number}") for number in (_SHELL, _IOPUB)]
        if not all(path.exists() for path in paths):
            self._loop.call_at(loop.now() + _LOOK, self._look)
            return
        import zmq

        for number, kind in ((_SHELL, zmq.DEALER), (_IOPUB, zmq.SUB)):
            found = self._zmq.socket(kind)
            found.linger = 0
            found.rcvhwm = 0
            if kind == zmq.SUB:
                found.subscribe(b"")
            found.connect(f"ipc://{self._folder}/s-{number}")
            self._sockets[number] = found
            self._loop.watch(found.fileno(), loop.READ, lambda _: self._receive())
        self._greet()

    def _greet(self) -> None:
        """Ask until both its channels answer: what is told before we listen is lost.

        Only that: an answer to the question itself always comes, so who has asked
        waits for it, and does not keep a kernel that begins from beginning.
        """
        if self._is_known or not self._sockets:
            return
        if loop.now() > self._began + _START_LIMIT:
            context = self._context
            self.kill()
            if context is not None:
                context.refused("its kernel does not answer")
            return
        if self._has_reply or not self._request:
            self._expect("kernel_info_request", {})
        self._loop.call_at(loop.now() + _ASK_AGAIN, self._greet)

    def _expect(self, kind: str, content: dict[str, Any]) -> None:
        self._has_reply = self._is_idle = False
        sent = self._session.send(self._sockets[_SHELL], kind, content)
        self._request = sent["header"]["msg_id"] if sent else ""
        # The descriptor tells of changes only, and sending may swallow one.
        self._loop.call_at(loop.now(), self._receive)

    def _receive(self) -> None:
        import zmq

        for number in (_IOPUB, _SHELL):
            while number in self._sockets:
                try:
                    _, message = self._session.recv(self._sockets[number])
                except zmq.ZMQError:
                    return
                except ValueError:
                    continue  # not signed with our key, or not a message
                if message is None:
                    break
                if message["parent_header"].get("msg_id") == self._request:
                    self._take(number, message)
        if self._has_reply and self._is_idle:
            self._settle()

    def _take(self, number: int, message: dict[str, Any]) -> None:
        if number == _SHELL:
            self._has_reply = True
            self._reply = message["content"]
            return
        kind, content = message["msg_type"], message["content"]
        context = self._context
        if kind == "status":
            self._is_idle = self._is_idle or content["execution_state"] == "idle"
        elif context is None or not self._is_known:
            return
        elif kind == "stream":
            stream = "stderr" if content["name"] == "stderr" else "stdout"
            context.text(stream, content["text"])
        elif kind in ("execute_result", "display_data", "update_display_data"):
            data = {name: _decoded(name, v) for name, v in content["data"].items()}
            context.rich(data, main=kind == "execute_result")
        elif kind == "error":
            lines = "\n".join(content["traceback"])
            traceback = _ANSI.sub("", lines)
            context.failed(
                content["ename"], _ANSI.sub("", content["evalue"]), traceback
            )

    def _settle(self) -> None:
        context, reply = self._context, self._reply
        self._has_reply = self._is_idle = False
        self._reply, self._request = {}, ""
        if context is None:
            return
        if not self._is_known:
            self._is_known = True
            context.ready()
            return
        unread = reply.get("unread")
        if unread:
            context.failed("SaveError", unread["value"], "")
        if reply.get("status") != "ok":
            # Interrupted while it was about to say so, it says it only here.
            traceback = _ANSI.sub("", "\n".join(reply.get("traceback", ())))
            name, value = reply.get("ename", "Aborted"), reply.get("evalue", "")
            context.failed_unless_told(name, value, traceback)
        told = {
            name: json.loads(text) for name, text in reply.get("values", {}).items()
        }
        context.done(told)


def _decoded(kind: str, value: Any) -> bytes:
    """The bytes of a result: pictures decoded, JSON as text."""
    if not isinstance(value, str):
        return json.dumps(value).encode()
    if kind.endswith("json"):
        return json.dumps(value).encode()
    if kind.startswith(_BINARY) and kind not in _TEXT_IMAGES:
        try:
            return base64.b64decode(value)
        except binascii.Error:
            pass
    return value.encode("utf-8", "replace")


def _signal(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
