# ruff: noqa: S101, PLR2004 - checks are assertions about plain numbers
"""G: code cells, whose variables stay; where they do not, that is said."""

from __future__ import annotations

import base64
import json

import anyio

from sandbook.api import JSON, Code, CodeRequest, Sandbox, Text
from sandbook.errors import FileMissing
from sandbook.testing._cells import Given, cell, give, good, is_defined, python, value
from sandbook.testing._check import check
from sandbook.testing._kit import Kit, fails, until

VALUES: tuple[JSON, ...] = (
    None,
    True,
    False,
    0,
    -7,
    10**15,
    2.5,
    "",
    "'\"\\ \n\t $HOME `x` {y} ${{ z }} \u2028 \U0001f600",
    [],
    [1, [None, "a"], {"b": []}],
    {"": 1, "a b": {"c": [False]}},
)
_PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwAD"
    "hgGAWjR9awAAAABJRU5ErkJggg=="
)
_LOOP = "open('began', 'w').close()\nwhile True: pass"
_DEAF = f"import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n{_LOOP}"
_PATIENCE = 30.0


@check("G84", needs=["code.python"], probe=True)
async def variables_stay_from_cell_to_cell(kit: Kit) -> None:
    code = await python(await kit.box())
    await good(code, "x = 1")
    assert await value(code, "x += 1; x") == "2"


@check("G84b", needs=["code.python"])
async def the_last_value_of_a_cell_is_its_main_result(kit: Kit) -> None:
    code = await python(await kit.box())
    assert await value(code, "1\n'a text'") == "'a text'"
    assert [r for r in (await good(code, "x = 3"))[0].rich if r.main] == []


@check("G85", needs=["code.python"])
async def the_streams_of_a_cell_are_apart_and_come_as_it_runs(kit: Kit) -> None:
    box = await kit.box()
    code = await python(box)
    text = """
import os, sys, time
print("early"); print("bad", file=sys.stderr); sys.stdout.flush()
while not os.path.exists("go"): time.sleep(0.05)
print("late")
"""
    heard = {"stdout": "", "stderr": ""}
    with anyio.fail_after(_PATIENCE):
        async for event in code.run(cell(text)):
            if isinstance(event, Text):
                heard[event.stream] += event.data
                if "early" in heard["stdout"]:
                    await box.files.write("go", b"")
    assert heard == {"stdout": "early\nlate\n", "stderr": "bad\n"}


@check("G86", needs=["code.python"])
async def an_exception_is_told_with_its_name_its_words_and_where(kit: Kit) -> None:
    code = await python(await kit.box())
    given = await give(code, "def f():\n    raise ValueError('so bad')\nf()")
    assert given.done.status == "error"
    assert (given.error.name, given.error.value) == ("ValueError", "so bad")
    assert "so bad" in given.error.traceback
    assert "in f" in given.error.traceback
    assert "\x1b" not in given.error.traceback


@check("G87", needs=["code.python"])
async def after_an_exception_the_variables_stay(kit: Kit) -> None:
    code = await python(await kit.box())
    given = await give(code, "x = 5\n1 / 0")
    assert given.error.name == "ZeroDivisionError"
    assert given.done.state_kept
    assert await value(code, "x") == "5"


@check("G88", needs=["code.python"])
async def a_syntax_error_is_told_by_its_name_and_nothing_runs(kit: Kit) -> None:
    code = await python(await kit.box())
    given = await give(code, "x = 1\ndef f(:\n")
    assert given.error.name == "SyntaxError"
    assert given.done.status == "error"
    assert not await is_defined(code, "x")


@check("G88b", needs=["code.python"])
async def a_cell_that_asks_somebody_fails_at_once(kit: Kit) -> None:
    code = await python(await kit.box())
    with anyio.fail_after(_PATIENCE):
        given = await give(code, "input('name? ')")
    assert given.done.status == "error"
    assert given.error.value


@check("G89", needs=["code.python"])
async def what_is_said_of_the_state_after_a_timeout_is_true(kit: Kit) -> None:
    code = await python(await kit.box())
    await good(code, "x = 8")
    with anyio.fail_after(_PATIENCE):
        given = await give(code, "while True: pass", timeout=1.0)
    assert given.done.status == "timed_out"
    assert await is_defined(code, "x") == given.done.state_kept


@check("G89b", needs=["code.python", "code.interrupt"])
async def a_timeout_keeps_the_variables(kit: Kit) -> None:
    code = await python(await kit.box())
    await good(code, "x = 8")
    given = await give(code, "x = 9\nwhile True: pass", timeout=1.0)
    assert (given.done.status, given.done.state_kept) == ("timed_out", True)
    assert await value(code, "x") == "9"


