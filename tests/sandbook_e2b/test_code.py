"""Cells far away: by the driver, and by E2B's own code interpreter."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import anyio
import pytest

from sandbook.api import (
    Code,
    CodeContext,
    CodeEvent,
    CodeRequest,
    Done,
    Failed,
    Rich,
    Sandbox,
    SandboxSpec,
    Text,
)
from sandbook.errors import FileMissing, NotAFolder, SpecRejected, Unsupported
from sandbook_e2b.interpreter import NativeCode
from sandbook_e2b.sandbox import E2BSandbox
from tests.sandbook_e2b.conftest import Away
from tests.sandbook_e2b.test_lives import known, out
from tests.servers.core.faults import Fault

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwAD"
    "hgGAWjR9awAAAABJRU5ErkJggg=="
)
WITHIN = 60.0


async def give(code: Code, source: str, *, key: str, **more: Any) -> list[CodeEvent]:
    """What a cell gives."""
    request = CodeRequest(key=key, source=source, **more)
    with anyio.fail_after(WITHIN):
        return [event async for event in code.run(request)]


def printed(events: list[CodeEvent]) -> str:
    return "".join(event.data for event in events if isinstance(event, Text))


def main(events: list[CodeEvent]) -> str:
    (found,) = [e for e in events if isinstance(e, Rich) and e.main]
    return found.data["text/plain"].decode()


def done(events: list[CodeEvent]) -> Done:
    last = events[-1]
    assert isinstance(last, Done), events
    return last


def failed(events: list[CodeEvent]) -> Failed:
    (found,) = [event for event in events if isinstance(event, Failed)]
    return found


# By the driver.


def test_a_cell_whose_reader_is_cut_off_goes_on_and_is_told_once(away: Away) -> None:
    """The stream of the driver is cut while the cell prints."""
    source = (
        "import os, time\nn = 0\n"
        "while not os.path.exists('enough'):\n    n += 1; print(n); time.sleep(0.001)\n"
        "print('end')\nn"
    )

    async def cut() -> None:
        away.server.arm(Fault(kind="cut", path="/process.Process/Start", after=20_000))
        async with away.box() as box:
            assert isinstance(box, E2BSandbox)
            before, enough = await box.link.channel(), False
            code = await box.code(CodeContext(language="python"))
            events: list[CodeEvent] = []
            with anyio.fail_after(WITHIN):
                async for event in code.run(CodeRequest(key="long", source=source)):
                    events.append(event)
                    if await box.link.channel() is not before and not enough:
                        enough = True
                        await box.files.write("enough", b"")
            lines = printed(events).split()
            assert lines == [*map(str, range(1, len(lines))), "end"]
            assert main(events) == str(len(lines) - 1)
            assert done(events).state_kept

    away.run(cut)


def test_a_context_whose_keeper_is_gone_is_told_once_and_begins_anew(
    away: Away,
) -> None:
    async def gone() -> None:
        async with away.box() as box:
            code = await box.code(CodeContext(language="python"))
            await give(code, "x = 1", key="one")
            find = "import os\nos.getppid()"
            keeper = main(await give(code, find, key="keeper"))
            await out(box, f"kill -KILL {keeper}", key="kill")
            events = await give(code, "x", key="two")
            assert (done(events).status, done(events).state_kept) == ("died", False)
            assert failed(events).value
            assert failed(await give(code, "x", key="three")).name == "NameError"

    away.run(gone)


def test_what_a_language_needs_is_named_where_it_is_missing(away: Away) -> None:
    async def missing() -> None:
        async with away.box() as box:
            there = CodeContext(language="javascript")
            assert main(await give(await box.code(there), "6 * 7", key="js")) == "42"
            nowhere = CodeContext(
                language="javascript", name="two", env={"PATH": "/nowhere"}
            )
            with pytest.raises(Unsupported, match="no 'node'") as caught:
                await box.code(nowhere)
            assert "template" in caught.value.remedy
            with pytest.raises(Unsupported, match="python, r, typescript"):
                await box.code(CodeContext(language="cobol"))

    away.run(missing)


def test_python_shows_values_in_all_their_forms(away: Away) -> None:
    source = f"""
class Forms:
    def _repr_svg_(self): return "<svg/>"
    def _repr_latex_(self): return "$x$", {{"width": 1}}
    def _repr_jpeg_(self): return {PIXEL!r}
    def _repr_json_(self): return {{"a": [1]}}
    def _repr_html_(self): raise ValueError
