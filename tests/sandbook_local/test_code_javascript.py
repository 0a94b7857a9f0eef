"""JavaScript cells in a local sandbox: a Node process that stays."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from sandbook.api import JSON, Code, CodeContext
from sandbook.errors import Unsupported
from sandbook_local import languages, layout
from sandbook_local.sandbox import LocalSandbox
from tests.sandbook_local.cells import give, good, python

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        "javascript" not in languages.languages(), reason="no node below /usr"
    ),
]


@pytest.fixture
async def code(sandbox: LocalSandbox) -> AsyncGenerator[Code]:
    yield await sandbox.code(CodeContext(language="javascript"))
    await sandbox.aclose()


async def test_variables_stay_and_may_be_declared_anew(code: Code) -> None:
    await good(code, "let x = 1; const y = 2; function f() { return 3 }; class A {}")
    given, _ = await good(code, "let x = 5; x + y + f()")
    assert given.main() == "10"
    assert given.main("application/json") == "10"
    assert (await good(code, "undefined"))[0].rich == []


async def test_await_stands_anywhere(code: Code) -> None:
    text = "const z = await new Promise(done => setTimeout(() => done(9), 20)); z"
    assert (await good(code, text))[0].main() == "9"
    assert (await good(code, "z"))[0].main() == "9"


async def test_a_value_is_shown_and_given_as_json_where_it_fits(code: Code) -> None:
    given, _ = await good(code, "({a: [1, 'b', null]})")
    assert given.main() == "{ a: [ 1, 'b', null ] }"
    assert given.main("application/json") == '{"a":[1,"b",null]}'
    (shown,) = (await good(code, "new Map([[1, 2]])"))[0].rich
    assert shown.data == {"text/plain": b"Map(1) { 1 => 2 }"}


async def test_streams_are_apart(code: Code) -> None:
    given, _ = await good(code, "console.log('out'); console.error('err')")
    assert (given.printed(), given.printed("stderr")) == ("out\n", "err\n")


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("throw new TypeError('so bad')", "TypeError", "so bad"),
        ("let (", "SyntaxError", "end of input"),
        ("nope", "ReferenceError", "nope"),
        ("throw 5", "Error", "5"),
        ("await Promise.reject(new RangeError('far'))", "RangeError", "far"),
        ("await import('fs')", "TypeError", "require"),
    ],
)
async def test_an_exception_is_told_and_the_variables_stay(
    code: Code, text: str, name: str, value: str
) -> None:
    await good(code, "let x = 1")
    given = await give(code, text)
    assert given.error.name == name
    assert value in given.error.value
    assert "javascript.js" not in given.error.traceback
    assert (given.done.status, given.done.state_kept) == ("error", True)
    assert (await good(code, "x"))[0].main() == "1"


@pytest.mark.parametrize(
    "text",
    ["for (;;) {}", "await new Promise(() => {})", "await 1; for (;;) {}"],
)
async def test_at_the_timeout_the_cell_ends_and_the_variables_stay(
    code: Code, text: str
) -> None:
    await good(code, "let x = 1")
    for _ in range(2):
        given = await give(code, text, timeout=0.5)
        assert (given.done.status, given.done.state_kept) == ("timed_out", True)
        assert (await good(code, "x"))[0].main() == "1"


@pytest.mark.parametrize(
    "value",
    [None, True, -2.5, "", "a'\"`${x}\\ \u2028 \U0001f600", [1, [None]], {"a b": {}}],
    ids=repr,
)
async def test_a_value_goes_in_and_comes_out_as_it_is(code: Code, value: JSON) -> None:
    bind, read = {"v": value}, {"same": "v", "inside": "[v][0]"}
    _, values = await good(code, "", bind=bind, read=read)
    assert values == {"same": value, "inside": value}
    assert (await good(code, "", read=read))[1] == values, "it stays"


async def test_a_bound_value_replaces_what_was_declared(code: Code) -> None:
    await good(code, "let v = 3")
    assert (await good(code, "v", bind={"v": 8}))[0].main() == "8"


@pytest.mark.parametrize("text", ["() => 1", "nope", "NaN", "{a: undefined}", "1n"])
async def test_a_value_that_does_not_fit_is_named(code: Code, text: str) -> None:
    given = await give(code, "let x = 1", read={"odd": text})
    assert given.error.value.startswith("odd: ")
    assert (given.done.status, given.done.state_kept) == ("error", True)


async def test_what_fails_later_ends_nothing(code: Code) -> None:
    text = "setTimeout(() => { throw new Error('late') }, 10)\n"
    given, _ = await good(code, text + "await new Promise(d => setTimeout(d, 100))")
    assert "late" in given.printed("stderr")
    await good(code, "1")


async def test_an_end_of_node_is_told(code: Code) -> None:
    given = await give(code, "process.exit(4)")
    assert (given.done.status, given.done.state_kept) == ("died", False)
    assert "code 4" in given.error.value
    await good(code, "1")


async def test_contexts_of_the_same_name_in_other_languages_are_apart(
    sandbox: LocalSandbox, code: Code
) -> None:
    others = await python(sandbox)
    await good(code, "var x = 1")
    assert (await give(others, "x")).error.name == "NameError"
    await good(others, "x = 2")
    assert (await good(code, "x"))[0].main() == "1"


async def test_a_missing_node_is_refused_with_what_to_install(
    sandbox: LocalSandbox, code: Code, monkeypatch: pytest.MonkeyPatch
) -> None:
    await good(code, "1")
    monkeypatch.setattr(layout, "PATH", "/nowhere")
    with pytest.raises(Unsupported, match="'javascript'") as caught:
        await sandbox.code(CodeContext(language="javascript", name="other"))
    assert "node" in caught.value.remedy
