"""How init connects to what listens inside, for whoever cannot enter the network.

Nothing here waits: a connection that is not made at once is looked at again when the
kernel says so, and init serves everybody else meanwhile.
"""

# pathlib would add a third to the supervisor's start
# ruff: noqa: PTH123

from __future__ import annotations

import _socket
import errno
import select
import sys

from sandbook_local.inside import frames

TYPE_CHECKING = False
if TYPE_CHECKING:
    Place = tuple[int, tuple[str, int] | str]
    from sandbook_local.inside.frames import Message

_MOST_PENDING = 256
_LISTENS = b"0A"
_ANY_AND_LOOPBACK = {
    "/proc/net/tcp": ("0.0.0.0", "127.0.0.1"),  # noqa: S104 (looked for, not bound)
    "/proc/net/tcp6": ("::", "::1"),
}
_FAMILIES = {"/proc/net/tcp": _socket.AF_INET, "/proc/net/tcp6": _socket.AF_INET6}


class _Dial:
    """A connection under way; `left` are the other addresses to try."""

    __slots__ = ("answer", "channel", "left")

    def __init__(self, answer: _socket.socket, left: list[Place]) -> None:
        self.answer = answer
        self.left = left
        self.channel: _socket.socket | None = None


class Dials:
    """Connections under way, by descriptor; `poll` is that of init."""

    def __init__(self, poll: select.poll) -> None:
        self._poll = poll
        self._waiting: dict[int, _Dial] = {}

    def start(self, message: Message, answer: int) -> None:
        """Connect as ordered; `answer`, taken over, gets the socket or an errno."""
        way = _socket.socket(fileno=answer)
        if len(self._waiting) >= _MOST_PENDING:
            _tell(way, errno.EAGAIN)
            return
        path = frames.optional_text(message, "path")
        if path is not None:
            self._try_next(_Dial(way, [(_socket.AF_UNIX, path)]))
            return
        port = frames.whole(message, "port", least=1)
        places: list[Place] = [
            (_socket.AF_INET, ("127.0.0.1", port)),
            (_socket.AF_INET6, ("::1", port)),
        ]
        self._try_next(_Dial(way, places))

    def look(self, descriptor: int) -> bool:
        """Go on with the dial that waits for this descriptor, if one does."""
        dial = self._waiting.pop(descriptor, None)
        if dial is None or dial.channel is None:
            return False
        self._poll.unregister(descriptor)
        number = dial.channel.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
        self._settle(dial, number)
        return True

    def drop(self) -> None:
        """In a child of init: let go of what is on its way to others."""
        for dial in self._waiting.values():
            dial.answer.close()
            if dial.channel is not None:
                dial.channel.close()

    def _try_next(self, dial: _Dial) -> None:
        family, address = dial.left.pop(0)
        try:
            dial.channel = _socket.socket(family, _socket.SOCK_STREAM)
        except OSError as error:
            self._settle(dial, error.errno or errno.EAFNOSUPPORT)
            return
        dial.channel.setblocking(False)
        try:
            number = dial.channel.connect_ex(address)
        except OSError as error:  # an address that cannot be one
            number = error.errno or errno.ENAMETOOLONG
        if number != errno.EINPROGRESS:
            self._settle(dial, number)
            return
        self._waiting[dial.channel.fileno()] = dial
        self._poll.register(dial.channel.fileno(), select.POLLOUT)

    def _settle(self, dial: _Dial, number: int) -> None:
        """Pass the socket on, try another address, or say what is wrong."""
        if number and dial.left:
            if dial.channel is not None:
                dial.channel.close()
            self._try_next(dial)
            return
        _tell(dial.answer, number, dial.channel)


def _tell(
    way: _socket.socket, number: int, channel: _socket.socket | None = None
) -> None:
    passed = [] if number or channel is None else [channel.fileno()]
    told = frames.pack({"errno": number}, descriptors=len(passed))
    try:
        # It is new and empty, so this never has to wait.
        way.sendmsg([told], frames.ancillary(passed), _socket.MSG_NOSIGNAL)
    except OSError:
        pass  # nobody waits for it any more
    finally:
        way.close()
        if channel is not None:
            channel.close()


def tell_listening(message: Message, answer: int) -> None:
    """Tell `answer`, taken over, whether a dial of this port would be accepted.

    Looked up, not tried: a server may serve one connection only.
    """
    port = frames.whole(message, "port", least=1)
    way = _socket.socket(fileno=answer)
    _tell(way, 0 if listens(port) else errno.ECONNREFUSED)


def listens(port: int) -> bool:
    """Whether something listens on this port of the loopback."""
    return any(_has_listener(table, port) for table in _ANY_AND_LOOPBACK)


def _has_listener(table: str, port: int) -> bool:
    wanted = {
        f"{_as_kernel_writes(table, host)}:{port:04X}".encode()
        for host in _ANY_AND_LOOPBACK[table]
    }
    try:
        with open(table, "rb") as rows:
            for row in rows:
                fields = row.split(None, 4)
                if fields[3:4] == [_LISTENS] and fields[1] in wanted:
                    return True
    except OSError:
        return False  # a kernel without this family
    return False


def _as_kernel_writes(table: str, host: str) -> str:
    """Words of 32 bits, each as this machine reads it."""
    packed = _socket.inet_pton(_FAMILIES[table], host)
    words = [packed[at : at + 4] for at in range(0, len(packed), 4)]
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
