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
    only,
)

RESOURCES = a_map(
    {
        "cpus": described(NUMBER, "How many processors.", 0.5, title="CPUs"),
        "memory": described(SIZE, "The memory of all its programs together.", "512MiB"),
        "disk": described(SIZE, "How much it may store.", "1GiB"),
        "pids": described(INTEGER, "How many processes.", 200, title="Processes"),
    }
)

PACKAGES = a_map(
    {
        "pip": described(TEXTS, "Packages of Python.", ["requests==2.32.3"]),
        "apt": described(TEXTS, "Packages of Debian or Ubuntu.", ["jq"]),
    }
)

OPTIONS = {
    "provider": described(
        any_of(TEXT, TEXTS),
        "Who makes it: a name, a list to try in order, or `auto`.",
        "local",
        ["e2b", "local"],
        default="auto",
    ),
    "template": described(
        TEXT, "What it starts from; the provider's own choice without it.", "base"
    ),
    "timeout": described(
        DURATION,
        "How long it outlives its last run, or a computer that has died; renewed "
        "while a run uses it.",
        "1h",
        default="10m",
        title="Lifetime",
    ),
    "metadata": described(
        TEXT_MAP, "Your own labels, to find it again.", {"team": "web"}
    ),
    "env": described(
        ENV,
        "Environment variables of every step in it.",
        {"LANG": "C.UTF-8"},
        title="Environment",
    ),
    "network": described(
        any_of(BOOLEAN, TEXTS),
        "Outbound traffic: `true`, never to your computer or its network; `false`, "
        "none; or a list of the only host names allowed.",
        False,
        ["pypi.org", "files.pythonhosted.org"],
        default=True,
    ),
    "resources": described(
        RESOURCES,
        "Its limits; what is written is enforced, or the provider is refused.",
        {"memory": "1GiB"},
    ),
    "packages": described(
        PACKAGES, "What is installed before the first step.", {"pip": ["requests"]}
    ),
    "env_from": described(
        TEXTS,
        "Variables of this computer that are passed on.",
        ["PIP_INDEX_URL"],
        title="Environment from here",
    ),
    "idle_stop": described(
        DURATION, "End it after that long without use, where the provider can.", "5m"
    ),
    "isolation": described(
        one_of("process", "container", "microvm"),
        "The weakest wall around it that you accept; without it, that of the first "
        "provider you have configured.",
        "microvm",
    ),
}
"""Keys of `create`, and of `sandbox:` at the top of a runbook."""

_WHICH = {
    "as": described(
        NAME,
        "Its name in this file, unique; steps say it with `in`.",
        "db",
        title="Name",
        default="main",
    ),
    "reuse": described(
        TEXT_MAP,
        "Take the newest live sandbox that has all of this metadata; it lives on "
        "after the run.",
        {"purpose": "demo"},
    ),
    "if_missing": described(
        one_of("create", "fail"),
        "What to do when there is none to reuse.",
        "fail",
        default="create",
    ),
}

CREATE = VerbSpec(
    name="create",
    summary="make a sandbox, or find one to reuse",
    value=described(
        any_of(NOTHING, only(a_map({**_WHICH, **OPTIONS}))),
        "Empty, or a map of options.",
        {"as": "db", "network": False},
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
    value=described(
        any_of(NOTHING, NAME),
        "The name of the sandbox; empty for the only one.",
        "db",
    ),
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
    packages = options.get("packages")
    if isinstance(packages, Mapping):
        needs |= _packages_need(cast("Mapping[str, object]", packages))
    return frozenset(needs)


def _packages_need(packages: Mapping[str, object]) -> frozenset[Capability]:
    """Whoever installs for the system must be root."""
    needs: set[Capability] = set()
    if packages.get("pip"):
        needs.add("exec")
    if packages.get("apt"):
        needs |= {"exec", "exec.user"}
    return frozenset(needs)


def _network_need(network: object) -> Capability:
    if network is False:
        return "net.off"
    return "net.allow" if isinstance(network, list | tuple) else "net.egress"
