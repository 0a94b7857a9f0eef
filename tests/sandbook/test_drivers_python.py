"""The program that runs Python cells in a sandbox, run here by this interpreter.

With IPython, which is installed with us, and where a sandbox has none.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import selectors
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from sandbook.drivers.code import program
from sandbook.drivers.inside import languages
from sandbook.drivers.inside.child import Child

WITHIN = 60.0
NO_IPYTHON = "raise ImportError('none here')"


class Interpreter:
    """One that runs, and what it told of the last cell."""

    def __init__(self, folder: Path, *, notebook: bool) -> None:
        place = folder / "program"
        place.write_text(program("python"), encoding="utf-8")
        bin_folder = str(Path(sys.executable).parent)
        env = {"PATH": f"{bin_folder}:{os.environ['PATH']}", "HOME": str(folder)}
        if not notebook:
            (folder / "IPython.py").write_text(NO_IPYTHON, encoding="utf-8")
            env["PYTHONPATH"] = str(folder)
        self._selector = selectors.DefaultSelector()
        argv = languages.argv("python", str(place))
        self.child = Child(self._selector, argv, env=env, cwd=str(folder), orders=3)
        self._received = b""
        self.printed = ""
        self.told: list[dict[str, Any]] = []
        self.hear("ready")

    def hear(self, last: str) -> None:
        """Take in what it tells, up to this."""
        self.told, self.printed = [], ""
        ends = time.monotonic() + WITHIN
        while not any(last in message for message in self.told):
            assert os.waitpid(self.child.pid, os.WNOHANG) == (0, 0), self.printed
            assert time.monotonic() < ends, self.told
            for key, _ in self._selector.select(1.0):
                if key.data == "answers":
                    *lines, self._received = (
                        self._received + self.child.read("answers")
                    ).split(b"\n")
                    self.told += [json.loads(line) for line in lines]
                else:
                    self.printed += self.child.texts(key.data, whole=False)
        self.printed += "".join(
            self.child.texts(name, whole=True) for name in ("stdout", "stderr")
        )

    def order(self, source: str, **more: Any) -> None:
        order: dict[str, Any] = {"source": source, "bind": {}, "read": {}, **more}
        self.child.order(json.dumps(order).encode() + b"\n")

    def run(self, source: str, **more: Any) -> None:
        self.order(source, **more)
        self.hear("end")

    def shown(self, kind: str) -> list[str]:
        rich = [message["rich"] for message in self.told if "rich" in message]
        return [base64.b64decode(r[kind]).decode("utf-8", "replace") for r in rich]

    @property
    def failed(self) -> dict[str, str]:
        (found,) = [message["failed"] for message in self.told if "failed" in message]
        return dict(found)


@pytest.fixture
def notebook(tmp_path: Path) -> Generator[Interpreter]:
    """One with IPython."""
    made = Interpreter(tmp_path, notebook=True)
    yield made
    _end(made)


@pytest.fixture
def plain(tmp_path: Path) -> Generator[Interpreter]:
    """One without."""
    made = Interpreter(tmp_path, notebook=False)
    yield made
    _end(made)


def _end(made: Interpreter) -> None:
    made.child.close()
    os.waitpid(made.child.pid, 0)


@pytest.fixture(params=["notebook", "plain"])
def either(request: pytest.FixtureRequest) -> Interpreter:
    """Both, one after the other."""
    found: Interpreter = request.getfixturevalue(request.param)
    return found


def test_magics_and_commands_are_had_where_the_sandbox_has_ipython(
    notebook: Interpreter,
) -> None:
    notebook.run("!echo from a command")
    assert "from a command" in notebook.printed
    notebook.run("%%capture said\nprint('caught')")
    assert notebook.printed == ""
    notebook.run("said.stdout")
    assert notebook.shown("text/plain") == ["'caught\\n'"]
    notebook.run("%nothing")
    assert notebook.failed["name"] == "UsageError"


def test_ipythons_own_display_is_heard(notebook: Interpreter) -> None:
    text = "from IPython.display import HTML, display\ndisplay(HTML('<b>'))\n5"
    notebook.run(text)
    shown = [message for message in notebook.told if "rich" in message]
    assert [message["main"] for message in shown] == [False, True]
    assert base64.b64decode(shown[0]["rich"]["text/html"]) == b"<b>"
    assert base64.b64decode(shown[1]["rich"]["application/json"]) == b"5"


def test_without_ipython_a_magic_says_what_it_needs(plain: Interpreter) -> None:
    plain.run("!echo hello")
    assert plain.failed["name"] == "SyntaxError"
    assert "pip install ipython" in plain.failed["value"]
    plain.run("1 +")
    assert "ipython" not in plain.failed["value"]


def test_values_go_in_and_out_alike(either: Interpreter) -> None:
    either.run("y = x[0] + 1", bind={"x": [1]}, read={"y": "y", "x": "x"})
    assert either.told[-1]["values"] == {"y": "2", "x": "[1]"}
    either.run("1", read={"odd": "object()"})
    assert either.failed["name"] == "SaveError"
    assert either.failed["value"].startswith("odd: ")
    either.run("1", read={"none": "nowhere"})
    assert "NameError" in either.failed["value"]


def test_failures_are_told_alike(either: Interpreter) -> None:
    either.run("x = 4\ndef f():\n    raise KeyError('k')\nf()")
    assert (either.failed["name"], either.failed["value"]) == ("KeyError", "'k'")
    assert "in f" in either.failed["traceback"]
    assert "<sandbox>" not in either.failed["traceback"]
    assert "\x1b" not in either.failed["traceback"]
    for text, name in (("exit()", "SystemExit"), ("input()", "EOFError")):
        either.run(text)
        assert either.failed["name"] == name
    either.run("x")
    assert either.shown("text/plain") == ["4"]


def test_an_interrupt_ends_a_cell_and_nothing_else(either: Interpreter) -> None:
    either.run("x = 4")
    either.child.interrupt()  # nothing runs
    either.run("import sys; print('up', file=sys.stderr)")
    for loop in ("while True: pass", "import time; time.sleep(600)"):
        either.order(f"open('began', 'w').close()\n{loop}")
        _until(Path(either_folder(either)) / "began")
        either.child.interrupt()
        either.hear("end")
        assert either.failed["name"] == "KeyboardInterrupt"
    either.run("x")
    assert either.shown("text/plain") == ["4"]


def either_folder(made: Interpreter) -> str:
    """Where it runs."""
    return str(Path(f"/proc/{made.child.pid}/cwd").readlink())


def _until(path: Path) -> None:
    ends = time.monotonic() + WITHIN
    while not path.exists():
        assert time.monotonic() < ends
        time.sleep(0.02)
    path.unlink()


def test_long_values_are_broken_as_in_a_notebook(
    either: Interpreter,
) -> None:
    either.run("[list(range(40)), {'a': 'b' * 80}, ('x',)]")
    assert len(either.shown("text/plain")[0].splitlines()) > 40
    either.run("[1, {'a': 2}]")
    assert either.shown("text/plain") == ["[1, {'a': 2}]"]


@pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None,
    reason="matplotlib is not installed here",
)
def test_figures_are_shown_as_pictures_and_closed(either: Interpreter) -> None:
    either.run("import matplotlib.pyplot as plt; plt.plot([1, 2]); plt.show()")
    assert [text[1:4] for text in either.shown("image/png")] == ["PNG"]
    either.run("len(plt.get_fignums())")
    assert either.shown("text/plain") == ["0"]
