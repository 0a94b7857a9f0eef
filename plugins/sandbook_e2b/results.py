"""What E2B's code interpreter tells of a cell, as the contract's events, and kept."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any

from sandbook.api import CodeEvent, Done, Failed, Rich, Text

_CHART = "application/vnd.e2b.chart+json"


def rich(result: Any) -> Rich:
    """A `Result` of the SDK, which does not tell its types, by MIME types."""
    data: dict[str, bytes] = {}
    for name, (kind, encoded) in _FORMS.items():
        if result[name] is not None:
            data[kind] = encoded(result[name])
    if result.chart is not None:
        data[_CHART] = _json(result.chart.to_dict())
    extra: Mapping[str, Any] = result.extra or {}
    for kind, value in extra.items():
        data.setdefault(kind, _text(value) if isinstance(value, str) else _json(value))
    return Rich(data=data, main=bool(result.is_main_result))


def _text(value: str) -> bytes:
    return value.encode("utf-8", "replace")


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except binascii.Error:
        return _text(text)


_FORMS: Mapping[str, tuple[str, Callable[[Any], bytes]]] = {
    "text": ("text/plain", _text),
    "html": ("text/html", _text),
    "markdown": ("text/markdown", _text),
    "svg": ("image/svg+xml", _text),
    "latex": ("text/latex", _text),
    "javascript": ("application/javascript", _text),
    "png": ("image/png", _decoded),
    "jpeg": ("image/jpeg", _decoded),
    "pdf": ("application/pdf", _decoded),
    "json": ("application/json", _json),
    "data": ("application/vnd.e2b.data+json", _json),
}


def written(events: list[CodeEvent]) -> bytes:
    """Events, to be told again."""
    return json.dumps([_written(event) for event in events]).encode()


def _written(event: CodeEvent) -> list[Any]:
    if isinstance(event, Text):
        return ["text", event.stream, event.data]
    if isinstance(event, Rich):
        data = {kind: base64.b64encode(v).decode() for kind, v in event.data.items()}
        return ["rich", data, event.main]
    if isinstance(event, Failed):
        return ["failed", event.name, event.value, event.traceback]
    values = dict(event.values)
    return ["done", event.status, values, event.state_kept, event.count]


def read(data: bytes) -> list[CodeEvent]:
    """Read what `written` made."""
    return [_read(*told) for told in json.loads(data)]


def _read(kind: str, *told: Any) -> CodeEvent:
    if kind == "text":
        return Text(stream=told[0], data=told[1])
    if kind == "rich":
        data = {mime: base64.b64decode(v) for mime, v in told[0].items()}
        return Rich(data=data, main=told[1])
    if kind == "failed":
        return Failed(name=told[0], value=told[1], traceback=told[2])
    status, values, state_kept, count = told
    return Done(status=status, values=values, state_kept=state_kept, count=count)
