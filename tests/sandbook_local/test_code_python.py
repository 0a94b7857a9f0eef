"""Python cells in a local sandbox: a kernel of its own for each context."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from sandbook.api import CodeContext, CodeRequest, Done, SandboxRef, Settings, Text
from sandbook.errors import FileMissing, Unsupported
from sandbook_local.provider import LocalProvider
from sandbook_local.sandbox import LocalSandbox
from tests.sandbook_local.cells import Given, cell, give, good, python
from tests.sandbook_local.conftest import Create, run, text_of, until

pytestmark = pytest.mark.anyio

_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_SHOW = f"""
class Picture:
    def _repr_png_(self):
        return {_PNG!r}
    def _repr_html_(self):
        return "<b>a picture</b>"
"""


@pytest.fixture(autouse=True)
async def _leaving(sandbox: LocalSandbox) -> AsyncGenerator[None]:
    yield
    await sandbox.aclose()


async def test_variables_stay_and_the_last_value_is_the_result(
    sandbox: LocalSandbox,
) -> None:
    code = await python(sandbox)
    await good(code, "x = 1")
    given, _ = await good(code, "x += 1; x")
    assert given.main() == "2"
    assert given.main("application/json") == "2"
    assert (await good(code, "'a text'"))[0].main() == "'a text'"
    assert (await good(code, "None"))[0].rich == []


async def test_the_count_rises_by_one_a_cell(sandbox: LocalSandbox) -> None:
    code = await python(sandbox)
    counts = [(await give(code, text)).done.count for text in ("1", "1/0", "2")]
    assert counts == [1, 2, 3]


async def test_streams_are_apart_and_programs_are_heard_too(
    sandbox: LocalSandbox,
) -> None:
    code = await python(sandbox)
    text = "import os, sys\nprint('out'); print('err', file=sys.stderr)\n"
    given, _ = await good(code, text + "os.system('echo program; echo bad >&2')")
    assert sorted(given.printed().split()) == ["out", "program"]
    assert sorted(given.printed("stderr").split()) == ["bad", "err"]


async def test_output_comes_while_the_cell_runs(sandbox: LocalSandbox) -> None:
    code = await python(sandbox)
    text = """
