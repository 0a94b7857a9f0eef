"""What of the broken runbooks the schema alone does not refuse, and why not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.sandbook.exported import (
    ROOT,
    SCHEMA,
    errors_of,
)
from tests.sandbook.plain_yaml import READINGS

BEYOND: Mapping[str, str] = {
    "SB103": "a reader of YAML keeps one of two equal keys",
    "SB207": "a reader of YAML has made the number already",
    "SB211": "what must be unique stands in different places",
    "SB213": "which keys fit depends on the value of another",
    "SB214": "which sandboxes there are depends on the steps above",
    "SB215": "a value of the right form may still be out of bounds",
    "SB216": "names that belong to Sandbook in a map of any names",
    "SB217": "a default is read by the type that stands beside it",
    "SB218": "which keys fit depends on others",
    "SB219": "paths are those of a computer",
    "SB301": "expressions are a language of their own",
    "SB302": "names in expressions",
    "SB303": "names in expressions",
    "SB304": "names in expressions",
    "SB305": "places of expressions",
    "SB306": "places of secrets",
    "SB307": "expressions are a language of their own",
    "SB308": "expressions are a language of their own",
    "SB309": "shell texts are a language of their own",
    **dict.fromkeys((f"SB40{n}" for n in range(1, 8)), "warnings"),
    **dict.fromkeys((f"SB50{n}" for n in range(1, 9)), "another file"),
}
"""What the schema alone cannot refuse, by the code of the loader, and why."""

MORE_BEYOND: Mapping[str, str] = {
    "check_step": "which key is missing depends on others",
    "free_values_that_could_be_two": "whether a value was quoted is not seen",
    "in_braces_no_space_before_a_brace": "some readers of YAML take it as meant",
    "pty_hash_in_a_line": "a comment is nothing to a reader of YAML",
    "pty_keys": "keys have many names, and any character is one",
    "use_of_a_broken_one": "the mistake is in another file",
    "write_base64": "an empty text is nothing to a reader of YAML",
}


def _is_read(path: Path) -> bool:
    try:
        READINGS["YAML 1.2"](path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeError):
        return False
    return True


def _codes(path: Path) -> set[str]:
    told = path.with_suffix(".txt").read_text(encoding="utf-8")
    return set(re.findall(r"\((SB\d+)\)$", told, re.MULTILINE))


BAD = sorted((ROOT / "tests/bad").glob("*.yaml"))
READ_BAD = [path for path in BAD if _is_read(path)]


@pytest.mark.parametrize("path", READ_BAD, ids=[path.stem for path in READ_BAD])
def test_a_broken_runbook_is_refused_or_it_is_known_why_not(path: Path) -> None:
    value = READINGS["YAML 1.2"](path.read_text(encoding="utf-8"))
    if errors_of(SCHEMA, value):
        return
    assert _codes(path) <= BEYOND.keys() or path.stem in MORE_BEYOND


def test_most_of_what_a_reader_of_yaml_can_read_is_refused() -> None:
    """A schema that accepts anything would pass the test above."""
    structural = [
        path
        for path in READ_BAD
        if set(
            re.findall(
                r"\((SB\d+)\)$", path.with_suffix(".txt").read_text(), re.MULTILINE
            )
        )
        - BEYOND.keys()
        and path.stem not in MORE_BEYOND
    ]
    assert len(structural) >= 40
