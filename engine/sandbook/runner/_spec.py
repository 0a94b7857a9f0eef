"""From the options of a runbook to the sandbox that is asked of a provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sandbook.api import (
    Arguments,
    Bound,
    Network,
    ProviderInfo,
    Resources,
    SandboxSpec,
    Settings,
)
from sandbook.errors import UsageError
from sandbook.plan import PlannedSandbox
from sandbook.runner._context import BookContext
from sandbook.units import parse_duration

LIFETIME = 600.0
MAX_LIFETIME = 86_400.0


def lifetime_of(options: Arguments) -> float:
    """How long the sandbox outlives its last heartbeat, in seconds."""
    value = options.get("timeout")
    return float(value) if isinstance(value, int | float) else LIFETIME


def with_lifetime(
    options: Arguments, info: ProviderInfo, settings: Settings
) -> Arguments:
    """The options; where they say no `timeout`, with that of the provider's settings.

    Raises:
        UsageError: What is set there is no duration.
    """
    if options.get("timeout") is not None:
        return options
    found = _default_lifetime(info, settings)
    return options if found is None else {**options, "timeout": found}


def _default_lifetime(info: ProviderInfo, settings: Settings) -> float | None:
    if info.lifetime_of is not None:
        return info.lifetime_of(settings)
    variable = f"{info.name.upper().replace('-', '_')}_DEFAULT_TIMEOUT"
    written = settings.environ.get(variable)
    try:
        return parse_duration(written) if written else None
    except ValueError as error:
        raise UsageError(
            f"{variable} is {written!r}", remedy="give a duration, as 10m"
        ) from error


def make_spec(
    context: BookContext,
    planned: PlannedSandbox,
    options: Arguments,
    *,
    labels: Mapping[str, str],
) -> SandboxSpec:
    """The request; `options` are evaluated and of the schema's shape."""
    lifetime = lifetime_of(options)
    template = options.get("template")
    return SandboxSpec(
        template=None if template is None else str(template),
        lifetime=lifetime,
        max_lifetime=max(MAX_LIFETIME, lifetime),
        idle_stop=_seconds(options.get("idle_stop")),
        env={**_passed_on(context, options), **_texts(options.get("env"))},
        metadata=_metadata(options),
        labels=labels,
        network=_network(context, options.get("network")),
        resources=_resources(options.get("resources")),
        isolation=planned.selection.floor,
    )


def _metadata(options: Arguments) -> dict[str, str]:
    metadata = {**_texts(options.get("reuse")), **_texts(options.get("metadata"))}
    for key in metadata:
        if key.startswith("sandbook."):
            raise UsageError(
                f"metadata key {key!r} is refused: names beginning with 'sandbook.' "
                "are ours",
                remedy="use another name",
            )
    return metadata


def _passed_on(context: BookContext, options: Arguments) -> dict[str, str]:
    names = options.get("env_from")
    listed = names if isinstance(names, Sequence) and not isinstance(names, str) else ()
    environ = context.installation.environ
    return {str(name): environ[str(name)] for name in listed if str(name) in environ}


def _network(context: BookContext, value: Bound) -> Network:
    if context.request.host_network:
        return "host"
    if value is False:
        return "off"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(str(host) for host in value)
    return "egress"


def _resources(value: Bound) -> Resources:
    if not isinstance(value, Mapping):
        return Resources()
    numbers = {k: v for k, v in value.items() if isinstance(v, int | float)}
    return Resources(
        cpus=numbers.get("cpus"),
        memory=_whole(numbers.get("memory")),
        pids=_whole(numbers.get("pids")),
        disk=_whole(numbers.get("disk")),
    )


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _seconds(value: Bound) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _texts(value: Bound) -> dict[str, str]:
    return {k: str(v) for k, v in value.items()} if isinstance(value, Mapping) else {}
