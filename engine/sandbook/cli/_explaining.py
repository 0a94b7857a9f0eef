"""A runbook in plain English: what it asks for, does, and leaves behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from textwrap import wrap
from types import MappingProxyType
from typing import Final

from sandbook.api import VerbSpec
from sandbook.cli._explaining_terminals import script_words, terminal_sentence
from sandbook.cli._steps import title_of
from sandbook.expressions import Value, as_written
from sandbook.runbook import InputSpec, Retry, Runbook, Step
from sandbook.units import format_duration

_WIDTH: Final = 78
_KINDS: Final = MappingProxyType(
    {
        "string": "a text",
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "choice": "a choice",
        "file": "a file",
    }
)
_MATCHERS: Final = MappingProxyType(
    {
        "equals": "be {}",
        "contains": "contain {}",
        "not_contains": "not contain {}",
        "matches": "match the pattern {}",
        "more_than": "be more than {}",
        "less_than": "be less than {}",
        "one_of": "be one of {}",
    }
)


def book_words(book: Runbook, specs: Mapping[str, VerbSpec]) -> Iterator[str]:
    """The whole runbook in lines of at most 78 characters."""
    yield title_of(book) or as_written(book.name)
    if book.description:
        yield from _filled(book.description, "  ")
    yield from _asked(book)
    for heading, steps in (
        ("First, to set up:", book.setup),
        ("It does this, from top to bottom; the first failure stops it:", book.steps),
        ("At the end, whatever happened:", book.final),
    ):
        if steps:
            yield from ("", heading)
            yield from _list(steps, specs, "  ")
    yield from _left(book)


def _asked(book: Runbook) -> Iterator[str]:
    if book.inputs:
        yield from ("", "You give it:")
    for spec in book.inputs.values():
        yield from _filled(f"- {_input(spec)}", "  ", "    ")
    if book.secrets:
        names = _and(book.secrets)
        yield from ("", f"It needs the secret values {names}, which it never shows.")


def _input(spec: InputSpec) -> str:
    kind = f"one of {', '.join(spec.options)}" if spec.options else _KINDS[spec.type]
    if spec.minimum is not None:
        kind += f", at least {spec.minimum:g}"
    if spec.maximum is not None:
        kind += f", at most {spec.maximum:g}"
    about = f" ({spec.description})" if spec.description else ""
    if spec.required:
        return f"{spec.name}: {kind}{about}; must be given"
    usual = json.dumps(spec.default, ensure_ascii=False)
    return f"{spec.name}: {kind}{about}; {usual} if you do not say"


def _left(book: Runbook) -> Iterator[str]:
    if book.artifacts:
        kept = _and([as_written(each.path) for each in book.artifacts])
        yield from ("", *_filled(f"You get the files {kept}.", ""))
    if book.outputs:
        yield from ("", *_filled(f"It works out {_and(tuple(book.outputs))}.", ""))
    if isinstance(book.timeout, int | float):
        yield from ("", f"All in all it may take {format_duration(book.timeout)}.")
    yield from ("", "It runs in a sandbox of its own, which is removed afterwards.")


def _list(
    steps: Sequence[Step], specs: Mapping[str, VerbSpec], indent: str
) -> Iterator[str]:
    for number, step in enumerate(steps, start=1):
        sign = f"{number}. "
        inner = indent + " " * len(sign)
        yield from _filled(f"{sign}{_sentence(step, specs[step.verb])}", indent, inner)
        for clause in _clauses(step, specs[step.verb]):
            yield from _filled(f"{clause}.", inner)
        for depth, words in script_words(step):
            lead = inner + "  " * depth
            yield from _filled(f"- {words}", lead, lead + "  ")
        for children in step.children.values():
            yield from _list(children, specs, inner)
        if step.used is not None:
            yield from _list(step.used.steps, specs, inner)


def _sentence(step: Step, spec: VerbSpec) -> str:
    tell = _SENTENCES.get(step.verb)
    told = tell(step) if tell else f"{spec.summary}: {_quoted(step.args[step.verb])}"
    if step.is_named:
        told = f"{as_written(step.label)}: {told}"
    where = f", in the sandbox {step.sandbox}" if step.sandbox else ""
    return f"{told[:1].upper()}{told[1:]}{where}."


def _command(step: Step) -> str:
    value = step.args["command"]
    run = "start" if step.args.get("background") is True else "run"
    told = f"{run} {_quoted(value)}"
    if isinstance(value, tuple):
        told = f"{run} the program {_code(' '.join(as_written(v) for v in value))}"
    if run == "run":
        return told
    ready = step.args.get("ready")
    told += " and leave it running"
    return f"{told}, once its {_entries(ready)} is there" if ready else told


def _run_code(step: Step) -> str:
    language = as_written(step.args.get("language")) or "python"
    given = step.args.get("with")
    known = f", with {_and(tuple(given))}" if isinstance(given, Mapping) else ""
    context = step.args.get("context")
    where = f", among the variables of {as_written(context)}" if context else ""
    return f"run this {language} code: {_quoted(step.args['run_code'])}{known}{where}"


def _write(step: Step) -> str:
    return f"write the file {_quoted(step.args['write'])}"


def _copy(step: Step) -> str:
    to = f", as {_quoted(step.args['to'])}" if "to" in step.args else ""
    return f"copy {_quoted(step.args['copy'])} from this computer into the sandbox{to}"


def _fetch(step: Step) -> str:
    to = f", as {_quoted(step.args['to'])}" if "to" in step.args else ""
    return f"bring {_quoted(step.args['fetch'])} out of the sandbox{to}"


def _check(step: Step) -> str:
    value = step.args["check"]
    if not isinstance(value, Mapping):
        return f"check that {_quoted(value)} is true"
    of = ""
    if "http" in value:
        of = f" the answer of {_quoted(value['http'])}"
    elif "step" in value:
        of = f" the result of {_quoted(value['step'])}"
    musts = _musts({k: v for k, v in value.items() if k not in _NO_SUBJECTS})
    within = value.get("within")
    again = f", within {_duration(within)}" if within else ""
    return f"check{of or ' this'}: {_and(musts)}{again}" if musts else f"check{of}"


def _create(step: Step) -> str:
    options = step.args.get("create")
    name = options.get("as", "main") if isinstance(options, Mapping) else "main"
    return f"make the sandbox {name}"


def _teardown(step: Step) -> str:
    name = step.args.get("teardown")
    return f"end the sandbox {name}" if name else "end the sandbox"


def _use(step: Step) -> str:
    given = step.args.get("with")
    gives = f", giving it {_entries(given)}" if given else ""
    return f"do all that {_quoted(step.args['use'])} does{gives}"


def _parallel(step: Step) -> str:
    del step
    return "do these at the same time"


def _watch(step: Step) -> str:
    value = _quoted(step.args["watch"])
    if step.children.get("during"):
        return f"watch what happens to {value} while it does this"
    return f"wait until something happens to {value}"


def _watch_clauses(step: Step) -> Iterator[str]:
    expect = step.args.get("expect")
    for each in expect if isinstance(expect, tuple) else ():
        if isinstance(each, Mapping):
            yield _expected_change(each)
    if "only" in step.args:
        yield f"Nothing but {_quoted_all(step.args['only'])} may change there"
    if "ignore" in step.args:
        yield f"It does not look at {_quoted_all(step.args['ignore'])}"


def _expected_change(wanted: Mapping[str, Value]) -> str:
    path = _quoted(wanted["path"]) if "path" in wanted else "something"
    events = wanted.get("event", "changed")
    several = events if isinstance(events, tuple) else (events,)
    told = f"{path} must be {' or '.join(map(as_written, several))}"
    if "within" in wanted:
        told += f" within {_duration(wanted['within'])}"
    if "settled" in wanted:
        told += f", and then stay as it is for {_duration(wanted['settled'])}"
    return told[:1].upper() + told[1:]


def _quoted_all(value: Value) -> str:
    several = value if isinstance(value, tuple) else (value,)
    return _and([_quoted(each) for each in several])


_NO_SUBJECTS: Final = frozenset({"http", "headers", "step", "within"})
_SENTENCES: Final[Mapping[str, Callable[[Step], str]]] = MappingProxyType(
    {
        "command": _command,
        "run_code": _run_code,
        "write": _write,
        "copy": _copy,
        "fetch": _fetch,
        "check": _check,
        "create": _create,
        "teardown": _teardown,
        "use": _use,
        "parallel": _parallel,
        "pty": terminal_sentence,
        "watch": _watch,
    }
)


def _clauses(step: Step, spec: VerbSpec) -> Iterator[str]:
    """What else was said of a step; nothing for what is as usual."""
    if step.condition is not True:
        yield f"Only if {_quoted(step.condition)}"
    if step.is_loop:
        yield f"Once for each of {_quoted(step.for_each)}"
    yield from _expected(step)
    if step.save:
        yield f"It keeps {_and(tuple(step.save))} for later"
    retry = step.retry
    if isinstance(retry, Retry) and retry.times != 0:
        times, pause = as_written(retry.times), _duration(retry.wait)
        yield f"If it fails it is tried {times} more times, {pause} apart"
    if step.timeout != spec.timeout and step.timeout is not None:
        yield f"It may take {_duration(step.timeout)}"
    if step.allow_failure is True:
        yield "If it fails, the rest goes on and the run can still pass"


def _expected(step: Step) -> Iterator[str]:
    if step.verb == "watch":
        yield from _watch_clauses(step)
    if isinstance(step.expect, Mapping):
        yield f"Afterwards {_and(_musts(step.expect))}"


def _musts(subjects: Mapping[str, Value]) -> list[str]:
    return [_must(name, value) for name, value in subjects.items()]


def _must(name: str, value: Value) -> str:
    if name == "file":
        return _file_must(value)
    if isinstance(value, Mapping) and value.keys() <= _MATCHERS.keys():
        parts = [_MATCHERS[k].format(_quoted(each)) for k, each in value.items()]
        return f"its {name} must {_and(parts)}"
    if isinstance(value, Mapping):
        return f"its {name} must have {_entries(value)}"
    if name in ("exit", "status"):
        free = "may be anything" if value == "any" else f"must be {as_written(value)}"
        return f"its {name} {free}"
    return f"its {name} must contain {_quoted(value)}"


def _file_must(value: Value) -> str:
    if isinstance(value, tuple):
        return _and([_file_must(each) for each in value])
    if not isinstance(value, Mapping):
        return f"the file {_quoted(value)} must be there"
    told = f"the file {_quoted(value.get('path'))} must"
    if value.get("exists") is False:
        return f"{told} not be there"
    parts = [f for k, v in value.items() for f in _of_file(k, v)]
    return f"{told} {_and(parts or ['be there'])}"


def _of_file(key: str, value: Value) -> Iterator[str]:
    if key in _MATCHERS:
        yield _MATCHERS[key].format(_quoted(value))
    elif key == "size":
        yield f"have the size {_entries(value)}"


def _entries(value: Value) -> str:
    if not isinstance(value, Mapping):
        return as_written(value)
    return _and([f"{key} {_quoted(each)}" for key, each in value.items()])


def _duration(value: Value) -> str:
    if isinstance(value, int | float):
        return format_duration(float(value))
    return as_written(value)


def _quoted(value: Value) -> str:
    """A value as it was written, its first line when it has several."""
    if isinstance(value, bool | int | float) or value is None:
        return as_written(value)
    line = _first_line(value)
    more = len(as_written(value).strip().splitlines()) - 1
    also = f" and {more} more {'line' if more == 1 else 'lines'}" if more > 0 else ""
    return f"{_code(line)}{also}"


def _code(text: str) -> str:
    return f"`{text}`"


def _first_line(value: Value) -> str:
    return next(iter(as_written(value).strip().splitlines()), "")


def _and(words: Sequence[str]) -> str:
    if len(words) < 2:  # noqa: PLR2004 - with two there is an "and"
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _filled(text: str, indent: str, further: str | None = None) -> Sequence[str]:
    later = indent if further is None else further
    lines = wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines or [indent]
