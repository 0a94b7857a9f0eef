"""Runs Python cells in a process of its own, standard library only, Python 3.8.

Loaded from a file by a fresh `python3`, so that the sandbox's own packages are there;
`__main__` is the user's, and nothing of ours can be seen from it. Cells come as lines
of JSON, and what they give goes out on descriptor 4.
"""

from __future__ import annotations

import ast
import base64
import builtins
import contextlib
import inspect
import io
import json
import linecache
import math
import numbers
import os
import pprint
import signal
import sys
import traceback
import types
import warnings

# Values of cells are of any type.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, BinaryIO

_ANSWERS = 4
_WIDE = 79
_LIMIT = 4 << 20
_DEEPEST = 200
_MAGIC = ("%", "!", "?")
_NOBODY = (
    "nobody can answer here: give the value beforehand (`with`), "
    "or run the program in a terminal (`pty`)"
)
_FORMS = {
    "text/html": "_repr_html_",
    "text/markdown": "_repr_markdown_",
    "text/latex": "_repr_latex_",
    "image/svg+xml": "_repr_svg_",
    "image/png": "_repr_png_",
    "image/jpeg": "_repr_jpeg_",
    "application/pdf": "_repr_pdf_",
    "application/json": "_repr_json_",
    "application/javascript": "_repr_javascript_",
}


class NotJson(Exception):  # noqa: N818 - it becomes a message
    """Why a value does not fit JSON, in words."""


def to_json(value: object) -> str:
    """The value as JSON; raises `NotJson`."""
    text = json.dumps(_plain(value, _DEEPEST), allow_nan=False)
    if len(text) > _LIMIT:
        raise NotJson(f"{len(text)} bytes are too many (at most {_LIMIT})")
    return text


def _plain(value: Any, depth: int) -> object:
    """The value in Python's own types; numbers of libraries count as numbers."""
    if depth == 0:
        raise NotJson("it is nested too deep, or holds itself")
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        if not math.isfinite(value):
            raise NotJson(f"{value} does not fit JSON")
        return float(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth - 1) for item in value]
    if isinstance(value, dict):
        return {_key(name): _plain(item, depth - 1) for name, item in value.items()}
    raise NotJson(f"a value of type {type(value).__name__!r} does not fit JSON")


def _key(name: object) -> str:
    if isinstance(name, str):
        return name
    raise NotJson(f"a key of type {type(name).__name__!r} does not fit JSON")


def bundle(value: object) -> dict[str, object]:
    """What a value looks like, by MIME type."""
    found = _own_bundle(value)
    if found is None:
        forms = {kind: _called(value, name) for kind, name in _FORMS.items()}
        found = {kind: shown for kind, shown in forms.items() if shown is not None}
    if "text/plain" not in found:
        found["text/plain"] = _text(value)
    return with_json(found, value)


def with_json(found: dict[str, object], value: object) -> dict[str, object]:
    """What it looks like, and the value as JSON where it fits."""
    if "application/json" not in found:
        with contextlib.suppress(NotJson, ValueError, RecursionError):
            found["application/json"] = json.loads(to_json(value))
    return found


def _own_bundle(value: object) -> dict[str, object] | None:
    found = _called(value, "_repr_mimebundle_")
    return dict(found) if isinstance(found, dict) else None


def _called(value: object, name: str) -> Any:
    """What a form gives, without what is said of it; one that fails is none."""
    form = getattr(type(value), name, None)
    if form is None:
        return None
    try:
        found = form(value)
        return found[0] if isinstance(found, tuple) else found
    except Exception:  # noqa: BLE001 - the user's
        return None


def _text(value: object) -> str:
    text = repr(value)
    if len(text) > _WIDE and isinstance(value, (list, tuple, dict, set, frozenset)):
        return pprint.pformat(value, width=_WIDE, sort_dicts=False)
    return text


