"""A keeper stands above a command: it starts it, adopts its orphans, reports its end.

It keeps nothing else as long as anything lives that its command started, so that even
a process which left its session and lost its parents is still found below it.
"""

# pathlib would add a third to the supervisor's start
# ruff: noqa: PTH110

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
from struct import Struct

from sandbook_local.inside import frames, kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable
    from typing import NoReturn

    from sandbook_local.inside.frames import Frame, Message

    Start = Callable[[str, list[str]], int]

REPORT = Struct("=ci")
"""What goes through the status pipe: a letter and a number.

s: started, with its pid. e: could not be executed, errno. c: its folder could not be
entered, errno. n: no process could be made, errno. x: ended, wait status.
"""

TAKEN, READY = b"tr"
"""What it says to pid 1: that it begins with its order, that it waits for the next."""

MISSING = 127
NOT_EXECUTABLE = 126

_OPEN_FILES = 4096
_TIOCSCTTY = 0x540E
_DEFAULTS = (
    signal.SIGPIPE,
    signal.SIGXFSZ,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGTERM,
)


class Order:
    """A command to start; `shell` holds a text instead of `argv`.

    With `has_terminal` its stdin is a terminal, which becomes that of its session.
    """

    __slots__ = ("argv", "cwd", "env", "has_terminal", "processes", "shell")

    def __init__(
        self,
        *,
        argv: list[str],
        shell: tuple[str, bool, bool] | None,
        env: dict[str, str],
        cwd: str,
        has_terminal: bool,
        processes: int,
    ) -> None:
        self.argv = argv
        self.shell = shell
        self.env = env
        self.cwd = cwd
        self.has_terminal = has_terminal
        self.processes = processes


class Streams:
    """The descriptors of a command; `stdin` None is /dev/null."""

    __slots__ = ("status", "stderr", "stdin", "stdout")

    def __init__(
        self, status: int, stdout: int, stderr: int, stdin: int | None = None
    ) -> None:
        self.status = status
        self.stdout = stdout
        self.stderr = stderr
        self.stdin = stdin

    def close_all_but_status(self) -> None:
        """Let the command be the only one that holds its streams."""
        for descriptor in (self.stdout, self.stderr, self.stdin):
            if descriptor is not None:
                os.close(descriptor)


class Refused(Exception):  # noqa: N818 (told as a letter of a report)
    """A command was not started; `letter` and `number` are those of its report."""

    def __init__(self, letter: bytes, number: int) -> None:
        super().__init__(letter, number)
        self.letter = letter
        self.number = number


def keep(way: _socket.socket, first: Frame) -> NoReturn:
    """Be a keeper: of the command in `first`, then of those that come through `way`."""
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    _keep(first, way)
    reader = frames.Reader()
    while True:
        frame = reader.next()
        if frame is not None:
            _say(way, TAKEN)
            _keep(frame, way)
        elif not reader.receive(way):
            os._exit(0)


def _say(way: _socket.socket, word: int) -> None:
    way.send(bytes((word,)))


def _keep(frame: Frame, way: _socket.socket) -> None:
    streams = Streams(*frame.descriptors)
    ended = _start_and_watch(_read_order(frame.message), streams)
    # Before anybody hears of its end, who may have the next order.
    _say(way, READY)
    if ended is not None:
        report(streams.status, b"x", ended)
    os.close(streams.status)


def _start_and_watch(order: Order, streams: Streams) -> int | None:
    """See a command from its start to the end of all that came of it.

    Its wait status, where that was not told before.
    """
    start = _fork if order.has_terminal else _spawn
    try:
        leader = start(order, streams)
    except Refused as refused:
        streams.close_all_but_status()
        report(streams.status, refused.letter, refused.number)
        return None
    streams.close_all_but_status()
    report(streams.status, b"s", leader)
    return _watch(leader, streams.status)


def _read_order(message: Message) -> Order:
    return Order(
        argv=frames.texts(message, "argv"),
        shell=_read_shell(message),
        env=frames.mapping(message, "env"),
        cwd=frames.text(message, "cwd"),
        has_terminal=message.get("terminal") is True,
        processes=frames.whole(message, "processes"),
    )


def _read_shell(message: Message) -> tuple[str, bool, bool] | None:
    text = frames.optional_text(message, "shell")
    if text is None:
        return None
    return text, message.get("strict") is True, message.get("bash") is True


