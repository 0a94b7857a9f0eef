"""Snapshots of local sandboxes: all files as they were, in others, for themselves."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sandbook.api import Resources, Settings, SnapshotRef
from sandbook.errors import BuildFailed, NoSpace, SpecRejected
from sandbook_local.provider import LocalProvider
from sandbook_local.sandbox import LocalSandbox
from tests.sandbook_local.conftest import Create, run, shell, text_of, until

pytestmark = pytest.mark.anyio

LISTING = (
    "cd {0}; find . -mindepth 1 ! -path './.venv*' ! -path './.tmp*' ! -name '*.pid' "
    "-printf '%p %y %m %n %T@ %l\\n' | sort; "
    "find . -type f ! -path './.venv*' -readable -exec sha256sum '{{}}' + | sort"
)


def _folder(settings: Settings, snapshot: SnapshotRef) -> Path:
    return settings.state / "snapshots" / snapshot.id


async def test_all_files_are_as_they_were(
    sandbox: LocalSandbox, create: Create
) -> None:
    await text_of(
        sandbox,
        r"""
        cd ~; mkdir -p work/a/empty work/a/deep/er
        printf 'one\n' >work/a/one; : >work/nothing; ln -s a/one work/link
        ln -s /nowhere/at/all work/dangling; ln work/a/one work/a/again
        head -c 3000000 /dev/urandom >work/large; chmod 600 work/large
        truncate -s 30M work/hole; printf end >>work/hole
        printf x >work/$'\xff\xfe\n name'; mkdir work/$' \n'
        chmod 4751 work/a/one; chmod 0555 work/a/deep
        touch -d '2001-02-03 04:05:06.123456789' work/nothing work/a/empty
        touch -h -d '2002-02-03 04:05:06' work/dangling
        mkdir /tmp/t; printf t >/tmp/t/file; printf h >~/.profile
        printf secret >work/closed; chmod 000 work/closed
        mkdir work/shut; printf in >work/shut/in; mkdir work/shut/sub
        printf deep >work/shut/sub/deep; chmod 000 work/shut/sub work/shut
        """,
    )
    open_up = "chmod 700 ~/work/shut ~/work/shut/sub; chmod 400 ~/work/closed"
    snapshot = await sandbox.snapshot("all")
    assert (snapshot.provider, snapshot.kind) == ("local", "files")
    other = await create(template=snapshot)
    modes = "stat -c %a ~/work/closed ~/work/shut"
    assert await text_of(other, modes) == await text_of(sandbox, modes) == "0\n0\n"
    for box in (sandbox, other):
        await text_of(box, open_up)
    for place in ("~", "/tmp"):
        listing = LISTING.format(place)
        was = (await run(sandbox, listing)).stdout.data()
        assert len(was.splitlines()) > (20 if place == "~" else 1)
        assert (await run(other, listing)).stdout.data() == was
    assert await text_of(other, "du -k ~/work/hole | cut -f1") == "4\n"


async def test_two_sandboxes_from_one_do_not_see_each_other(
    sandbox: LocalSandbox, create: Create
) -> None:
    await text_of(sandbox, "echo first >f")
    snapshot = await sandbox.snapshot("one")
    one, other = await create(template=snapshot), await create(template=snapshot)
    await text_of(one, "echo second >f; echo >mine")
    await text_of(sandbox, "echo third >f")
    assert await text_of(other, "cat f; ls") == "first\nf\n"
    third = await create(template=snapshot)
    assert await text_of(third, "cat f; ls") == "first\nf\n"


async def test_files_belong_to_the_user_of_the_new_sandbox(
    sandbox: LocalSandbox, create: Create
) -> None:
    await text_of(sandbox, "mkdir d; echo >d/f")
    other = await create(template=await sandbox.snapshot("one"))
    assert await text_of(other, "stat -c %U:%G d d/f; echo >>d/f; rm -r d") == (
        "user:user\nuser:user\n"
    )


async def test_programs_stand_still_while_it_is_taken(
    sandbox: LocalSandbox, create: Create
) -> None:
    # Each file says how many there are: a copy made while it runs would be torn.
    text = (
        "i=0; while :; do i=$((i+1)); echo $i >a/new; mv a/new a/f; "
        "echo $i >b/new; mv b/new b/f; done"
    )
    await text_of(sandbox, "mkdir a b; for i in $(seq 400); do echo >a/x$i; done")
    await sandbox.start(shell(text, background=True))
    await until(lambda: _is_there(sandbox, "b/f"))
    for number in range(5):
        other = await create(template=await sandbox.snapshot(f"n{number}"))
        a, b = map(int, (await text_of(other, "cat a/f b/f")).split())
        assert a - b in (0, 1)
    before = int(await text_of(sandbox, "cat b/f"))
    await until(lambda: _is_more(sandbox, before))


async def _is_there(box: LocalSandbox, path: str) -> bool:
    return (await run(box, f"test -s {path}")).code == 0


async def _is_more(box: LocalSandbox, before: int) -> bool:
    return int(await text_of(box, "cat b/f")) > before


async def test_what_is_no_file_is_left_out_and_listed(
    sandbox: LocalSandbox, create: Create, settings: Settings
) -> None:
    text = "import socket; socket.socket(socket.AF_UNIX).bind('s')"
    await text_of(sandbox, f'mkfifo p; python3 -c "{text}"; echo >f')
    snapshot = await sandbox.snapshot("odd")
    other = await create(template=snapshot)
    assert await text_of(other, "ls") == "f\n"
    record = json.loads((_folder(settings, snapshot) / "snapshot.json").read_text())
    assert [path for path, _ in record["skipped"]] == ["home/work/p", "home/work/s"]
    assert (record["name"], record["v"]) == ("odd", 1)


async def test_a_snapshot_is_its_owner_s_alone(
    sandbox: LocalSandbox, settings: Settings
) -> None:
    folder = _folder(settings, await sandbox.snapshot("mine"))
    assert (folder.parent.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (
        0o700,
        0o700,
    )
    for file in folder.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.stat().st_uid == os.geteuid()


async def test_it_outlives_its_sandbox_until_it_is_deleted(
    sandbox: LocalSandbox, create: Create, provider: LocalProvider, settings: Settings
) -> None:
    await text_of(sandbox, "echo kept >f")
    snapshot = await sandbox.snapshot("one")
    await provider.destroy(sandbox.ref)
    provider.sweep()
    assert await text_of(await create(template=snapshot), "cat f") == "kept\n"
    assert _folder(settings, snapshot).is_dir()
    await provider.delete_snapshot(snapshot)
    assert not _folder(settings, snapshot).exists()
    with pytest.raises(SpecRejected, match=snapshot.id):
        await create(template=snapshot)
    await provider.delete_snapshot(snapshot)


@pytest.mark.parametrize(
    "id", ["nowhere", "../sandboxes", "", ".", "a/b"], ids=["none", "up", "", ".", "/"]
)
async def test_an_unknown_snapshot_is_refused_by_name(create: Create, id: str) -> None:
    with pytest.raises(SpecRejected, match="there is no snapshot"):
        await create(template=SnapshotRef(provider="local", id=id))
    with pytest.raises(SpecRejected, match="there is no snapshot"):
        await create(template=SnapshotRef(provider="other", id="a"))


async def test_what_does_not_fit_is_refused(
    sandbox: LocalSandbox, create: Create, provider: LocalProvider
) -> None:
    await text_of(sandbox, "head -c 40000000 /dev/urandom >large")
    snapshot = await sandbox.snapshot("large")
    with pytest.raises(NoSpace, match="do not fit"):
        await create(template=snapshot, resources=Resources(disk=16 << 20))

    async def is_alone() -> bool:
        return [i.ref async for i in provider.list({})] == [sandbox.ref]

    await until(is_alone)


@pytest.mark.parametrize("keep", [0, 10, 5_000])
async def test_a_damaged_snapshot_is_refused(
    sandbox: LocalSandbox, create: Create, settings: Settings, keep: int
) -> None:
    await text_of(sandbox, "head -c 100000 /dev/urandom >f")
    snapshot = await sandbox.snapshot("torn")
    os.truncate(_folder(settings, snapshot) / "files", keep)
    with pytest.raises(BuildFailed, match="cannot be unpacked"):
        await create(template=snapshot)


async def test_no_planted_link_leads_a_snapshot_elsewhere(
    sandbox: LocalSandbox, create: Create
) -> None:
    await text_of(sandbox, "ln -s /etc etc; ln -s / root; mkdir d; echo >d/f")
    other = await create(template=await sandbox.snapshot("links"))
    assert await text_of(other, "readlink etc root; find . | sort") == (
        "/etc\n/\n.\n./d\n./d/f\n./etc\n./root\n"
    )


async def test_a_paused_sandbox_stays_paused(
    sandbox: LocalSandbox, create: Create
) -> None:
    await text_of(sandbox, "echo kept >f")
    await sandbox.pause()
    snapshot = await sandbox.snapshot("one")
    assert (await sandbox.info()).state == "paused"
    assert await text_of(await create(template=snapshot), "cat f") == "kept\n"


async def test_the_work_folder_is_that_of_the_snapshot(create: Create) -> None:
    box = await create(workdir="~/elsewhere")
    await text_of(box, "echo kept >f")
    snapshot = await box.snapshot("one")
    other = await create(template=snapshot)
    assert await text_of(other, "pwd; cat f") == "/home/user/elsewhere\nkept\n"
    third = await create(template=snapshot, workdir="~/third")
    assert await text_of(third, "pwd; cat ../elsewhere/f") == (
        "/home/user/third\nkept\n"
    )


async def test_what_was_installed_is_there_and_python_works(
    sandbox: LocalSandbox, create: Create
) -> None:
    module = "$(python3 -c 'import site; print(site.getsitepackages()[0])')/mine.py"
    await text_of(sandbox, f"echo 'answer = 42' >{module}")
    other = await create(template=await sandbox.snapshot("installed"))
    text = "python3 -c 'import mine, sys; print(mine.answer, sys.prefix)'"
    assert await text_of(other, text) == "42 /home/user/.venv\n"


async def test_a_failed_snapshot_leaves_nothing(
    sandbox: LocalSandbox, provider: LocalProvider, settings: Settings
) -> None:
    await provider.destroy(sandbox.ref)
    with pytest.raises(Exception, match="has ended"):
        await sandbox.snapshot("late")
    assert list((settings.state / "snapshots").iterdir()) == []
