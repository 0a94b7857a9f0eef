"""State folders: private, local, and owned by one live process at a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbook.api import JSON
from sandbook.errors import RunBusy, UsageError
from sandbook.state import (
    ProcessIdentity,
    RunFolder,
    State,
    file_system_kind,
    is_alive,
    new_run_id,
    owner_alive,
    process_identity,
)

OWNER = """
import sys
from pathlib import Path
from sandbook.state import RunFolder
lock = RunFolder(path=Path(sys.argv[1])).acquire()
print("owned", flush=True)
sys.stdin.read()
"""


def environ(folder: Path) -> dict[str, str]:
    return {
        "SANDBOOK_STATE": str(folder / "state"),
        "SANDBOOK_CACHE": str(folder / "cache"),
    }


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State.open(environ(tmp_path))


@contextmanager
def other_owner(folder: RunFolder) -> Generator[subprocess.Popen[str]]:
    """Another process that owns the run until its stdin is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout
        assert owner.stdout.readline() == "owned\n"
        yield owner


def test_folders_are_made_for_this_user_only(state: State) -> None:
    folders = (state.root, state.runs, state.sandboxes, state.cache)
    assert [mode(folder) for folder in folders] == [0o700] * 4
    assert state.ledger.parent == state.root


def test_a_state_folder_that_was_left_open_is_closed(tmp_path: Path) -> None:
    state = State.open(environ(tmp_path))
    state.root.chmod(0o755)
    state.runs.chmod(0o777)
    State.open(environ(tmp_path))
    assert (mode(state.root), mode(state.runs)) == (0o700, 0o700)


def test_an_open_folder_with_other_things_in_it_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o755)
    (folder / "letter.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds other things") as caught:
        State.open(environ(tmp_path))
    assert "SANDBOOK_STATE" in caught.value.remedy
    assert mode(folder) == 0o755


def test_a_shared_sticky_folder_is_never_closed(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o1777)
    with pytest.raises(UsageError):
        State.open(environ(tmp_path))
    assert mode(folder) == 0o1777


