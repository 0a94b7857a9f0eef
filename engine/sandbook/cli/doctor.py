"""`sandbook doctor`: what works here and what does not, with a remedy each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sandbook.cli import _options as options

if TYPE_CHECKING:
    from sandbook.cli._checks import Finding


@click.command(short_help="Check that everything here works.")
@options.json_option
def doctor(*, as_json: bool) -> int:
    """Check that everything here works; exit code 1 if something does not."""
    # It loads all there is, which `--help` need not.
    import anyio

    from sandbook.cli._checks import examine
    from sandbook.cli._opening import here
    from sandbook.cli._words import say_json

    async def ask() -> list[Finding]:
        findings: list[Finding] = []
        async with here() as installation:
            async for finding in examine(installation):
                findings.append(finding)
                if not as_json:
                    _tell(finding)
        return findings

    findings = anyio.run(ask)
    if as_json:
        say_json("checks", [each.as_json() for each in findings])
    return 1 if any(each.state == "problem" for each in findings) else 0


def _tell(finding: Finding) -> None:
    # As above.
    from sandbook.cli._words import say

    say(f"{finding.state:<8} {finding.name}: {finding.message}")
    if finding.remedy and finding.state != "ok":
        say(*(f"{'':<8}   {line}" for line in finding.remedy.splitlines()))
