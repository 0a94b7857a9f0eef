"""A file server that a program in the sandbox has taken over."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from sandbook.errors import ConnectionLost, SandboxLost
from sandbook_local.files import LocalFiles
from sandbook_local.inside import frames
from sandbook_local.inside.paths import open_by_hand
from tests.sandbook_local.file_box import REF, file_box, names_in

pytestmark = pytest.mark.anyio

GOOD = ["f", "file", 1, 0o644, 0, None]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def _taken_over(
    answer: bytes, passed: tuple[int, ...] = ()
) -> AsyncGenerator[LocalFiles]:
    """Files whose server gives this answer to everything, then hangs up."""
    servers: list[threading.Thread] = []

    async def open_channel() -> socket.socket:
        mine, other = socket.socketpair()

        def serve() -> None:
            with other:
                if other.recv(1 << 16):
                    other.sendmsg([answer], frames.ancillary(passed))
                    other.shutdown(socket.SHUT_WR)
                    while other.recv(1 << 16):
                        pass

        servers.append(threading.Thread(target=serve))
        servers[-1].start()
        return mine

    files = LocalFiles(open_channel, ref=REF, home="/home", workdir="/work")
    yield files
    await files.aclose()
    for server in servers:
        server.join(20)


def _frame(reply: object, *, descriptors: int = 0) -> bytes:
    body = json.dumps(reply).encode()
    return frames.HEADER.pack(len(body), 0, descriptors) + body


async def _list(files: LocalFiles) -> list[str]:
    return [entry.path async for entry in files.list("d")]


async def _stat(files: LocalFiles) -> object:
    return await files.stat("f")


async def _read(files: LocalFiles) -> object:
    return await files.read("f")


Attempt = Callable[[LocalFiles], Awaitable[object]]


@pytest.mark.parametrize(
    ("answer", "attempt"),
    [
        pytest.param(b"", _stat, id="silence"),
        pytest.param(b"\xff" * 9, _stat, id="a giant frame"),
        pytest.param(frames.HEADER.pack(3, 0, 0) + b"{{{", _stat, id="not JSON"),
        pytest.param(_frame([1]), _stat, id="not an object"),
        pytest.param(_frame({"error": "x"}), _stat, id="an error that is a text"),
        pytest.param(_frame({"error": 10**9}), _stat, id="an unknown error"),
        pytest.param(_frame({}), _stat, id="no entry"),
        pytest.param(_frame({"entry": GOOD[:5]}), _stat, id="five fields"),
        pytest.param(
            _frame({"entry": ["f", "file", -1, 0, 0, None]}), _stat, id="a size below 0"
        ),
        pytest.param(
            _frame({"entry": ["f", "cake", 1, 0, 0, None]}), _stat, id="a strange kind"
        ),
        pytest.param(_frame({"entries": 7}), _list, id="entries that are a number"),
        pytest.param(_frame({"size": 1}), _read, id="no descriptor"),
        pytest.param(_frame({"size": 1}, descriptors=1), _read, id="a promised one"),
    ],
)
async def test_an_answer_that_breaks_the_rules_is_a_lost_connection(
    answer: bytes, attempt: Attempt
) -> None:
    with anyio.fail_after(30):
        async with _taken_over(answer) as files:
            with pytest.raises(ConnectionLost) as caught:
                await attempt(files)
    assert caught.value.sent == "maybe"
    assert caught.value.ref == REF


@pytest.mark.parametrize("name", ["..", ".", "", "/etc", "a/b", "a/../..", "nul\0"])
async def test_an_entry_that_would_lead_elsewhere_is_not_believed(
    tmp_path: Path, name: str
) -> None:
    entry = [name, *GOOD[1:]]
    async with _taken_over(_frame({"entries": [entry], "more": False})) as files:
        with pytest.raises(ConnectionLost):
            await _list(files)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("path", ["/dev/zero", "/proc/self/mem", "/proc/version", "/"])
async def test_a_passed_descriptor_of_anything_but_a_file_is_refused(path: str) -> None:
    passed = os.open(path, os.O_RDONLY)
    before = len(names_in("/proc/self/fd"))
    try:
        answer = _frame({"size": 1, "mode": 0}, descriptors=1)
        async with _taken_over(answer, (passed,)) as files:
            with pytest.raises(ConnectionLost):
                await files.read("f")
        assert len(names_in("/proc/self/fd")) == before
    finally:
        os.close(passed)


async def test_descriptors_nobody_asked_for_are_closed() -> None:
    passed = os.open("/dev/null", os.O_RDONLY)
    before = len(names_in("/proc/self/fd"))
    try:
        answer = _frame({"entry": GOOD}, descriptors=3)
        async with _taken_over(answer, (passed,) * 3) as files:
            with pytest.raises(ConnectionLost):
                await files.stat("f")
        assert len(names_in("/proc/self/fd")) == before
    finally:
        os.close(passed)


async def test_when_no_new_server_can_be_had_the_client_says_why() -> None:
    opened = 0

    async def open_channel() -> socket.socket:
        nonlocal opened
        opened += 1
        if opened > 1:
            raise SandboxLost("it ended", provider="local", operation="connect")
        mine, other = socket.socketpair()
        other.close()
        return mine

    files = LocalFiles(open_channel, ref=REF, home="/home", workdir="/work")
    with pytest.raises(SandboxLost, match="it ended"):
        await files.read("f")


async def test_a_server_that_died_while_idle_is_replaced(tmp_path: Path) -> None:
    async with file_box(tmp_path) as box:
        await box.files.write("f", b"x")
        for process in Path("/proc").glob("[0-9]*"):
            if _parent_of(process) in _children_of(os.getpid()):
                os.kill(int(process.name), 9)
        with anyio.fail_after(20):
            while not await _reads(box.files):  # noqa: ASYNC110 (no event comes)
                await anyio.sleep(0.01)


async def _reads(files: LocalFiles) -> bool:
    try:
        return await files.read("f") == b"x"
    except ConnectionLost:
        return False


def _parent_of(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _children_of(pid: int) -> set[int]:
    return {
        int(process.name)
        for process in Path("/proc").glob("[0-9]*")
        if _parent_of(process) == pid
    }


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("d/f", True),
        ("./d//../d/f", True),
        ("link/f", True),
        ("absolute", True),
        ("missing", False),
        ("loop", False),
        ("exe", False),
        ("root/etc/passwd", False),
        ("d/f/x", False),
    ],
)
def test_without_openat2_the_same_paths_open_and_the_same_are_refused(
    tmp_path: Path,
    path: str,
    found: bool,  # noqa: FBT001
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/f").write_text("data")
    (tmp_path / "link").symlink_to("d")
    (tmp_path / "absolute").symlink_to(tmp_path / "link/f")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "exe").symlink_to("/proc/self/exe")
    (tmp_path / "root").symlink_to("/proc/self/root")
    here = os.open(tmp_path, os.O_PATH)
    try:
        opened = open_by_hand(os.fsencode(path), os.O_RDONLY, here)
    except OSError:
        assert not found
    else:
        assert os.read(opened, 10) == b"data"
        os.close(opened)
        assert found
    finally:
        os.close(here)
