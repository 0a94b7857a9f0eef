"""The same rules hold where bubblewrap makes the sandboxes: other modules run again."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbook.api import SandboxSpec, Settings
from sandbook.errors import NotConfigured, Unsupported
from sandbook_local.inside import bwrap
from sandbook_local.provider import LocalProvider
from tests.sandbook_local.again import GROUPS, run_again
from tests.sandbook_local.conftest import LAUNCHER, until
from tests.sandbook_local.plain import become, interpreter

pytestmark = [
    pytest.mark.skipif(
        not Path(bwrap.PATH).exists(), reason=f"{bwrap.PATH} is not installed"
    ),
    pytest.mark.skipif(LAUNCHER in os.environ, reason="this is the second time"),
]

_WITHOUT = {
    *(
        "connection",
        "code_packages",
        "code_grace",
        "files",
        "files_hostile",
        "files_trees",
        "trees",
    ),
    *("limits", "limits_cgroup", "proxy", "proxy_hosts", "probe"),
    "../runner/test_planted",
}
"""Modules that know no launcher, or name it."""
# `/tmp` is a link, and the folder it leads to is seen beside the home; the first
# uid map is bubblewrap's own. `_check_ids` looks at the map from outside.
_DIFFERENT = (
    "test_folders_are_relative_to_the_working_folder",
    "test_files_of_the_host_are_hidden",
    "test_the_host_s_root_is_not_mapped",
    "test_two_sandboxes_of_root_have_different_uids",
    "test_nothing_of_a_sandbox_with_a_network_is_left",
    "test_the_working_folder_can_be_chosen",
)
_OFTEN = {"plain": {"files", "lives", "walls"}, "root": {"walls"}}


def _cases() -> Iterator[object]:
    """What a launcher makes, looked at in every suite; the rest by `-m stress`."""
    for user, shown in _OFTEN.items():
        for group in GROUPS:
            marks = [] if group in shown else [pytest.mark.stress]
            yield pytest.param(user, group, id=f"{user}-{group}", marks=marks)


@pytest.mark.again
@pytest.mark.parametrize(("user", "group"), list(_cases()))
def test_the_same_rules_hold_by_bubblewrap(user: str, group: str) -> None:
    if user == "root" and os.getuid() != 0:
        pytest.skip("is a plain user already")
    modules = [each for each in GROUPS[group] if each not in _WITHOUT]
    others = " and ".join(f"not {each}" for each in _DIFFERENT)
    run_again(modules, "-k", others, plain=user == "plain", launcher="bwrap")


# Refuses what we ask of unshare(2), and not what bubblewrap does: as AppArmor, which
# knows programs by their path.
_REFUSE_US = """
import ctypes, struct
CALL, NEW_PID = 272, 0x20000000
code = b"".join(struct.pack("=HBBI", *row) for row in (
    (0x20, 0, 0, 0), (0x15, 0, 3, CALL),
    (0x20, 0, 0, 16), (0x45, 0, 1, NEW_PID), (0x06, 0, 0, 0x00050001),
    (0x06, 0, 0, 0x7FFF0000),
))
held = ctypes.create_string_buffer(code, len(code))
class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("start", ctypes.c_void_p))
program = Program(len(code) // 8, ctypes.addressof(held))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0
"""
_USE = """
import sys
from pathlib import Path
import anyio
from sandbook.api import ExecRequest, SandboxSpec, Settings
from sandbook_local.provider import LocalProvider

async def main(folder: Path) -> None:
    provider = LocalProvider(Settings(state=folder, cache=folder))
    if sys.argv[2] == "asked":
        print((await provider.preflight()).message)
    sandbox = await provider.create(SandboxSpec(network="off"), key="one")
    process = await sandbox.start(ExecRequest(program=("pwd",), key="k"))
    print((await process.wait()).stdout.data().decode(), end="")
    await provider.destroy(sandbox.ref)
    known = await provider.preflight()
    print(known.message, known.latency)

anyio.run(main, Path(sys.argv[1]))
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the filter is x86_64's")
@pytest.mark.parametrize("how", ["asked", "not asked"])
@pytest.mark.parametrize("is_refused", [True, False], ids=["refused", "not refused"])
def test_bubblewrap_is_used_where_only_it_may_and_that_is_remembered(
    how: str, *, is_refused: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = interpreter() if os.getuid() == 0 else sys.executable
        text = (_REFUSE_US if is_refused else "") + _USE
        command = [python, "-c", text, str(folder), how]
        if os.getuid() == 0:
            command = become(*command, folder=folder)
        done = subprocess.run(
            command, cwd="/", capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    words = "namespaces work here" + (" by bubblewrap" if is_refused else "")
    asked = [words] if how == "asked" else []
    known = [f"{words} None"] if is_refused or how == "asked" else []
    said = done.stdout.splitlines()
    assert said[: len(asked) + 1] == [*asked, "/home/user/work"]
    assert said[len(asked) + 1 :] == known or not known


async def _create(folder: Path, **fields: object) -> None:
    values = {"launcher": "bwrap"}
    provider = LocalProvider(Settings(state=folder, cache=folder, values=values))
    spec = SandboxSpec(network="off", **fields)  # type: ignore[arg-type]
    await provider.create(spec, key="refused")


@pytest.mark.anyio
async def test_a_working_folder_that_bubblewrap_cannot_make_is_refused(
    tmp_path: Path,
) -> None:
    with pytest.raises(Unsupported, match="bubblewrap") as caught:
        await _create(tmp_path, workdir="/work")
    assert "/tmp" in caught.value.remedy


@pytest.mark.anyio
async def test_an_interpreter_that_only_root_may_read_is_refused_with_the_cause(
    tmp_path: Path,
) -> None:
    if os.getuid() or _is_open(Path(sys.base_prefix)):
        pytest.skip("others may read this interpreter")
    with pytest.raises(NotConfigured, match=re.escape(sys.base_prefix)) as caught:
        await _create(tmp_path)
    assert caught.value.remedy
    # Its supervisor takes the folder along, after it gave the answer.
    await until(lambda: not any(p.is_dir() for p in (tmp_path / "sandboxes").iterdir()))


def _is_open(path: Path) -> bool:
    return all(p.stat().st_mode & 0o001 for p in (path, *path.parents))
