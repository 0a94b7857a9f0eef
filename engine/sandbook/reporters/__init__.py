"""The reporters that come with Sandbook, by the hook that anybody can use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module

from sandbook.api import Reporter, RunEnd, hookimpl


@dataclass(frozen=True, slots=True)
class _BuiltIn:
    """A reporter whose module is imported once somebody asks for it."""

    name: str
    summary: str

    def render(self, ends: Sequence[RunEnd], *, environ: Mapping[str, str]) -> str:
        text: str = import_module(f"{__name__}.{self.name}").render(ends, environ)
        return text


@hookimpl
def sandbook_reporters() -> Sequence[Reporter]:
    """Offer the built-in reporters; the module of each bears its name."""
    return (
        _BuiltIn("junit", "JUnit XML, as GitLab, Jenkins and others read it"),
        _BuiltIn("json", "the whole report, as report.schema.json describes it"),
        _BuiltIn("markdown", "a summary for people, as the page of a pipeline"),
        _BuiltIn("github", "annotations for the log of GitHub Actions"),
    )