def _packed(kind: str, value: object) -> str:
    """Data in base64: a picture is there as bytes, or as base64 itself."""
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode("ascii")
    if kind.endswith("json") or not isinstance(value, str):
        value = json.dumps(value)
    is_binary = kind.startswith(("image/", "audio/", "video/", "application/pdf"))
    if is_binary and kind != "image/svg+xml":
        return "".join(value.split())
    return base64.b64encode(value.encode("utf-8", "replace")).decode("ascii")


class Cells:
    """The user's variables, and the cells that run with them."""

    def __init__(self) -> None:
        self.main = types.ModuleType("__main__")
        self.names = self.main.__dict__
        self.names["display"] = self.display
        self.is_running = False
        self._count = 0
        self._loop: Any = None

    def display(self, *values: object, **more: Any) -> None:
        """Show values as they look, in the middle of a cell."""
        for value in values:
            is_raw = more.get("raw") and isinstance(value, dict)
            self.show(value if is_raw else bundle(value), main=False)  # type: ignore[arg-type]  # a bundle

    def show(self, found: dict[str, object], *, main: bool) -> None:
        """Tell what something looks like."""
        _flush()
        packed = {str(kind): _packed(str(kind), v) for kind, v in found.items()}
        tell({"rich": packed, "main": main})

    def run(self, order: dict[str, Any]) -> None:
        """Run a cell; whatever it raises is told."""
        self._count += 1
        failed: dict[str, str] | None = None
        values: dict[str, str] = {}
        name = f"<cell {self._count}>"
        self.names.update(order["bind"])
        error = self._guarded(lambda: self.execute(order["source"], name))
        self.show_figures()
        if error is not None:
            failed = told_of(error)
        else:
            failed, values = self._read(order["read"])
        _flush()
        if failed is not None:
            tell({"failed": failed})
        tell({"end": True, "values": values})

    def _guarded(self, work: Callable[[], None]) -> BaseException | None:
        """What it raised; an interrupt is heard of in here only."""
        raised: BaseException | None = None
        try:
            try:
                self.is_running = True
                work()
            except BaseException as error:  # noqa: BLE001 - the user's
                raised = error
            self.is_running = False
        except KeyboardInterrupt as late:  # while it was just ending
            self.is_running = False
            raised = raised or late
        return raised

    def interrupted(self, _number: int, _frame: object) -> None:
        """Heard of SIGINT."""
        if self.is_running:
            raise KeyboardInterrupt

    def execute(self, source: str, name: str) -> None:
        """Run it; raises what it raised."""
        lines = source.splitlines(keepends=True)
        linecache.cache[name] = (len(source), None, lines, name)
        tree = _parsed(source, name)
        last = tree.body[-1] if tree.body else None
        if not isinstance(last, ast.Expr) or source.rstrip().endswith(";"):
            self._evaluate(tree, name, "exec")
            return
        tree.body.pop()
        self._evaluate(tree, name, "exec")
        expression = ast.Expression(last.value)
        value = self._evaluate(expression, name, "eval")
        if value is not None:
            self.names["_"] = value
            self.show(bundle(value), main=True)

    def _evaluate(self, tree: Any, name: str, mode: str) -> object:
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile(tree, name, mode, flags=flags, dont_inherit=True)
        found = eval(code, self.names)  # noqa: S307 - it is what we are here for
        if code.co_flags & inspect.CO_COROUTINE:
            return self._await(found)
        return found

    def _await(self, found: Any) -> object:
        import asyncio  # most cells await nothing

        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        wanted = self._loop.create_task(found)
        try:
            return self._loop.run_until_complete(wanted)
        except BaseException:
            wanted.cancel()
            raise

    def show_figures(self) -> None:
        """Show and close what was drawn, as in a notebook."""
        drawn = sys.modules.get("matplotlib._pylab_helpers")
        if drawn is None:
            return
        with contextlib.suppress(Exception):  # whatever a figure is made of
            for manager in drawn.Gcf.get_all_fig_managers():
                data = io.BytesIO()
                manager.canvas.figure.savefig(data, format="png", bbox_inches="tight")
                found = bundle(manager.canvas.figure)
                self.show({**found, "image/png": data.getvalue()}, main=False)
            drawn.Gcf.destroy_all()

    def _read(
        self, wanted: dict[str, str]
    ) -> tuple[dict[str, str] | None, dict[str, str]]:
        """The values of expressions as JSON, or what hinders it."""
        values: dict[str, str] = {}

        def read() -> None:
            for name, expression in wanted.items():
                try:
                    code = compile(expression.strip(), "<save>", "eval")
                    values[name] = to_json(eval(code, self.names))  # noqa: S307 - as above
                except NotJson as error:
                    raise NotJson(f"{name}: {error}") from None
                except Exception as error:  # noqa: BLE001 - the user's
                    told = f"{name}: {type(error).__name__}: {error}"
                    raise NotJson(told) from None

        error = self._guarded(read)
        if error is None:
            return None, values
        if isinstance(error, NotJson):
            return {"name": "SaveError", "value": str(error), "traceback": ""}, {}
        return told_of(error), {}