def _watch(leader: int, status: int) -> int | None:
    """Wait until all has ended; how the first did, if it was the last."""
    while True:
        try:
            pid, ended = os.wait()
        except ChildProcessError:
            return None
        if pid != leader:
            continue
        if not _has_children():
            return ended
        report(status, b"x", ended)


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _spawn(order: Order, streams: Streams) -> int:
    """Start the command without copying this process: half the time of a fork.

    What it inherits is therefore set here, in the keeper itself.
    """
    letter = b"c"
    try:
        os.umask(0o022)
        os.chdir(order.cwd)
        _limit(order.processes)
        letter = b"e"
        return _spawn_program(_program(order), order.env, streams)
    except OSError as error:
        letter = b"n" if error.errno == errno.EAGAIN else letter
        raise Refused(letter, error.errno or 0) from error
    except ValueError as error:
        raise Refused(b"e", errno.EINVAL) from error


def _spawn_program(argv: list[str], env: dict[str, str], streams: Streams) -> int:
    wires = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)
        if streams.stdin is None
        else (os.POSIX_SPAWN_DUP2, streams.stdin, 0),
        (os.POSIX_SPAWN_DUP2, streams.stdout, 1),
        (os.POSIX_SPAWN_DUP2, streams.stderr, 2),
    ]

    def start(path: str, args: list[str]) -> int:
        return os.posix_spawn(
            path,
            args,
            env,
            file_actions=wires,
            setsid=True,
            setsigdef=_DEFAULTS,
        )

    return _first_of(argv, env, start)


def _fork(order: Order, streams: Streams) -> int:
    """Start the command in a terminal, which only its own process can take over."""
    reading, writing = os.pipe()
    try:
        leader = os.fork()
        if leader == 0:
            _lead(order, streams, writing)
    except OSError as error:
        os.close(reading)
        raise Refused(b"n", error.errno or 0) from error
    finally:
        os.close(writing)
    refusal = os.read(reading, REPORT.size)
    os.close(reading)
    if refusal:
        os.waitpid(leader, 0)
        raise Refused(*REPORT.unpack(refusal))
    return leader


def _lead(order: Order, streams: Streams, trouble: int) -> NoReturn:
    letter = b"e"
    try:
        os.setsid()
        _wire(streams)
        if order.has_terminal:
            fcntl.ioctl(0, _TIOCSCTTY, 0)
        for signum in _DEFAULTS:
            signal.signal(signum, signal.SIG_DFL)
        os.umask(0o022)
        _limit(order.processes)
        letter = b"c"
        os.chdir(order.cwd)
        letter = b"e"
        _first_of(_program(order), order.env, _replace_by(order.env))
    except OSError as error:
        report(trouble, letter, error.errno or 0)
    except ValueError:
        report(trouble, b"e", errno.EINVAL)
    finally:
        os._exit(MISSING)


def _wire(streams: Streams) -> None:
    stdin = streams.stdin
    if stdin is None:
        stdin = os.open("/dev/null", os.O_RDONLY)
    for source, target in ((stdin, 0), (streams.stdout, 1), (streams.stderr, 2)):
        os.dup2(source, target, inheritable=True)


def _limit(processes: int) -> None:
    resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))


def _program(order: Order) -> list[str]:
    if order.shell is None:
        return order.argv
    text, strict, wants_bash = order.shell
    if wants_bash and os.path.exists("/bin/bash"):
        return ["/bin/bash", *(["-eo", "pipefail"] if strict else []), "-c", "--", text]
    return ["/bin/sh", *(["-e"] if strict else []), "-c", "--", text]


def _first_of(argv: list[str], env: dict[str, str], start: Start) -> int:
    """Start the program that PATH names; raises what execvp(3) would give as errno."""
    name = argv[0]
    if "/" in name:
        return _start_file(name, argv, start)
    trouble: OSError = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    for folder in env.get("PATH", os.defpath).split(":"):
        path = f"{folder or '.'}/{name}"
        # A failed try costs a process; most folders of PATH fail.
        if not os.access(path, os.F_OK):
            continue
        try:
            return _start_file(path, argv, start)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError as error:
            trouble = error
    raise trouble


def _start_file(path: str, argv: list[str], start: Start) -> int:
    try:
        return start(path, argv)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        # A script without a first line: shells and execvp(3) give it to sh.
        return start("/bin/sh", ["/bin/sh", path, *argv[1:]])


def _replace_by(env: dict[str, str]) -> Start:
    def start(path: str, args: list[str]) -> NoReturn:
        os.execve(path, args, env)  # noqa: S606 (its whole purpose)

    return start


def report(descriptor: int, letter: bytes, number: int) -> None:
    """Say through the status pipe what became of a command."""
    os.write(descriptor, REPORT.pack(letter, number))
