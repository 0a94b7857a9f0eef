"""The canonical form: each rule with what stands before and after."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from sandbook.api import VerbSpec
from sandbook.errors import RunbookError
from sandbook.formatting import format_text
from sandbook.formatting._proof import says_the_same, tools_agree
from sandbook.loader import load_text
from sandbook.verbs import sandbook_verbs

HERE = Path("book.yaml")
VERBS: dict[str, VerbSpec] = {one.spec.name: one.spec for one in sandbook_verbs()}
HELLO = """\
runbook: 1
name: Hello
inputs: {who: {default: world}}
steps:
  - id: hi
    command: echo "Hello, ${{ inputs.who }}!"
    expect: {stdout: Hello}
"""


def formatted(text: str) -> str:
    """The canonical form."""
    return format_text(text, HERE, VERBS)


def in_step(lines: str) -> str:
    """What becomes of keys of a step, which are indented by four columns."""
    book = formatted(f"runbook: 1\nsteps:\n  - id: a\n{lines}")
    return book.removeprefix("runbook: 1\nsteps:\n  - id: a\n")


def in_env(value: str) -> str:
    """What becomes of a value of `env`."""
    book = formatted(f"runbook: 1\nenv:\n  A: {value}\nsteps: [{{check: true}}]\n")
    return book.split("\n")[2].removeprefix("  A: ")


def test_the_hello_of_the_language_is_canonical() -> None:
    assert formatted(HELLO) == HELLO


def test_nested_maps_and_lists_stand_two_columns_deeper() -> None:
    assert formatted(
        """\
runbook: 1
env:
      A: a
steps:
-   id:  one
    expect:
          file:
          - x
          -    path: y
               exists: true
    command: "true"
-
     check: true
"""
    ) == (
        """\
runbook: 1
env:
  A: a

steps:
  - id: one
    expect:
      file:
        - x
        - path: y
          exists: true
    command: "true"
  -
    check: true
"""
    )


def test_comments_stay_with_what_they_stand_above() -> None:
    assert formatted(
        """\
# of the file

runbook: 1   # behind
# of steps
steps:   # behind steps
# of one
- check: true
  # of its env
  env:
    A: a
    # - of nobody
# of two
- check: true
  # at the end of two
# at the end
"""
    ) == (
        """\
# of the file

runbook: 1   # behind
# of steps
steps:   # behind steps
  # of one
  - check: true
    # of its env
    env:
      A: a
      # - of nobody
  # of two
  - check: true
    # at the end of two
# at the end
"""
    )


def test_sections_are_set_apart_and_empty_lines_never_stand_in_two() -> None:
    assert formatted(
        """\


runbook: 1
name: x


env:

  A: a


  B: b
# of the steps
steps:
  - check: true



  - check: true
artifacts: [a]



"""
    ) == (
        """\
runbook: 1
name: x

env:

  A: a

  B: b

# of the steps
steps:
  - check: true

  - check: true

artifacts: [a]
"""
    )


def test_the_version_comes_first_below_what_programs_look_for() -> None:
    assert formatted(
        """\
# yaml-language-server: $schema=x.json
# What it is for
name: x
steps:
  - check: true
# of the version
runbook: 1  # one
"""
    ) == (
        """\
# yaml-language-server: $schema=x.json
# of the version
runbook: 1  # one
# What it is for
name: x
steps:
  - check: true
