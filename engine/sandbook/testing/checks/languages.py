# ruff: noqa: S101 - checks are assertions
"""G: code cells in other languages than Python, and beside it."""

from __future__ import annotations

import json

from sandbook.api import JSON, CodeContext
from sandbook.testing._cells import give, good, is_defined, python, value
from sandbook.testing._check import check
from sandbook.testing._kit import Kit


@check("G84c", needs=["code.bash"])
async def a_shell_keeps_its_folder_its_variables_and_its_functions(kit: Kit) -> None:
    code = await (await kit.box()).code(CodeContext(language="bash"))
    await good(code, "mkdir -p deep; cd deep; x=1; f() { echo f$x; }")
    given, _ = await good(code, "basename $PWD; f; echo bad >&2")
    assert given.printed() == "deep\nf1\n"
    assert given.printed("stderr") == "bad\n"


@check("G84d", needs=["code.javascript"])
async def javascript_keeps_its_variables_and_awaits_anywhere(kit: Kit) -> None:
    code = await (await kit.box()).code(CodeContext(language="javascript"))
    await good(code, "let x = await Promise.resolve(41)")
    assert await value(code, "x += 1; x") == "42"
    assert (await give(code, "throw new TypeError('bad')")).error.name == "TypeError"
    assert await value(code, "x") == "42"


@check("G86b", needs=["code.bash"])
async def a_shell_cell_that_fails_tells_its_code_and_the_shell_stays(kit: Kit) -> None:
    code = await (await kit.box()).code(CodeContext(language="bash"))
    given = await give(code, "x=1; (exit 3)")
    assert (given.error.name, given.error.value) == ("exit", "3")
    assert (given.done.status, given.done.state_kept) == ("error", True)
    assert (await good(code, "echo $x"))[0].printed() == "1\n"


@check("G92e", needs=["code.python", "code.bash"])
async def contexts_of_two_languages_are_apart(kit: Kit) -> None:
    box = await kit.box()
    shell = await box.code(CodeContext(language="bash"))
    code = await python(box)
    await good(shell, "x=shell")
    assert not await is_defined(code, "x")
    await good(code, "x = 1")
    assert (await good(shell, "echo $x"))[0].printed() == "shell\n"


@check("G97c", needs=["code.bash"])
async def a_shell_takes_values_as_texts_and_never_as_code(kit: Kit) -> None:
    code = await (await kit.box()).code(CodeContext(language="bash"))
    hostile = "a'b\"$x `touch ran` $(touch ran) \\ \n\n*"
    bind: dict[str, JSON] = {"v": hostile, "n": 2.5, "l": [1, None]}
    read = {"v": "$v", "n": "$n", "l": "$l"}
    values = (await good(code, "", bind=bind, read=read))[1]
    assert (values["v"], values["n"]) == (hostile, "2.5")
    assert json.loads(str(values["l"])) == [1, None]
    assert (await good(code, "ls"))[0].printed() == ""