class Whole:
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {{"text/markdown": "*m*", "application/x-own": "own"}}, {{}}
display(Forms())
display({{"text/html": "<b>"}}, raw=True)
Whole()
"""

    async def shown() -> None:
        async with away.box() as box:
            code = await box.code(CodeContext(language="python"))
            events = await give(code, source, key="forms")
            forms, raw, whole = [dict(e.data) for e in events if isinstance(e, Rich)]
            assert forms.pop("text/plain").startswith(b"<__main__.Forms object")
            assert forms == {
                "image/svg+xml": b"<svg/>",
                "text/latex": b"$x$",
                "image/jpeg": base64.b64decode(PIXEL),
                "application/json": b'{"a": [1]}',
            }
            assert raw == {"text/html": b"<b>"}
            assert whole["text/markdown"] == b"*m*"
            assert whole["application/x-own"] == b"own"

    away.run(shown)


def test_python_cells_are_read_as_in_a_notebook(away: Away) -> None:
    async def read() -> None:
        async with away.box() as box:
            code = await box.code(CodeContext(language="python"))
            source = "import asyncio\nawait asyncio.sleep(0, 'awaited')"
            assert main(await give(code, source, key="await")) == "'awaited'"
            silent = await give(code, "41 + 1;", key="semicolon")
            assert [type(event) for event in silent] == [Done]
            assert main(await give(code, "__name__", key="name")) == "'__main__'"
            names = "[n for n in globals() if not n.startswith('__')]"
            assert main(await give(code, names, key="names")) in (
                "['asyncio']",
                "['asyncio', '_']",
            )
            told = await give(code, "exit()", key="exit")
            assert failed(told).name == "SystemExit"
            assert done(told).state_kept
            deep = "def f(): g()\ndef g(): 1/0\nf()"
            traceback = failed(await give(code, deep, key="deep")).traceback
            assert traceback.count("File ") == 3
            assert "1/0" in traceback

    away.run(read)


def test_a_cell_that_is_too_large_is_refused_before_it_runs(away: Away) -> None:
    async def large() -> None:
        async with away.box() as box:
            code = await box.code(CodeContext(language="python"))
            given = {"big": "x" * (3 << 20)}
            source = "len(big)"
            events = await give(code, source, key="fits", bind=given)
            assert main(events) == str(3 << 20)
            with pytest.raises(SpecRejected, match="too large"):
                await give(code, "1", key="large", bind={"big": "x" * (9 << 20)})
            assert main(await give(code, "1", key="next")) == "1"

    away.run(large)


ENDS_LATE = """
import signal, time
try:
    print("up", flush=True)
    while True: pass
except KeyboardInterrupt:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    time.sleep(1.5)
    signal.signal(signal.SIGINT, before)
    raise
"""


# By the code interpreter, which does not mind what it runs.


@asynccontextmanager
async def native(
    away: Away, box: Sandbox, *, language: str = "python", **more: Any
) -> AsyncGenerator[NativeCode]:
    """A context of E2B's own."""
    assert isinstance(box, E2BSandbox)
    context = CodeContext(language=language, **more)
    code = NativeCode(await known(away, box), box.link, box.files, context)
    await code.open()
    yield code


def test_native_cells_tell_streams_results_and_failures(away: Away) -> None:
    source = f"""
import base64, sys
class Picture:
    def _repr_png_(self): return base64.b64decode({PIXEL!r})
print("good"); print("bad", file=sys.stderr)
x = 20
display(Picture())
x + 1
"""

    async def told() -> None:
        async with away.box() as box, native(away, box) as code:
            events = await give(code, source, key="one")
            texts = {e.stream: e.data for e in events if isinstance(e, Text)}
            assert texts == {"stdout": "good\n", "stderr": "bad\n"}
            shown, value = [e for e in events if isinstance(e, Rich)]
            assert shown.data["image/png"] == base64.b64decode(PIXEL)
            assert (shown.main, value.main) == (False, True)
            assert main(events) == "21"
            assert done(events) == Done(
                status="ok", values={}, state_kept=True, count=1
            )
            events = await give(code, "1 / 0", key="two")
            assert failed(events).name == "ZeroDivisionError"
            assert done(events) == Done(
                status="error", values={}, state_kept=True, count=2
            )
            assert main(await give(code, "x", key="three")) == "20"

    away.run(told)


