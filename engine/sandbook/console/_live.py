"""Tells a run on a terminal: what has ended stands above, what runs turns below."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from time import monotonic
from typing import TextIO

from rich.console import Console as RichConsole
from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from sandbook.console._lines import Line, encodable, signs_for
from sandbook.console._telling import Telling
from sandbook.console._text import clean, clean_coloured, duration
from sandbook.console._view import PlanView
from sandbook.events import Event

_STYLES = {
    "strong": "bold",
    "dim": "dim",
    "good": "green",
    "bad": "red",
    "warn": "yellow",
}
_SHOWN = 8
"""Running steps shown at once; more would scroll the terminal."""


class LiveConsole(Telling):
    """Lines as in a pipe, in colour; below them a live one for each running step."""

    def __init__(
        self, stream: TextIO, plan: PlanView | None = None, *, colour: bool = True
    ) -> None:
        super().__init__(plan or PlanView(), signs_for(stream.encoding))
        self._encoding = stream.encoding
        self._unannounced: dict[str, Line] = {}
        self._began: dict[str, float] = {}
        self._rich = RichConsole(
            file=stream,
            force_terminal=True,
            no_color=not colour,
            markup=False,
            emoji=False,
            highlight=False,
            soft_wrap=True,
        )
        dots = encodable("⠋", stream.encoding) == "⠋"
        self._spinner = Spinner("dots" if dots else "line", style="cyan")
        self._live = Live(
            console=self._rich,
            get_renderable=self._now,
            refresh_per_second=10,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def on_event(self, event: Event) -> None:
        """Tell what happened, and keep the live lines right."""
        step = event.fields.get("step")
        if event.name in ("run.started", "run.resumed"):
            self._live.start()
        if event.name == "step.started" and isinstance(step, str):
            self._began[step] = monotonic()
        if event.name == "step.finished" and isinstance(step, str):
            self._began.pop(step, None)
            # Else the line that has ended would stand below what is told of it.
            self._live.refresh()
        if event.name == "run.finished":
            self._live.stop()
        super().on_event(event)

    def close(self) -> None:
        """Give the terminal back as it was."""
        super().close()
        self._live.stop()

    def _now(self) -> Group:
        # A thread of rich draws this: what runs may change meanwhile.
        running = [path for path in self._innermost() if path in self._began]
        lines = [self._running_line(path) for path in running[:_SHOWN]]
        more = len(running) - _SHOWN
        return Group(*lines, *([Text(f"  and {more} more", "dim")] if more > 0 else ()))

    def _running_line(self, path: str) -> Text:
        now = monotonic()
        turning = self._spinner.render(now)
        line = turning if isinstance(turning, Text) else Text()
        took = duration(now - self._began.get(path, now))
        name = f" {self._names.padded(path)}"
        line = Text.assemble(self._names.indent(path), line, name, (f"  {took}", "dim"))
        line.truncate(self._rich.width, overflow="ellipsis")
        return line

    def _step_started(self, event: Event) -> Iterator[Line]:
        """Keep the line until something is told that belongs under it."""
        path = str(event.fields["step"])
        yield from self._announced(above=path)
        (self._unannounced[path],) = super()._step_started(event)

    def _step_finished(self, event: Event) -> Iterator[Line]:
        yield from super()._step_finished(event)
        self._unannounced.pop(str(event.fields["step"]), None)

    def _say(self, step: str, lines: Iterable[str]) -> None:
        said = tuple(lines)
        if said:
            self._write(*self._announced(above=f"{step}."))
            super()._say(step, said)

    def _announced(self, *, above: str) -> list[Line]:
        """The kept lines of the steps that this path stands in."""
        kept = [path for path in self._unannounced if above.startswith(f"{path}.")]
        return [self._unannounced.pop(path) for path in kept]

    def _write(self, *lines: Line) -> None:
        texts = (Text.assemble(*(self._styled(*s) for s in line)) for line in lines)
        if lines:
            self._rich.print(Text("\n").join(texts))

    def _styled(self, style: str, text: str) -> Text:
        text = encodable(text, self._encoding)
        if style != "foreign":
            return Text(text, _STYLES.get(style, ""))
        if "\x1b" not in text:
            return Text(clean(text))
        return Text.from_ansi(clean_coloured(text))
