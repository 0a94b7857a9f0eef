"""Code cells: what they print, what they are worth, how they fail."""

# The SDK leaves the kind of an IO open, and its second half does not say that it has
# types.
# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false

from __future__ import annotations

import asyncio
import base64
import time

from e2b_code_interpreter import (
    AsyncSandbox,
    ExecutionError,
    OutputMessage,
    Result,
    Sandbox,
    SandboxException,
    TimeoutException,
)

from tests.servers.e2b.programs.expecting import (
    arm,
    ask,
    raises,
    until_async,
)


def values(sandbox: Sandbox) -> None:
    first = sandbox.run_code("x = 20\nprint('out')\nx + 1")
    assert first.text == "21"
    assert "".join(first.logs.stdout) == "out\n"
    assert first.error is None
    assert first.execution_count == 1
    second = sandbox.run_code("import sys\nx += 1\nprint(x, file=sys.stderr)\n'a text'")
    assert second.text == "a text", "quotes of a representation are not told"
    assert "".join(second.logs.stderr) == "21\n"
    assert second.execution_count == 2
    nothing = sandbox.run_code("x = 1")
    assert nothing.text is None
    assert nothing.results == []
    where = sandbox.run_code("import os\nos.getcwd()")
    assert where.text == "/home/user"
    sandbox.files.write("from_outside", "hello")
    assert sandbox.run_code("open('from_outside').read()").text == "hello"


def failures(sandbox: Sandbox) -> None:
    failed = sandbox.run_code("print('before')\n1 / 0\nprint('behind')")
    assert failed.error is not None
    assert failed.error.name == "ZeroDivisionError"
    assert failed.error.value == "division by zero"
    assert "ZeroDivisionError" in failed.error.traceback
    assert "".join(failed.logs.stdout) == "before\n"
    broken = sandbox.run_code("if")
    assert broken.error is not None
    assert broken.error.name == "SyntaxError"
    assert sandbox.run_code("'still here'").text == "still here"
    with raises(SandboxException):
        sandbox.run_code("DISPLAY 'X'", language="cobol")


def rich(sandbox: Sandbox) -> None:
    made = sandbox.run_code(
        "from IPython.display import HTML, display\n"
        "display({'application/json': {'a': [1]}, 'text/markdown': '# m',"
        " 'text/latex': '$l$', 'image/svg+xml': '<svg/>', 'x/own': 'o'}, raw=True)\n"
        "class Picture:\n"
        "    def _repr_png_(self):\n"
        "        return b'\\x89PNG-data'\n"
        "display(Picture())\n"
        "HTML('<b>bold</b>')"
    )
    assert made.error is None
    several, picture, page = made.results
    assert several.json == {"a": [1]}
    assert (several.markdown, several.latex, several.svg) == ("# m", "$l$", "<svg/>")
    assert several.extra == {"x/own": "o"}
    assert base64.b64decode(picture.png or "") == b"\x89PNG-data"
    assert page.html == "<b>bold</b>"
    assert [result.is_main_result for result in made.results] == [False, False, True]
    assert set(page.formats()) >= {"html", "text"}


def variables() -> None:
    sandbox = Sandbox.create(timeout=60, envs={"WHOLE": "sandbox"})
    text = "import os\n[os.environ.get(name) for name in ('WHOLE', 'CELL')]"
    assert sandbox.run_code(text, envs={"CELL": "one"}).text == "['sandbox', 'one']"
    changed = sandbox.run_code(text, envs={"WHOLE": "changed"})
    assert changed.text == "['changed', None]"
    assert sandbox.run_code(text).text == "['sandbox', None]"
    assert sandbox.run_code("1").execution_count == 4
    assert sandbox.kill()


