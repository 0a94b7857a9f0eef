"""What clients may ask of a supervisor, and what it answers.

One request at a time on a connection, which is closed after it unless the request
says `stay`. Each names the version of this protocol; an answer holds `error` (the
name of a class of `sandbook.errors`) when it was refused.
"""

from __future__ import annotations

import _socket
import signal

from sandbook_local.inside import command, frames, spool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sandbook_local.inside.command import Command
    from sandbook_local.inside.frames import Frame, Message
    from sandbook_local.inside.peer import Peer
    from sandbook_local.inside.supervisor import Supervisor

PROTOCOL = 1

_SIGNALS = {"INT": signal.SIGINT, "TERM": signal.SIGTERM, "KILL": signal.SIGKILL}
_ENDINGS = {"stop": signal.SIGTERM, "hang_up": signal.SIGHUP}
_KEPT_LIMIT = 1 << 30
_SMALL = 64 << 10
_LONGEST_SIDE = 0xFFFF
_CWD = "c"
_NEED_LIFE = ("channel", "dial", "listens")
_STOPPED_LIMIT = 256
_HIGHEST_PORT = 0xFFFF


class Feed:
    """Sends one client the output of one command, in order, as it can take it."""

    def __init__(self, target: Command, peer: Peer, after: int) -> None:
        self._command = target
        self._peer = peer
        self._after = after
        self._cursors = {n: spool.Cursor(s) for n, s in target.streams.items()}
        self._closing: Iterator[bytes] | None = None

    def start(self) -> None:
        """Become the command's consumer; the one before is told."""
        older = self._command.consumer
        if isinstance(older, Feed):
            older.replace()
        self._command.consumer = self
        self._peer.source = self._pull
        self._peer.when_done.append(self._leave)
        self.advance()

    def replace(self) -> None:
        """Tell the client that a newer one reads now."""
        self._peer.source = None
        _refuse(self._peer, "ConnectionLost", "another reader took over this output")

    def lag(self) -> int:
        """Kept bytes that it has not taken yet."""
        return sum(s.total - self.needs(n) for n, s in self._command.streams.items())

    def needs(self, stream: str) -> int:
        """The first byte of a stream that it has not taken yet."""
        return self._cursors[stream].position

    def advance(self) -> None:
        """Take what is new."""
        self._peer.flush()
        if self._closing is not None:
            self._peer.finish()

    def _pull(self) -> bytes | None:
        found = self._next()
        if found is not None:
            name, piece = found
            told: Message = {"seq": piece.seq, "stream": name, "at": piece.at}
            return frames.pack(told, piece.data)
        if self._command.end is None:
            return None
        if self._closing is None:
            self._closing = _closing_frames(self._command)
        return next(self._closing, None)

    def _next(self) -> tuple[str, spool.Piece] | None:
        while True:
            shown = [(c.peek(), name) for name, c in self._cursors.items()]
            ready = [(piece.seq, name, piece) for piece, name in shown if piece]
            if not ready:
                return None
            seq, name, piece = min(ready)
            self._cursors[name].take()
            self._command.release()
            if seq > self._after:
                return name, piece

    def _leave(self) -> None:
        if self._command.consumer is self:
            self._command.consumer = None
            self._command.release()


