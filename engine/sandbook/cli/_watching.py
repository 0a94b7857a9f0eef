"""Run again whenever a file changes that the runbooks are made of."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from sandbook.cli._main import error_words
from sandbook.cli._words import counted, warn
from sandbook.errors import SandbookError
from sandbook.events import Event
from sandbook.plan import every_step
from sandbook.runbook import Runbook

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver

    from sandbook.cli._opening import Opened
    from sandbook.runner import RunRequest

    Ready: TypeAlias = list[tuple[Opened, RunRequest]]

_QUIET: Final = 0.2
"""Seconds without a further change: editors write a file in several strokes."""

_CHANGES: Final = frozenset({"created", "modified", "deleted", "moved"})


def keep_running(
    files: Sequence[str], prepare: Callable[[], Ready], run: Callable[[Ready], int]
) -> int:
    """Run, and again after each change, until somebody interrupts; the last code."""
    stopped, code = _Stopped(), 0
    while True:
        ready: Ready = []
        sources = frozenset(Path(file).absolute() for file in files)
        try:
            ready = [
                (each, replace(request, observers=(*request.observers, stopped)))
                for each, request in prepare()
            ]
            sources |= sources_of(opened.book for opened, _ in ready)
        except SandbookError as error:
            warn(*error_words(error))
            code = error.exit_code
        with Changes(sources) as changes:
            if ready:
                code = run(ready)
            if stopped.is_stopped:
                return code
            told = f"waiting for changes of {counted(len(sources), 'path')}; Ctrl-C"
            try:
                # Whoever reads it may answer at once.
                warn("", told)
                changed = changes.wait()
            except KeyboardInterrupt:
                return code
        warn(f"{changed.name} has changed", "")


class _Stopped:
    """An observer that hears of a Ctrl-C, even of one that came too late to cancel."""

    def __init__(self) -> None:
        self.is_stopped = False

    def on_event(self, event: Event) -> None:
        if event.name == "run.cancelling":
            self.is_stopped = True


def sources_of(books: Iterable[Runbook]) -> frozenset[Path]:
    """The files and folders of this computer that the runbooks are made of."""
    return frozenset(path for book in books for path in _sources(book))


def _sources(book: Runbook) -> Iterator[Path]:
    yield book.path.absolute()
    for spec in book.inputs.values():
        if spec.type == "file" and isinstance(spec.default, str):
            yield (book.folder / spec.default).absolute()
    for step in every_step(book):
        if step.used is not None:
            yield step.used.path.absolute()
        source = step.args.get("copy")
        if isinstance(source, str):
            yield (book.folder / source).absolute()


class Changes(AbstractContextManager["Changes"]):
    """Notices changes of some files, and of all below some folders."""

    def __init__(self, sources: Iterable[Path]) -> None:
        self._sources = frozenset(sources)
        self._changed = threading.Event()
        self._last: Path | None = None
        self._observer: BaseObserver = Observer()

    def __enter__(self) -> Self:
        """Begin to look; nothing that changes from here on is missed."""
        told = _Told(self._hear)
        folders = {source for source in self._sources if source.is_dir()}
        for folder in folders:
            self._observer.schedule(told, str(folder), recursive=True)
        for folder in {source.parent for source in self._sources} - folders:
            if folder.is_dir():
                self._observer.schedule(told, str(folder), recursive=False)
        self._observer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Look no longer."""
        self._observer.stop()
        self._observer.join()

    def wait(self) -> Path:
        """Wait until something has changed, and then nothing for a moment."""
        # With a limit, since a wait without one cannot be interrupted everywhere.
        while not self._changed.wait(3600.0):
            pass
        while True:
            self._changed.clear()
            if not self._changed.wait(_QUIET):
                break
        return self._last or next(iter(self._sources))

    def _hear(self, path: Path) -> None:
        if path in self._sources or not self._sources.isdisjoint(path.parents):
            self._last = path
            self._changed.set()


class _Told(FileSystemEventHandler):
    def __init__(self, hear: Callable[[Path], None]) -> None:
        self._hear = hear

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Hand on what changes a file; that one was read changes nothing."""
        if event.event_type in _CHANGES and not event.is_directory:
            for path in (event.src_path, event.dest_path):
                if path:
                    self._hear(Path(str(path)))
