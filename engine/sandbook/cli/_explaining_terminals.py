"""A script of a terminal in plain English."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from sandbook.expressions import Value, as_written
from sandbook.runbook import Step
from sandbook.units import format_duration


def terminal_sentence(step: Step) -> str:
    """What the program is, and that somebody talks to it."""
    value = step.args["pty"]
    size = f" of {as_written(step.args['size'])}" if "size" in step.args else ""
    if isinstance(value, Mapping):
        return f"come back to the terminal of the process {as_written(value['pid'])}"
    words = " ".join(map(as_written, value)) if isinstance(value, tuple) else ""
    program = words or as_written(value).strip().partition("\n")[0]
    return f"start `{program}` in a terminal{size} and talk to it"


def script_words(step: Step) -> Iterator[tuple[int, str]]:
    """The lines of its script in words, and how deep each stands."""
    yield from _lines(step.args.get("script"), 0)


def _lines(script: Value, depth: int) -> Iterator[tuple[int, str]]:
    for line in script if isinstance(script, tuple) else ():
        if isinstance(line, Mapping):
            yield from _line(line, depth)


def _line(line: Mapping[str, Value], depth: int) -> Iterator[tuple[int, str]]:
    name = next((key for key in line if key in _SENTENCES or key == "choose"), None)
    if name is None:
        return
    if name == "choose":
        yield depth, f"wait for one of these{_within(line)}:"
        yield from _choices(line[name], depth + 1)
        return
    yield depth, f"{_SENTENCES[name](line[name])}{_within(line)}"


def _choices(choices: Value, depth: int) -> Iterator[tuple[int, str]]:
    for choice in choices if isinstance(choices, tuple) else ():
        if not isinstance(choice, Mapping):
            continue
        sought = _see(choice["see"]) if "see" in choice else ""
        again = ", then wait again" if choice.get("again") is True else ""
        words = sought or _see_regex(choice.get("see_regex"))
        yield depth, f"{words.removeprefix('wait for ')}{again}"
        yield from _lines(choice.get("then"), depth + 1)


def _within(line: Mapping[str, Value]) -> str:
    within = line.get("within")
    if within is None:
        return ""
    told = as_written(within)
    if isinstance(within, int | float):
        told = format_duration(within)
    return f", for at most {told}" if "not_see" not in line else f", for {told}"


def _see(value: Value) -> str:
    return f"wait for the text `{as_written(value)}`"


def _see_regex(value: Value) -> str:
    return f"wait for something like `{as_written(value)}`"


def _enter(value: Value) -> str:
    text = as_written(value)
    return f"type `{text}` and press Enter" if text else "press Enter"


def _press(value: Value) -> str:
    keys = [as_written(one) for one in value] if isinstance(value, tuple) else []
    return f"press {', '.join(keys) or as_written(value)}"


def _idle(value: Value) -> str:
    told = format_duration(value) if isinstance(value, int | float) else "a while"
    return f"wait until nothing is shown for {told}"


def _exit(value: Value) -> str:
    code = as_written(value)
    return f"wait for its end{'' if code == 'any' else f', with the code {code}'}"


def _fixed(words: str) -> Callable[[Value], str]:
    return lambda _: words


_SENTENCES: Final[Mapping[str, Callable[[Value], str]]] = MappingProxyType(
    {
        "see": _see,
        "see_regex": _see_regex,
        "not_see": lambda value: f"make sure that `{as_written(value)}` is not there",
        "enter": _enter,
        "type": lambda value: f"type `{as_written(value)}`",
        "paste": lambda value: f"paste `{as_written(value)}`",
        "secret": _fixed("type a secret once the terminal hides what is typed"),
        "press": _press,
        "wait_idle": _idle,
        "resize": lambda value: f"make the terminal {as_written(value)}",
        "snapshot": lambda value: f"compare the screen with `{as_written(value)}`",
        "disconnect": _fixed("leave it running"),
        "reconnect": _fixed("come back to it"),
        "expect_exit": _exit,
    }
)