import os, time
print("early", flush=True)
while not os.path.exists("go"): time.sleep(0.02)
print("late")
"""
    heard: list[str] = []
    with anyio.fail_after(30):
        async for event in code.run(cell(text)):
            if isinstance(event, Text):
                heard.append(event.data)
                await sandbox.files.write("go", b"")
    assert "".join(heard) == "early\nlate\n"


@pytest.mark.parametrize(
    ("text", "name"), [("1/0", "ZeroDivisionError"), ("def f(:", "SyntaxError")]
)
async def test_an_exception_is_told_and_the_variables_stay(
    sandbox: LocalSandbox, text: str, name: str
) -> None:
    code = await python(sandbox)
    await good(code, "x = 5")
    given = await give(code, text)
    assert given.failed is not None
    assert given.failed.name == name
    assert given.failed.value
    assert name in given.failed.traceback
    assert "\x1b" not in given.failed.traceback
    assert (given.done.status, given.done.state_kept) == ("error", True)
    assert (await good(code, "x"))[0].main() == "5"


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        -2.5,
        10**30,
        "",
        "'\"\\\n\u2028 $x {y} \U0001f600",
        [],
        [1, [None, "a"]],
        {"a b": {"": [False]}},
    ],
    ids=repr,
)
async def test_a_value_goes_in_and_comes_out_as_it_is(
    sandbox: LocalSandbox, value: object
) -> None:
    code = await python(sandbox)
    _, values = await good(
        code, "w = [v]", bind={"v": value}, read={"same": "v", "inside": "w[0]"}
    )
    assert values == {"same": value, "inside": value}
    assert [type(v) for v in values.values()] == [type(value)] * 2
    assert (await good(code, "", read={"later": "v"}))[1] == {"later": value}


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("object()", "object"),
        ("{1: 2}", "key"),
        ("float('nan')", "nan"),
        ("{1, 2}", "set"),
        ("missing_name", "NameError"),
        ("1 +", "SyntaxError"),
    ],
)
async def test_a_value_that_does_not_fit_is_named(
    sandbox: LocalSandbox, expression: str, words: str
) -> None:
    code = await python(sandbox)
    given = await give(code, "x = 1", read={"good": "x", "bad": expression})
    assert given.failed is not None
    assert given.failed.value.startswith("bad: ")
    assert words in given.failed.value
    assert given.done.status == "error"
    assert given.done.state_kept


async def test_numbers_of_libraries_and_tuples_fit(sandbox: LocalSandbox) -> None:
    code = await python(sandbox)
    text = "from fractions import Fraction\nf = Fraction(1, 2)"
    assert (await good(code, text, read={"v": "(f, 1)"}))[1] == {"v": [0.5, 1]}


async def test_pictures_come_as_bytes_and_the_value_is_the_main_one(
    sandbox: LocalSandbox,
) -> None:
    code = await python(sandbox)
    await good(code, _SHOW)
    given, _ = await good(code, "display(Picture()); 7")
    shown, main = given.rich
    assert (shown.main, main.main) == (False, True)
    assert shown.data["image/png"] == _PNG
    assert shown.data["text/html"] == b"<b>a picture</b>"
    assert main.data["text/plain"] == b"7"


async def test_contexts_know_nothing_of_each_other(sandbox: LocalSandbox) -> None:
    await sandbox.files.write("here/file", b"")
    one = await python(sandbox)
    two = await python(sandbox, "two", cwd="here", env={"OWN": "yes"})
    await good(one, "x = 1")
    given = await give(two, "x")
    assert given.failed is not None
    assert given.failed.name == "NameError"
    text = "import os, random; [os.getcwd(), os.environ.get('OWN'), random.random()]"
    first = json.loads((await good(one, text))[0].main("application/json"))
    second = json.loads((await good(two, text))[0].main("application/json"))
    assert first[:2] == [sandbox.workdir, None]
    assert second[:2] == [f"{sandbox.workdir}/here", "yes"]
    assert first[2] != second[2], "the same random numbers"
    again = await python(sandbox)
    assert (await good(again, "x"))[0].main() == "1"
    assert again.id == one.id != two.id


async def test_a_folder_that_is_not_there_is_named(sandbox: LocalSandbox) -> None:
    with pytest.raises(FileMissing, match="nowhere"):
        await python(sandbox, cwd="nowhere")


async def test_a_language_that_is_not_there_is_refused(sandbox: LocalSandbox) -> None:
    with pytest.raises(Unsupported, match="'cobol'") as caught:
        await sandbox.code(CodeContext(language="cobol"))
    assert "python" in str(caught.value)


async def test_files_are_those_of_commands(sandbox: LocalSandbox) -> None:
    code = await python(sandbox)
    await good(code, "open('made', 'w').write('by code')")
    assert await text_of(sandbox, "cat made") == "by code"
    await sandbox.files.write("given", b"by us")
    assert (await good(code, "open('given').read()"))[0].main() == "'by us'"


async def test_at_the_timeout_the_cell_is_interrupted_and_the_variables_stay(
    sandbox: LocalSandbox,
) -> None:
    code = await python(sandbox)
    await good(code, "x = 8")
    given = await give(code, "while True: pass", timeout=0.5)
    assert (given.done.status, given.done.state_kept) == ("timed_out", True)
    assert given.failed is not None
    assert given.failed.name == "KeyboardInterrupt"
    assert (await good(code, "x"))[0].main() == "8"


async def test_a_cell_that_will_not_end_loses_the_variables_and_says_so(
    sandbox: LocalSandbox,
) -> None:
    code = await python(sandbox)
    await good(code, "x = 8")
    stubborn = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    stubborn += "while True: pass"
    before = code.id
    given = await give(code, stubborn, timeout=0.3)
    assert (given.done.status, given.done.state_kept) == ("timed_out", False)
    assert code.id != before
    assert (await give(code, "x")).failed is not None
    await good(code, "1")


async def test_an_interrupt_ends_the_cell_and_not_the_interpreter(
    sandbox: LocalSandbox,
) -> None:
    code = await python(sandbox)
    given: list[Given] = []
    async with anyio.create_task_group() as tasks:

        async def loop() -> None:
            text = "x = 3\nprint('up', flush=True)\nwhile True: pass"
            given.append(await give(code, text))

        tasks.start_soon(loop)
        with anyio.fail_after(30):
            while not given:
                await anyio.sleep(0.2)
                await code.interrupt()
    assert given[0].failed is not None
    assert given[0].failed.name == "KeyboardInterrupt"
    assert (given[0].done.status, given[0].done.state_kept) == ("error", True)
    await good(code, "1")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import os; os._exit(4)", "code 4"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "signal 9"),
    ],
)
async def test_a_dead_interpreter_is_told_with_the_cause_and_begins_anew(
    sandbox: LocalSandbox, text: str, words: str
) -> None:
    code = await python(sandbox)
    await good(code, "x = 1")
    given = await give(code, text)
    assert (given.done.status, given.done.state_kept) == ("died", False)
    assert given.failed is not None
    assert words in given.failed.value
    given = await give(code, "x")
    assert given.failed is not None
    assert given.failed.name == "NameError"
    await code.restart()
    assert (await good(code, "1 + 1"))[0].main() == "2"


async def test_an_interpreter_that_died_unseen_is_told_once(
    sandbox: LocalSandbox,
) -> None:
    code = await python(sandbox)
    given, _ = await good(code, "import os; os.getpid()")
    assert (await run(sandbox, f"kill -9 {given.main()}")).code == 0

    async def is_told() -> bool:
        return (await give(code, "1")).done.status == "died"

    await until(is_told)
    await good(code, "1")


async def test_a_restart_forgets_everything_and_changes_the_id(
    sandbox: LocalSandbox,
) -> None:
    code = await python(sandbox)
    await good(code, "x = 1")
    before = code.id
    assert (await python(sandbox)).id == before
    await code.restart()
    assert code.id != before
    assert (await python(sandbox)).id == code.id
    assert (await give(code, "x")).failed is not None
    assert (await good(code, "1"))[0].done.count == 2


async def test_a_driver_that_was_killed_is_started_anew_and_its_end_is_told(
    sandbox: LocalSandbox,
) -> None:
    code = await python(sandbox)
    await good(code, "x = 1")
    driver = await sandbox.find("sandbook/code/python/1")
    assert driver is not None
    assert await driver.signal("KILL")
    await driver.wait()
    assert (await give(code, "1")).done.status == "died"
    await good(code, "1")
    assert (await give(await python(sandbox), "x")).failed is not None


async def test_a_known_key_runs_once_and_is_told_again(sandbox: LocalSandbox) -> None:
    code = await python(sandbox)
    await good(code, "n = 0")
    request = cell("n += 1; print(n); n", key="the key")
    first = await give(code, request)
    again = await give(await python(sandbox), request)
    assert first == again
    assert first.printed() == "1\n"
    assert (await good(code, "n"))[0].main() == "1"


async def test_cells_of_one_context_run_one_at_a_time(sandbox: LocalSandbox) -> None:
    code = await python(sandbox)
    await good(code, "import time; busy = 0; most = 0")
    text = "busy += 1; most = max(most, busy); time.sleep(0.05); busy -= 1"
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(good, code, text)
    assert (await good(code, "most"))[0].main() == "1"


async def test_giving_up_a_cell_interrupts_it(sandbox: LocalSandbox) -> None:
    code = await python(sandbox)
    await good(code, "x = 4")
    with anyio.move_on_after(1.0):
        await give(code, "open('began', 'w')\nwhile True: pass")
    assert (await run(sandbox, "test -e began")).code == 0
    with anyio.fail_after(20):
        assert (await good(code, "x"))[0].main() == "4"


async def test_a_cell_given_up_before_its_turn_never_runs(
    sandbox: LocalSandbox,
) -> None:
    code = await python(sandbox)
    slow = "import os, time\nwhile not os.path.exists('go'): time.sleep(0.02)"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(good, code, slow)
        await anyio.sleep(0.3)
        with anyio.move_on_after(0.3):
            await give(code, "open('ran', 'w')")
        await sandbox.files.write("go", b"")
    await good(code, "1")
    assert (await run(sandbox, "test -e ran")).code == 1


async def test_much_output_is_cut_with_a_mark_and_the_end_is_kept(
    sandbox: LocalSandbox,
) -> None:
    code = await python(sandbox)
    given, _ = await good(code, "print('a' * 5_000_000); print('the end')")
    printed = given.printed()
    assert len(printed) < 2_000_000
    assert "truncated" in printed
    assert printed.startswith("aaaa")
    assert printed.endswith("the end\n")
    await good(code, "1")


@pytest.mark.parametrize(
    "text", ["input('name? ')", "import getpass; getpass.getpass()"]
)
async def test_asking_somebody_is_refused(sandbox: LocalSandbox, text: str) -> None:
    code = await python(sandbox)
    with anyio.fail_after(30):
        given = await give(code, text)
    assert given.failed is not None
    assert "nobody can answer" in given.failed.value


async def test_exit_ends_the_cell_only(sandbox: LocalSandbox) -> None:
    code = await python(sandbox)
    await good(code, "x = 1")
    given = await give(code, "exit()\nx = 2")
    assert given.failed is not None
    assert given.failed.name == "SystemExit"
    assert (await good(code, "x"))[0].main() == "1"


async def test_commands_do_not_see_the_kernel_s_packages_and_cells_do_not_see_ours(
    sandbox: LocalSandbox,
) -> None:
    code = await python(sandbox)
    await good(code, "import ipykernel, zmq")
    for module in ("ipykernel", "zmq", "IPython"):
        assert (await run(sandbox, f"python3 -c 'import {module}'")).code == 1
    for module in ("sandbook", "sandbook_local", "anyio", "click"):
        given = await give(code, f"import {module}")
        assert given.failed is not None, module
        assert given.failed.name == "ModuleNotFoundError"


async def test_what_the_user_installed_comes_first(sandbox: LocalSandbox) -> None:
    folder = f".venv/lib/python3.{sys.version_info.minor}/site-packages"
    await sandbox.files.write(f"{sandbox.home}/{folder}/wcwidth.py", b"mine = 1")
    code = await python(sandbox)
    assert (await good(code, "import wcwidth; wcwidth.mine"))[0].main() == "1"


async def test_what_only_others_need_of_a_kernel_comes_when_it_is_asked_for(
    sandbox: LocalSandbox,
) -> None:
    code = await python(sandbox)
    loaded = "import sys; 'jupyter_client.manager' in sys.modules"
    assert (await good(code, loaded))[0].main() == "False"
    client = "from ipykernel.kernelapp import IPKernelApp as App"
    client += "; App.instance().blocking_class.__name__"
    assert (await good(code, client))[0].main() == "'BlockingKernelClient'"
    asked = (
        "import jupyter_client as j; [j.__version__ > '', j.KernelManager.__module__]"
    )
    given, _ = await good(code, asked)
    assert given.main() == "[True, 'jupyter_client.manager']"
    assert (await good(code, loaded))[0].main() == "True"
    everything = "from jupyter_client import *"
    everything += "; [KernelManager is j.KernelManager, 'launcher' in dir(j)]"
    assert (await good(code, everything))[0].main() == "[True, True]"
    assert (await give(code, "j.no_such_thing")).failed is not None


async def test_garbage_is_looked_for_in_cells(sandbox: LocalSandbox) -> None:
    code = await python(sandbox)
    text = """
        import gc, weakref
        class Ring: pass
        ring = Ring(); ring.own = ring; seen = weakref.ref(ring); del ring
        for _ in range(100_000): [[]]
        kept = [[] for _ in range(100_000)]
        [gc.isenabled(), seen()]
    """
    given, _ = await good(code, "\n".join(map(str.strip, text.splitlines())))
    assert given.main() == "[True, None]"


async def test_nothing_is_left_in_the_home(sandbox: LocalSandbox) -> None:
    before = await text_of(sandbox, "cd; find . | sort")
    await good(await python(sandbox), "x = 1")
    assert await text_of(sandbox, "cd; find . | sort") == before


async def test_a_cell_too_large_for_the_memory_limit_is_told_so(
    create: Create,
) -> None:
    settings = {"memory": 256 << 20, "best_effort": True}
    from sandbook.api import Resources

    sandbox = await create(resources=Resources(**settings))  # type: ignore[arg-type]
    code = await python(sandbox)
    text = "import time\nx = []\nwhile True:\n"
    text += "    x.append(bytearray(8 << 20)); time.sleep(0.02)"
    with anyio.fail_after(60):
        given = await give(code, text)
    assert (given.done.status, given.done.state_kept) == ("died", False)
    assert given.failed is not None
    assert "memory" in given.failed.value
    await good(await python(sandbox), "1")


_CLIENT = """
import json, sys
from pathlib import Path
import anyio
from sandbook.api import CodeContext, CodeRequest, SandboxSpec, Settings, Text
from sandbook_local.provider import LocalProvider