def test_native_cells_after_a_timeout_are_never_silently_empty(away: Away) -> None:
    """The interpreter throws away what waits behind a cell that it interrupts."""

    async def told() -> None:
        async with away.box() as box, native(away, box) as code:
            await give(code, "x = 7", key="one")
            late = await give(code, "while True: pass", key="late", timeout=1.0)
            assert (done(late).status, done(late).state_kept) == ("timed_out", True)
            assert main(await give(code, "x", key="next")) == "7"
            endless = CodeRequest(key="endless", source=ENDS_LATE)
            async with aclosing(code.run(endless)) as events:
                async for event in events:
                    assert isinstance(event, Text)
                    break
            await anyio.sleep(0.5)  # it has heard that we left, and is not through
            assert main(await give(code, "x + 1", key="behind")) == "8"

    away.run(told)


def test_a_native_interpreter_that_dies_has_lost_its_variables(away: Away) -> None:
    async def lost() -> None:
        async with away.box() as box, native(away, box) as code:
            await give(code, "x = 7", key="one")
            before = code.id
            died = await give(code, "import os; os._exit(1)", key="dies")
            assert not done(died).state_kept
            assert code.id != before
            assert failed(await give(code, "x", key="next")).name == "NameError"

    away.run(lost)


def test_a_native_cell_never_runs_twice_and_its_context_is_found_by_name(
    away: Away,
) -> None:
    async def found() -> None:
        async with away.box() as box, native(away, box) as code:
            await give(code, "n = 0", key="zero")
            first = await give(code, "n += 1; print(n)\nn", key="one")
            async with native(away, box) as again:
                assert again.id == code.id
                assert await give(again, "n += 1; print(n)\nn", key="one") == first
                assert main(await give(again, "n", key="two")) == "1"
            async with native(away, box, name="other") as other:
                assert other.id != code.id
                events = await give(other, "n", key="three")
                assert failed(events).name == "NameError"

    away.run(found)


def test_a_native_restart_is_told_once_to_who_knew_the_variables(away: Away) -> None:
    async def told() -> None:
        async with (
            away.box() as box,
            native(away, box) as code,
            native(away, box) as other,
        ):
            await give(code, "x = 7", key="one")
            assert main(await give(other, "x", key="two")) == "7"
            await code.restart()
            assert failed(await give(code, "x", key="three")).name == "NameError"
            lost = await give(other, "open('ran', 'w')", key="four")
            assert done(lost).status == "died"
            with pytest.raises(FileMissing):
                await box.files.stat("ran")
            assert main(await give(other, "1", key="five")) == "1"

    away.run(told)


def test_a_native_cell_is_interrupted_and_its_context_begins_where_it_is_told(
    away: Away,
) -> None:
    source = "open('began', 'w').close()\nwhile True: pass"

    async def interrupted() -> None:
        async with away.box() as box:
            await out(box, "mkdir there; echo 1 >file", key="made")
            env = {"OWN": "mine"}
            async with native(away, box, cwd="there", env=env) as code:
                where = "import os\nos.getcwd(), os.environ['OWN']"
                events = await give(code, where, key="where")
                assert main(events) == f"('{box.home}/there', 'mine')"
                told: list[CodeEvent] = []

                async def run() -> None:
                    told.extend(await give(code, source, key="endless"))

                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(run)
                    wait = "until test -e there/began; do sleep 0.05; done"
                    await out(box, wait, key="began")
                    await code.interrupt()
                assert (done(told).status, done(told).state_kept) == ("error", True)
                assert main(await give(code, "2", key="after")) == "2"
            with pytest.raises(FileMissing, match="nowhere"):
                async with native(away, box, name="two", cwd="nowhere"):
                    pass
            with pytest.raises(NotAFolder, match="file"):
                async with native(away, box, name="three", cwd="file"):
                    pass

    away.run(interrupted)


def test_what_native_cells_cannot_do_is_refused_in_words(away: Away) -> None:
    async def refused() -> None:
        async with away.box() as box:
            async with native(away, box) as code:
                with pytest.raises(SpecRejected, match="python cells"):
                    await give(code, "x", key="bound", bind={"x": 1})
                assert main(await give(code, "1", key="plain")) == "1"
            with pytest.raises(Unsupported, match="does not run r") as caught:
                await box.code(CodeContext(language="r"))
            assert "template" in caught.value.remedy
        async with away.box(SandboxSpec(template="base")) as box:
            with pytest.raises(Unsupported, match="no code interpreter") as caught:
                await box.code(CodeContext(language="java"))
            assert "code-interpreter-v1" in caught.value.remedy
            driven = await box.code(CodeContext(language="python"))
            assert main(await give(driven, "1 + 1", key="driver")) == "2"

    away.run(refused)
