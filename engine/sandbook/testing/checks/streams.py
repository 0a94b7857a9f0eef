# ruff: noqa: S101, PLR2004 - checks are assertions about plain numbers
"""D: stdin, large output, and output while it is made."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator

import anyio
import anyio.lowlevel

from sandbook.api import Sandbox
from sandbook.testing._check import check
from sandbook.testing._kit import Kit, collect, joined
from sandbook.testing._same import must_be_same

MIB = 1 << 20
EVERY_BYTE = bytes(range(256))


@check("D39", needs=["exec.stdin"], probe=True)
async def stdin_arrives_and_ends(kit: Kit) -> None:
    box = await kit.box()
    assert await kit.out(box, ("cat",), stdin=b"two\nlines\n") == b"two\nlines\n"
    assert await kit.out(box, ("cat",), stdin=b"", timeout=20) == b""


@check("D39b", needs=["exec"])
async def without_stdin_a_program_reads_nothing(kit: Kit) -> None:
    box = await kit.box()
    assert await kit.out(box, ("cat",), timeout=20) == b""


@check("D39c", needs=["exec.stdin"])
async def stdin_may_come_piece_by_piece(kit: Kit) -> None:
    box = await kit.box()

    async def pieces() -> AsyncIterator[bytes]:
        for word in (b"one ", b"two ", b"three"):
            await anyio.lowlevel.checkpoint()
            yield word

    assert await kit.out(box, ("cat",), stdin=pieces()) == b"one two three"


@check("D40", needs=["exec.stdin"])
async def stdin_is_not_read_by_a_shell(kit: Kit) -> None:
    box = await kit.box()
    data = b"$HOME `id` \"quoted\" 'single' back\\slash $(exit 3)\n"
    assert await kit.out(box, ("cat",), stdin=data) == data


@check("D41", needs=["exec.stdin"])
async def stdin_carries_every_byte(kit: Kit) -> None:
    box = await kit.box()
    data = EVERY_BYTE * 64 + b"\x00\xff\xfe"
    told = await kit.out(box, "cat >bytes; sha256sum <bytes", stdin=data)
    assert told.split()[0].decode() == hashlib.sha256(data).hexdigest()


@check("D42", needs=["exec.stdin"])
async def fifty_mebibytes_of_stdin_arrive(kit: Kit) -> None:
    box = await kit.box()
    told = await kit.out(box, ("wc", "-c"), stdin=bytes(50 * MIB))
    assert told.split() == [b"52428800"]


@check("D43", needs=["exec.stdin"])
async def a_program_can_be_talked_to(kit: Kit) -> None:
    box = await kit.box()
    process = await kit.start(box, ("cat",), stdin="pipe")
    heard = b""
    await process.send(b"ping\n")
    async for chunk in process.output():
        heard += chunk.data
        if heard == b"ping\n":
            await process.send(b"pong\n")
        elif heard == b"ping\npong\n":
            await process.end_input()
    result = await process.wait()
    assert (result.code, heard) == (0, b"ping\npong\n")


@check("D44", needs=["exec"])
async def a_mebibyte_of_arguments_arrives(kit: Kit) -> None:
    box = await kit.box()
    long = tuple(chr(ord("a") + i) * (64 << 10) for i in range(16))
    text = 'printf %s "$@" | sha256sum'
    told = await kit.out(box, ("sh", "-c", text, "sh", *long))
    assert (
        told.split()[0].decode() == hashlib.sha256("".join(long).encode()).hexdigest()
    )


@check("D45", needs=["exec"])
async def output_comes_while_the_program_runs(kit: Kit) -> None:
    # The program ends only after its first line was seen here: no clock decides.
    box = await kit.box()
    text = "echo first; until [ -e go ]; do sleep 0.05; done; echo last"
    process = await kit.start(box, text, timeout=60)
    heard = b""
    with anyio.fail_after(30):
        async for chunk in process.output():
            if not heard:
                await kit.out(box, ("touch", "go"))
            heard += chunk.data
    assert heard == b"first\nlast\n"


@check("D46", needs=["exec"])
async def chunks_are_the_output_in_order_and_once(kit: Kit) -> None:
    box = await kit.box()
    text = (
        "i=0; while [ $i -lt 400 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done"
    )
    process = await kit.start(box, text)
    chunks = await collect(process)
    result = await process.wait()
    wanted = "".join(f"out {i}\n" for i in range(400)).encode()
    must_be_same(result.stdout.data(), wanted)
    must_be_same(joined(chunks), wanted)
    assert (
        joined(chunks, "stderr")
        == result.stderr.data()
        == wanted.replace(b"out", b"err")
    )
    numbers = [chunk.seq for chunk in chunks]
    assert numbers == sorted(set(numbers))
    assert numbers[0] > 0
    assert all(chunk.at.tzinfo is not None for chunk in chunks)


@check("D46b", needs=["exec"])
async def output_goes_on_after_the_chunk_named(kit: Kit) -> None:
    box = await kit.box()
    process = await kit.start(box, "for i in 1 2 3 4 5; do echo $i; sleep 0.1; done")
    chunks = await collect(process)
    for place, chunk in enumerate(chunks):
        assert await collect(process, after=chunk.seq) == chunks[place + 1 :]


@check("D47", needs=["exec"])
async def a_character_in_two_chunks_comes_back_whole(kit: Kit) -> None:
    box = await kit.box()
    process = await kit.start(box, r"printf '\342'; sleep 0.3; printf '\202\254'")
    chunks = await collect(process)
    assert joined(chunks).decode() == "€"
    assert (await process.wait()).stdout.data().decode() == "€"


@check("D48", needs=["exec", "attach"])
async def a_flood_is_cut_in_the_middle_and_counted(kit: Kit) -> None:
    box = await kit.box()
    size = 50 * MIB
    told = await kit.elsewhere(
        "flood",
        ref=box.ref.to_json(),
        program=f"yes 0123456 | head -c {size}; exit 3",
    )
    head, tail = (base64.b64decode(str(told[part])) for part in ("head", "tail"))
    kept = b"0123456\n" * (5 * MIB // 8)
    assert (told["end"], told["code"]) == ("exited", 3)
    must_be_same(head, kept)
    must_be_same(tail, kept)
    assert told["total"] == size
    assert told["dropped"] == size - 10 * MIB
    assert int(str(told["growth"])) < 100 * MIB


@check("D48b", needs=["exec"])
async def head_tail_and_dropped_are_exact_to_the_byte(kit: Kit) -> None:
    box = await kit.box()
    digits = "0123456789" * 10
    for head, tail in ((10, 7), (0, 7), (10, 0), (0, 0), (60, 40), (200, 5), (50, 49)):
        result = await kit.run(box, ("printf", digits), head=head, tail=tail)
        kept = result.stdout
        start = digits[:head].encode()
        end = digits[head:][-tail:].encode() if tail else b""
        assert (kept.head, kept.tail) == (start, end), (head, tail)
        assert kept.total == 100
        assert kept.dropped == 100 - len(start) - len(end)
        assert (b"bytes dropped" in kept.data()) == (kept.dropped > 0)


@check("D49", needs=["exec"])
async def endless_output_ends_at_its_timeout(kit: Kit) -> None:
    box = await kit.box()
    with anyio.fail_after(30):
        result = await kit.run(box, ("yes",), timeout=2.0, grace=1.0)
    assert (result.end, result.code) == ("timed_out", None)
    assert result.stdout.head.startswith(b"y\ny\n")
    assert result.seconds < 20


@check("D50", needs=["exec", "attach"])
async def a_slow_reader_loses_nothing_and_holds_little(kit: Kit) -> None:
    box = await kit.box()
    size = 64 * MIB
    told = await kit.elsewhere(
        "stall",
        ref=box.ref.to_json(),
        program=f"yes 0123456 | head -c {size}",
    )
    wanted = hashlib.sha256(b"0123456\n" * (size // 8)).hexdigest()
    assert told["seen"] == wanted
    assert told["total"] == size
    assert int(str(told["growth"])) < 40 * MIB


@check("D51", needs=["exec"])
async def two_programs_at_once_keep_their_output_apart(kit: Kit) -> None:
    box = await kit.box()
    told: dict[str, bytes] = {}

    async def talk(word: str) -> None:
        text = f"for i in 1 2 3 4 5 6 7 8; do echo {word}; sleep 0.02; done"
        told[word] = joined(await collect(await kit.start(box, text)))

    async with anyio.create_task_group() as group:
        group.start_soon(talk, "one")
        group.start_soon(talk, "two")
    assert told == {"one": b"one\n" * 8, "two": b"two\n" * 8}


@check("D52", needs=["exec"])
async def twenty_programs_at_once_each_get_their_own_answer(kit: Kit) -> None:
    box = await kit.box()
    told: dict[int, bytes] = {}

    async def ask(number: int) -> None:
        told[number] = await kit.out(box, f"sleep 0.1; echo {number}; exit 0")

    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(ask, number)
    assert told == {number: f"{number}\n".encode() for number in range(20)}


@check("D53", needs=["exec"])
async def what_runs_on_behind_does_not_hold_the_command_open(kit: Kit) -> None:
    box = await kit.box()
    process = await kit.start(box, "sh -c 'echo $$ >left; exec sleep 300' & echo said")
    with anyio.fail_after(30):
        chunks = await collect(process)
        result = await process.wait()
    assert joined(chunks) == result.stdout.data() == b"said\n"
    assert result.code == 0
    await _still_runs(kit, box)


async def _still_runs(kit: Kit, box: Sandbox) -> None:
    """It was there, and the end of its command is no reason to end it."""
    await kit.must_live(box, await kit.pid(box, "left"))
