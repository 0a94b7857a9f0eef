"""`write`: put a text or bytes into a file of the sandbox."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from sandbook.api import (
    JSON,
    Capability,
    Failure,
    Outcome,
    Sandbox,
    StepScope,
    VerbSpec,
)
from sandbook.verbs import _arguments as get
from sandbook.verbs._paths import in_folder
from sandbook.verbs._schemas import TEXT, described

SECRET_MODE = 0o600

SPEC = VerbSpec(
    name="write",
    summary="write a file in the sandbox",
    value=described(
        TEXT,
        "The path in the sandbox; a file there is replaced, folders above it are made.",
        "conf/app.ini",
    ),
    keys={
        "content": described(TEXT, "What the file holds.", "debug = true"),
        "base64": described(
            TEXT, "What the file holds, as base64: for bytes.", "aGVsbG8="
        ),
        "mode": described(
            {"type": "string", "x-kind": "octal"},
            "Permissions as octal digits; 0600 when the content has a secret.",
            "0755",
            default="0644",
        ),
    },
    one_of=("content", "base64"),
    fields={"path": "absolute path", "size": "bytes written"},
    subjects=("file",),
    repeatable=True,
)


class Write:
    """The verb."""

    spec = SPEC

    def requires(self, args: Mapping[str, object]) -> frozenset[Capability]:
        """`files`."""
        del args
        return frozenset({"files"})

    async def run(self, step: StepScope) -> Outcome:
        """Write the file, making the folders above it."""
        try:
            data = _content(step)
        except binascii.Error as error:
            return Outcome(failure=Failure(cause=f"base64 is not valid: {error}"))
        sandbox = await step.sandbox()
        path = in_folder(step.cwd, get.text(step.args, "write"))
        size = await sandbox.files.write(path, data, mode=_mode(step))
        return Outcome(fields=await _fields(sandbox, path, size))


async def _fields(sandbox: Sandbox, path: str, size: int) -> dict[str, JSON]:
    return {"path": (await sandbox.files.stat(path)).path, "size": size}


def _content(step: StepScope) -> bytes:
    encoded = get.optional_text(step.args, "base64")
    if encoded is not None:
        return base64.b64decode("".join(encoded.split()), validate=True)
    return get.as_bytes(get.text(step.args, "content"), "content")


def _mode(step: StepScope) -> int | None:
    written = get.optional_text(step.args, "mode")
    if written is not None:
        return int(written, 8)
    return SECRET_MODE if {"content", "base64"} & step.secret_args else None