async def streamed(sandbox: AsyncSandbox) -> None:
    out: list[OutputMessage] = []
    results: list[Result] = []
    errors: list[ExecutionError] = []
    running = asyncio.create_task(
        sandbox.run_code(
            "import os, time\nprint('begun', flush=True)\n"
            "while not os.path.exists('go'):\n    time.sleep(0.05)\n"
            "display(1)\nraise ValueError('over')",
            on_stdout=out.append,
            on_result=results.append,
            on_error=errors.append,
        )
    )
    await until_async(lambda: [message.line for message in out] == ["begun\n"])
    assert not running.done()
    await sandbox.files.write("go", "")
    execution = await running
    assert [result.text for result in results] == ["1"]
    assert [(e.name, e.value) for e in errors] == [("ValueError", "over")]
    assert execution.error is not None


async def timed_out(sandbox: AsyncSandbox) -> None:
    """The variables stay; a cell that comes too soon is thrown away in silence."""
    await sandbox.run_code("import os, time\nkept = 'kept'")
    text = (
        "try:\n    time.sleep(300)\n"
        "finally:\n    while not os.path.exists('enough'):\n        time.sleep(0.05)"
    )
    began = time.monotonic()
    with raises(TimeoutException):
        await sandbox.run_code(text, timeout=1)
    assert time.monotonic() - began < 60
    soon = asyncio.create_task(sandbox.run_code("kept"))
    row = {"sandbox": sandbox.sandbox_id, "waiting": 2}
    await until_async(lambda: row in ask("GET", "/_state")["cells"])
    await sandbox.files.write("enough", "")
    lost = await soon
    assert (lost.results, lost.error, lost.text) == ([], None, None)
    assert (await sandbox.run_code("kept")).text == "kept"


async def in_turn(sandbox: AsyncSandbox) -> None:
    """One cell at a time in a context."""
    await sandbox.run_code("order = []")
    text = "order.append({0}); time.sleep(0.2); order.append({0})"
    await asyncio.gather(*(sandbox.run_code(text.format(n)) for n in range(3)))
    told = await sandbox.run_code("[a == b for a, b in zip(order[::2], order[1::2])]")
    assert told.text == "[True, True, True]"


async def ended_meanwhile() -> None:
    sandbox = await AsyncSandbox.create(timeout=60)
    out: list[OutputMessage] = []
    text = "import time\nprint('begun')\ntime.sleep(300)"
    running = asyncio.create_task(sandbox.run_code(text, on_stdout=out.append))
    await until_async(lambda: bool(out))
    assert await sandbox.kill()
    with raises(TimeoutException) as caught:
        await running
    assert "killed" in str(caught.error)
    with raises(TimeoutException) as caught:
        await sandbox.run_code("1")
    assert "was not found" in str(caught.error)


async def half_an_answer(sandbox: AsyncSandbox) -> None:
    """The SDK takes a stream that ends early, in due form, for a whole one."""
    number = len('{"type": "number_of_executions", "execution_count": 99}\n')
    arm("truncate", path="/execute", after=number)
    half = await sandbox.run_code("1")
    assert (half.results, half.error) == ([], None)
    await until_async(lambda: not ask("GET", "/_state")["cells"])
    assert (await sandbox.run_code("1")).text == "1"


def without_an_interpreter() -> None:
    sandbox = Sandbox.create("base", timeout=60)
    with raises(TimeoutException) as caught:
        sandbox.run_code("1")
    assert "port is not open" in str(caught.error)
    assert sandbox.kill()


async def main() -> None:
    sandbox = Sandbox.create(timeout=120)
    values(sandbox)
    failures(sandbox)
    rich(sandbox)
    # The SDK's types forget which class was asked.
    same: AsyncSandbox = await AsyncSandbox.connect(sandbox.sandbox_id)  # pyright: ignore[reportAssignmentType]
    await streamed(same)
    await timed_out(same)
    await in_turn(same)
    await half_an_answer(same)
    assert await same.kill()
    variables()
    without_an_interpreter()
    await ended_meanwhile()


asyncio.run(main())