@check("G89c", needs=["code.python"])
async def a_cell_that_does_not_listen_ends_and_the_loss_is_said(kit: Kit) -> None:
    code = await python(await kit.box())
    await good(code, "x = 8")
    with anyio.fail_after(_PATIENCE):
        given = await give(code, _DEAF, timeout=0.5)
    assert given.done.status == "timed_out"
    assert not given.done.state_kept
    assert not await is_defined(code, "x")
    await good(code, "1")


@check("G90", needs=["code.python", "code.interrupt"])
async def an_interrupt_ends_an_endless_cell_and_keeps_the_variables(kit: Kit) -> None:
    box = await kit.box()
    code = await python(box)
    given: list[Given] = []

    async def run() -> None:
        given.append(await give(code, f"x = 3\n{_LOOP}"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await _until_begun(kit, box)
        with anyio.fail_after(_PATIENCE):
            while not given:
                await code.interrupt()
                await anyio.sleep(1.0)
    assert given[0].error.name == "KeyboardInterrupt"
    assert (given[0].done.status, given[0].done.state_kept) == ("error", True)
    assert await value(code, "x") == "3"


@check("G90b", needs=["code.python"])
async def a_cell_whose_reader_leaves_is_ended(kit: Kit) -> None:
    box = await kit.box()
    code = await python(box)
    text = "import os, time\nopen('began', 'w').close()\nopen('pid', 'w').write('1')\n"
    text += "while True:\n    open('tick', 'a').write('.'); time.sleep(0.05)"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(give, code, text)
        await _until_begun(kit, box)
        tasks.cancel_scope.cancel()

    async def is_still() -> bool:
        first = (await box.files.stat("tick")).size
        await anyio.sleep(1.0)
        return (await box.files.stat("tick")).size == first

    await until(is_still, within=kit.options.patience, what="the end of the cell")


async def _until_begun(kit: Kit, box: Sandbox) -> None:
    async def has_begun() -> bool:
        try:
            await box.files.stat("began")
        except FileMissing:
            return False
        return True

    await until(has_begun, within=kit.options.patience, what="the start of a cell")


@check("G91", needs=["code.python"])
async def a_dead_interpreter_is_told_and_a_restart_gives_a_clean_one(kit: Kit) -> None:
    code = await python(await kit.box())
    await good(code, "x = 1")
    with anyio.fail_after(_PATIENCE):
        given = await give(code, "import os; os._exit(1)")
    assert (given.done.status, given.done.state_kept) == ("died", False)
    assert given.error.value, "the cause is not told"
    await code.restart()
    assert not await is_defined(code, "x")
    assert await value(code, "1 + 1") == "2"


@check("G91b", needs=["code.python"])
async def a_restart_forgets_the_variables(kit: Kit) -> None:
    code = await python(await kit.box())
    await good(code, "x = 1")
    await code.restart()
    assert not await is_defined(code, "x")


@check("G92", needs=["code.python"])
async def contexts_share_no_variables(kit: Kit) -> None:
    box = await kit.box()
    one, two = await python(box), await python(box, "two")
    await good(one, "x = 1")
    assert not await is_defined(two, "x")
    await good(two, "x = 2")
    assert await value(one, "x") == "1"


@check("G92b", needs=["code.python"])
async def each_context_has_its_own_folder_and_variables_of_the_environment(
    kit: Kit,
) -> None:
    box = await kit.box()
    await box.files.write("there/file", b"")
    one = await python(box, env={"OWN": "one"})
    two = await python(box, "two", cwd="there", env={"OTHER": "two"})
    text = "import os\n[os.getcwd(), os.environ.get('OWN'), os.environ.get('OTHER')]"
    place = (await kit.out(box, ("pwd",))).decode().strip()
    assert await _read(one, text) == [place, "one", None]
    assert await _read(two, text) == [f"{place}/there", None, "two"]


async def _read(code: Code, source: str) -> JSON:
    first, _, last = source.rpartition("\n")
    values = (await good(code, first, read={"found": last}))[1]
    return values["found"]


@check("G92c", needs=["code.python", "attach"])
async def the_same_name_is_the_same_context_from_another_process_too(
    kit: Kit,
) -> None:
    box = await kit.box()
    code = await python(box)
    await good(code, "x = 41")
    told = await kit.elsewhere("cell", ref=box.ref.to_json(), source="x += 1; print(x)")
    assert told["printed"] == "42\n"
    assert await value(await python(box), "x") == "42"


@check("G92d", needs=["code.python", "attach"])
async def variables_outlive_a_client_that_is_killed_in_a_cell(kit: Kit) -> None:
    box = await kit.box()
    ref, source = box.ref.to_json(), f"x = 7\nprint('up')\n{_LOOP}"
    async with kit.other_process("cell_told", ref=ref, source=source) as process:
        assert "up" in str((await process.line())["printed"])
        process.kill()
    with anyio.fail_after(_PATIENCE):
        assert await value(await python(box), "x") == "7"


@check("G93", needs=["code.python", "files"])
async def cells_and_the_file_calls_see_the_same_files(kit: Kit) -> None:
    box = await kit.box()
    code = await python(box)
    await good(code, "open('made', 'w').write('by a cell')")
    assert await box.files.read("made") == b"by a cell"
    await box.files.write("given", b"by a call")
    assert await value(code, "open('given').read()") == "'by a call'"


@check("G94", needs=["code.python"])
async def the_count_rises_by_one_with_each_cell(kit: Kit) -> None:
    code = await python(await kit.box())
    texts = ("1", "1/0", "x = 2", "x")
    counts = [(await give(code, text)).done.count for text in texts]
    assert counts == list(range(counts[0], counts[0] + len(texts)))


@check("G95", needs=["code.python"])
async def much_output_is_cut_with_a_mark_and_the_interpreter_lives(kit: Kit) -> None:
    code = await python(await kit.box())
    given, _ = await good(code, "print('a' * 5_000_000)")
    printed = given.printed()
    assert printed.startswith("a" * 1000)
    assert len(printed) < 5_000_000
    assert "truncated" in printed
    assert (await good(code, "print('b')"))[0].printed() == "b\n"


@check("G96", needs=["code.python"])
async def a_known_cell_never_runs_twice_and_is_told_again(kit: Kit) -> None:
    box = await kit.box()
    code = await python(box)
    await good(code, "n = 0")
    request = CodeRequest(key=kit.name("cell"), source="n += 1\nprint('n is', n)\nn")
    first = await give(code, request)
    again = await give(await python(box), request)
    assert await value(code, "n") == "1"
    assert first.printed() == again.printed() == "n is 1\n"
    assert first.done == again.done
    assert first.main() == again.main()


@check("G97", needs=["code.python"])
async def values_go_in_and_come_out_as_they_are_and_stay(kit: Kit) -> None:
    code = await python(await kit.box())
    bind: dict[str, JSON] = {f"v{n}": value for n, value in enumerate(VALUES)}
    read = {name: name for name in bind}
    assert _same((await good(code, "", bind=bind, read=read))[1], bind)
    assert _same((await good(code, "w = [v8]", read=read))[1], bind)
    assert await _read(code, "0\nw[0]") == VALUES[8]


def _same(found: object, wanted: object) -> bool:
    """Equal, and of the same types: 1 is not true."""
    return json.dumps(found, sort_keys=True) == json.dumps(wanted, sort_keys=True)


@check("G97b", needs=["code.python"])
async def a_value_that_does_not_fit_is_an_error_that_names_it(kit: Kit) -> None:
    code = await python(await kit.box())
    given = await give(code, "x = 1", read={"odd_one": "object()"})
    assert given.done.status == "error"
    assert "odd_one" in given.error.value
    assert await value(code, "x") == "1"


@check("G98", needs=["code.python", "code.rich"])
async def pictures_come_as_bytes_and_only_the_value_is_the_main_one(kit: Kit) -> None:
    code = await python(await kit.box())
    text = f"""
import base64
class Picture:
    def _repr_png_(self): return base64.b64decode({_PIXEL!r})
    def _repr_html_(self): return "<b>caf\\u00e9</b>"
display(Picture())
7
"""
    shown, main = (await good(code, text))[0].rich
    assert (shown.main, main.main) == (False, True)
    assert shown.data["image/png"] == base64.b64decode(_PIXEL)
    assert shown.data["text/html"] == "<b>caf\u00e9</b>".encode()
    assert main.data["text/plain"] == b"7"


@check("G99", needs=["code.python"])
async def a_folder_that_is_not_there_is_named_before_anything_runs(kit: Kit) -> None:
    box = await kit.box()
    with fails(FileMissing) as caught:
        await python(box, cwd="no/such/folder")
    assert "no/such/folder" in str(caught.error)
