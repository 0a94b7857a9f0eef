"""A few verbs, so that tests of the loader do not depend on what the real ones take."""

from __future__ import annotations

from collections.abc import Mapping

from sandbook.api import Schema, VerbSpec

TEXT: Schema = {"type": "string", "x-kind": "text"}
LINE: Schema = {"type": "string", "x-kind": "line"}
SHELL: Schema = {"type": "string", "x-kind": "shell"}
NAME: Schema = {"type": "string", "x-kind": "name"}
FREE: Schema = {"x-kind": "free"}
TEXTS: Schema = {"type": "array", "items": TEXT, "minItems": 1}
TEXT_MAP: Schema = {"type": "object", "additionalProperties": TEXT}
DURATION: Schema = {"type": "string", "x-kind": "duration"}


def keys(**properties: Schema) -> Schema:
    """A map with just these keys."""
    return {"type": "object", "properties": properties, "additionalProperties": False}


COMMAND = VerbSpec(
    name="command",
    summary="run something",
    value={"anyOf": [SHELL, TEXTS]},
    keys={
        "stdin": TEXT,
        "shell": {"type": "string", "enum": ["bash", "sh"]},
        "background": {"type": "boolean"},
        "ready": keys(
            port={"type": "integer", "minimum": 1, "maximum": 65535},
            command=SHELL,
            within=DURATION,
        ),
    },
    fields={"exit": "", "stdout": "", "text": "", "json": ""},
    subjects=("exit", "stdout", "output", "json", "values", "file"),
)
WRITE = VerbSpec(
    name="write",
    summary="write a file",
    value=TEXT,
    keys={
        "content": TEXT,
        "mode": {"type": "string", "x-kind": "octal"},
        "limit_to": {"type": "string", "x-kind": "size"},
    },
    required=("content",),
    fields={"path": "", "size": ""},
    subjects=("file",),
)
RUN_CODE = VerbSpec(
    name="run_code",
    summary="run code",
    value={"type": "string", "x-kind": "code"},
    keys={
        "language": {"type": "string", "x-static": True},
        "with": {"type": "object", "additionalProperties": FREE},
    },
    fields={"text": "", "json": ""},
    subjects=("text", "json", "error", "values"),
)
CHECK = VerbSpec(
    name="check",
    summary="something must hold",
    value={
        "anyOf": [
            {"type": "string", "x-kind": "expression"},
            {**keys(http=TEXT, within=DURATION), "x-subjects": ["status", "text"]},
        ]
    },
    fields={"status": "", "text": ""},
    refuses=("expect", "save"),
)
LINES: Schema = {"type": "array", "items": {"$ref": "#/$defs/line"}, "minItems": 1}
PTY = VerbSpec(
    name="pty",
    summary="talk to a program",
    value={"anyOf": [SHELL, TEXTS, keys(pid={"type": "integer"})]},
    keys={
        "script": {
            **LINES,
            "$defs": {
                "line": {
                    "anyOf": [
                        keys(see=LINE, within=DURATION),
                        keys(enter=LINE),
                        keys(secret=TEXT),
                        keys(
                            choose={
                                "type": "array",
                                "items": keys(see=LINE, then=LINES),
                            }
                        ),
                    ]
                }
            },
        }
    },
    required=("script",),
    fields={"exit": "", "output": ""},
    subjects=("exit", "output"),
)
WATCH = VerbSpec(
    name="watch",
    summary="watch files",
    value=TEXT,
    keys={
        "expect": {
            "type": "array",
            "items": keys(path=TEXT, within=DURATION),
        }
    },
    fields={"events": ""},
    nested=("during",),
)
PARALLEL = VerbSpec(
    name="parallel",
    summary="steps at once",
    value={"type": "array", "x-steps": True},
    keys={"fail_fast": {"type": "boolean"}},
    nested=("parallel",),
    timeout=None,
)
CREATE = VerbSpec(
    name="create",
    summary="make a sandbox",
    value={
        "anyOf": [
            {"type": "null"},
            keys(
                **{"as": NAME},
                provider={"anyOf": [TEXT, TEXTS]},
                reuse=TEXT_MAP,
                env=TEXT_MAP,
                network={"anyOf": [{"type": "boolean"}, TEXTS]},
                timeout=DURATION,
            ),
        ]
    },
    fields={"name": "", "id": ""},
    refuses=("for_each", "expect", "save", "in"),
)
TEARDOWN = VerbSpec(
    name="teardown",
    summary="end a sandbox",
    value={"anyOf": [{"type": "null"}, NAME]},
    refuses=("for_each", "expect", "save", "in"),
)

VERBS: Mapping[str, VerbSpec] = {
    verb.name: verb
    for verb in (
        CREATE,
        COMMAND,
        WRITE,
        RUN_CODE,
        CHECK,
        PTY,
        WATCH,
        PARALLEL,
        TEARDOWN,
    )
}