def _parsed(source: str, name: str) -> ast.Module:
    try:
        flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        tree: ast.Module = compile(source, name, "exec", flags=flags, dont_inherit=True)
    except SyntaxError as error:
        line = (error.text or "").lstrip()
        if line.startswith(_MAGIC):
            told = "%, ! and ? at the start of a line are IPython's, which the "
            told += "sandbox's python3 does not have: pip install ipython"
            error.msg = f"{error.msg} ({told})"
        raise
    return tree


def told_of(error: BaseException) -> dict[str, str]:
    """An exception in words; of where it came from only what is the user's."""
    place = error.__traceback__
    while place is not None and not _is_theirs(place):
        place = place.tb_next
    try:
        value = str(error)
    except Exception:  # noqa: BLE001 - the user's
        value = ""
    lines = traceback.format_exception(type(error), error, place)
    return {"name": type(error).__name__, "value": value, "traceback": "".join(lines)}


def _is_theirs(place: types.TracebackType) -> bool:
    return place.tb_frame.f_code.co_filename.startswith(("<cell ", "<ipython-input"))


def tell(message: dict[str, Any]) -> None:
    """Send a line."""
    data = json.dumps(message).encode("ascii") + b"\n"
    while data:
        data = data[os.write(_ANSWERS, data) :]


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # it may be the user's, or closed
            stream.flush()


def _refuse_input(prompt: object = "") -> str:
    del prompt
    raise EOFError(_NOBODY)


def _prepare(cells: Cells) -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(  # type: ignore[union-attr]  # they are texts
            encoding="utf-8", errors="replace", line_buffering=True
        )
    os.set_inheritable(3, False)
    os.set_inheritable(_ANSWERS, False)
    sys.modules["__main__"] = cells.main
    sys.argv = [""]
    os.environ.setdefault("MPLBACKEND", "agg")
    warnings.filterwarnings("ignore", message=".* is non-interactive")
    builtins.input = _refuse_input
    builtins.display = cells.display  # type: ignore[attr-defined]  # as in a notebook
    del cells.names["display"]
    signal.signal(signal.SIGINT, cells.interrupted)


def main(orders: BinaryIO, notebook: str) -> None:
    """Run cells until there are no more."""
    if sys.version_info < (3, 8):  # noqa: UP036 - it is not our own
        tell({"refused": "the sandbox's python3 is older than 3.8"})
        return
    cells = _made(notebook)
    _prepare(cells)
    tell({"ready": True})
    for line in _lines(orders):
        cells.run(json.loads(line))


def _made(notebook: str) -> Cells:
    """By IPython where it is there: another text of ours knows how."""
    names = globals()
    try:
        exec(compile(notebook, "<sandbox>", "exec"), names)  # noqa: S102 - our own
    except Exception:  # noqa: BLE001 - not there, or too old, or too new
        return Cells()
    made: Cells = names["CELLS"]
    return made


def _lines(orders: BinaryIO) -> Iterable[bytes]:
    return iter(orders.readline, b"")
