"""What is said of a computer that cannot make sandboxes."""

from __future__ import annotations

import errno
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sandbook.api import Settings
from sandbook_local import INFO, sandbook_provider
from sandbook_local.causes import Host, explain, refuse_system, this_host
from sandbook_local.launch import Refused
from sandbook_local.provider import LocalProvider

_HOST = Host(
    system="linux",
    machine="x86_64",
    max_user_namespaces=1000,
    unprivileged_userns_clone=None,
    apparmor_restricts=None,
    in_container=False,
)
_DENIED = Refused("namespaces", "unshare: Operation not permitted", errno.EPERM)


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (replace(_HOST, system="darwin"), "macOS"),
        (replace(_HOST, system="win32"), "Windows"),
        (replace(_HOST, system="freebsd14"), "freebsd14"),
        (replace(_HOST, machine="riscv64"), "riscv64"),
    ],
    ids=["macOS", "Windows", "another", "machine"],
)
def test_a_system_without_namespaces_is_named(host: Host, words: str) -> None:
    wrong = refuse_system(host)
    assert wrong is not None
    assert words in wrong[0]
    assert "docker" in wrong[1]


def test_this_system_can_be_used() -> None:
    assert refuse_system(this_host()) is None


@pytest.mark.parametrize(
    ("host", "refused", "words", "remedy"),
    [
        (replace(_HOST, max_user_namespaces=0), _DENIED, "switched off", "sysctl"),
        (replace(_HOST, unprivileged_userns_clone=0), _DENIED, "only root", "sysctl"),
        (replace(_HOST, apparmor_restricts=1), _DENIED, "AppArmor", "sysctl"),
        (replace(_HOST, in_container=True), _DENIED, "container", "--security-opt"),
        (_HOST, Refused("namespaces", "", errno.ENOSPC), "no user namesp", "sysctl"),
        (_HOST, Refused("namespaces", "", errno.EINVAL), "built without", "docker"),
        (_HOST, Refused("proc", "mount", errno.EPERM), "/proc", "systempaths"),
        (_HOST, Refused("filter", "prctl", errno.EINVAL), "seccomp", "docker"),
        (_HOST, Refused("uid", "setresuid", errno.EINVAL), "root", "uid_base"),
        (_HOST, _DENIED, "Operation not permitted", "docker"),
        (_HOST, Refused("root", "pivot_root", errno.EBUSY), "pivot_root", "docker"),
    ],
)
def test_each_cause_has_its_remedy(
    host: Host, refused: Refused, words: str, remedy: str
) -> None:
    message, advice = explain(refused, host)
    assert words in message
    assert remedy in advice
    assert "\n" not in message + advice


@pytest.mark.anyio
async def test_a_working_computer_is_ready_and_that_is_remembered(
    provider: LocalProvider, settings: Settings
) -> None:
    first = await provider.preflight()
    assert first.state == "ready"
    assert first.latency is not None
    assert (await provider.preflight()).latency is None
    assert (await provider.preflight(live=True)).latency is not None
    assert (settings.cache / "local-probe.json").is_file()


_PREFLIGHT = """
import sys
from pathlib import Path
import anyio
from sandbook.api import Settings
from sandbook_local.provider import LocalProvider

here = Path(sys.argv[1])
found = anyio.run(LocalProvider(Settings(state=here, cache=here)).preflight)
print(found.state, found.message, found.remedy, sep="|")
"""


def test_a_computer_without_rights_is_refused_in_words(tmp_path: Path) -> None:
    # A namespace in which only root is mapped: nobody ordinary to become.
    command = ["unshare", "-r", sys.executable, "-c", _PREFLIGHT, str(tmp_path)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    state, message, remedy = said.strip().split("|")
    assert state == "refused"
    assert "ordinary user" in message
    assert remedy
    assert not (tmp_path / "local-probe.json").exists()


def test_importing_the_plugin_loads_nothing_that_works_with_sandboxes() -> None:
    text = (
        "import sys; import sandbook.api; before = set(sys.modules);"
        "import sandbook_local; print(sorted(set(sys.modules) - before))"
    )
    command = [sys.executable, "-c", text]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert said == "['sandbook_local']\n"


def test_the_description_is_complete(settings: Settings) -> None:
    assert sandbook_provider() is INFO
    found = INFO.capabilities(settings)
    assert found == INFO.capabilities(settings)
    assert found.isolation == "process"
    assert {"exec", "exec.attach", "net.off", "lifetime"} <= found.native
    assert INFO.settings_schema["additionalProperties"] is False
