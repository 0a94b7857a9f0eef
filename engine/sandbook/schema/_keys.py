"""The keys every runbook and every step may have, and how verbs join theirs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, cast

from sandbook.api import Schema, VerbSpec
from sandbook.schema._atoms import (
    BOOLEAN,
    CODE,
    DURATION,
    FREE,
    INTEGER,
    LIMIT,
    LINE,
    NAME,
    NOTHING,
    NUMBER,
    PATTERN,
    STEPS,
    TEXT,
    any_of,
    keys,
    list_of,
    map_of,
    names_to,
    one_of,
    said,
    some,
    static,
)
from sandbook.schema._fragments import (
    ANNOTATIONS,
    alternatives,
    properties_of,
    words_of,
)
from sandbook.schema._subjects import SUBJECTS

VERSION: Final = 1
CREATE: Final = "create"
"""The verb whose options `sandbox:` takes as well."""

COMMON_RESULTS: Final[Mapping[str, str]] = {
    "status": "`passed`, `failed` or `skipped`",
    "ok": "whether it passed, as a boolean",
    "duration": "seconds it took",
    "tries": "how often it was tried",
}
"""What every result has, whatever the verb, and what it means."""

COMMON_FIELDS: Final[tuple[str, ...]] = tuple(COMMON_RESULTS)

# An expression in the place of the whole map would leave its names unknown.
ENV: Final[Schema] = static({**names_to(TEXT), "x-env": True})

_RETRY: Final = any_of(
    {**INTEGER, "minimum": 0},
    keys(
        {
            "times": said(
                {**INTEGER, "minimum": 0}, "Further tries after the first.", 3
            ),
            "wait": said(DURATION, "Pause before the next try.", "5s", default="1s"),
            "backoff": said(
                {**NUMBER, "minimum": 1},
                "Each pause is this many times as long as the one before.",
                2,
                default=1,
            ),
            "max_wait": said(
                DURATION, "No pause is longer than this.", "30s", default="1m"
            ),
            "jitter": said(
                BOOLEAN,
                "Vary the pauses, so that many runs do not try at once.",
                True,
                default=False,
            ),
            "on": said(
                list_of(static(one_of("exit", "error", "expect", "timeout"))),
                "Which failures are tried again.",
                ["timeout"],
                default=["exit", "error", "expect", "timeout"],
            ),
        },
        "times",
    ),
)
_FOR_EACH: Final = any_of(
    {"type": "array", "items": {"x-kind": "item"}},
    map_of({"x-kind": "item"}),
    {"type": "string", "x-kind": "whole"},
)
_CONDITION: Final[Schema] = {"x-kind": "expression", "x-line": True}

STEP_KEYS: Final[Mapping[str, Schema]] = {
    "id": said(
        NAME,
        "Its name in expressions, as `steps.ID.stdout`; unique in the file.",
        "build",
        title="Id",
    ),
    "name": said(LINE, "What people read; made from the step without it.", "Build it"),
    "if": said(
        _CONDITION,
        "Skip the step unless this is true; with `for_each`, asked for each item.",
        "inputs.deploy",
        "run.failed",
        title="Condition",
        default=True,
    ),
    "for_each": said(
        _FOR_EACH,
        "Do the step once for each item of a list or map; it is `item` in expressions.",
        ["3.11", "3.12"],
        "${{ inputs.names | split(',') }}",
    ),
    "limit": said(
        {**INTEGER, "minimum": 1},
        "How many items run at once; of `parallel`, how many steps (default: all).",
        4,
        default=1,
    ),
    "retry": said(
        _RETRY,
        "How many further tries a failure is given, or a map that says more.",
        2,
        {"times": 3, "wait": "5s"},
        default=0,
    ),
    "timeout": said(
        LIMIT,
        "A step that takes longer has failed; for each try of each item. `none` = no "
        "limit.",
        "30s",
        "none",
        default="10m",
    ),
    "env": said(
        ENV,
        "Environment variables of this step, added to those of the file.",
        {"LANG": "C.UTF-8"},
        title="Environment",
    ),
    "cwd": said(
        TEXT,
        "The folder of the sandbox it works in; it must exist.",
        "site",
        title="Working folder",
    ),
    "in": said(
        NAME,
        "The name of the sandbox it runs in; needed when the file has several.",
        "db",
        title="Sandbox",
    ),
    "expect": said(
        static({"type": "object"}),
        "What must hold of the result, besides that it worked.",
        {"stdout": "Hello"},
        title="Expectations",
    ),
    "save": said(
        static(names_to(TEXT)),
        "Values to keep under names: regular expressions over what was written, or "
        "expressions of the language that ran.",
        {"version": "Python (.*)"},
    ),
    "allow_failure": said(
        BOOLEAN, "A failure is shown and does not count.", True, default=False
    ),
    "resume": said(
        static(one_of("rerun")),
        "`rerun`: if a crash cuts the step off, it may run again.",
        "rerun",
    ),
}
"""The keys any step may have (language §4)."""

INPUT: Final = keys(
    {
        "type": said(
            static(one_of("string", "integer", "number", "boolean", "choice", "file")),
            "What kind of value it is.",
            "integer",
            default="string",
        ),
        "description": said(
            static(LINE), "What it is for, for people.", "the port of the server"
        ),
        "default": said(
            {"x-kind": "raw"},
            "Its value when none is given; without a default it must be given.",
            "world",
        ),
        "min": said(static(NUMBER), "The smallest number allowed.", 1024),
        "max": said(static(NUMBER), "The largest number allowed.", 65535),
        "pattern": said(
            static(PATTERN),
            "A regular expression that the text must match.",
            "^[a-z]+$",
        ),
        "options": said(
            {**list_of(static(TEXT)), "minItems": 1},
            "The texts a `choice` chooses from.",
            ["small", "large"],
        ),
    }
)
"""The declaration of an input."""

_ARTIFACT: Final = any_of(
    TEXT,
    keys(
        {
            "path": said(TEXT, "A path or pattern in the sandbox.", "out/*.png"),
            "in": said(NAME, "Which sandbox has it.", "db", title="Sandbox"),
        },
        "path",
    ),
)
_INPUTS: Final = names_to(any_of(NOTHING, INPUT))
_VERSION: Final[Schema] = {"const": VERSION, "x-kind": "version"}


def top_keys(verbs: Mapping[str, VerbSpec]) -> dict[str, Schema]:
    """The keys of a runbook, and what each takes."""
    return {
        "runbook": said(_VERSION, "The version of the language: 1.", 1),
        "name": said(
            LINE, "What people call it; the name of the file without it.", "Smoke test"
        ),
        "description": said(
            static(LINE), "What it does, for people.", "Starts the server and asks it."
        ),
        "inputs": said(
            _INPUTS,
            "Values that whoever runs it may give, by name: `inputs.NAME`.",
            {"who": {"default": "world"}},
        ),
        "secrets": said(
            static(list_of(NAME)),
            "Names of secret values; they come from the environment or "
            "`--secret-file`, and are masked wherever they would be seen.",
            ["TOKEN"],
        ),
        "env": said(
            ENV,
            "Environment variables of every step.",
            {"LANG": "C.UTF-8"},
            title="Environment",
        ),
        "sandbox": said(
            static(_sandbox(verbs)),
            "How sandboxes are made: the options of `create`.",
            {"network": False},
        ),
        "setup": said(
            STEPS,
            "Steps that prepare the sandbox, before `steps`; what they leave may be "
            "stored for the next run.",
            [{"command": "pip install requests"}],
            title="Set-up",
        ),
        "steps": said(
            STEPS,
            "The work: from top to bottom, and the first failure stops it.",
            [{"command": "make test"}],
        ),
        "finally": said(
            STEPS,
            "Steps that always run, each of them, also after a failure; `timeout` "
            "is 1m.",
            [{"command": "cat server.log"}],
        ),
        "artifacts": said(
            static(list_of(_ARTIFACT)),
            "Files of the sandbox to keep: paths or patterns.",
            ["out/report.txt", "*.log"],
        ),
        "outputs": said(
            static(names_to(FREE)),
            "Values computed when all steps have passed, for the report and for `use`.",
            {"version": "${{ steps.build.text }}"},
        ),
        "timeout": said(
            LIMIT,
            "A limit for the whole run, without `finally`; `none` = no limit.",
            "30m",
        ),
    }


def _sandbox(verbs: Mapping[str, VerbSpec]) -> Schema:
    """The options of `create`, except those that say which sandbox it is."""
    create = verbs.get(CREATE)
    for alternative in alternatives(create.value if create else {}):
        own = properties_of(alternative)
        if own:
            kept = {k: v for k, v in own.items() if k not in ("as", "reuse")}
            return {**alternative, "properties": kept}
    return keys({})


def step_keys(verb: VerbSpec) -> dict[str, Schema]:
    """Every key a step of this verb may have, the verb itself first."""
    unfit = {*verb.refuses, *_not_for(verb)}
    allowed = {name: one for name, one in STEP_KEYS.items() if name not in unfit}
    if "expect" in allowed:
        allowed["expect"] = _expect(verb.subjects)
    if "save" in allowed and verb.own_save:
        allowed["save"] = _SAVED_CODE
    own = {name: _with_subjects(schema) for name, schema in verb.keys.items()}
    every = {verb.name: _with_subjects(verb.value), **allowed, **own}
    return every | {name: _steps_like(every.get(name, {})) for name in verb.nested}


_SAVED_CODE: Final = said(
    static(names_to(CODE)),
    "Values to keep under names: expressions of the language, evaluated after the "
    "code; each value must fit JSON.",
    {"rows": "len(data)"},
)


def _steps_like(schema: Schema) -> Schema:
    """A list of steps, with what was said of it."""
    return {**{word: schema[word] for word in ANNOTATIONS if word in schema}, **STEPS}


def _not_for(verb: VerbSpec) -> frozenset[str]:
    missing = set[str]()
    if not verb.subjects:
        missing.add("expect")
    if "values" not in verb.subjects:
        missing.add("save")
    return frozenset(missing)


def _expect(subjects: Iterable[str]) -> Schema:
    known = {name: SUBJECTS[name] for name in subjects if name in SUBJECTS}
    usual = STEP_KEYS["expect"]
    if known and "stdout" not in known:
        name, subject = next(iter(known.items()))
        usual = {**usual, "examples": [{name: _first_example(subject)}]}
    return {**usual, **some(keys(known))}


def _first_example(schema: Schema) -> object:
    found = schema.get("examples")
    return cast("list[object]", found)[0] if found else None


def _with_subjects(schema: Schema) -> Schema:
    """`schema` where `x-subjects` is replaced by the matchers it stands for."""
    if "anyOf" in schema:
        return {
            **schema,
            "anyOf": [_with_subjects(one) for one in alternatives(schema)],
        }
    names = words_of(schema, "x-subjects")
    if not names:
        return schema
    added = {name: SUBJECTS[name] for name in names if name in SUBJECTS}
    rest = {key: value for key, value in schema.items() if key != "x-subjects"}
    return {**rest, "properties": {**added, **properties_of(schema)}}