"""
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[ ls,-l ,  'a b' ]", "[ls, -l, 'a b']"),
        ("[ls, ${{ run.id }}]", '[ls, "${{ run.id }}"]'),
        ("[ls, 3.10, a?b]", '[ls, "3.10", "a?b"]'),
        ("[ls, # why\n      b ]", "[ls, # why\n      b]"),
    ],
)
def test_brackets_are_tight(before: str, after: str) -> None:
    assert in_step(f"    command: {before}\n") == f"    command: {after}\n"


def test_braces_are_tight() -> None:
    written = '    check: true\n    env: { A : "a",B: b , C: "${{ run.id }}" }\n'
    assert in_step(written) == (
        '    check: true\n    env: {A: "a", B: b, C: "${{ run.id }}"}\n'
    )


@pytest.mark.parametrize(
    "text",
    [
        *("3.10", "0644", "22:22", "1_000", "1e3", ".5", "0o17", "2026-09-01"),
        *("yes", "no", "on", "OFF", "True", "null", "~", "=", "<<"),
    ],
)
def test_a_text_that_other_tools_take_for_something_else_gets_quotes(text: str) -> None:
    assert in_env(text) == f'"{text}"'


@pytest.mark.parametrize("text", ["2026-09", "a", "y", "1.2.3", "'x'", '"3"', "a#b"])
def test_a_text_that_all_tools_take_for_one_stays(text: str) -> None:
    assert in_env(text) == text


def test_names_of_the_author_get_quotes_and_keys_of_the_language_none() -> None:
    written = "    command: x\n    env: {NO: a}\n    retry: {times: 1, on: [exit]}\n"
    assert in_step(written) == written.replace("NO", '"NO"')


def test_numbers_and_booleans_stay_what_they_are() -> None:
    written = (
        "    run_code: x\n    with: {a: 1, b: true, c: null, d: 1.5}\n    retry: 1\n"
    )
    if "run_code" in VERBS:
        assert in_step(written) == written
    book = "runbook: 1\noutputs: {a: 1, b: true, d: 1.5}\nsteps: [{check: true}]\n"
    assert formatted(book) == book


def test_a_default_gets_quotes_where_its_input_is_a_text() -> None:
    assert (
        "inputs:\n"
        '  a: {default: "3.10"}\n'
        "  b: {default: 3, type: integer}\n"
        '  c: {default: "on", type: choice, options: ["on", "off"]}\n'
    ) in formatted(
        "runbook: 1\ninputs:\n  a: {default: 3.10}\n"
        "  b: {default: 3, type: integer}\n"
        "  c: {default: on, type: choice, options: [on, off]}\nsteps: [{check: true}]\n"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: b", '"a: b"'),
        ("a # b", '"a # b"'),
        ('{a: "b"}', "'{a: \"b\"}'"),
        ('it\'s: "b"', '|-\n      it\'s: "b"'),
        ("it's: b", '"it\'s: b"'),
        ("*all", '"*all"'),
        ("grep '\\d: '", "|-\n      grep '\\d: '"),
        ("plain ${{ run.id }}", "plain ${{ run.id }}"),
        ("${{ run.id ~ 'a: b' }}", "\"${{ run.id ~ 'a: b' }}\""),
        ('${{ run.id ~ "#" }} # x', "'${{ run.id ~ \"#\" }} # x'"),
        ("a: \u2028b", '"a: \\Lb"'),
    ],
)
def test_the_rest_of_a_line_gets_the_quotes_that_need_no_escapes(
    before: str, after: str
) -> None:
    assert in_step(f"    command: {before}\n") == f"    command: {after}\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("|\n         a\n           b\n", "|\n      a\n        b\n"),
        ("|2-\n       a\n      b\n", "|-2\n       a\n      b\n"),
        ("|4-\n        a\n", "|-\n      a\n"),
        (">+  # why\n      a\n\n\n", ">+  # why\n      a\n\n\n"),
        ("|\n      a  \n\n\n\n", "|\n      a  \n"),
        ("|\n      a", "|-\n      a\n"),
    ],
)
def test_a_block_text_moves_as_a_whole(before: str, after: str) -> None:
    assert in_step(f"    command: {before}") == f"    command: {after}"


def test_lines_of_a_text_in_quotes_move_with_it() -> None:
    assert in_step('    command: "a\n\n  b # c\n       d"\n') == (
        '    command: "a\n\n      b # c\n       d"\n'
    )


def test_line_ends_become_those_of_unix_and_the_last_one_is_written() -> None:
    assert formatted("\ufeff" + HELLO.replace("\n", "\r\n").rstrip()) == HELLO


@pytest.mark.parametrize("char", ["\x85", "\u2028", "\u2029"])
def test_what_only_yaml_1_1_takes_for_a_line_end_stays_in_blocks_and_comments(
    char: str,
) -> None:
    head = "runbook: 1\nsteps:\n"
    text = f"{head}  # a{char}b\n  - command: |\n      echo{char}a\n      b\n"
    assert formatted(text) == text
    assert char not in formatted(f"{head}  - command: a{char}b\n")


def test_anchors_aliases_and_merges_stay() -> None:
    written = """\
runbook: 1
env: &common {A: "3.10", B: b}
steps:
  - check: &check 1 == 1
    env: *common
  - check: *check
    env: {<<: *common, C: c}
"""
    assert formatted(written.replace('"3.10"', "3.10")) == written


def test_a_value_that_is_a_text_here_and_a_number_there_gets_no_quotes() -> None:
    written = """\
runbook: 1
env: {A: &port 8080}
outputs: {port: *port}
steps: [{check: true}]
"""
    assert formatted(written) == written


def test_a_runbook_with_problems_is_not_formatted() -> None:
    with pytest.raises(RunbookError) as caught:
        formatted("runbook: 1\nstep: []\n\tsteps: x\n")
    assert caught.value.problems


def test_other_tools_load_what_we_load() -> None:
    book = formatted("runbook: 1\nname: a: b # c\nsteps:\n  - command: 'x'\n")
    assert yaml.safe_load(book)["name"] == "a: b # c"


def test_the_proof_sees_a_changed_word_and_a_changed_type() -> None:
    book = load_text(HELLO, HERE, VERBS)
    assert says_the_same(book, f"# more\n\n{HELLO}", VERBS)
    assert not says_the_same(book, HELLO.replace("world", "all"), VERBS)
    assert not says_the_same(book, HELLO.replace("1", "2"), VERBS)


def test_the_proof_sees_what_other_tools_would_not_read() -> None:
    assert tools_agree(HELLO)
    assert not tools_agree("a: ${{ b # c }}\n")
    assert not tools_agree("a: [${{ b }}]\n")
