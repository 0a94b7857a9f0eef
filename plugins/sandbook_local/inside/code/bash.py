"""Shell cells: each context is a bash that stays.

It is an interactive one without a terminal: such a bash survives an interrupt, an
error in what it reads, and `exit` as we define it, and goes on with what comes next.
Code and values lie in a file that it reads; they are never part of a command line.
"""

from __future__ import annotations

import json
import re
import secrets
import signal
from pathlib import Path

from sandbook_local.inside import frames, loop
from sandbook_local.inside.code.child import ANSWERS, Child

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sandbook_local.inside.code.context import Cell, Context, Interpreter, Make
    from sandbook_local.inside.frames import Message

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_ARGV = ("bash", "--norc", "--noprofile", "--noediting", "-i")

# `exit` ends the cell and not the shell: an error in an expansion has an interactive
# bash give up all that it reads, and take the next line.
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


def maker(lp: loop.Loop, place: Path) -> Make:
    """Ready to make shells."""
    count = iter(range(1, 1_000_000))

    def make(context: Context) -> Interpreter:
        return Shell(lp, context, place / f"cell-{next(count)}")

    return make


class Shell:
    """One bash."""

    def __init__(self, lp: loop.Loop, context: Context, file: Path) -> None:
        self._context = context
        self._file = file
        self._told = b""
        self._is_ready = False
        self._code = 0
        self._values: dict[str, object] = {}
        self._wanted: list[str] = []
        self._child = Child(
            lp, context, _ARGV, hear=self._hear, ended=self._ended, orders=0
        )
        self._child.order(_BEGIN.encode())

    def run(self, cell: Cell) -> None:
        """Give it a cell."""
        message = cell.message
        self._code, self._values = 0, {}
        read = frames.mapping(message, "read")
        self._wanted = list(read)
        why = _refusal(message, read)
        if why is not None:
            self._context.failed("ValueError", why, "")
            self._context.done({})
            return
        bind = frames.child(message, "bind")
        parts = [frames.text(message, "source"), str(len(bind))]
        for name, value in bind.items():
            parts += [name, value if isinstance(value, str) else json.dumps(value)]
        for name, text in read.items():
            parts += [name, text]
        data = "".join(f"{part}\0" for part in parts)
        self._file.touch(mode=0o600)
        self._file.write_bytes(data.encode("utf-8", "surrogateescape"))
        self._child.order(_orders(str(self._file)))

    def interrupt(self) -> None:
        """What runs is ended; the shell goes on."""
        self._child.interrupt()

    def waited(self) -> float:
        """Seconds."""
        return self._child.waited()

    def kill(self) -> None:
        """End it."""
        self._child.kill()
        self._file.unlink(missing_ok=True)

    def _hear(self, data: bytes) -> None:
        *parts, self._told = (self._told + data).split(b"\0")
        texts = [part.decode("utf-8", "replace") for part in parts]
        while texts:
            match texts:
                case ["code", code, *rest]:
                    self._code, texts = int(code), rest
                case ["value", name, value, *rest]:
                    self._values[name], texts = value, rest
                case ["end", *rest]:
                    texts = rest
                    self._settle()
                case _:  # the rest of it is still to come
                    told = "".join(f"{text}\0" for text in texts)
                    self._told = told.encode() + self._told
                    return

    def _settle(self) -> None:
        self._file.unlink(missing_ok=True)
        self._child.drain()
        if not self._is_ready:
            self._is_ready = True
            self._context.ready()
            return
        missing = [name for name in self._wanted if name not in self._values]
        if self._code:
            told = _interrupted(self._code)
            self._context.failed("exit", str(self._code), told)
        elif missing:
            told = f"{missing[0]}: it cannot be expanded"
            self._context.failed("SaveError", told, "")
        self._context.done(self._values)

    def _ended(self, why: str, code: int) -> None:
        self._file.unlink(missing_ok=True)
        if self._is_ready and code >= 0:
            why = f"the shell ended, with exit code {code}: its variables are gone"
        self._context.died(why)


def _orders(path: str) -> bytes:
    """Three lines: when one is given up, the next is read all the same."""
    take = f"__sb_end=sb_{secrets.token_hex(8)}; __sb_take {path}"
    lines = (
        f'{take} && builtin eval "${{__sb_cell[0]}}" </dev/null',
        '__sb_tell "$?"',
        f"builtin printf 'end\\0' >&{ANSWERS}",
    )
    return "".join(f"{line}\n" for line in lines).encode()


def _refusal(message: Message, read: dict[str, str]) -> str | None:
    """Why a shell cannot take this cell."""
    bind = frames.child(message, "bind")
    for name in bind:
        if not _NAME.fullmatch(name):
            return f"{name!r} is no name of a variable"
    texts = (frames.text(message, "source"), *read.values(), *bind.values())
    if any(isinstance(text, str) and "\0" in text for text in texts):
        return "a shell holds no NUL: put such data into a file"
    return None


def _interrupted(code: int) -> str:
    return "interrupted" if code == 128 + signal.SIGINT else ""
