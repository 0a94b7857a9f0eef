"""What a sandbox cannot see or do; each probe first succeeds outside."""

# ruff: noqa: ASYNC220, ASYNC221 (probes outside are over at once)

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import pytest

from sandbook.api import Resources
from sandbook_local import layout
from sandbook_local.sandbox import LocalSandbox
from tests.sandbook_local.conftest import Create, argv, run, text_of

pytestmark = pytest.mark.anyio


async def test_files_of_the_host_are_hidden(
    sandbox: LocalSandbox, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of the host")
    assert subprocess.run(["cat", secret], check=True, capture_output=True).stdout
    assert (await run(sandbox, argv("cat", str(secret)))).code == 1
    for path in (
        "/etc/shadow",
        "/sys/kernel",
        "/var/log",
        "/boot",
        "/srv",
        "/opt",
        "/mnt",
    ):
        assert (await run(sandbox, argv("ls", path))).code != 0, path
    shown = set((await text_of(sandbox, "ls -A /home")).split())
    assert {"user"} <= shown <= {"user", *ways_to_python("/home")}


async def test_the_home_of_whoever_runs_us_is_hidden(sandbox: LocalSandbox) -> None:
    home = Path.home()
    ways = ways_to_python(str(home))
    for path in home.iterdir():
        if path.name not in ways:
            assert (await run(sandbox, argv("ls", "-d", str(path)))).code != 0, path
    for name in ways:
        assert await nothing_but_the_way(sandbox, home / name)


def ways_to_python(folder: str) -> set[str]:
    """What of a folder is shown since the interpreter that runs us lies below it."""
    places = [Path(place) for place in layout.interpreter_folders()]
    below = [place for place in places if place.is_relative_to(folder)]
    return {
        place.relative_to(folder).parts[0] for place in below if place != Path(folder)
    }


async def nothing_but_the_way(sandbox: LocalSandbox, path: Path) -> bool:
    """Whether a folder shows nothing but the way to an interpreter below it."""
    if str(path) in layout.interpreter_folders():
        return True
    listed = set((await text_of(sandbox, f"ls -A {path}")).split())
    return listed == ways_to_python(str(path)) and all(
        [await nothing_but_the_way(sandbox, path / name) for name in listed]
    )


async def test_the_keys_of_whoever_runs_us_are_hidden(
    create: Create, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    keys = Path.home() / ".ssh"
    keys.mkdir(parents=True)
    (keys / "id_ed25519").write_text("a private key")
    probe = 'cat ~/.ssh/id_ed25519 || cat "$1"/id_ed25519'
    command = ["sh", "-c", probe, "sh", str(keys)]
    outside = subprocess.run(command, check=True, capture_output=True)
    assert outside.stdout == b"a private key"
    result = await run(await create(), argv(*command))
    assert result.code != 0
    assert result.stdout.data() == b""
    assert result.stderr.data().count(b"No such file") == 2


async def test_files_of_root_are_hidden(sandbox: LocalSandbox) -> None:
    for path in ("/root", "/etc/shadow"):
        subprocess.run(["ls", "-d", path], check=True, capture_output=True)
    assert (await run(sandbox, "ls -d /etc/shadow")).code != 0
    # Root's interpreter may live there, and then nothing but the way to it is shown.
    own = [p for p in ("/root", sys.base_prefix, sys.prefix) if p.startswith("/root")]
    shown = await run(sandbox, "find /root -maxdepth 1 -mindepth 1 2>&1 || true")
    for path in shown.stdout.data().decode().split("\n"):
        is_way = any(f"{place}/".startswith(f"{path}/") for place in own[1:])
        assert is_way or "No such file" in path or not path, path
    if os.getuid() == 0:
        assert Path("/etc/shadow").read_bytes()
        assert list(Path("/root").iterdir())


async def test_the_environment_of_the_host_is_hidden(
    create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = f"of-the-host-{uuid.uuid4().hex}"
    monkeypatch.setenv("HOST_SECRET", secret)
    probe = "env; cat /proc/[0-9]*/environ 2>/dev/null || true"
    outside = subprocess.run(["sh", "-c", probe], check=True, capture_output=True)
    assert outside.stdout.count(secret.encode()) >= 2
    sandbox = await create(env={"GIVEN": "by-us"})
    seen = await text_of(sandbox, probe)
    assert secret not in seen
    assert "by-us" in seen


async def test_nothing_is_written_outside(sandbox: LocalSandbox) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        probe = 'mkdir -p "$1" && echo x > "$1"/written && ln -s "$1" here'
        command = ["sh", "-c", probe, "sh", str(folder)]
        subprocess.run(command, check=True, cwd=folder)
        assert (folder / "written").exists()
        (folder / "written").unlink()
        # Its own folder of this name is another one.
        assert (await run(sandbox, argv(*command))).code == 0
        await sandbox.files.write("here/written", b"x")
        assert (await sandbox.files.read("here/written")) == b"x"
        await sandbox.aclose()
        assert not (folder / "written").exists()


async def test_the_system_cannot_be_written(sandbox: LocalSandbox) -> None:
    for path in (
        "/usr/x",
        "/etc/x",
        "/x",
        "/bin/x",
        "/run/sandbook/inside/x",
        sys.base_prefix,
    ):
        assert (await run(sandbox, f"touch {path}/y 2>&1 || touch {path}")).code != 0, (
            path
        )
    assert (await run(sandbox, "rm -f /usr/bin/env; chmod 777 /usr")).code != 0
    assert (await run(sandbox, "test -x /usr/bin/env")).code == 0


async def test_processes_of_the_host_are_hidden(sandbox: LocalSandbox) -> None:
    mark = f"600.{uuid.uuid4().int % 10**12}"
    with subprocess.Popen(["sleep", mark]) as sleeper:
        listed = subprocess.run(["ps", "ax"], check=True, capture_output=True).stdout
        assert mark.encode() in listed
        inside = await text_of(sandbox, "cat /proc/*/cmdline | tr '\\0' ' '")
        assert mark not in inside
        assert (await run(sandbox, f"kill -0 {sleeper.pid}")).code != 0
        sleeper.kill()


async def test_services_and_abstract_sockets_of_the_host_are_out_of_reach(
    sandbox: LocalSandbox,
) -> None:
    name = f"sandbook-test-{uuid.uuid4()}"
    probe = f"""
import socket, sys
s = socket.socket()
s.settimeout(3)
s.connect(("127.0.0.1", int(sys.argv[1])))
u = socket.socket(socket.AF_UNIX)
u.connect("\\0" + {name!r})
"""
    with socket.create_server(("127.0.0.1", 0)) as server:
        abstract = socket.socket(socket.AF_UNIX)
        with abstract:
            abstract.bind(f"\0{name}")
            abstract.listen()
            port = str(server.getsockname()[1])
            subprocess.run([sys.executable, "-c", probe, port], check=True)
            result = await run(sandbox, argv("python3", "-c", probe, port))
            assert b"ConnectionRefused" in result.stderr.data()
            only = probe.replace('s.connect(("127.0.0.1", int(sys.argv[1])))', "")
            result = await run(sandbox, argv("python3", "-c", only, port))
            assert b"ConnectionRefused" in result.stderr.data()


async def test_commands_have_no_rights_and_a_filter(sandbox: LocalSandbox) -> None:
    status = await text_of(sandbox, "cat /proc/self/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(fields[name], 16) == 0, name
    assert fields["NoNewPrivs"] == "1"
    assert fields["Seccomp"] == "2"


async def test_the_host_s_root_is_not_mapped(sandbox: LocalSandbox) -> None:
    inner, outer, count = (await text_of(sandbox, "cat /proc/self/uid_map")).split()
    assert (inner, count) == ("1000", "1")
    assert int(outer) != 0
    if os.getuid():
        assert int(outer) == os.getuid()


async def test_two_sandboxes_of_root_have_different_uids(create: Create) -> None:
    if os.getuid():
        pytest.skip("a plain user has one uid")
    maps = {await text_of(await create(), "cat /proc/self/uid_map") for _ in range(3)}
    assert len(maps) == 3


async def test_settings_of_the_kernel_cannot_be_written(sandbox: LocalSandbox) -> None:
    probe = """
import glob, os, sys
opened = []
for folder, _, names in os.walk("/proc/sys"):
    for name in names:
        try:
            os.close(os.open(f"{folder}/{name}", os.O_WRONLY))
        except OSError:
            continue
        opened.append(f"{folder}/{name}")
for name in ("/proc/sysrq-trigger", "/proc/1/mem", "/proc/1/environ", "/proc/kcore",
             "/proc/self/comm"):
    try:
        os.close(os.open(name, os.O_RDWR))
    except OSError:
        continue
    opened.append(name)
print(opened)
"""
    outside = subprocess.run(
        [sys.executable, "-c", probe], check=True, capture_output=True
    )
    opened = outside.stdout.decode()
    assert "/proc/self/comm" in opened
    if not os.getuid():
        assert opened.count("/proc/sys/") > 100
    inside = await text_of(sandbox, argv("python3", "-c", probe))
    assert inside == "['/proc/self/comm']\n"


async def test_init_and_keepers_cannot_be_read_or_traced(sandbox: LocalSandbox) -> None:
    text = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for pid in (1, os.getppid()):
    assert libc.ptrace(16, pid, 0, 0) == -1, pid
    assert ctypes.get_errno() == 1, ctypes.get_errno()
    for name in ("mem", "environ", "root", "fd", "maps"):
        try:
            path = f"/proc/{pid}/{name}"
            os.listdir(path) if name in ("root", "fd") else open(path).read(1)
        except PermissionError:
            continue
        raise SystemExit(f"{pid} {name}")
child = os.fork()
if child == 0:
    import time
    time.sleep(30)
assert libc.ptrace(16, child, 0, 0) == 0, "a debugger must work"
os.kill(child, 9)
"""
    assert await text_of(sandbox, argv("python3", "-c", text)) == ""


_CALLS = {
    "unshare user": "libc.unshare(0x10000000)",
    "unshare mount": "libc.unshare(0x00020000)",
    "mount": "libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)",
    "bpf": "libc.syscall(321, 0, 0, 0)",
    "io_uring": "libc.syscall(425, 8, 0)",
    "keyctl": "libc.syscall(250, 0, -3, 0)",
    "userfaultfd": "libc.syscall(323, 0)",
    "clone into a user namespace": "libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0)",
    "vsock": "libc.socket(40, 1, 0)",
    "packet": "libc.socket(17, 3, 0)",
    "chroot": "libc.chroot(b'/tmp')",
    "setns": "libc.setns(0, 0)",
}


@pytest.mark.parametrize("call", _CALLS.values(), ids=_CALLS.keys())
async def test_a_refused_call_fails(sandbox: LocalSandbox, call: str) -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("these numbers are x86_64's")
    text = f"""
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
result = {call}
if result == 0 and "clone" in {call!r}: os._exit(0)
print(result, ctypes.get_errno())
"""
    result, code = (await text_of(sandbox, argv("python3", "-c", text))).split()
    assert int(result) == -1
    assert int(code) in (1, 97)


async def test_typing_into_a_terminal_is_refused(sandbox: LocalSandbox) -> None:
    text = """
import errno, fcntl, os
main, side = os.openpty()
try:
    fcntl.ioctl(side, 0x5412, b"x")
except OSError as error:
    print(error.errno)
"""
    assert await text_of(sandbox, argv("python3", "-c", text)) == "1\n"


async def test_clone3_is_unknown_so_that_its_flags_cannot_hide(
    sandbox: LocalSandbox,
) -> None:
    text = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall(435, 0, 0), ctypes.get_errno())
"""
    assert await text_of(sandbox, argv("python3", "-c", text)) == "-1 38\n"


async def test_only_three_descriptors_come_along(sandbox: LocalSandbox) -> None:
    text = "import os; print(sorted(int(n) for n in os.listdir('/proc/self/fd'))[:-1])"
    assert await text_of(sandbox, argv("python3", "-c", text)) == "[0, 1, 2]\n"


async def test_only_loopback_is_there_and_it_is_up(sandbox: LocalSandbox) -> None:
    text = """
import socket
print([name for _, name in socket.if_nameindex()])
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname()).close()
try:
    socket.create_connection(("192.0.2.1", 80), 3)
except OSError as error:
    print(error.strerror)
"""
    said = await text_of(sandbox, argv("python3", "-c", text))
    assert said == "['lo']\nNetwork is unreachable\n"


async def test_the_limit_of_processes_holds(create: Create) -> None:
    resources = Resources(pids=20)
    sandbox = await create(resources=resources)
    text = """
import os, time
made = 0
try:
    while made < 100:
        if os.fork() == 0:
            time.sleep(5); os._exit(0)
        made += 1
except BlockingIOError:
    pass
print(made)
"""
    result = await run(sandbox, argv("python3", "-c", text, timeout=20))
    assert 10 <= int(result.stdout.data()) <= 20


async def test_the_limit_of_the_disk_holds_for_all_folders_together(
    create: Create,
) -> None:
    resources = Resources(disk=8 << 20)
    sandbox = await create(resources=resources)
    text = "for f in ~/a /tmp/b /dev/shm/c; do head -c 3M /dev/zero > $f; done"
    result = await run(sandbox, text)
    assert result.code != 0
    assert b"No space left" in result.stderr.data()


async def test_certificates_of_the_system_are_there(sandbox: LocalSandbox) -> None:
    text = "import ssl; print(ssl.create_default_context().cert_store_stats()['x509'])"
    outside = subprocess.run(
        [sys.executable, "-c", text], check=True, capture_output=True
    ).stdout.decode()
    assert await text_of(sandbox, argv("python3", "-c", text)) == outside
