"""Each broken runbook in tests/bad is told exactly as in the text beside it.

`python -m tests.sandbook.test_bad_runbooks` writes the texts anew; read the difference.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sandbook.api import VerbSpec
from sandbook.errors import RunbookError
from sandbook.loader import load_runbook
from sandbook.problems import CODES, render
from sandbook.verbs import sandbook_verbs

BAD = Path(__file__).parent.parent / "bad"
FILES = sorted(BAD.glob("*.yaml"))


def told(path: Path) -> str:
    """What a person is shown; the path is the name alone, wherever the tests are."""
    verbs: dict[str, VerbSpec] = {one.spec.name: one.spec for one in sandbook_verbs()}
    with pytest.raises(RunbookError) as caught:
        load_runbook(path, verbs)
    shown = "\n\n".join(render(problem) for problem in caught.value.problems)
    return shown.replace(str(path), path.name) + "\n"


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_broken_runbook_is_told_word_for_word(path: Path) -> None:
    assert told(path) == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_there_is_a_text_for_each_file_and_no_other() -> None:
    assert {path.stem for path in BAD.glob("*.txt")} == {path.stem for path in FILES}


def test_every_code_is_told_somewhere_and_explained() -> None:
    texts = [path.read_text(encoding="utf-8") for path in BAD.glob("*.txt")]
    codes = set(re.findall(r"\((SB\d+)\)$", "\n".join(texts), re.MULTILINE))
    # A file that is too large is not kept, and SB109 needs a verb with a script.
    assert codes | {"SB107", "SB109"} == CODES.keys()


if __name__ == "__main__":
    for each in FILES:
        each.with_suffix(".txt").write_text(told(each), encoding="utf-8")
