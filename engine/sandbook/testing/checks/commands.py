# ruff: noqa: S101, PLR2004 - checks are assertions about plain numbers
"""C: programs, their arguments, environment and exit codes."""

from __future__ import annotations

import os

from sandbook.api import ExecRequest, Shell
from sandbook.errors import FileMissing, NotAFolder, ProviderError, Unsupported
from sandbook.testing._check import check
from sandbook.testing._kit import Kit, collect, fails, joined

SPECIAL = {
    "SPACES": " two  words ",
    "QUOTES": 'it\'s "so"',
    "LINES": "one\ntwo\n",
    "EQUALS": "a=b=c",
    "DOLLAR": "$HOME `id` \\n",
    "EMPTY": "",
    "WORLD": "Grüße, 世界",
}


@check("C22", needs=["exec"])
async def arguments_arrive_as_they_are_without_a_shell(kit: Kit) -> None:
    box = await kit.box()
    program = ("printf", "%s", "a b", "$HOME", "*", "", "'\"\\", "ü")
    assert await kit.out(box, program) == "a b$HOME*'\"\\ü".encode()


@check("C23", needs=["exec"])
async def a_shell_text_has_pipes_and_expansion(kit: Kit) -> None:
    box = await kit.box()
    told = await kit.out(
        box, 'echo "$WORD" | tr a-z A-Z && exit 0', env={"WORD": "abc"}
    )
    assert told == b"ABC\n"


@check("C23b", needs=["exec"])
async def a_strict_shell_stops_at_the_first_failure(kit: Kit) -> None:
    box = await kit.box()
    text = "false; echo went on"
    strict = await kit.run(box, text)
    assert (strict.code, strict.stdout.data()) == (1, b"")
    lax = ExecRequest(
        program=Shell(text=text, strict=False, dialect="sh"), key=kit.name("run")
    )
    result = await (await box.start(lax)).wait()
    assert (result.code, result.stdout.data()) == (0, b"went on\n")


@check("C23c", needs=["exec"])
async def a_strict_bash_fails_with_any_part_of_a_pipe(kit: Kit) -> None:
    box = await kit.box()
    has_bash = (await kit.run(box, "command -v bash")).code == 0
    text = Shell(text="exit 3 | cat")
    request = ExecRequest(program=text, key=kit.name("run"))
    result = await (await box.start(request)).wait()
    assert result.code == (3 if has_bash else 0)


@check("C24", needs=["exec"])
async def output_is_neither_trimmed_nor_given_other_line_ends(kit: Kit) -> None:
    box = await kit.box()
    program = ("printf", r"foo\nbar\r\n\tbaz\n\n")
    assert await kit.out(box, program) == b"foo\nbar\r\n\tbaz\n\n"


@check("C25", needs=["exec"])
async def standard_error_is_kept_apart(kit: Kit) -> None:
    box = await kit.box()
    process = await kit.start(box, "echo out; echo err >&2; echo more")
    chunks = await collect(process)
    result = await process.wait()
    assert result.stdout.data() == b"out\nmore\n"
    assert result.stderr.data() == b"err\n"
    assert joined(chunks) == b"out\nmore\n"
    assert joined(chunks, "stderr") == b"err\n"


@check("C26", needs=["exec"])
async def leading_spaces_and_a_missing_last_newline_are_kept(kit: Kit) -> None:
    box = await kit.box()
    assert await kit.out(box, ("printf", "   foo")) == b"   foo"


@check("C27", needs=["exec"])
async def exit_codes_are_exact(kit: Kit) -> None:
    box = await kit.box()
    for code in (0, 1, 3, 70, 124, 143, 255):
        result = await kit.run(box, f"exit {code}")
        assert (result.end, result.code) == ("exited", code)


@check("C28", needs=["exec"])
async def a_missing_program_is_a_result_with_127(kit: Kit) -> None:
    box = await kit.box()
    for program in ("no-such-program-7", "/no/such/program"):
        result = await kit.run(box, (program, "x"))
        assert (result.end, result.code) == ("exited", 127), program
    assert (await kit.run(box, "no-such-program-7")).code == 127


@check("C29", needs=["exec"])
async def a_file_that_is_no_program_is_a_result_with_126(kit: Kit) -> None:
    box = await kit.box()
    told = await kit.out(box, 'echo text >plain; chmod 644 plain; echo "$PWD/plain"')
    result = await kit.run(box, (told.decode().strip(),))
    assert (result.end, result.code) == ("exited", 126)


@check("C30", needs=["exec"])
async def a_program_that_terminates_itself_gives_143(kit: Kit) -> None:
    box = await kit.box()
    result = await kit.run(box, "kill -TERM $$; sleep 30", timeout=60)
    assert (result.end, result.code) == ("signalled", 143)


@check("C31", needs=["exec"])
async def a_program_that_interrupts_itself_gives_130(kit: Kit) -> None:
    box = await kit.box()
    result = await kit.run(box, "kill -INT $$; sleep 30")
    assert (result.end, result.code) == ("signalled", 130)


@check("C31b", needs=["exec"])
async def a_program_that_kills_itself_gives_137(kit: Kit) -> None:
    box = await kit.box()
    result = await kit.run(box, "kill -KILL $$; sleep 30")
    assert (result.end, result.code) == ("signalled", 137)


