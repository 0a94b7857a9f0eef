"""A pipe in a shell text is seen where the shells see one, and nowhere else."""

from __future__ import annotations

import pytest

from sandbook.shell_text import has_pipe


@pytest.mark.parametrize(
    "text",
    [
        "a | b",
        "a|b",
        "a |& b",
        "echo x\nfalse | true",
        'echo "$(false | true)"',
        "(a; b | c)",
        "if a | b; then c; fi",
        "case x in a|b) c | d;; esac",
        "cat <<E | b\ntext\nE",
        "x=`a | b`",
        "a 2>&1 | b",
        "echo $(a | b",
    ],
)
def test_a_pipe_is_seen(text: str) -> None:
    assert has_pipe(text)


@pytest.mark.parametrize(
    "text",
    [
        "a || b",
        "a; b && c",
        "echo 'a | b'",
        'echo "a | b"',
        "echo a \\| b",
        "# a | b",
        "a # b | c",
        "case x in a|b) c;; esac",
        "case x in (a | b) c;; esac",
        "cat <<E\na | b\nE",
        "a >| file",
        "`a`",
    ],
)
def test_what_looks_like_a_pipe_is_none(text: str) -> None:
    assert not has_pipe(text)