async def main(state: Path) -> None:
    provider = LocalProvider(Settings(state=state, cache=state / "cache"))
    sandbox = await provider.create(SandboxSpec(network="off"), key="client")
    code = await sandbox.code(CodeContext(language="python"))
    async for _ in code.run(CodeRequest(key="one", source="x = 41")):
        pass
    text = "print('up', flush=True)\\nx += 1\\nwhile True: pass"
    async for event in code.run(CodeRequest(key="two", source=text)):
        if isinstance(event, Text):
            print(json.dumps(sandbox.ref.to_json()), flush=True)

anyio.run(main, Path(sys.argv[1]))
"""


def _start_and_kill(settings: Settings) -> SandboxRef:
    command = [sys.executable, "-c", _CLIENT, str(settings.state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        line = client.stdout.readline()
        with suppress(subprocess.TimeoutExpired):
            client.wait(0.2)
        client.kill()
    assert client.returncode == -signal.SIGKILL
    return SandboxRef.from_json(json.loads(line))


async def test_variables_live_on_when_the_client_is_killed_in_a_cell(
    settings: Settings, provider: LocalProvider
) -> None:
    ref = await to_thread.run_sync(_start_and_kill, settings)
    sandbox = await provider.attach(ref)
    code = await python(sandbox)
    with anyio.fail_after(20):
        assert (await good(code, "x"))[0].main() == "42"
    # What the cell in flight gave is known, though nobody was there to hear it.
    told = await give(code, CodeRequest(key="two", source="never run"))
    assert told.printed() == "up\n"
    assert isinstance(told.done, Done)
    assert told.failed is not None
    assert told.failed.name == "KeyboardInterrupt"


async def test_nothing_names_a_path_that_is_too_long() -> None:
    from sandbook_local.inside.code import ready

    assert len(str(Path(ready.place("javascript")) / "1000000" / "s-5")) < 107
