"""Decides which facts of a run are told, in which words and in which order.

Consoles differ only in how a line reaches the reader.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from sandbook.api import JSON, StreamName
from sandbook.console._lines import Line, Signs, Span, Style
from sandbook.console._summary import summary, title_of
from sandbook.console._text import LineReader, clean, counted, duration
from sandbook.console._view import Names, PlanView
from sandbook.events import Event
from sandbook.report import ReportFold

_TAIL = 10
"""Lines of output repeated at the end for the step that failed."""

_UNTOLD = frozenset(("created", "adopted", "reused", "not_set_up"))
"""Outcomes of a provider that need no line.

Its sandbox speaks for itself, or nobody expected one of it.
"""


class Console(Protocol):
    """An observer that tells a run to people."""

    def on_event(self, event: Event) -> None:
        """Tell what happened."""
        ...

    def on_output(self, step: str, stream: StreamName, data: bytes) -> None:
        """Show a piece of output."""
        ...

    def on_note(self, step: str, text: str) -> None:
        """Say what a step says."""
        ...

    def close(self) -> None:
        """Leave the stream as it was found; no run has to have ended."""
        ...


class Telling(ABC):
    """The telling of one run, line by line."""

    def __init__(self, plan: PlanView, signs: Signs) -> None:
        self._plan = plan
        self._signs = signs
        self._names = Names(plan)
        self._fold = ReportFold()
        self._running: dict[str, int] = {}
        self._spoke: str | None = None
        self._readers: dict[tuple[str, StreamName], LineReader] = {}
        self._tails: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=_TAIL))
        self._tellers: Mapping[str, Callable[[Event], Iterable[Line]]] = {
            "run.started": self._started,
            "provider.tried": self._tried,
            "sandbox.created": self._ready,
            "sandbox.attached": self._ready,
            "step.started": self._step_started,
            "step.finished": self._step_finished,
            "finally.started": lambda _: [(("dim", "finally"),)],
            "run.cancelling": self._cancelling,
            "run.resumed": self._resumed,
            "run.finished": self._finished,
        }

    @abstractmethod
    def _write(self, *lines: Line) -> None:
        """Bring lines to the reader, at once."""

    def on_event(self, event: Event) -> None:
        """Tell what happened."""
        self._fold.add(event)
        self._names.learn(event)
        tell = self._tellers.get(event.name)
        if tell:
            self._write(*tell(event))

    def on_output(self, step: str, stream: StreamName, data: bytes) -> None:
        """Show the lines that are complete now."""
        reader = self._readers.setdefault((step, stream), LineReader())
        self._say(step, reader.feed(data))

    def on_note(self, step: str, text: str) -> None:
        """Say what a step says."""
        indent = self._names.indent(step) + "  "
        sign: Span = ("warn", f"{indent}{self._signs.warning} ")
        said = (clean(line) for line in text.splitlines())
        self._write(*_after(sign, said, style="plain"))

    def close(self) -> None:
        """Show what is left of the output."""
        self._flush_all()

    def _say(self, step: str, lines: Iterable[str]) -> None:
        indent = self._names.indent(step) + "  "
        who = f"{self._names.label(step)} " if self._is_ambiguous(step) else ""
        prefix: Span = ("dim", f"{indent}{who}{self._signs.bar} ")
        said = tuple(lines)
        if said:
            self._spoke = step
            self._tails[step].extend(said[-_TAIL:])
            self._write(*_after(prefix, said, style="foreign"))

    def _is_ambiguous(self, step: str) -> bool:
        """Whether output could be taken for that of another step."""
        return self._innermost() != [step]

    def _innermost(self) -> list[str]:
        """The running steps that wait for no other one."""
        running = tuple(self._running)
        waiting = {above for path in running for above in _above(path)}
        return [path for path in running if path not in waiting]

    def _flush(self, step: str) -> None:
        for key in [key for key in self._readers if key[0] == step]:
            self._say(step, self._readers.pop(key).flush())

    def _flush_all(self) -> None:
        for step, _ in tuple(self._readers):
            self._flush(step)

    def _title(self) -> str:
        return title_of(self._fold.report(), self._plan.name)

    def _started(self, event: Event) -> Iterator[Line]:
        steps = f", {counted(self._names.count, 'step')}" if self._names.count else ""
        file = clean(_text(event, "file"))
        title = self._title()
        place = f"  {file}" if file != title else ""
        yield (("strong", title), ("dim", place))
        yield (("dim", f"run {event.run}{steps}"),)
        yield ()

    def _tried(self, event: Event) -> Iterator[Line]:
        outcome = _text(event, "outcome")
        if outcome in _UNTOLD:
            return
        why = clean(_text(event, "reason") or outcome.replace("_", " "))
        who = clean(_text(event, "provider"))
        yield (("dim", f"{self._signs.skipped} {who} is not used: {why}"),)

    def _ready(self, event: Event) -> Iterator[Line]:
        ref = event.fields.get("ref")
        provider = ref.get("provider") if isinstance(ref, Mapping) else ""
        verb = "ready" if event.name == "sandbox.created" else "joined"
        what = f"{provider}, {_text(event, 'isolation')}"
        yield (
            ("good", f"{self._signs.passed} "),
            ("plain", clean(f"sandbox {_text(event, 'name')} is {verb}: {what}")),
        )

    def _step_started(self, event: Event) -> Iterator[Line]:
        path, attempt = _text(event, "step"), _whole(event, "attempt")
        self._running[path] = attempt
        self._spoke = path
        self._tails.pop(path, None)
        sign = f"{self._names.indent(path)}{self._signs.started} "
        again = f"  (try {attempt})" if attempt > 1 else ""
        yield (("dim", sign), ("plain", self._names.numbered(path)), ("dim", again))

    def _step_finished(self, event: Event) -> Iterator[Line]:
        path = _text(event, "step")
        self._flush(path)
        self._running.pop(path, None)
        style, sign, said = self._outcome(event)
        if style in ("good", "dim"):
            self._tails.pop(path, None)
        took = _seconds(event)
        yield (
            (style, f"{self._names.indent(path)}{sign} "),
            ("plain", self._names.padded(path)),
            ("dim", f"  {duration(took)}" if took is not None else ""),
            (style, f"  {said}" if said else ""),
        )

    def _outcome(self, event: Event) -> tuple[Style, str, str]:
        """Style, sign and the words after the duration."""
        status = _text(event, "status")
        cause = clean(_text(event, "cause").partition("\n")[0])
        wait = event.fields.get("retry_in")
        if status == "passed":
            return "good", self._signs.passed, ""
        if status in ("skipped", "cancelled"):
            return "dim", self._signs.skipped, f"{status}: {cause}" if cause else status
        if isinstance(wait, int | float):
            return "warn", self._signs.again, f"{cause}; again in {duration(wait)}"
        if event.fields.get("allowed") is True:
            return "warn", self._signs.warning, f"failed, which is allowed: {cause}"
        return "bad", self._signs.failed, cause or status.replace("_", " ")

    def _cancelling(self, event: Event) -> Iterator[Line]:
        by = clean(_text(event, "by"))
        yield (
            ("warn", f"{self._signs.warning} stopping ({by}): "),
            ("plain", "clean-up still runs; interrupt again to leave at once"),
        )

    def _resumed(self, event: Event) -> Iterator[Line]:
        step = _text(event, "from_step")
        where = f" at {self._names.label(step)}" if step else ""
        yield (("strong", f"{self._title()} goes on{where}"),)
        yield (("dim", f"run {event.run}"),)
        yield ()

    def _finished(self, _: Event) -> Iterator[Line]:
        self._flush_all()
        report = self._fold.report()
        failed = report.failed_step
        # What stands right above is not said twice.
        shown = failed is None or failed == self._spoke
        tail = () if shown else tuple(self._tails.get(failed or "", ()))
        yield from summary(
            report, self._names, self._signs, title=self._title(), tail=tail
        )


def _after(prefix: Span, texts: Iterable[str], *, style: Style) -> Iterator[Line]:
    for text in texts:
        yield prefix, (style, text)


def _above(path: str) -> Iterator[str]:
    """The paths of the steps that this one stands in."""
    while path := path.rpartition(".")[0]:
        yield path


def _text(event: Event, key: str) -> str:
    value = event.fields.get(key)
    return value if isinstance(value, str) else ""


def _whole(event: Event, key: str) -> int:
    value: JSON = event.fields.get(key)
    return value if isinstance(value, int) else 1


def _seconds(event: Event) -> float | None:
    value = event.fields.get("seconds")
    ran = event.fields.get("status") != "skipped"
    return value if ran and isinstance(value, int | float) else None
