"""`watch`: what happens to files while other steps run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import anyio

from sandbook.api import (
    Bound,
    Capability,
    Failure,
    Outcome,
    Sandbox,
    StepScope,
    VerbSpec,
    WatchRequest,
)
from sandbook.errors import UsageError
from sandbook.units import format_duration
from sandbook.verbs import _arguments as get
from sandbook.verbs._paths import in_folder, matcher
from sandbook.verbs._schemas import (
    BOOLEAN,
    DURATION,
    TEXT,
    TEXTS,
    a_map,
    any_of,
    described,
    one_of,
)
from sandbook.verbs._seen import KEPT, Expected, Seen, Wanted, collecting
from sandbook.verbs._there import There

_KIND = one_of("created", "modified", "deleted", "renamed")
_EXPECTATION = {
    "event": described(
        any_of(_KIND, {"type": "array", "items": _KIND, "minItems": 1}),
        "What must happen, or a list of what may; anything without it.",
        "created",
        ["created", "modified"],
    ),
    "path": described(
        TEXT,
        "A path or pattern relative to the watched folder; of a rename, the new name. "
        "Anything without it.",
        "out/*.txt",
    ),
    "within": described(
        DURATION,
        "How long after the end of `during` it may still come; without `during`, "
        "from the start.",
        "30s",
        default="5s",
    ),
    "settled": described(
        DURATION, "Then nothing more may happen to it for that long.", "1s"
    ),
}
_PATTERNS = any_of(TEXT, TEXTS)

SPEC = VerbSpec(
    name="watch",
    summary="see what happens to files while other steps run",
    value=described(
        TEXT,
        "A file or folder of the sandbox that is there. Watching starts before the "
        "first step of `during`.",
        "out",
    ),
    keys={
        "during": described(
            {"type": "array", "x-steps": True, "minItems": 1},
            "The steps that run meanwhile; without them, it waits for what `expect` "
            "says.",
            [{"command": "make"}],
        ),
        "expect": described(
            {
                "type": "array",
                "items": {**a_map(_EXPECTATION), "minProperties": 1},
                "minItems": 1,
            },
            "What must happen, in any order.",
            [{"event": "created", "path": "out/*.txt"}],
        ),
        "only": described(
            _PATTERNS,
            "Paths or patterns; a change of anything else is a failure.",
            ["out/**", "log.txt"],
        ),
        "ignore": described(
            _PATTERNS,
            "Patterns of paths or names that are not looked at, nor what is below.",
            ["*.tmp", ".git"],
        ),
        "recursive": described(
            BOOLEAN, "Whether the folders below count, too.", False, default=True
        ),
    },
    fields={
        "events": "list of `{event, path, from, time}`, `from` of a rename; the first "
        f"{KEPT:,}",
    },
    nested=("during",),
)


class Watch:
    """The verb."""

    spec = SPEC

    def requires(self, args: Mapping[str, object]) -> frozenset[Capability]:
        """`watch`; to see below, `watch.recursive`; to look again, `files`."""
        needs = {"watch", "files"}
        if args.get("recursive") is not False:
            needs.add("watch.recursive")
        return frozenset(needs)

    async def run(self, step: StepScope) -> Outcome:
        """Watch while the steps run, then until what is expected was seen."""
        sandbox = await step.sandbox()
        seen = Seen(
            expected=[Expected(wanted=one) for one in _wanted(step)],
            only=[matcher(each) for each in get.texts(step.args, "only")],
        )
        failure = await _watch(step, sandbox, seen)
        if seen.count > KEPT:
            step.note(f"{seen.count} changes; the result holds the first {KEPT}")
        return Outcome(fields=seen.fields(), failure=failure)


def _wanted(step: StepScope) -> list[Wanted]:
    value = step.args.get("expect") or ()
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise UsageError(f"`expect` must be a list, it is {get.kind_of(value)}")
    items: Sequence[Bound] = value
    return [Wanted.of(get.mapping(each, "expect")) for each in items]


async def _watch(step: StepScope, sandbox: Sandbox, seen: Seen) -> Failure | None:
    path = in_folder(step.cwd, get.text(step.args, "watch"))
    request = WatchRequest(
        path=path,
        recursive=get.flag(step.args, "recursive", default=True),
        ignore=get.texts(step.args, "ignore"),
    )
    there = There(sandbox.files, path, [each.wanted for each in seen.expected])
    await there.remember()
    async with sandbox.watch(request) as watch, collecting(seen, watch):
        failed = await step.run_below("during")
        await watch.catch_up()
        if failed is not None:
            return failed
        late = await _wait(step, seen, there)
        # What must not have happened may be on its way.
        await watch.catch_up()
    return _judged(seen, late)


async def _wait(step: StepScope, seen: Seen, there: There) -> list[Expected]:
    """Wait until all is seen that must be; what can be seen no more."""
    start = anyio.current_time()
    looked = 0
    while True:
        if seen.error is not None:
            raise seen.error
        if seen.overflows > looked:
            looked = seen.overflows
            step.note("more changed at once than could be told: looked at the files")
            async for kind, path in there.changes():
                seen.hear_of(kind, path)
        now = anyio.current_time()
        waiting = [each for each in seen.expected if not each.is_met(now)]
        late = [each for each in waiting if each.is_late(start, now)]
        if late or not waiting or seen.stray:
            return late
        await seen.news(min(each.moment(start) for each in waiting))


def _judged(seen: Seen, late: Sequence[Expected]) -> Failure | None:
    causes = [_missing(seen, each) for each in late]
    if seen.stray:
        causes.append(f"{seen.stray}: nothing but what `only` names may change")
    elif seen.only and seen.overflows:
        causes.append(
            "more changed at once than could be told, so nobody knows whether it was "
            "`only` that: ignore what need not be watched"
        )
    return Failure(cause="; ".join(causes), kind="expect") if causes else None


def _missing(seen: Seen, each: Expected) -> str:
    wanted = each.wanted
    if each.first is not None:
        pause = format_duration(wanted.settled)
        return f"{wanted.words()}: it went on changing, never still for {pause}"
    within = format_duration(wanted.within)
    return f"{wanted.words()}: not within {within}; {seen.near(wanted)}"