@check("C32", needs=["exec"])
async def the_environment_arrives_exactly(kit: Kit) -> None:
    box = await kit.box()
    for name, value in SPECIAL.items():
        told = await kit.out(box, f'printf %s "${{{name}-unset}}"', env=SPECIAL)
        assert told == value.encode(), name
    told = await kit.out(box, 'printf %s "${NOT_GIVEN-unset}"', env=SPECIAL)
    assert told == b"unset"


@check("C32b", needs=["exec"])
async def the_environment_of_the_sandbox_reaches_every_command(kit: Kit) -> None:
    box = await kit.box(env={"OF_ALL": "sandbox", "OF_BOTH": "sandbox"})
    text = 'printf "%s %s" "$OF_ALL" "$OF_BOTH"'
    assert await kit.out(box, text) == b"sandbox sandbox"
    assert await kit.out(box, text, env={"OF_BOTH": "command"}) == b"sandbox command"


@check("C33", needs=["exec"])
async def the_environment_of_one_command_does_not_reach_the_next(kit: Kit) -> None:
    box = await kit.box()
    text = 'printf %s "${ONLY_ONCE-unset}"'
    assert await kit.out(box, text, env={"ONLY_ONCE": "here"}) == b"here"
    assert await kit.out(box, text) == b"unset"


@check("C33b", needs=["exec"])
async def our_own_environment_does_not_reach_the_sandbox(kit: Kit) -> None:
    name = kit.name("CANARY").replace("-", "_")
    os.environ[name] = "ours"
    try:
        box = await kit.box()
        assert os.environ[name] == "ours"
        assert await kit.out(box, f'printf %s "${{{name}-unset}}"') == b"unset"
    finally:
        del os.environ[name]


@check("C34", needs=["exec"])
async def the_working_folder_is_the_one_asked_for(kit: Kit) -> None:
    box = await kit.box()
    await kit.out(box, "mkdir -p 'a b/c'")
    base = (await kit.out(box, "pwd -P")).decode().rstrip("\n")
    assert await kit.out(box, "pwd -P", cwd="a b/c") == f"{base}/a b/c\n".encode()
    assert await kit.out(box, "pwd -P", cwd=f"{base}/a b") == f"{base}/a b\n".encode()
    assert await kit.out(box, "pwd -P") == f"{base}\n".encode()


@check("C34b", needs=["exec"])
async def a_missing_working_folder_is_named(kit: Kit) -> None:
    box = await kit.box()
    with fails(FileMissing) as caught:
        await kit.run(box, "touch ran", cwd="no/such/folder")
    assert "no/such/folder" in str(caught.error)
    assert (await kit.run(box, "test -e ran")).code == 1


@check("C34c", needs=["exec"])
async def a_file_is_no_working_folder(kit: Kit) -> None:
    box = await kit.box()
    await kit.out(box, "echo text >plain")
    with fails(NotAFolder) as caught:
        await kit.run(box, ("true",), cwd="plain")
    assert "plain" in str(caught.error)


@check("C34d", needs=["exec"])
async def home_is_the_home_folder_of_its_commands(kit: Kit) -> None:
    box = await kit.box()
    assert box.home.startswith("/")
    assert await kit.out(box, 'cd "$HOME" && printf %s "$HOME"') == box.home.encode()


@check("C35", needs=["exec.user"], probe=True)
async def a_program_runs_as_the_user_asked_for(kit: Kit) -> None:
    box = await kit.box()
    user = kit.options.user
    own = await kit.out(box, ("id", "-un"))
    assert own != f"{user}\n".encode()
    assert await kit.out(box, ("id", "-un"), user=user) == f"{user}\n".encode()


@check("C35b", needs=["exec"], without=["exec.user"])
async def another_user_is_refused_before_anything_runs(kit: Kit) -> None:
    box = await kit.box()
    with fails(Unsupported):
        await kit.run(box, "touch ran", user=kit.options.user)
    assert (await kit.run(box, "test -e ran")).code == 1


@check("C36", needs=["exec.user"])
async def an_unknown_user_is_named_and_nothing_runs(kit: Kit) -> None:
    box = await kit.box()
    with fails(ProviderError) as caught:
        await kit.run(box, "touch ran", user="no-such-user-7")
    assert "no-such-user-7" in str(caught.error)
    assert (await kit.run(box, "test -e ran")).code == 1


@check("C37", needs=["exec"])
async def text_of_other_languages_comes_back_on_both_streams(kit: Kit) -> None:
    box = await kit.box()
    octal = r"\344\270\226\347\225\214 \303\274"
    result = await kit.run(box, f"printf '{octal}'; printf '{octal}' >&2")
    assert result.stdout.data().decode() == "世界 ü"
    assert result.stderr.data().decode() == "世界 ü"


@check("C38", needs=["exec.bytes"], probe=True)
async def bytes_that_are_no_text_come_back_unchanged(kit: Kit) -> None:
    box = await kit.box()
    program = r"head -c 8191 /dev/zero | tr '\0' a; printf '\342'; printf '\0\377z'"
    expected = b"a" * 8191 + b"\xe2\x00\xffz"
    assert await kit.out(box, program) == expected
    assert joined(await collect(await kit.start(box, program))) == expected
