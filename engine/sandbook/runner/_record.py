"""How steps are told: what their events hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from sandbook.api import JSON, Bound
from sandbook.expressions import as_written
from sandbook.runner._context import BookContext, as_json
from sandbook.runner._items import Item
from sandbook.runner._results import StepResult

LARGE = 64 << 10
"""Characters above which a text of a result is left to the output file."""


class Record:
    """Writes the events of steps."""

    def __init__(self, context: BookContext) -> None:
        self._context = context

    def key(self, item: Item, attempt: int) -> str:
        """The name of one try, for good."""
        return f"{self._context.run}/{item.path}/{attempt}"

    def next_attempt(self, item: Item) -> int:
        """The number of a new try.

        Counted over the whole run: a step inside one that is tried again would
        otherwise use its key a second time.
        """
        tries = self._context.whole.tries
        tries[item.path] += 1
        return tries[item.path]

    def started(self, item: Item, attempt: int, args: Mapping[str, Bound]) -> None:
        """A try begins with these values."""
        self._context.recorder.emit(
            "step.started",
            step=item.path,
            attempt=attempt,
            key=self.key(item, attempt),
            verb=item.step.verb,
            sandbox=self._context.plan.sandbox_of(item.step),
            bound_hash=self._hash(args),
            **self._about(item),
        )

    def finished(
        self,
        item: Item,
        result: StepResult,
        *,
        attempt: int,
        artifacts: tuple[str, ...] = (),
        retry_in: float | None = None,
    ) -> None:
        """A try, or a step that never began, ended with this result."""
        code = result.fields.get("exit")
        self._context.recorder.emit(
            "step.finished",
            step=item.path,
            attempt=attempt,
            status=result.status,
            code=code if isinstance(code, int) else None,
            saved=dict(result.values),
            results={k: _short(v) for k, v in result.fields.items()},
            artifacts=list(artifacts),
            seconds=round(result.seconds, 4),
            cause=result.failure.cause if result.failure else result.reason,
            allowed=result.allowed,
            **({} if retry_in is None else {"retry_in": round(retry_in, 3)}),
            **self._about(item),
        )

    def output(self, fields: Mapping[str, JSON] | None) -> None:
        """A try has said all it had to say; None = it said nothing."""
        if fields is not None:
            self._context.recorder.emit("step.output", **fields)

    def label(self, item: Item) -> str:
        """What people read."""
        around = item.around
        if not item.knows(item.step.label):
            return as_written(item.step.label)
        scope = self._context.scope(
            around.extra, env=around.env, written=around.written, results=around.results
        )
        return self._context.label_of(item.step, scope)

    def _about(self, item: Item) -> dict[str, JSON]:
        return {"label": self.label(item), "location": str(item.step.at)}

    def _hash(self, args: Mapping[str, Bound]) -> str:
        plain = {key: as_json(value) for key, value in args.items()}
        masked = self._context.whole.masker.data(plain)
        text = json.dumps(masked, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _short(value: JSON) -> JSON:
    if isinstance(value, str) and len(value) > LARGE:
        return {"characters": len(value), "stored": "output"}
    return value
