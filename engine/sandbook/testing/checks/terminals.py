# ruff: noqa: S101, PLR2004 - checks are assertions about plain numbers
"""H: terminals, as a program in them and a person before them see them."""

from __future__ import annotations

from sandbook.errors import FileMissing, Unsupported
from sandbook.testing._check import check
from sandbook.testing._kit import Kit, fails, skip
from sandbook.testing._same import must_be_same
from sandbook.testing._screen import Screen, open_pty, sitting_at, watch

RAW = "stty raw -echo"
EVERY_BYTE = bytes(range(256))


@check("H96", needs=["pty"], probe=True)
async def a_terminal_has_the_size_asked_for(kit: Kit) -> None:
    box = await kit.box()
    for cols, rows in ((100, 30), (30, 100)):
        async with sitting_at(kit, box, "stty size", cols=cols, rows=rows) as screen:
            assert (await screen.end()).code == 0
            assert screen.shown.split() == [b"%d" % rows, b"%d" % cols]


@check("H96b", needs=["pty"])
async def all_three_streams_are_the_terminal_that_controls_the_program(
    kit: Kit,
) -> None:
    box = await kit.box()
    text = "test -t 0 && test -t 1 && test -t 2 && : </dev/tty && echo all >/dev/tty"
    async with sitting_at(kit, box, text) as screen:
        assert (await screen.end()).code == 0
        assert screen.shown == b"all\r\n"


@check("H97", needs=["pty"])
async def a_terminal_takes_another_size(kit: Kit) -> None:
    box = await kit.box()
    async with sitting_at(kit, box, "stty size; read x; stty size") as screen:
        await screen.until(b"24 80")
        await screen.pty.resize(cols=132, rows=50)
        await screen.types(b"\n")
        await screen.until(b"50 132")


@check("H97b", needs=["pty"])
async def a_program_is_told_of_another_size(kit: Kit) -> None:
    box = await kit.box()
    loop = "while :; do sleep 0.05; done"
    text = f"trap 'echo told; exit 0' WINCH; echo up; {loop}"
    async with sitting_at(kit, box, text) as screen:
        await screen.until(b"up")
        await screen.pty.resize(cols=132, rows=50)
        await screen.until(b"told")


@check("H98", needs=["pty"])
async def a_program_gets_the_variables_and_the_kind_of_terminal(kit: Kit) -> None:
    box = await kit.box()
    value = "two words\t'\"$x=€"
    text = 'printf "%s|%s|" "$TERM" "$GIVEN"'
    async with sitting_at(kit, box, text, env={"GIVEN": value}, term="vt220") as screen:
        await screen.end()
        assert screen.shown == f"vt220|{value}|".encode()


@check("H98b", needs=["pty"])
async def a_program_starts_in_its_folder(kit: Kit) -> None:
    box = await kit.box()
    await kit.out(box, ("mkdir", "a b"))
    wanted = await kit.out(box, "cd 'a b' && pwd")
    async with sitting_at(kit, box, "pwd", cwd="a b") as screen:
        await screen.end()
        assert screen.shown.strip() == wanted.strip()
    with fails(FileMissing):
        await open_pty(kit, box, "true", cwd="nowhere")


@check("H99", needs=["pty"])
async def a_line_is_taken_when_enter_is_pressed(kit: Kit) -> None:
    # The first part must still be there when the second comes: no clock decides.
    box = await kit.box()
    text = 'echo up; read line; echo "got<$line>"'
    async with sitting_at(kit, box, text) as screen:
        await screen.until(b"up")
        await screen.types(b"one")
        await screen.until(b"one")
        await screen.types(b"two\n")
        await screen.until(b"got<onetwo>")


@check("H100", needs=["pty"])
async def control_c_interrupts_what_runs_in_front(kit: Kit) -> None:
    box = await kit.box()
    child = "sh -c 'echo $$ >left; exec sleep 600'"
    async with sitting_at(kit, box, f"trap : INT; {child}; echo code=$?") as screen:
        await kit.must_live(box, await kit.pid(box, "left"))
        await screen.types(b"\x03")
        await screen.until(b"code=130")


@check("H100b", needs=["pty"])
async def a_shell_outlives_the_control_c_of_its_command(kit: Kit) -> None:
    box = await kit.box()
    pty = await open_pty(kit, box, "sh", "-i", env={"PS1": "> ", "ENV": ""})
    async with watch(kit, pty) as screen:
        await screen.types(b"sh -c 'echo $$ >left; exec sleep 600'\n")
        pid = await kit.pid(box, "left")
        await kit.must_live(box, pid)
        await screen.types(b"\x03")
        await kit.must_end(box, pid)
        await screen.types(b"echo code=$?\n")
        await screen.until(b"code=130")
        await screen.types(b"exit 7\n")
        assert (await screen.end()).code == 7


@check("H101", needs=["pty"])
async def the_exit_code_of_a_terminal_is_exact(kit: Kit) -> None:
    box = await kit.box()
    for code in (0, 1, 7, 130, 255):
        pty = await open_pty(kit, box, "sh", "-c", f"exit {code}")
        result = await pty.wait()
        assert (result.end, result.code) == ("exited", code)


