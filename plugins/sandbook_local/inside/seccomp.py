"""Which system calls a sandbox may not make.

A list of what is refused, not of what is allowed: programs must run unchanged, and
the namespaces and missing capabilities are the wall. The filter takes away what has
most often led through it: new namespaces, mounts, kernel programs, key rings,
io_uring, address families that no namespace holds (vsock reaches the host of a
virtual machine), and typing into a terminal.

`ptrace` stays: debuggers are useful, and init, keepers and workers are not dumpable,
so they can neither be traced nor read.
"""

from __future__ import annotations

from struct import pack

# name: (x86_64, aarch64); None where the machine has no such call
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "modify_ldt": (154, None),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "name_to_handle_at": (303, 264),
    "nfsservctl": (180, 42),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "open_tree_attr": (467, 467),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "uselib": (134, None),
    "userfaultfd": (323, 282),
    "vhangup": (153, 58),
}
# audit architecture, ioctl, clone, clone3, socket, socketpair
_MACHINES = {
    "x86_64": (0xC000003E, 16, 56, 435, 41, 53),
    "aarch64": (0xC00000B7, 29, 220, 435, 198, 199),
}

_X32_BIT = 0x40000000
_NAMESPACE_FLAGS = 0x7E020000
_TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX
_FAMILIES = (1, 2, 10, 16)  # unix, inet, inet6, netlink

_ALLOW = 0x7FFF0000
_KILL = 0x80000000
_EPERM = 0x00050000 | 1
_ENOSYS = 0x00050000 | 38
_EAFNOSUPPORT = 0x00050000 | 97

_LOAD = 0x20
_RETURN = 0x06
_EQUAL = 0x15
_AT_LEAST = 0x35
_ANY_BIT = 0x45
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND = 0, 4, 16, 24


def is_known(machine: str) -> bool:
    """Whether there is a table for this type of machine."""
    return machine in _MACHINES


def build_filter(machine: str) -> bytes:
    """The filter for a type of machine, ready for the kernel; `KeyError` for others."""
    architecture, ioctl, clone, clone3, socket, socketpair = _MACHINES[machine]
    column = list(_MACHINES).index(machine)
    code = [
        _op(_LOAD, _ARCHITECTURE),
        _op(_EQUAL, architecture, yes=1),
        _op(_RETURN, _KILL),
    ]
    code.append(_op(_LOAD, _NUMBER))
    if machine == "x86_64":
        code += [_op(_AT_LEAST, _X32_BIT, no=1), _op(_RETURN, _ENOSYS)]
    code += [_op(_EQUAL, clone3, no=1), _op(_RETURN, _ENOSYS)]
    for numbers in _REFUSED.values():
        number = numbers[column]
        if number is not None:
            code += [_op(_EQUAL, number, no=1), _op(_RETURN, _EPERM)]
    code += _when(
        clone, _FIRST, [_op(_ANY_BIT, _NAMESPACE_FLAGS, no=1), _op(_RETURN, _EPERM)]
    )
    typed = [
        _op(_EQUAL, value, yes=len(_TERMINAL_INPUT) - at)
        for at, value in enumerate(_TERMINAL_INPUT)
    ]
    code += _when(ioctl, _SECOND, [*typed, _op(_RETURN, _ALLOW), _op(_RETURN, _EPERM)])
    known = [
        _op(_EQUAL, value, yes=len(_FAMILIES) - at)
        for at, value in enumerate(_FAMILIES)
    ]
    family = [*known, _op(_RETURN, _EAFNOSUPPORT), _op(_RETURN, _ALLOW)]
    code += _when(socket, _FIRST, family) + _when(socketpair, _FIRST, family)
    code.append(_op(_RETURN, _ALLOW))
    return b"".join(code)


def _when(number: int, argument: int, body: list[bytes]) -> list[bytes]:
    """For this call load an argument and run `body`; allow it if that says nothing."""
    whole = [_op(_LOAD, argument), *body, _op(_RETURN, _ALLOW)]
    return [_op(_EQUAL, number, no=len(whole)), *whole]


def _op(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    return pack("=HBBI", code, yes, no, value)
