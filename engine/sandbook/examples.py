"""The example runbooks that come with Sandbook: where they are, and what each shows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from sandbook.errors import UsageError
from sandbook.problems import suggest

_LOCAL = re.compile(r"^ *(?:- )?(?:use|copy): ([\w./-]+)$", re.MULTILINE)
STARTER = "starter"
"""The example a new runbook is made of when none is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A runbook to begin with; `about` is its `name`, in a line.

    `companions` are the files that it names, as paths beside it, and `screens` what
    its terminals are compared with, by file name.
    """

    name: str
    about: str
    text: str
    companions: dict[str, bytes]
    screens: dict[str, bytes]


def examples() -> tuple[Example, ...]:
    """All of them by name, the starter first."""
    found = [_read(path) for path in sorted(_folder().glob("*.yaml"))]
    return tuple(sorted(found, key=lambda example: example.name != STARTER))


def example(name: str) -> Example:
    """The one of this name.

    Raises:
        UsageError: There is none.
    """
    known = {each.name: each for each in examples()}
    if name not in known:
        raise UsageError(
            f"there is no example {name!r}",
            remedy=suggest(name, known, kind="examples"),
        )
    return known[name]


def _folder() -> Path:
    # Beside the modules where installed, at the top of a checkout.
    here = Path(__file__).parent
    inside = here / "runbooks"
    return inside if inside.is_dir() else here.parents[1] / "runbooks"


def _read(path: Path) -> Example:
    text = path.read_text(encoding="utf-8")
    named = (line for line in text.splitlines() if line.startswith("name:"))
    about = next(named, "").removeprefix("name:").strip()
    return Example(
        name=path.stem,
        about=about,
        text=text,
        companions=_companions(path, text),
        screens={
            screen.name: screen.read_bytes()
            for screen in sorted(path.with_suffix(".screens").glob("*.txt"))
        },
    )


def _companions(path: Path, text: str) -> dict[str, bytes]:
    """The files of this computer that a runbook names, and those that these name."""
    found: dict[str, bytes] = {}
    for name in _LOCAL.findall(text):
        named = path.parent / name
        if named.is_dir():
            files = (file for file in sorted(named.rglob("*")) if file.is_file())
            found |= {_beside(file, path): file.read_bytes() for file in files}
        elif named.is_file():
            found[_beside(named, path)] = named.read_bytes()
            found |= _companions(named, named.read_text(encoding="utf-8"))
    return found


def _beside(file: Path, path: Path) -> str:
    return file.relative_to(path.parent).as_posix()