def test_a_private_folder_with_other_things_in_it_is_used(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    (folder / "letter.txt").write_text("mine")
    assert State.open(environ(tmp_path)).runs.is_dir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    os.chown(folder, 61_001, 61_001)
    with pytest.raises(UsageError, match="belongs to uid 61001"):
        State.open(environ(tmp_path))


def test_a_folder_that_cannot_be_made_is_refused_with_the_reason(
    tmp_path: Path,
) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(UsageError, match="file exists") as caught:
        State.open(environ(tmp_path))
    assert "SANDBOOK_STATE" in caught.value.remedy


def test_a_cache_that_others_may_read_is_used_as_it_is(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o755)
    (cache / "restored").write_text("by CI")
    State.open(environ(tmp_path))
    assert mode(cache) == 0o755


def test_a_cache_that_others_may_write_is_refused(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(0o777)
    (cache / "planted").write_text("by whom?")
    with pytest.raises(UsageError) as caught:
        State.open(environ(tmp_path))
    assert "SANDBOOK_CACHE" in caught.value.remedy


def test_a_relative_state_folder_is_found_from_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    state = State.open({"SANDBOOK_STATE": "here", "SANDBOOK_CACHE": "there"})
    assert (state.root, state.cache) == (tmp_path / "here", tmp_path / "there")


def test_without_a_variable_the_platform_chooses(tmp_path: Path) -> None:
    asked = "from sandbook.state import State; print(State.open({}).root)"
    home = {**os.environ, "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "x")}
    home.pop("XDG_CACHE_HOME", None)
    told = subprocess.run(
        [sys.executable, "-c", asked],
        env=home,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert Path(told).is_relative_to(tmp_path)
    assert Path(told).name == "sandbook"


def test_platformdirs_is_loaded_only_when_it_is_asked(tmp_path: Path) -> None:
    asked = (
        "import sys; from sandbook.state import State; import os;"
        "State.open(os.environ); print('platformdirs' in sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", asked],
        env={**os.environ, **environ(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert told == "False\n"


MOUNTS = r"""
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 27 0:40 / /home rw,relatime shared:2 master:3 - autofs systemd-1 rw
31 27 0:41 / /home rw,relatime - nfs4 server:/home rw,vers=4.2
32 31 0:42 / /home/ann/my\040disk rw - btrfs /dev/sdb rw
33 27 0:43 / /mnt/c rw - 9p C:\134 rw
34 27 0:44 / /far rw - fuse.sshfs ann@far:/ rw
35 27 0:45 / /win rw - cifs //server/share rw
""".strip()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib", "ext4"),
        ("/homes/ann", "ext4"),
        ("/home/ann/.local/state", "nfs4"),
        ("/home/ann/my disk/state", "btrfs"),
        ("/mnt/c/Users", "9p"),
        ("/far", "fuse.sshfs"),
        ("/win/x", "cifs"),
    ],
)
def test_the_nearest_and_latest_mount_tells_the_file_system(
    path: str, kind: str
) -> None:
    assert file_system_kind(Path(path), MOUNTS) == kind


def test_a_network_file_system_is_refused(tmp_path: Path) -> None:
    """The kernel's own table says so: in a namespace where it was replaced."""
    asked = (
        "import sys; from sandbook.state import State;"
        "from sandbook.errors import UsageError\n"
        "try: State.open({'SANDBOOK_STATE': sys.argv[1]})\n"
        "except UsageError as error: print(error, '|', error.remedy)\n"
    )
    table = tmp_path / "mountinfo"
    table.write_text("22 27 0:21 / / rw - nfs4 server:/ rw\n")
    script = 'mount --bind "$0" /proc/$$/mountinfo || exit 77; exec "$@"'
    state = tmp_path / "state"
    done = subprocess.run(
        [
            *("unshare", "-rm", "sh", "-c", script, str(table)),
            *(sys.executable, "-c", asked, str(state)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("this user may not make a mount namespace")
    assert "network file system (nfs4)" in done.stdout
    assert "SANDBOOK_STATE" in done.stdout
    assert not state.exists()


def test_run_ids_sort_by_time_and_never_repeat() -> None:
    ids = [new_run_id() for _ in range(2000)]
    assert len(set(ids)) == len(ids)
    # Two ids of one microsecond may stand either way round.
    assert [run[:10] for run in ids] == sorted(run[:10] for run in ids)
    assert {len(run) for run in ids} == {13}


def test_racing_processes_never_get_the_same_run(state: State) -> None:
    asked = (
        "import sys; from pathlib import Path; from sandbook.state import State\n"
        "state = State(root=Path(sys.argv[1]), cache=Path())\n"
        "print(*[state.new_run().run for _ in range(200)])"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", asked, str(state.root)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    runs = [run for racer in racers for run in racer.communicate()[0].split()]
    assert len(runs) == len(set(runs)) == 800
    assert {folder.name for folder in state.runs.iterdir()} == set(runs)


@pytest.mark.parametrize("name", ["", "..", "../../etc", "a/b", "0" * 14, "O" * 13])
def test_what_is_no_run_id_is_refused(state: State, name: str) -> None:
    with pytest.raises(UsageError, match="is not the id of a run"):
        state.run(name)


def test_a_run_is_found_again_by_its_id(state: State) -> None:
    folder = state.new_run()
    assert state.run(folder.run) == folder
    assert mode(folder.path) == 0o700
    assert folder.output.is_dir()
    assert folder.artifacts.is_dir()


def test_a_run_has_one_owner_at_a_time(state: State) -> None:
    folder = state.new_run()
    assert not owner_alive(folder)
    with folder.acquire():
        assert owner_alive(folder)
        with pytest.raises(RunBusy, match=f"process {os.getpid()} ") as caught:
            folder.acquire()
        assert folder.run in caught.value.remedy
        assert folder.last_owner() == process_identity()
    assert not owner_alive(folder)
    folder.acquire().release()


def test_another_process_is_refused_until_the_owner_dies(state: State) -> None:
    folder = state.new_run()
    with other_owner(folder) as owner:
        with pytest.raises(RunBusy, match=f"process {owner.pid} "):
            folder.acquire()
        assert owner_alive(folder)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        assert not owner_alive(folder)
        identity = folder.last_owner()
        assert identity
        assert not is_alive(identity)
        folder.acquire().release()


def test_asking_who_lives_never_takes_the_run_away(state: State) -> None:
    folder = state.new_run()
    asked = (
        "import sys; from pathlib import Path;"
        "from sandbook.state import RunFolder, owner_alive\n"
        "folder = RunFolder(path=Path(sys.argv[1])); print('asking', flush=True)\n"
        "while True: owner_alive(folder)"
    )
    folder.acquire().release()
    asker = subprocess.Popen(
        [sys.executable, "-c", asked, str(folder.path)], stdout=subprocess.PIPE
    )
    assert asker.stdout
    asker.stdout.readline()
    try:
        for _ in range(50):
            folder.acquire().release()
    finally:
        asker.kill()
        asker.communicate()


def test_a_program_that_the_owner_starts_does_not_keep_the_run(state: State) -> None:
    folder = state.new_run()
    lock = folder.acquire()
    child = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        lock.release()
        assert not owner_alive(folder)
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "1"}', "\x00\xff"])
def test_an_unreadable_owner_file_means_no_known_owner(state: State, text: str) -> None:
    folder = state.new_run()
    folder.owner.write_text(text)
    assert folder.last_owner() is None
    folder.acquire().release()
    assert folder.last_owner() == process_identity()


def test_a_process_is_known_by_more_than_its_number() -> None:
    here = process_identity()
    assert is_alive(here)
    assert here.start is not None
    assert ProcessIdentity.from_json(json.loads(json.dumps(here.to_json()))) == here
    others: list[dict[str, JSON]] = [
        {"start": here.start + 1},
        {"boot": "another"},
        {"host": "another"},
    ]
    for other in others:
        changed = ProcessIdentity.from_json({**here.to_json(), **other})
        assert not is_alive(changed)


def test_without_a_start_time_the_number_has_to_do() -> None:
    here = process_identity()
    unknown = ProcessIdentity.from_json({**here.to_json(), "start": None})
    assert is_alive(unknown)
    # Above the largest process number that Linux gives out.
    gone = ProcessIdentity.from_json({**unknown.to_json(), "pid": 2**22 + 1})
    assert not is_alive(gone)


def test_a_process_that_nobody_waited_for_is_dead() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1) as child:
        stat = Path(f"/proc/{child.pid}/stat").read_text()
        identity = ProcessIdentity.from_json(
            {
                **process_identity().to_json(),
                "pid": child.pid,
                "start": int(stat.rpartition(")")[2].split()[19]),
            }
        )
        assert is_alive(identity)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert Path(f"/proc/{child.pid}").exists()
        assert not is_alive(identity)
