"""`sandbook providers`: who could make a sandbox here, and what each can do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from sandbook.cli import _options as options

if TYPE_CHECKING:
    from sandbook.cli._preflight import ProviderState
    from sandbook.registry import PluginProblem

_INDENT = "  "
_WIDTH = 78


@click.command(short_help="List the providers and what each can do.")
@click.option("--live", is_flag=True, help="Ask each service, not only this computer.")
@options.json_option
def providers(*, live: bool, as_json: bool) -> None:
    """List the providers, whether each can be used, and what it can do."""
    # Plugins are not needed for `--help`.
    import anyio

    from sandbook.cli._opening import here
    from sandbook.cli._preflight import diagnose_all, plugin_problems
    from sandbook.cli._words import say, say_json

    async def ask() -> tuple[tuple[ProviderState, ...], tuple[PluginProblem, ...]]:
        async with here() as installation:
            told = await diagnose_all(installation, live=live)
            return told, plugin_problems(installation)

    every, broken = anyio.run(ask)
    if as_json:
        rows = [each.as_json() for each in every]
        say_json("providers", rows, problems=[_problem(each) for each in broken])
        return
    for each in every:
        say(*_lines(each))
    for problem in broken:
        say(f"broken: {problem}")


def _lines(each: ProviderState) -> Iterator[str]:
    # As above.
    from textwrap import wrap

    can = each.capabilities
    state = each.state.replace("_", " ")
    isolation = f", isolation {can.isolation}" if can else ""
    yield f"{each.name}: {state}{isolation}"
    if each.info:
        yield f"{_INDENT}{each.info.summary}"
    if each.state != "ready":
        yield f"{_INDENT}{each.message}"
    elif each.latency is not None:
        yield f"{_INDENT}answered in {each.latency:.2f} s"
    if each.remedy and each.state != "ready":
        yield from (f"{_INDENT}{line}" for line in each.remedy.splitlines())
    for key, names in (("can", can.native), ("emulates", can.emulated)) if can else ():
        first = f"{_INDENT}{key} "
        text = ", ".join(sorted(names))
        yield from wrap(
            text, _WIDTH, initial_indent=first, subsequent_indent=_INDENT * 2
        )


def _problem(problem: PluginProblem) -> dict[str, str]:
    return {
        "name": problem.plugin,
        "distribution": problem.distribution,
        "target": problem.target,
        "reason": problem.reason,
    }
