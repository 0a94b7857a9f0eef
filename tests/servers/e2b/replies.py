"""Decides whether a reply is one that the vendor's SDK understands.

Every body that has a model in the SDK goes through it before it is sent: one that the
model does not read back as it was, or that holds a name the model does not know, is an
error of this server.
"""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol, TypeVar, Union, cast, get_args, get_origin

import attrs
from protobuf import Message

Json = dict[str, Any]

# A bool is no int here.
_EXACTLY: tuple[type[object], ...] = (str, int, bool, datetime)


class ReplyRejectedError(Exception):
    """The SDK would not understand what was to be sent."""


class Model(Protocol):
    """A class of `e2b.api.client.models`."""

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Any: ...


_MessageT = TypeVar("_MessageT", bound=Message[Any])


def checked(model: type[Model], body: Json) -> Json:
    """The body, when the control API's model reads it."""
    try:
        read = model.from_dict(body)
    except (KeyError, ValueError, TypeError) as error:
        raise ReplyRejectedError(
            f"{model.__name__} cannot read {body}: {error!r}"
        ) from error
    _look_at(read, body)
    return body


def checked_message(message: type[_MessageT], body: Json) -> bytes:
    """The body as JSON, when envd's message reads it."""
    data = json.dumps(body).encode()
    try:
        message.from_json(data)
    except Exception as error:
        raise ReplyRejectedError(
            f"{message.__name__} cannot read {body}: {error}"
        ) from error
    return data


def _look_at(read: Any, body: Json) -> None:
    kind = cast("type[attrs.AttrsInstance]", type(read))
    unknown = getattr(read, "additional_properties", None)
    if unknown:
        raise ReplyRejectedError(f"{kind.__name__} does not know {sorted(unknown)}")
    for field in attrs.fields(kind):
        value = getattr(read, field.name)
        if field.name != "additional_properties" and not _fits(value, field.type):
            raise ReplyRejectedError(
                f"{kind.__name__}.{field.name} cannot be {value!r}: {body}"
            )
        if hasattr(value, "__attrs_attrs__"):
            _look_at(value, body)


def _fits(value: object, hint: object) -> bool:
    """Whether a value is of its declared type, as deep as simple types go."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in get_args(hint))
    if origin is list:
        items = cast("list[object]", value)
        return isinstance(value, list) and all(
            _fits(item, get_args(hint)[0]) for item in items
        )
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is Any or not isinstance(hint, type):
        return True
    return type(value) is hint if hint in _EXACTLY else isinstance(value, hint)