class Service:
    """Answers requests."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._stopped: dict[str, None] = {}

    def serve(self, peer: Peer, frame: Frame) -> None:
        """Answer one request."""
        message = frame.message
        peer.stays = message.get("stay") is True
        if message.get("api") != PROTOCOL:
            text = f"this sandbox speaks version {PROTOCOL}, not {message.get('api')!r}"
            _refuse(peer, "Unsupported", text)
            return
        if self._supervisor.is_paused and self._needs_life(message):
            _refuse(peer, "Paused", "it is paused")
            return
        if self._serve_sandbox(peer, frame):
            return
        if message.get("do") == "start":
            self._start(peer, frame)
            return
        target = self._supervisor.commands.get(frames.text(message, "key"))
        if target is not None:
            self._serve_command(peer, message, target)
            return
        if message.get("do") == "stop":
            self._remember_stop(message)
        _answer(peer, {"known": False})

    def _needs_life(self, message: Message) -> bool:
        """Whether something would have to run for this."""
        if message.get("do") == "start":
            return frames.text(message, "key") not in self._supervisor.commands
        return message.get("do") in _NEED_LIFE

    def _serve_sandbox(self, peer: Peer, frame: Frame) -> bool:
        match frames.text(frame.message, "do"):
            case "info":
                _answer(peer, self._supervisor.describe())
            case "extend":
                self._supervisor.extend(frames.number(frame.message, "lifetime"))
                _answer(peer, self._supervisor.describe())
            case "destroy":
                self._supervisor.end("destroyed")
            case "terminal":
                pid = frames.whole(frame.message, "pid")
                _answer(peer, {"key": self._terminal_of(pid)})
            case "pack" if len(frame.descriptors) == 1:
                self._pass_way(peer, {"do": "pack"}, frame.descriptors)
            case "channel" | "dial" | "listens" | "pause" | "resume" as do:
                self._ask_init(peer, do, frame.message)
            case _:
                return False
        return True

    def _terminal_of(self, pid: int) -> str | None:
        """The key of the terminal whose program has this pid; the newest of several."""
        every = reversed(self._supervisor.commands.values())
        return next((c.key for c in every if c.has_terminal and c.pid == pid), None)

    def _serve_command(self, peer: Peer, message: Message, target: Command) -> None:
        match frames.text(message, "do"):
            case "find":
                _answer(peer, _describe(target))
            case "output":
                Feed(target, peer, frames.whole(message, "after")).start()
                target.meet()
            case "wait":
                target.meet()
                target.when_ended(lambda: _send_result(peer, target))
            case "signal":
                number = _SIGNALS[frames.text(message, "name")]
                _answer(peer, {"signalled": target.signal(number)})
            case "stop" | "hang_up" as how:
                target.stop(_ENDINGS[how])
                _answer(peer, {})
            case "stdin":
                _pass_stdin(peer, target)
            case "end_input":
                target.close_input()
                _answer(peer, {})
            case other:
                raise frames.ProtocolError(f"unknown request {other!r}")

    def _start(self, peer: Peer, frame: Frame) -> None:
        message = frame.message
        key = frames.text(message, "key")
        target = self._supervisor.commands.get(key)
        known = target is not None
        if target is None:
            if self._was_stopped(message):
                _answer(peer, {"refused": "stopped", "errno": 0})
                return
            if self._supervisor.is_full():
                _refuse_full(peer)
                return
            target = self._begin(key, frame)
        started = target
        target.when_started(lambda: self._tell_start(peer, started, known=known))

    def _remember_stop(self, message: Message) -> None:
        """A start that was given up may still be on its way, behind its stop."""
        call = frames.optional_text(message, "call")
        if call is None:
            return
        self._stopped[call] = None
        if len(self._stopped) > _STOPPED_LIMIT:
            del self._stopped[next(iter(self._stopped))]

    def _was_stopped(self, message: Message) -> bool:
        call = frames.optional_text(message, "call")
        return call in self._stopped

    def _begin(self, key: str, frame: Frame) -> Command:
        message = frame.message
        limits = command.Limits(
            timeout=frames.optional_number(message, "timeout"),
            grace=frames.number(message, "grace"),
            head=min(frames.whole(message, "head"), _KEPT_LIMIT),
            tail=min(frames.whole(message, "tail"), _KEPT_LIMIT),
        )
        argv = frames.texts(message, "argv")
        shell = frames.optional_text(message, "shell")
        order: Message = {
            "argv": argv,
            "shell": shell,
            "strict": message.get("strict") is True,
            "bash": message.get("bash") is True,
            "env": self._supervisor.plan.env | frames.mapping(message, "env"),
            "cwd": self._supervisor.resolve(frames.optional_text(message, "cwd")),
        }
        if "cols" in message:
            return self._supervisor.start_in_terminal(
                key,
                order,
                limits=limits,
                cols=min(frames.whole(message, "cols"), _LONGEST_SIDE),
                rows=min(frames.whole(message, "rows"), _LONGEST_SIDE),
            )
        stdin = frame.descriptors[0] if frame.descriptors else None
        if message.get("pipe") is True:
            stdin = -1
        program = argv[0] if shell is None and argv else "sh"
        return self._supervisor.start(
            key, order, limits=limits, stdin=stdin, program=program
        )

    def _tell_start(self, peer: Peer, target: Command, *, known: bool) -> None:
        if target.refusal is None:
            _answer(peer, _describe(target) | {"again": known})
            return
        self._supervisor.commands.pop(target.key, None)
        letter, number = target.refusal
        kind = "cwd" if letter == _CWD else "arguments"
        peer.send({"refused": kind, "errno": number})
        peer.finish()

    def _ask_init(self, peer: Peer, do: str, message: Message) -> None:
        match do:
            case "channel" if self._supervisor.is_full():
                _refuse_full(peer)
            case "channel":
                self._pass_way(peer, {"do": "worker"})
            case "pause":
                self._supervisor.pause()
                self._pass_way(peer, {"do": do})
            case "resume":
                self._supervisor.go_on()
                self._pass_way(peer, {"do": do})
            case _:
                self._reach(peer, message)

    def _reach(self, peer: Peer, message: Message) -> None:
        """Have init connect to a port or socket; it answers on a way of its own."""
        if self._supervisor.is_deaf():
            _refuse_full(peer)
            return
        order: Message = {"do": frames.text(message, "do")}
        if "path" in message:
            order["path"] = frames.text(message, "path")
        else:
            order["port"] = min(frames.whole(message, "port", least=1), _HIGHEST_PORT)
        self._pass_way(peer, order)

    def _pass_way(
        self, peer: Peer, order: Message, descriptors: Iterable[int] = ()
    ) -> None:
        """Give the client one end of a way whose other end goes to init."""
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            self._supervisor.order(order, [theirs.fileno(), *descriptors])
        finally:
            theirs.close()
        peer.send({}, descriptors=[ours.detach()])
        peer.finish()


def _answer(peer: Peer, message: Message) -> None:
    peer.send(message)
    peer.finish()


def _refuse(peer: Peer, error: str, text: str) -> None:
    _answer(peer, {"error": error, "text": text})


def _refuse_full(peer: Peer) -> None:
    _refuse(peer, "Busy", "more is started at once than this sandbox can take")


def _describe(target: Command) -> Message:
    return {"known": True, "pid": target.pid, "ended": target.end is not None}


def _pass_stdin(peer: Peer, target: Command) -> None:
    import os

    copies = [] if target.stdin is None else [os.dup(target.stdin)]
    peer.send({"open": bool(copies)}, descriptors=copies)
    peer.finish()


def _send_result(peer: Peer, target: Command) -> None:
    told = _result_frames(target)
    peer.source = lambda: next(told, None)
    peer.finish()


def _closing_frames(target: Command) -> Iterator[bytes]:
    """The end of an output; a small one brings the result, which saves asking."""
    total = sum(stream.total for stream in target.streams.values())
    is_small = total <= _SMALL
    yield frames.pack({"end": True, "result": is_small})
    if is_small:
        yield from _result_frames(target)


def _result_frames(target: Command) -> Iterator[bytes]:
    """How it ended and then, piece by piece, what was kept of its output."""
    kept: Message = {
        name: {
            "total": s.total,
            "head": sum(map(len, s.head())),
            "tail": sum(map(len, s.tail())),
        }
        for name, s in target.streams.items()
    }
    told: Message = {"end": target.end, "code": target.code, "seconds": target.seconds}
    yield frames.pack({**told, "limit": target.limit, "kept": kept})
    for stream in target.streams.values():
        for part in (stream.head(), stream.tail()):
            for data in part:
                yield frames.pack({}, data)
