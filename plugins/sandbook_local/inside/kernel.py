"""The system calls that Python's standard library does not offer."""

# pathlib would add a third to the supervisor's start
# ruff: noqa: PTH110, PTH123

from __future__ import annotations

import _socket
import ctypes
import fcntl
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_SLAVE = 1 << 19
MNT_DETACH = 2

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_MOUNT_SETATTR = 442
_ENOSYS = 38
_CAPABILITY_VERSION = 0x20080522
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class CallFailed(OSError):  # noqa: N818 (reported as its stage)
    """A system call was refused; `call` names it, `filename` what it was for."""

    call: str


def _check(result: int, call: str, target: str = "") -> int:
    if result >= 0:
        return result
    code = ctypes.get_errno()
    error = CallFailed(code, os.strerror(code), target)
    error.call = call
    raise error


def mount(
    source: str, target: str, *, kind: str = "", flags: int = 0, data: str = ""
) -> None:
    """mount(2)."""
    names = (os.fsencode(source), os.fsencode(target), kind.encode() or None)
    result = _libc.mount(*names, ctypes.c_ulong(flags), data.encode() or None)
    _check(result, "mount", target)


def unmount(target: str) -> None:
    """Take a mount and everything below it out of sight."""
    _check(_libc.umount2(os.fsencode(target), MNT_DETACH), "umount", target)


def make_read_only(target: str, *, recursive: bool) -> None:
    """Let nobody write to a mount, use devices on it, or gain its owners' rights."""
    flags = MS_RDONLY | MS_NOSUID | MS_NODEV
    attributes = (ctypes.c_uint64 * 4)(flags, 0, 0, 0)
    result = _libc.syscall(
        ctypes.c_long(_MOUNT_SETATTR),
        ctypes.c_long(_AT_FDCWD),
        ctypes.c_char_p(os.fsencode(target)),
        ctypes.c_ulong(_AT_RECURSIVE if recursive else 0),
        ctypes.byref(attributes),
        ctypes.c_ulong(ctypes.sizeof(attributes)),
    )
    if result == 0:
        return
    if ctypes.get_errno() != _ENOSYS:
        _check(-1, "mount_setattr", target)
    # Before Linux 5.12 there is no recursive form: one remount for each mount.
    for path in _mounts_at(target) if recursive else [target]:
        remount(path, MS_RDONLY | MS_NOSUID | MS_NODEV)


def remount(target: str, flags: int) -> None:
    """Add flags to a mount."""
    mount("none", target, flags=MS_BIND | MS_REMOUNT | flags)


def _mounts_at(target: str) -> list[str]:
    table = "/old/proc/self/mountinfo"
    with open(table if os.path.exists(table) else table[4:], "rb") as lines:
        paths = [os.fsdecode(_unescape(line.split()[4])) for line in lines]
    return [p for p in paths if p == target or p.startswith(f"{target}/")]


def _unescape(field: bytes) -> bytes:
    return field.decode("unicode_escape").encode("latin-1")


def unshare(flags: int) -> None:
    """Enter new namespaces."""
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root of this mount namespace and put the old one at `old`."""
    number = ctypes.c_long(_PIVOT_ROOT[os.uname().machine])
    first, second = (ctypes.c_char_p(os.fsencode(path)) for path in (new, old))
    _check(_libc.syscall(number, first, second), "pivot_root", new)


def prctl(option: int, first: int = 0, second: int = 0) -> int:
    """prctl(2) with numbers."""
    arguments = (ctypes.c_ulong(first), ctypes.c_ulong(second))
    zero = ctypes.c_ulong(0)
    return _check(
        _libc.prctl(ctypes.c_int(option), *arguments, zero, zero), f"prctl {option}"
    )


def drop_capabilities() -> None:
    """Give up every capability, and the way to get one back."""
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    with open("/proc/sys/kernel/cap_last_cap", "rb") as last:
        count = int(last.read()) + 1
    for capability in range(count):
        prctl(PR_CAPBSET_DROP, capability)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    data = (ctypes.c_uint32 * 6)()
    _check(_libc.capset(ctypes.byref(header), ctypes.byref(data)), "capset")


def install_filter(program: bytes) -> None:
    """Put a system-call filter on this process and all it starts."""
    instructions = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("start", ctypes.c_void_p))

    whole = Program(len(program) // 8, ctypes.addressof(instructions))
    prctl(PR_SET_SECCOMP, 2, ctypes.addressof(whole))


def raise_loopback() -> None:
    """Bring up the only network interface of a new network namespace."""
    channel = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    request = bytearray(b"lo".ljust(40, b"\0"))
    fcntl.ioctl(channel.fileno(), _SIOCGIFFLAGS, request)
    request[16] |= _IFF_UP
    fcntl.ioctl(channel.fileno(), _SIOCSIFFLAGS, bytes(request))
    channel.close()
