"""Shell cells in a local sandbox: a bash that stays."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from sandbook.api import Code, CodeContext
from sandbook_local.sandbox import LocalSandbox
from tests.sandbook_local.cells import give, good

pytestmark = pytest.mark.anyio


@pytest.fixture
async def code(sandbox: LocalSandbox) -> AsyncGenerator[Code]:
    yield await sandbox.code(CodeContext(language="bash"))
    await sandbox.aclose()


async def test_folder_variables_functions_and_aliases_stay(code: Code) -> None:
    await good(code, "mkdir -p a; cd a; x=1; f() { echo f$x; }; alias ll='echo LL'")
    given, _ = await good(code, "basename $PWD; f; ll")
    assert given.printed() == "a\nf1\nLL\n"
    assert given.rich == []


async def test_streams_are_apart(code: Code) -> None:
    given, _ = await good(code, "echo out; echo err >&2")
    assert (given.printed(), given.printed("stderr")) == ("out\n", "err\n")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("false", "1"),
        ("(exit 5)", "5"),
        ("exit 3; echo no", "3"),
        ("f() { exit 7; echo no; }; f; echo no", "7"),
        ("nosuchcommand", "127"),
        ("if then", "2"),
        ("echo 'open", "2"),
        ("echo ${missing:?gone}; echo no", "1"),
    ],
)
async def test_a_code_other_than_0_is_an_error_and_the_shell_stays(
    code: Code, text: str, status: str
) -> None:
    await good(code, "x=1")
    given = await give(code, text)
    assert (given.error.name, given.error.value) == ("exit", status)
    assert (given.done.status, given.done.state_kept) == ("error", True)
    assert "no\n" not in given.printed()
    assert (await good(code, "echo $x"))[0].printed() == "1\n"


async def test_exit_0_ends_the_cell_and_is_no_error(code: Code) -> None:
    given, _ = await good(code, "echo yes; exit 0; echo no")
    assert given.printed() == "yes\n"


@pytest.mark.parametrize("text", ["while :; do :; done", "sleep 600; echo no"])
async def test_at_the_timeout_the_cell_ends_and_the_shell_stays(
    code: Code, text: str
) -> None:
    await good(code, "x=1")
    given = await give(code, text, timeout=0.5)
    assert (given.done.status, given.done.state_kept) == ("timed_out", True)
    assert (await good(code, "echo $x"))[0].printed() == "1\n"


async def test_a_shell_that_ends_is_told(code: Code) -> None:
    await good(code, "x=1")
    given = await give(code, "set -e; false")
    assert (given.done.status, given.done.state_kept) == ("died", False)
    assert "exit code 1" in given.error.value
    assert (await good(code, "echo ${x-none}"))[0].printed() == "none\n"


_HOSTILE = "a'b\"$x `id` $(id) \\ \n\n*"


async def test_values_go_in_as_they_are_and_texts_come_out(code: Code) -> None:
    bind = {"v": _HOSTILE, "n": 2.5, "yes": True, "l": [1, {"a": None}], "e": ""}
    read = {"v": "$v", "n": "$n", "yes": "$yes", "l": "$l", "e": "$e", "len": "${#v}"}
    _, values = await good(code, "", bind=bind, read=read)
    length = str(len(_HOSTILE))
    told = {"v": _HOSTILE, "n": "2.5", "yes": "true", "l": '[1, {"a": null}]'}
    assert values == {**told, "e": "", "len": length}
    assert (await good(code, "", read=read))[1] == values, "they stay"


@pytest.mark.parametrize(
    "fields",
    [
        {"bind": {"UID": "3"}},
        {"bind": {"a-b": "3"}},
        {"bind": {"x[$(touch ran)]": "3"}},
        {"bind": {"x": "a\0b"}},
        {"read": {"q": "${missing:?gone}"}},
        {"read": {"q": "${unfinished"}},
    ],
    ids=repr,
)
async def test_what_a_shell_cannot_hold_or_expand_is_an_error(
    code: Code, fields: dict[str, object]
) -> None:
    given = await give(code, "true", **fields)
    assert given.done.status == "error"
    assert given.error.value
    assert (await good(code, "ls"))[0].printed() == ""


async def test_nobody_is_there_to_be_asked(code: Code) -> None:
    given, _ = await good(code, "cat; read x || echo nobody")
    assert given.printed() == "nobody\n"


async def test_contexts_share_no_variables(sandbox: LocalSandbox, code: Code) -> None:
    other = await sandbox.code(CodeContext(language="bash", name="other"))
    await good(code, "x=1")
    assert (await good(other, "echo ${x-none}"))[0].printed() == "none\n"


async def test_much_output_is_cut_with_a_mark(code: Code) -> None:
    given, _ = await good(code, "head -c 5000000 /dev/zero | tr '\\0' a; echo end")
    assert len(given.printed()) < 2_000_000
    assert "truncated" in given.printed()
    assert given.printed().endswith("end\n")
