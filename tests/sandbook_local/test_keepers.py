"""A keeper and its orders: none is lost, and none is carried out twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_BEGINNING = '''
import contextlib, os, select, signal, time
from sandbook_local.inside import frames, keeper, keepers

class Kept:
    def __init__(self, text, number=7, processes=4096, cwd="/"):
        self.status, status = os.pipe()
        self.output, output = os.pipe()
        message = {
            "id": number, "argv": [], "shell": text, "env": dict(os.environ),
            "cwd": cwd, "processes": processes,
        }
        descriptors = [status, output, os.dup(output)]
        self.order = frames.Frame(message, b"", descriptors)
        kept.start(self.order)
        self.order.close()

    def told(self):
        told = (letter for letter, _ in keeper.REPORT.iter_unpack(read(self.status)))
        return f"{b''.join(told).decode()} {read(self.output).decode()!r}"

def read(descriptor):
    os.set_blocking(descriptor, False)
    data = b""
    while True:
        for way, _ in poll.poll(10):
            kept.look(way)
        with contextlib.suppress(BlockingIOError):
            piece = os.read(descriptor, 1 << 16)
            if not piece:
                return data
            data += piece

def hear():
    assert poll.poll(20_000)
    for descriptor, _ in poll.poll(0):
        kept.look(descriptor)

def rest():
    """Wait until no keeper has a command."""
    while kept.busy():
        hear()

def kill(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

def begin():
    """Have a keeper wait."""
    Kept("true").told()
    rest()
    return kept.pids().pop()

def play(role):
    """Have somebody wait who plays a keeper."""
    def keep(way, first):
        keeper._keep(first, way)
        role(way)
    real, keeper.keep = keeper.keep, keep
    pid = begin()
    keeper.keep = real
    return pid

poll = select.poll()
kept = keepers.Keepers(poll, lambda: kept.leave())
'''

_END = """
for pid in kept.pids():
    os.kill(pid, signal.SIGKILL)
"""


def _lives(text: str) -> list[str]:
    """Run a program that plays init, and give its lines."""
    ran = subprocess.run(
        [sys.executable, "-c", _BEGINNING + text + _END],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout.splitlines()


def test_one_keeper_serves_one_command_after_another(tmp_path: Path) -> None:
    assert _lives(f"""
os.chdir({os.fspath(tmp_path)!r})
os.mkfifo("way")
first = {{begin()}}
for number in range(2):
    order = Kept(f"read _ <way; echo {{number}}", number, cwd=os.getcwd())
    print({{kept.of(number)}} == first)
    with open("way", "w"):
        pass
    print(order.told())
    rest()
    print(kept.of(number), kept.pids() == first)
""") == [
        *("True", "sx '0\\n'", "None True"),
        *("True", "sx '1\\n'", "None True"),
    ]


def test_a_keeper_waits_for_what_its_command_left_behind(tmp_path: Path) -> None:
    assert _lives(f"""
os.chdir({os.fspath(tmp_path)!r})
os.mkfifo("way")
first = {{begin()}}
order = Kept("setsid sh -c 'read _ <way' & echo on", cwd=os.getcwd())
print(os.read(order.output, 9))
print(os.read(order.status, 5)[:1], os.read(order.status, 5)[:1])
print(kept.busy(), {{kept.of(7)}} == first)
with open("way", "w"):
    pass
rest()
print(os.read(order.status, 5), kept.pids() == first)
""") == ["b'on\\n'", "b's' b'x'", "1 True", "b'' True"]


def test_an_order_that_was_not_taken_is_carried_out_by_another() -> None:
    assert _lives("""
waiting = play(lambda way: time.sleep(60))
order = Kept("echo on")
print(len(order.order.descriptors), kept.pids() == {waiting})
kill(waiting)
hear()
print(waiting in kept.pids(), order.told())
""") == ["0 True", "False sx 'on\\n'"]


@pytest.mark.parametrize("heard_of", ["hear()", "kept.forget(waiting)"])
def test_an_order_that_was_taken_is_not_carried_out_again(heard_of: str) -> None:
    assert _lives(f"""
def take(way):
    way.recv(1 << 16)
    way.send(bytes([keeper.TAKEN]))
    time.sleep(60)
waiting = play(take)
order = Kept("echo on")
poll.poll(20_000)
kill(waiting)
while kept.pids():
    {heard_of}
print(order.told())
""") == [" ''"]


@pytest.mark.parametrize("reads", [False, True])
def test_one_that_does_not_answer_is_replaced_when_its_command_is_to_be_ended(
    *, reads: bool
) -> None:
    assert _lives(f"""
def sleep(way):
    {reads} and way.recv(1 << 16)
    time.sleep(60)
waiting = play(sleep)
order = Kept("echo on")
print({{kept.of(7)}} == kept.pids(), waiting in kept.pids(), order.told())
""") == ["True False sx 'on\\n'"]


def test_one_that_ended_while_it_waited_costs_nothing() -> None:
    assert _lives("""
waiting = begin()
kill(waiting)
order = Kept("echo on")
print(waiting in kept.pids(), order.told())
""") == ["False sx 'on\\n'"]


def test_one_that_was_stopped_while_it_waited_goes_on() -> None:
    assert _lives("""
waiting = begin()
os.kill(waiting, signal.SIGSTOP)
os.waitid(os.P_PID, waiting, os.WSTOPPED | os.WNOWAIT)
order = Kept("echo on")
told = order.told()
print(kept.pids() == {waiting}, told)
""") == ["True sx 'on\\n'"]


def test_a_second_order_does_not_wait_for_the_first_to_be_taken() -> None:
    assert _lives("""
play(lambda way: time.sleep(60))
first, second = Kept("echo one", 7), Kept("echo two", 8)
print(second.told())
""") == ["sx 'two\\n'"]


def test_one_of_several_that_are_free_is_enough() -> None:
    assert _lives("""
orders = [Kept("read _; echo on", number) for number in range(3)]
print([order.told() for order in orders] == ["sx 'on\\\\n'"] * 3)
while kept.busy() or len(kept.pids()) > 1:
    hear()
print(len(kept.pids()))
for _ in range(2):
    os.waitpid(-1, 0)
print("ended")
""") == ["True", "1", "ended"]


@pytest.mark.parametrize(
    "order", ['"echo on #" + "x" * 100_000', '"echo on", processes=4097']
)
def test_an_order_that_it_cannot_take_is_for_another_and_it_ends(order: str) -> None:
    assert _lives(f"""
waiting = begin()
order = Kept({order})
print(order.told(), waiting in kept.pids())
os.waitpid(waiting, 0)
""") == ["sx 'on\\n' False"]


def test_a_command_that_cannot_be_started_leaves_its_keeper_free() -> None:
    assert _lives("""
first = {begin()}
for cwd, text in (("/missing", "echo on"), ("/", "echo on")):
    print(Kept(text, cwd=cwd).told())
    rest()
print(kept.pids() == first)
""") == ["c ''", "sx 'on\\n'", "True"]


def test_a_keeper_holds_nothing_of_the_commands_that_it_had() -> None:
    assert _lives("""
pid = begin()
counts = set()
for number in range(4):
    Kept("true" if number % 2 else "exec missing", number).told()
    rest()
    counts.add(len(os.listdir(f"/proc/{pid}/fd")))
print(len(counts))
""") == ["1"]
