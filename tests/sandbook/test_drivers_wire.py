"""How lines pass between a keeper and who asks it."""

from __future__ import annotations

import socket
import threading

from sandbook.drivers.inside.spool import Frame, Spool, in_order
from sandbook.drivers.inside.wire import Line, relay

_LINE = b'{"chunk":"' + b"x" * 30_000 + b'"}\n'


def test_the_last_words_of_one_who_can_be_told_nothing_more_are_passed_on() -> None:
    keeper, one = socket.socketpair()
    asker, other = socket.socketpair()
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    keeper.settimeout(0.2)
    sent = 0
    try:
        while True:
            keeper.sendall(_LINE)
            sent += 1
    except TimeoutError:
        keeper.close()  # the last line is cut; nobody takes part of one for all of it
    assert sent * len(_LINE) > 256 << 10, "all of it would be read at once"
    asker.sendall(b'{"do":"room","bytes":1}\n')
    told: list[bytes] = []
    heard = threading.Thread(target=_gather, args=(asker, told))
    heard.start()
    with one, other:
        assert relay(Line(one), Line(other)) is True
    heard.join(20)
    asker.close()
    assert b"".join(told) == _LINE * sent


def _gather(sock: socket.socket, told: list[bytes]) -> None:
    while data := sock.recv(1 << 16):
        told.append(data)


def test_what_was_handed_out_does_not_grow_with_what_is_kept() -> None:
    spool = Spool(1 << 20, 1 << 20)
    for number in range(1, 3001):  # so many that small ones are joined
        spool.add(Frame(number, 0, 0.0, b"x"))
    given = [frame.after(0) for frame in in_order([spool])]
    spool.add(Frame(3001, 0, 0.0, b"y"))
    assert b"".join(frame.data for frame in given) == b"x" * 3000
