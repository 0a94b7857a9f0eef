"""What a command gets, gives, and how it ends."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from sandbook.api import ExecRequest, Settings, Shell
from sandbook.errors import (
    ConnectionLost,
    FileMissing,
    NotAFolder,
    SpecRejected,
    Unsupported,
    UsageError,
)
from sandbook_local import folders
from sandbook_local.sandbox import LocalSandbox
from tests.sandbook_local.conftest import (
    LOUD,
    SHOUT,
    Create,
    argv,
    hears_all_of_the_shout,
    run,
    shell,
    text_of,
    until,
)

pytestmark = pytest.mark.anyio


async def test_arguments_reach_the_program_without_a_shell(
    sandbox: LocalSandbox,
) -> None:
    result = await run(sandbox, argv("printf", "%s", "a b", "$HOME", "*"))
    assert (result.end, result.code) == ("exited", 0)
    assert result.stdout.data() == b"a b$HOME*"


async def test_streams_are_kept_apart_and_exact(sandbox: LocalSandbox) -> None:
    result = await run(sandbox, r"printf ' out\r\n'; printf 'err\001\377' >&2")
    assert result.stdout.data() == b" out\r\n"
    assert result.stderr.data() == b"err\x01\xff"


@pytest.mark.parametrize("code", [0, 1, 3, 70, 255])
async def test_exit_codes_are_exact(sandbox: LocalSandbox, code: int) -> None:
    result = await run(sandbox, f"exit {code}")
    assert (result.end, result.code) == ("exited", code)


@pytest.mark.parametrize(("name", "code"), [("TERM", 143), ("INT", 130), ("KILL", 137)])
async def test_a_program_killed_by_its_own_signal_is_signalled(
    sandbox: LocalSandbox, name: str, code: int
) -> None:
    result = await run(sandbox, shell(f"kill -{name} $$; sleep 5", timeout=30))
    assert (result.end, result.code) == ("signalled", code)


async def test_a_missing_program_is_a_result_127(sandbox: LocalSandbox) -> None:
    result = await run(sandbox, argv("no-such-program"))
    assert (result.end, result.code) == ("exited", 127)
    assert b"no-such-program" in result.stderr.data()


@pytest.mark.parametrize("path", ["/etc/passwd", "/etc"])
async def test_a_program_that_cannot_be_executed_is_a_result_126(
    sandbox: LocalSandbox, path: str
) -> None:
    result = await run(sandbox, argv(path))
    assert (result.end, result.code) == ("exited", 126)


async def test_a_script_without_a_first_line_is_run_by_sh(
    sandbox: LocalSandbox,
) -> None:
    await run(sandbox, "echo 'echo ran $1' > s; chmod +x s")
    assert await text_of(sandbox, argv("./s", "it")) == "ran it\n"


async def test_a_missing_folder_is_named(sandbox: LocalSandbox) -> None:
    with pytest.raises(FileMissing, match="nowhere") as caught:
        await sandbox.start(argv("true", cwd="/nowhere"))
    assert caught.value.filename == "/nowhere"
    with pytest.raises(NotAFolder):
        await sandbox.start(argv("true", cwd="/etc/passwd"))


async def test_a_key_whose_folder_was_missing_can_be_used_again(
    sandbox: LocalSandbox,
) -> None:
    with pytest.raises(FileMissing):
        await sandbox.start(shell("pwd", key="again", cwd="later"))
    await run(sandbox, "mkdir later")
    result = await run(sandbox, shell("pwd", key="again", cwd="later"))
    assert result.stdout.data() == b"/home/user/work/later\n"


async def test_folders_are_relative_to_the_working_folder(
    sandbox: LocalSandbox,
) -> None:
    await run(sandbox, "mkdir 'a b'")
    assert await text_of(sandbox, shell("pwd", cwd="a b")) == "/home/user/work/a b\n"
    assert await text_of(sandbox, shell("pwd", cwd="~")) == "/home/user\n"
    assert await text_of(sandbox, shell("pwd", cwd="/tmp")) == "/tmp\n"


async def test_the_environment_is_what_was_passed_and_no_more(create: Create) -> None:
    os.environ["SANDBOOK_TEST_LEAK"] = "leaked"
    sandbox = await create(env={"A": "of all", "B": "of all"})
    odd = "a 'b' \"c\" =\n d"
    names = await text_of(sandbox, argv("env", "-0", env={"A": odd}))
    env = dict(line.split("=", 1) for line in names.split("\0") if line)
    assert env["A"] == odd
    assert env["B"] == "of all"
    assert env["HOME"] == "/home/user"
    assert env.keys() == {
        "A",
        "B",
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "LANG",
        "TERM",
        "TMPDIR",
    }
    assert "A=of all" in await text_of(sandbox, argv("env"))


async def test_another_user_is_refused_before_anything_runs(
    sandbox: LocalSandbox,
) -> None:
    with pytest.raises(Unsupported, match="root"):
        await sandbox.start(shell("touch ran", user="root"))
    assert (await run(sandbox, "test -e ran")).code == 1


async def test_nul_and_too_long_arguments_are_refused(sandbox: LocalSandbox) -> None:
    with pytest.raises(SpecRejected, match="NUL"):
        await sandbox.start(argv("echo", "a\0b"))
    with pytest.raises(SpecRejected, match="too long"):
        await sandbox.start(argv("echo", "x" * 200_000))


async def test_a_megabyte_of_arguments_arrives(sandbox: LocalSandbox) -> None:
    many = ["x" * 65_000] * 16
    result = await run(sandbox, argv("printf", "%s", *many))
    assert result.stdout.total == 16 * 65_000


async def test_strict_shells_stop_at_the_first_failure(sandbox: LocalSandbox) -> None:
    assert (await run(sandbox, "false; echo on")).code == 1
    assert (await run(sandbox, "false | true; echo on")).code == 1
    loose = ExecRequest(program=Shell(text="false; echo on", strict=False), key="loose")
    assert (await run(sandbox, loose)).stdout.data() == b"on\n"
    sh = ExecRequest(
        program=Shell(text="false | true; echo $0", dialect="sh"), key="sh"
    )
    assert (await run(sandbox, sh)).stdout.data() == b"/bin/sh\n"


@pytest.mark.parametrize(
    ("stdin", "size"),
    [(None, 0), (b"", 0), (b"a\0\xff$HOME `x` \\", 14), (b"x" * (50 << 20), 50 << 20)],
    ids=["none", "empty", "bytes", "50 MiB"],
)
async def test_stdin_arrives_whole_and_ends(
    sandbox: LocalSandbox, stdin: bytes | None, size: int
) -> None:
    text = await text_of(sandbox, shell("sha256sum; true", stdin=stdin))
    assert text.split()[0] == hashlib.sha256(stdin or b"").hexdigest()
    assert len(stdin or b"") == size


async def test_stdin_may_come_piece_by_piece(sandbox: LocalSandbox) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for letter in (b"a", b"b", b"c"):
            await anyio.lowlevel.checkpoint()
            yield letter

    assert await text_of(sandbox, argv("cat", stdin=pieces())) == "abc"


async def test_stdin_can_be_opened_anew_but_not_written(sandbox: LocalSandbox) -> None:
    said = await text_of(sandbox, shell("cat /dev/stdin", stdin=b"again"))
    assert said == "again"
    result = await run(sandbox, shell("echo x > /dev/stdin", stdin=b"again"))
    assert result.code != 0


async def test_one_can_converse_with_a_program(sandbox: LocalSandbox) -> None:
    process = await sandbox.start(argv("cat", stdin="pipe"))
    await process.send(b"one\n")
    async for chunk in process.output():
        assert chunk.data == b"one\n"
        break
    await process.send(b"two\n")
    await process.end_input()
    result = await process.wait()
    assert result.stdout.data() == b"one\ntwo\n"
    assert result.code == 0
    with pytest.raises(UsageError, match="closed"):
        await process.send(b"late")


async def test_a_full_pipe_makes_the_sender_wait(sandbox: LocalSandbox) -> None:
    process = await sandbox.start(shell("sleep 0.3; wc -c", stdin="pipe"))
    await process.send(b"x" * (1 << 20))
    await process.end_input()
    assert (await process.wait()).stdout.data().strip() == b"1048576"


async def test_chunks_rise_and_add_up_to_the_result(sandbox: LocalSandbox) -> None:
    process = await sandbox.start(
        shell("for i in 1 2 3 4 5; do echo out$i; echo err$i >&2; sleep 0.02; done")
    )
    chunks = [chunk async for chunk in process.output()]
    result = await process.wait()
    sequence = [chunk.seq for chunk in chunks]
    assert sequence == sorted(set(sequence))
    for stream, kept in (("stdout", result.stdout), ("stderr", result.stderr)):
        assert b"".join(c.data for c in chunks if c.stream == stream) == kept.data()


async def test_output_can_be_read_again_from_any_point(sandbox: LocalSandbox) -> None:
    process = await sandbox.start(shell("for i in 1 2 3; do echo $i; sleep 0.05; done"))
    await process.wait()
    chunks = [chunk async for chunk in process.output()]
    assert b"".join(chunk.data for chunk in chunks) == b"1\n2\n3\n"
    rest = [chunk async for chunk in process.output(after=chunks[0].seq)]
    assert rest == chunks[1:]


async def test_output_comes_while_the_program_runs(sandbox: LocalSandbox) -> None:
    process = await sandbox.start(shell("echo first; cat", stdin="pipe"))
    with anyio.fail_after(20):
        async for chunk in process.output():
            assert chunk.data == b"first\n"
            break
    await process.end_input()
    assert (await process.wait()).code == 0


async def test_the_newest_reader_wins_and_the_older_is_told(
    sandbox: LocalSandbox,
) -> None:
    process = await sandbox.start(shell("echo a; cat; echo b", stdin="pipe"))
    older = process.output()
    assert (await anext(older)).data == b"a\n"
    found = await sandbox.find(process.key)
    assert found is not None
    newer = found.output()
    assert (await anext(newer)).data == b"a\n"
    with pytest.raises(ConnectionLost, match="another reader"):
        await anext(older)
    await process.end_input()
    assert [chunk.data async for chunk in newer] == [b"b\n"]


async def test_large_output_keeps_head_and_tail_and_counts_the_rest(
    sandbox: LocalSandbox,
) -> None:
    text = "import sys\nfor i in range(500_000): sys.stdout.write('%09d\\n' % i)"
    request = argv("python3", "-c", text, head=1000, tail=300_000)
    kept = (await run(sandbox, request)).stdout
    assert kept.total == 5_000_000
    assert kept.head == b"".join(b"%09d\n" % i for i in range(100))
    assert kept.tail == b"".join(b"%09d\n" % i for i in range(470_000, 500_000))
    assert kept.dropped == 5_000_000 - 301_000


@pytest.mark.parametrize(("head", "tail"), [(0, 0), (0, 10), (10, 0), (10, 10)])
async def test_head_and_tail_may_be_nothing(
    sandbox: LocalSandbox, head: int, tail: int
) -> None:
    kept = (await run(sandbox, shell("seq 1 20000", head=head, tail=tail))).stdout
    whole = b"".join(b"%d\n" % i for i in range(1, 20001))
    assert kept.head == whole[:head]
    assert kept.tail == whole[len(whole) - tail :]
    assert kept.dropped == len(whole) - head - tail


async def test_a_slow_reader_loses_nothing(sandbox: LocalSandbox) -> None:
    # What comes before somebody reads may fall out between head and tail.
    text = "echo ready; read line; seq 1 1000000"
    request = shell(text, head=1000, tail=1000, stdin="pipe")
    process = await sandbox.start(request)
    digest, count = hashlib.sha256(), 0
    async for chunk in process.output():
        digest.update(chunk.data)
        if count == 0:
            await process.send(b"go\n")
        count += 1
        if count % 10 == 0:
            await anyio.sleep(0.002)
    whole = b"".join(b"%d\n" % i for i in range(1, 1_000_001))
    assert digest.hexdigest() == hashlib.sha256(b"ready\n" + whole).hexdigest()


async def test_nobody_has_to_read_for_a_program_to_end(sandbox: LocalSandbox) -> None:
    process = await sandbox.start(shell("seq 1 3000000", background=True))
    with anyio.fail_after(60):
        result = await process.wait()
    assert result.code == 0
    assert result.stdout.dropped > 0


async def test_twenty_programs_at_once_keep_their_output_apart(
    sandbox: LocalSandbox,
) -> None:
    found: dict[int, str] = {}

    async def one(number: int) -> None:
        found[number] = await text_of(sandbox, f"sleep 0.1; echo {number}")

    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(one, number)
    assert found == {number: f"{number}\n" for number in range(20)}


async def test_the_private_python_comes_first_and_takes_packages(
    sandbox: LocalSandbox,
) -> None:
    said = await text_of(sandbox, "python3 -c 'import sys; print(sys.prefix)'")
    assert said == "/home/user/.venv\n"


async def test_the_folders_of_the_interpreter_are_shown_wherever_they_are(
    sandbox: LocalSandbox,
) -> None:
    for place in (sys.prefix, sys.base_prefix):
        assert await text_of(sandbox, argv("ls", "-A", place)), place
        assert (await run(sandbox, argv("touch", f"{place}/x"))).code != 0


async def test_a_supervisor_holds_little_of_a_large_output(
    sandbox: LocalSandbox, settings: Settings
) -> None:
    result = await run(sandbox, argv("head", "-c", "200M", "/dev/zero"))
    assert result.stdout.total == 200 << 20
    found = folders.read_supervisor(settings.state / "sandboxes" / sandbox.ref.id)
    assert found is not None
    status = Path(f"/proc/{found[0]}/status").read_text(encoding="ascii")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    assert int(peak.split()[1]) < 64 << 10


async def test_streams_can_be_opened_by_name(sandbox: LocalSandbox) -> None:
    result = await run(sandbox, "echo out > /dev/stdout; echo err > /dev/stderr")
    assert (result.stdout.data(), result.stderr.data()) == (b"out\n", b"err\n")


async def test_no_output_is_lost_before_its_first_reader_comes(
    sandbox: LocalSandbox,
) -> None:
    process = await sandbox.start(shell(SHOUT, timeout=60))
    await anyio.sleep(0.5)
    assert await hears_all_of_the_shout(process)
    assert (await process.wait()).stdout.total == LOUD


async def test_a_loud_program_that_nobody_reads_ends(sandbox: LocalSandbox) -> None:
    process = await sandbox.start(shell(SHOUT, timeout=60))
    with anyio.fail_after(8):
        assert (await process.wait()).stdout.total == LOUD


async def test_a_loud_program_that_nobody_comes_for_goes_on(
    sandbox: LocalSandbox,
) -> None:
    process = await sandbox.start(shell(f"{SHOUT} || true; touch done", timeout=60))
    await process.detach()

    async def is_done() -> bool:
        return (await run(sandbox, "test -e done")).code == 0

    await until(is_done, within=50)
