"""How interpreters are spoken to: those that know lines of JSON, and bash.

A program that knows lines hears of a cell as `{"source", "bind", "read"}`. It tells
`{"ready"}`, `{"rich": data, "main": …}` (JavaScript only its value, as `{"main"}`),
`{"failed"}`, and at last `{"end"}` with `values`, each as JSON. Bash gets the cell as a
file; see below.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
from typing import Any

from sandbook.drivers.inside.cell import Cell
from sandbook.drivers.inside.child import ANSWERS, Child
from sandbook.drivers.inside.wire import packed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Told(Protocol):
        """Who hears what an interpreter tells."""

        def ready(self) -> None: ...
        def refused(self, why: str) -> None: ...
        def rich(self, data: dict[str, str], *, main: bool) -> None: ...
        def failed(self, name: str, value: str, traceback: str) -> None: ...
        def done(self, values: dict[str, Any]) -> None: ...


PROGRAMS = {"python": "python3", "bash": "bash", "javascript": "node"}
"""The languages, and the program that each needs."""

PART = "\f"
"""Between the texts of a program that has several."""

_PYTHON = (
    "import os\no=os.fdopen(3,'rb');g={'__name__':'sandbook_cells'}\n"
    "with open(%r,encoding='utf-8') as f:\n"
    " s,n=f.read().split('\f')\n"
    "exec(compile(s,'<sandbook>','exec'),g)\n"
    "g['main'](o,n)"
)
_NAMES = {
    "python": re.compile(r"\w+"),
    "bash": re.compile(r"[A-Za-z_][A-Za-z0-9_]*"),
    "javascript": re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*"),
}


def orders(language: str) -> int:
    """The descriptor that it reads its orders from."""
    return 0 if language == "bash" else 3


def argv(language: str, program: str) -> list[str]:
    """How it is started; `program` is our file, for those that need one."""
    if language == "bash":
        return ["bash", "--norc", "--noprofile", "--noediting", "-i"]
    if language == "javascript":
        return ["node", program]
    return ["python3", "-c", _PYTHON % program]


def speaking(language: str, told: Told, child: Child, folder: str) -> Lines | Shell:
    """Who speaks to this child."""
    if language == "bash":
        return Shell(told, child, folder + "/cell")
    return Lines(told, child, language)


def refusal(language: str, cell: Cell) -> str | None:
    """Why it cannot take a cell."""
    for name in cell.asked["bind"]:
        if not _NAMES[language].fullmatch(name):
            return f"{name!r} is no name of a variable"
    if language != "bash":
        return None
    texts = (cell.asked["source"], *cell.asked["read"].values())
    bound = [v for v in cell.asked["bind"].values() if isinstance(v, str)]
    if any("\0" in text for text in (*texts, *bound)):
        return "a shell holds no NUL: put such data into a file"
    return None


class Lines:
    """An interpreter that is a program of ours."""

    def __init__(self, told: Told, child: Child, language: str) -> None:
        self._told = told
        self._child = child
        self._hears = language == "javascript"
        self._received = b""

    def run(self, cell: Cell) -> None:
        """Give it a cell."""
        self._order({name: cell.asked[name] for name in ("source", "bind", "read")})

    def interrupt(self) -> None:
        """End what runs, and what it started."""
        self._child.interrupt()
        if self._hears:
            self._order({"interrupt": True})

    def _order(self, message: dict[str, Any]) -> None:
        self._child.order(json.dumps(message).encode("ascii") + b"\n")

    def hear(self, data: bytes) -> None:
        """Take in its answers."""
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            self._take(json.loads(line))

    def _take(self, message: dict[str, Any]) -> None:
        if "refused" in message:
            self._told.refused(message["refused"])
        if "ready" in message:
            self._told.ready()
        if "rich" in message:
            self._told.rich(message["rich"], main=message["main"])
        elif "main" in message:
            self._told.rich(_forms(message["main"]), main=True)
        if "failed" in message:
            found = message["failed"]
            self._told.failed(found["name"], found["value"], found["traceback"])
        if "end" in message:
            values: dict[str, str] = message.get("values") or {}
            self._told.done({name: json.loads(text) for name, text in values.items()})


def _forms(main: dict[str, str | None]) -> dict[str, str]:
    """The value of a cell, as JavaScript tells it."""
    told = {"text/plain": main["text"], "application/json": main["json"]}
    shown = {kind: text for kind, text in told.items() if text is not None}
    return {
        kind: packed(text.encode("utf-8", "replace")) for kind, text in shown.items()
    }


# An interactive bash without a terminal: it survives an interrupt and an error in what
# it reads, and goes on with the next line. `exit` ends the cell and not the shell: an
# error in an expansion makes it give up what it reads, and take the next line. Code and
# values lie in a file; they are never part of a command.
_BEGIN = rf"""
builtin set +o history +H; builtin unset HISTFILE PS1 PS2 PROMPT_COMMAND
exit() {{
  if ((BASH_SUBSHELL)); then builtin exit "$@"; fi
  __sb_code=${{1:-$?}}
  {{ builtin : "${{__sb_nothing:?}}"; }} 2>/dev/null
}}
__sb_take() {{
  builtin local __sb_n
  builtin mapfile -d '' -t __sb_cell <"$1"
  for ((__sb_n = 2; __sb_n < 2 * __sb_cell[1] + 2; __sb_n += 2)); do
    builtin printf -v "${{__sb_cell[__sb_n]}}" %s "${{__sb_cell[__sb_n + 1]}}" ||
      builtin return 1
  done
}}
__sb_tell() {{
  builtin local __sb_n __sb_value __sb_told=${{__sb_code-$1}}
  builtin unset __sb_code
  builtin printf 'code\0%s\0' "$__sb_told" >&{ANSWERS}
  if [[ $__sb_told != 0 ]]; then builtin return; fi
  for ((__sb_n = 2 * __sb_cell[1] + 2; __sb_n < ${{#__sb_cell[@]}}; __sb_n += 2)); do
    __sb_value=
    builtin eval "IFS= builtin read -r -d '' __sb_value <<${{__sb_end}}
${{__sb_cell[__sb_n + 1]}}.
${{__sb_end}}"
    # Without its end it could not be expanded.
    if [[ $__sb_value == *$'.\n' ]]; then
      __sb_value=${{__sb_value%$'.\n'}}
      builtin printf 'value\0%s\0%s\0' "${{__sb_cell[__sb_n]}}" "$__sb_value" \
        >&{ANSWERS}
    fi
  done
}}
builtin printf 'end\0' >&{ANSWERS}
"""


class Shell:
    """One bash."""

    def __init__(self, told: Told, child: Child, file: str) -> None:
        self._told = told
        self._child = child
        self._file = file
        self._received = b""
        self._is_ready = False
        self._code = 0
        self._values: dict[str, Any] = {}
        self._wanted: list[str] = []
        child.order(_BEGIN.encode("ascii"))

    def run(self, cell: Cell) -> None:
        """Give it a cell."""
        asked = cell.asked
        self._code, self._values = 0, {}
        self._wanted = list(asked["read"])
        parts = [asked["source"], str(len(asked["bind"]))]
        for name, value in asked["bind"].items():
            parts += [name, value if isinstance(value, str) else json.dumps(value)]
        for name, text in asked["read"].items():
            parts += [name, text]
        data = "".join(part + "\0" for part in parts)
        with open(os.open(self._file, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.truncate()
            file.write(data.encode("utf-8", "surrogateescape"))
        self._child.order(_orders(self._file))

    def interrupt(self) -> None:
        """What runs is ended; the shell goes on."""
        self._child.interrupt()

    def hear(self, data: bytes) -> None:
        """Take in its answers."""
        *parts, self._received = (self._received + data).split(b"\0")
        sizes = {b"code": 2, b"value": 3, b"end": 1}
        while parts and len(parts) >= sizes[parts[0]]:
            size = sizes[parts[0]]
            self._take([part.decode("utf-8", "replace") for part in parts[:size]])
            del parts[:size]
        # The rest of one is still to come.
        self._received = b"".join(part + b"\0" for part in parts) + self._received

    def _take(self, told: list[str]) -> None:
        if told[0] == "code":
            self._code = int(told[1])
        elif told[0] == "value":
            self._values[told[1]] = told[2]
        elif not self._is_ready:
            self._is_ready = True
            self._told.ready()
        else:
            self._settle()

    def _settle(self) -> None:
        os.unlink(self._file)
        missing = [name for name in self._wanted if name not in self._values]
        if self._code:
            is_ended = self._code == 128 + signal.SIGINT
            how = "interrupted" if is_ended else ""
            self._told.failed("exit", str(self._code), how)
        elif missing:
            value = f"{missing[0]}: it cannot be expanded"
            self._told.failed("SaveError", value, "")
        self._told.done(self._values)


def _orders(path: str) -> bytes:
    """Three lines: when one is given up, the next is read all the same."""
    take = f"__sb_end=sb_{secrets.token_hex(8)}; __sb_take '{path}'"
    lines = (
        f'{take} && builtin eval "${{__sb_cell[0]}}" </dev/null',
        '__sb_tell "$?"',
        f"builtin printf 'end\\0' >&{ANSWERS}",
    )
    return "".join(line + "\n" for line in lines).encode("ascii")
