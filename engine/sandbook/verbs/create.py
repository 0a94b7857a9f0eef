"""`create` and `teardown`: begin and end a sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from sandbook.api import Arguments, Capability, Failure, Outcome, StepScope, VerbSpec
from sandbook.errors import TeardownFailed
from sandbook.verbs import _arguments as get
from sandbook.verbs._schemas import (
    BOOLEAN,
    DURATION,
    ENV,
    INTEGER,
    NAME,
    NOTHING,
    NUMBER,
    SIZE,
    TEXT,
    TEXT_MAP,
    TEXTS,
    a_map,
    any_of,
    described,
    one_of,
)

RESOURCES = a_map(
    {
        "cpus": described(NUMBER, "processors", 0.5),
        "memory": described(SIZE, "memory of all its programs together", "512MiB"),
        "disk": described(SIZE, "what it may store", "1GiB"),
        "pids": described(INTEGER, "how many processes", 200),
    }
)

OPTIONS = {
    "provider": described(any_of(TEXT, TEXTS), "name, list, or auto", "local"),
    "template": described(TEXT, "what it starts from; the provider's own without it"),
    "timeout": described(
        DURATION, "how long it outlives its last run or a dead client", "10m"
    ),
    "metadata": described(TEXT_MAP, "your labels, to find it again"),
    "env": described(ENV, "environment of every step in it"),
    "network": described(
        any_of(BOOLEAN, TEXTS),
        "outbound traffic: true, false, or the only hosts allowed",
    ),
    "resources": described(RESOURCES, "limits; what is written is enforced or refused"),
    "packages": described(
        a_map({"pip": TEXTS, "apt": TEXTS}), "installed before the first step"
    ),
    "env_from": described(TEXTS, "variables of this computer that are passed on"),
    "idle_stop": described(DURATION, "end it after that long without use"),
    "isolation": described(
        one_of("process", "container", "microvm"), "the least acceptable"
    ),
}
"""Keys of `create`, and of `sandbox:` at the top of a runbook."""

CREATE = VerbSpec(
    name="create",
    summary="make a sandbox, or find one to reuse",
    value=any_of(
        NOTHING,
        a_map(
            {
                "as": described(NAME, "its name in this file (main)", "db"),
                "reuse": described(TEXT_MAP, "the newest live one with this metadata"),
                "if_missing": described(one_of("create", "fail"), "for `reuse`"),
                **OPTIONS,
            }
        ),
    ),
    fields={
        "name": "its name in this file",
        "id": "the provider's id",
        "provider": "who made it",
        "reused": "whether it was there already",
    },
    refuses=("for_each", "limit", "expect", "save", "in", "cwd"),
    repeatable=True,
)

TEARDOWN = VerbSpec(
    name="teardown",
    summary="collect a sandbox's artifacts and end it",
    value=any_of(NOTHING, described(NAME, "its name; empty for the only one")),
    refuses=("for_each", "limit", "expect", "save", "in", "cwd"),
    timeout=60.0,
    repeatable=True,
)


class Create:
    """The verb `create`."""

    spec = CREATE

    def requires(self, args: Mapping[str, object]) -> frozenset[Capability]:
        """What the options ask for; the plan adds it to the sandbox's needs."""
        options = args.get("create")
        if not isinstance(options, Mapping):
            return frozenset()
        return needs_of(cast("Mapping[str, object]", options))

    async def run(self, step: StepScope) -> Outcome:
        """Make it now."""
        value = step.args.get("create")
        options: Arguments = {} if value is None else get.mapping(value, "create")
        return Outcome(fields=await step.create_sandbox(options))


class Teardown:
    """The verb `teardown`."""

    spec = TEARDOWN

    def requires(self, args: Mapping[str, object]) -> frozenset[Capability]:
        """Nothing: every sandbox can be ended."""
        del args
        return frozenset()

    async def run(self, step: StepScope) -> Outcome:
        """End it now."""
        try:
            await step.teardown(get.optional_text(step.args, "teardown"))
        except TeardownFailed as error:
            return Outcome(failure=Failure(cause=str(error)))
        return Outcome()


def needs_of(options: Mapping[str, object]) -> frozenset[Capability]:
    """The capabilities that `sandbox:` or `create:` options ask for, as written."""
    needs: set[Capability] = set()
    if "reuse" in options:
        needs |= {"attach", "labels"}
    if "idle_stop" in options:
        needs.add("idle_stop")
    needs.add(_network_need(options.get("network")))
    resources = options.get("resources")
    if isinstance(resources, Mapping):
        needs |= {f"limits.{name}" for name in cast("Mapping[str, object]", resources)}
    return frozenset(needs)


def _network_need(network: object) -> Capability:
    if network is False:
        return "net.off"
    return "net.allow" if isinstance(network, list | tuple) else "net.egress"