@check("H101b", needs=["pty"])
async def a_program_that_a_signal_ended_says_which(kit: Kit) -> None:
    box = await kit.box()
    pty = await open_pty(kit, box, "sh", "-c", "kill -TERM $$; sleep 600")
    result = await pty.wait()
    assert (result.end, result.code) == ("signalled", 143)


@check("H101c", needs=["pty"])
async def what_runs_on_behind_does_not_hold_the_terminal_open(kit: Kit) -> None:
    box = await kit.box()
    child = "sh -c 'trap \"\" HUP; echo $$ >left; exec sleep 600' &"
    text = f"{child} until [ -s left ]; do sleep 0.02; done; echo said; exit 3"
    async with sitting_at(kit, box, text) as screen:
        result = await screen.end()
        assert (result.end, result.code) == ("exited", 3)
        assert screen.shown == b"said\r\n"


@check("H104", needs=["pty"])
async def a_burst_arrives_whole_and_in_order(kit: Kit) -> None:
    box = await kit.box()
    count = 750_000
    async with sitting_at(kit, box, f"{RAW}; seq 1 {count}") as screen:
        result = await screen.end()
        wanted = "".join(f"{number}\n" for number in range(1, count + 1)).encode()
        assert len(wanted) > 5_000_000
        assert result.code == 0
        must_be_same(screen.shown, wanted)
        numbers = [chunk.seq for chunk in screen.chunks]
        assert numbers == sorted(set(numbers))


@check("H105", needs=["pty"])
async def what_a_terminal_shows_is_exact_to_the_byte(kit: Kit) -> None:
    # Half a character and half an escape sequence, then everything else.
    box = await kit.box()
    await box.files.write("all", EVERY_BYTE)
    halves = r"printf '\342'; sleep 0.3; printf '\202\254\033['; sleep 0.3; printf 31m"
    async with sitting_at(kit, box, f"{RAW}; {halves}; cat all") as screen:
        await screen.end()
        assert screen.shown == b"\xe2\x82\xac\x1b[31m" + EVERY_BYTE


@check("H105b", needs=["pty"])
async def what_is_typed_arrives_to_the_byte(kit: Kit) -> None:
    box = await kit.box()
    text = f"{RAW}; echo up; head -c 512 >typed; echo done"
    async with sitting_at(kit, box, text) as screen:
        await screen.until(b"up")
        await screen.types(EVERY_BYTE)
        await screen.types(EVERY_BYTE)
        await screen.until(b"done")
    assert await box.files.read("typed") == EVERY_BYTE * 2


@check("H106", needs=["pty"])
async def nothing_that_is_shown_ends_a_terminal(kit: Kit) -> None:
    # Its own id, what ends a file or a connection elsewhere, and a prompt.
    box = await kit.box()
    key = kit.name("tty")
    words = (key, "exit 0", "\x04\x1a\x03\x00\x1b", "$ ", "__END__", "EOF", "")
    lines = "\n".join(words).encode()
    await box.files.write("lines", lines)
    text = f'{RAW}; cat lines; read -r x; echo "after $x"; exit 5'
    async with sitting_at(kit, box, text, key=key) as screen:
        await screen.until(lines)
        await screen.types(b"all\n")
        assert (await screen.end()).code == 5
        assert screen.shown == lines + b"after all\n"


@check("H111", needs=["pty"])
async def two_terminals_are_apart(kit: Kit) -> None:
    box = await kit.box()
    text = 'read x; echo "$WHO got<$x>"'
    async with (
        sitting_at(kit, box, text, env={"WHO": "first"}) as first,
        sitting_at(kit, box, text, env={"WHO": "second"}) as second,
    ):
        await second.types(b"b\n")
        await first.types(b"a\n")
        assert await _said(first) == b"first got<a>"
        assert await _said(second) == b"second got<b>"


async def _said(screen: Screen) -> bytes:
    """What it showed besides the echo."""
    await screen.end()
    return bytes(screen.shown).split(b"\r\n")[1]


@check("H112", needs=["pty"])
async def what_becomes_of_typed_text_is_known(kit: Kit) -> None:
    box = await kit.box()
    steps = (
        "echo a1; read x; stty -echo; echo b2; read x; stty -icanon; echo c3; read x"
    )
    async with sitting_at(kit, box, steps) as screen:
        for word, wanted in ((b"a1", "shown"), (b"b2", "hidden"), (b"c3", "program")):
            await screen.until(word)
            told = await screen.pty.echo()
            if told is None:
                skip("it cannot tell")
            assert told == wanted
            await screen.types(b"\n")


@check("H115", needs=["pty"], without=["exec.user"])
async def no_terminal_of_another_user_is_opened(kit: Kit) -> None:
    box = await kit.box()
    with fails(Unsupported):
        await open_pty(kit, box, "touch", "ran", user=kit.options.user)
    assert (await kit.run(box, "test ! -e ran")).code == 0
