"""Empty lines between sections and steps, and `runbook` as the first key."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from sandbook.formatting._layout import Line

_STAYS: Final = re.compile(r"#!|#\s*yaml-language-server:")
"""Comments for programs, which look for them at the top of the file."""


def space(lines: Sequence[Line]) -> str:
    """The text of these lines, evenly spaced."""
    top, sections = _sections(lines)
    _put_version_first(sections)
    out = list(top)
    for section in sections:
        if out and _wants_gap(out):
            out.append(Line(""))
        out += section
    return "".join(f"{line.text}\n" for line in _without_needless(out))


def _sections(lines: Sequence[Line]) -> tuple[list[Line], list[list[Line]]]:
    """What stands above the first key, and each key with the comments above it."""
    starts = [_start(lines, n) for n, line in enumerate(lines) if line.section]
    if not starts:
        return list(lines), []
    ends = [*starts[1:], len(lines)]
    parts = [list(lines[a:b]) for a, b in zip(starts, ends, strict=True)]
    top = list(lines[: starts[0]])
    while parts[0] and _STAYS.match(parts[0][0].text):
        top.append(parts[0].pop(0))
    return top, parts


def _start(lines: Sequence[Line], key: int) -> int:
    while key and lines[key - 1].is_comment and not lines[key - 1].text[0].isspace():
        key -= 1
    return key


def _put_version_first(sections: list[list[Line]]) -> None:
    found = [n for n, part in enumerate(sections) if _key(part).section == "runbook"]
    # An anchor or an alias would change its meaning by its place.
    if not found or not re.fullmatch(r"\S+: 1( +#.*)?", _key(sections[found[0]]).text):
        return
    version = sections.pop(found[0])
    while version[-1].is_blank:
        version.pop()
    sections.insert(0, version)


def _key(section: Sequence[Line]) -> Line:
    return next(line for line in section if line.section)


def _wants_gap(above: Sequence[Line]) -> bool:
    """Whether the section above takes several lines, and no empty one follows it."""
    for line in reversed(above):
        if line.is_blank or line.keeps or line.section:
            return False
        if not line.is_comment:
            return True
    return False


def _without_needless(lines: Sequence[Line]) -> list[Line]:
    """At most one empty line at a time, and none at either end."""
    kept: list[Line] = []
    for line in lines:
        if line.is_blank and (not kept or kept[-1].is_blank):
            continue
        kept.append(line)
    while kept and kept[-1].is_blank:
        kept.pop()
    return kept
