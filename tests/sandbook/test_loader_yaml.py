"""What YAML does with a text, and what it is kept from doing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sandbook.api import Bound
from sandbook.expressions import Scope, evaluate
from sandbook.loader._events import FastEvents, has_fast_parser
from sandbook.loader._nodes import MapNode
from sandbook.loader._shape import runbook_shape
from sandbook.loader._source import MOST_TOLD, Source
from sandbook.loader._tree import MOST_EXPRESSIONS, read_tree
from sandbook.runbook import Step
from tests.sandbook.reading import load, problems_of
from tests.sandbook.verbs import VERBS

TOP = "runbook: 1\ninputs: {a: {default: x}}\nsteps:\n"
SCRIPT = f"{TOP}  - pty: sh\n    script:\n"


def step(lines: str) -> Step:
    """The one step of a runbook made of these lines."""
    return load(f"{TOP}{lines}", VERBS).steps[0]


def content(written: str) -> Bound:
    """What a text key makes of what is written behind it."""
    found = step(f"  - write: x\n    content: {written}\n").args["content"]
    return evaluate(found, Scope({"inputs": {"a": "x"}}))


def codes(text: str) -> list[str]:
    """`CODE line:column` of everything that is wrong; an unused input is not."""
    found = (" ".join(one.split(" ", 2)[:2]) for one in problems_of(text, VERBS))
    return [one for one in found if not one.startswith("SB406")]


@pytest.mark.parametrize("key", ["see", "enter"])
@pytest.mark.parametrize("text", ["a: b", "[a", "{a", "*a", "&a", "!a", "%a", "@a"])
def test_a_line_of_a_script_may_be_any_text_as_the_item_of_a_list(
    key: str, text: str
) -> None:
    found = load(f"{SCRIPT}      - {key}: {text}\n", VERBS).steps[0]
    assert found.args["script"] == ({key: text},)


@pytest.mark.parametrize("key", ["see", "enter"])
@pytest.mark.language("§2 lines of text: ` #` refused")
def test_a_hash_in_a_line_of_a_script_is_refused(key: str) -> None:
    column = len(f"      - {key}: ") + 1
    assert codes(f"{SCRIPT}      - {key}: a #b\n") == [f"SB109 6:{column}"]


@pytest.mark.language("§2 lines of text: `[` starts a list for command")
def test_a_list_begins_with_a_bracket_behind_command_and_pty_alone() -> None:
    assert step("  - command: [a, b]\n").args["command"] == ("a", "b")
    assert step("  - pty: [a]\n    script: [{see: x}]\n").args["pty"] == ("a",)
    assert step("  - run_code: [a, b]\n").args["run_code"] == "[a, b]"
    assert step("  - command: x\n    name: [a, b]\n").label == "[a, b]"


@pytest.mark.parametrize("written", ["'a' b", '"a": b', "'a'b", '"a" #b: c'])
@pytest.mark.language("§2 lines of text: quotes")
def test_a_value_that_starts_with_a_quote_ends_with_it(written: str) -> None:
    text = f"{TOP}  - command: x\n    name: {written}\n"
    if written.endswith("c"):
        assert load(text, VERBS).steps[0].label == "a"  # a comment, as everywhere
    else:
        assert codes(text)[0].startswith("SB101 5:")


@pytest.mark.parametrize("text", ["a: b", "a, b: c", "[a", "*a"])
@pytest.mark.language("§2 lines of text: not inside { } and [ ]")
def test_no_line_is_taken_inside_braces(text: str) -> None:
    assert problems_of(f"{TOP}  - {{command: x, name: {text}}}\n", VERBS)
    assert codes(f"{TOP}  - {{command: x, name: '{text}'}}\n") == []


def test_inside_braces_a_hash_is_a_comment() -> None:
    text = f"{TOP}  - {{command: x, # why\n     name: a}}\n"
    assert load(text, VERBS).steps[0].label == "a"


def test_a_hash_in_an_expression_is_none_of_the_line() -> None:
    assert codes(f"{TOP}  - command: echo ${{{{ 'a # b: c' }}}}\n") == []


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("|\n      a  \n\n      b\n", "a  \n\nb\n"),
        ("|-\n      a\n\n", "a"),
        ("|+\n      a\n", "a\n\n"),
        ("|2\n        a\n", "  a\n"),
        ("|2-\n        a\n      b\n", "  a\nb"),
        ("| # why\n      a # b: c\n", "a # b: c\n"),
        ("|\n      \ta\n", "\ta\n"),
        ("|\n      a\u2028b\x85c\U00100000\n", "a\u2028b\x85c\U00100000\n"),
        ("| # \u2028\n      a\x85b\n", "a\x85b\n"),
        (">\n      a\n      b\x85c\n", "a b\x85c\n"),
    ],
)
@pytest.mark.language("§2 several lines")
def test_nothing_is_added_to_a_block_or_trimmed(written: str, expected: str) -> None:
    assert content(written) == expected


@pytest.mark.parametrize(
    "text",
    ["\U00100000", "\U00101001", "\U00101002\U0010ffff", "\ue0b0", "a\u2028b", "\x85"],
)
def test_private_characters_and_old_line_ends_are_plain_ones(text: str) -> None:
    assert content(f"x{text}y") == f"x{text}y"
    assert content(f"'x{text}y'") == f"x{text}y"
    assert content(f"x{text} ${{{{ inputs.a ~ '{text}' }}}}") == f"x{text} x{text}"


@pytest.mark.parametrize("text", ["\\U00100000", "\\\\U00101001", "\\U0010FFFF"])
def test_an_escape_means_something_in_double_quotes_alone(text: str) -> None:
    assert content(text) == text
    assert content(f"'{text}'") == text
    meant = text[1:] if text.startswith("\\\\") else chr(int(text.lstrip("\\U"), 16))
    assert content(f'"{text}"') == meant
    assert content(f'"{text} ${{{{ inputs.a }}}}"') == f"{meant} x"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("'${{ ''}}'' }}'", "}}"),
        ("'a ${{ ''}}'' ~ inputs.a }} ${{ ''b'' }}'", "a }}x b"),
        ("'${{ ''\"'' }}'", '"'),
        ("'${{ ''it'' ~ \"}}\" }}'", "it}}"),
        ("'a\n      ${{ ''}}'' }}'", "a }}"),
        ("\"${{ '}}' }}\"", "}}"),
        ('"${{ \\"}}\\" }}"', "}}"),
        ("${{ '}}' }}", "}}"),
        ("${{ {'a': {'b': '}}'}}.a.b }}", "}}"),
        ("$${{ '}}' }}", "${{ '}}' }}"),
        ("'$${{ a'", "${{ a"),
    ],
)
def test_an_expression_ends_where_its_text_does_in_any_quotes(
    written: str, expected: str
) -> None:
    assert content(written) == expected


@pytest.mark.parametrize(
    "line",
    [
        "content: ${{ inputs.a",
        "content: 'b ${{ inputs.a'",
        "content: [${{ inputs.a, b]",
        "env: {A: ${{ inputs.a }",
        "content: ${{ 'a }}",
        "content: ${{ inputs.a\n      }}",
    ],
)
@pytest.mark.language("§3 one line")
def test_an_expression_without_an_end_is_told_where_it_begins(line: str) -> None:
    at = f"SB308 5:{line.index('${{') + 5}"
    assert at in codes(f"{TOP}  - write: x\n    {line}\n")


def test_ten_thousand_expressions_are_read_and_no_more_than_twenty() -> None:
    many = "'" + "${{ inputs.a }}" * 10_000 + "'"
    assert content(many) == "x" * 10_000
    text = f"{TOP}  - write: x\n    content: '{'${{ 1 }}' * (MOST_EXPRESSIONS + 1)}'\n"
    assert codes(text) == ["SB107 5:14"]


def test_an_expression_is_no_key_and_reaches_where_an_alias_does() -> None:
    assert codes(f"{TOP}  - command: x\n    env: {{'${{{{ 1 }}}}': a}}\n") == [
        "SB305 5:11"
    ]
    found = load(
        f"{TOP}  - write: x\n    content: &c ${{{{ inputs.a }}}}\n"
        "  - write: y\n    content: *c\n",
        VERBS,
    ).steps[1]
    assert evaluate(found.args["content"], Scope({"inputs": {"a": "x"}})) == "x"


HIDDEN = {
    "lines": "  - name: a: b\n    command: x # y\n",
    "in blocks": "  - command: |\n      name: a: b # c\n      if: x: y  \n",
    "in a folded block": "  - command: >\n      name: a: b\n      type: c # d\n",
    "windows": "  - name: a: b\r\n    command: x\ty # z\r\n",
    "under a name of the author": "  - command: x\n    env:\n      name: a # b\n",
    "in quotes": "  - stdin: 'a\n      name: it''s: b'\n    command: x: y\n",
    "in braces": "  - {\n      name: 'a', # b\n      command: x }\n",
    "it goes on": "  - name: a: b\n      c\n    command: x\n",
    "a list": "  - command: [a, b] # c\n",
    "a private character": "  - name: \U0010fffd: b\n    command: x\n",
}


@pytest.mark.parametrize("lines", HIDDEN.values(), ids=HIDDEN.keys())
def test_a_line_that_is_hidden_from_libyaml_is_read_as_without_it(lines: str) -> None:
    fast, slow = Source("f", TOP + lines), Source("f", TOP + lines)
    shape = runbook_shape(VERBS)
    assert read_tree(fast, shape) == read_tree(slow, shape, fast=False)
    assert fast.problems == slow.problems


@pytest.mark.skipif(not has_fast_parser(), reason="PyYAML without libyaml")
@pytest.mark.parametrize("name", ["lines", "in blocks", "in a folded block"])
def test_a_line_that_is_a_text_does_not_need_the_slow_reader(name: str) -> None:
    events = FastEvents(TOP + HIDDEN[name])
    shape = runbook_shape(VERBS)
    found: list[str] = []
    while (event := events.next()).kind != "stream end":
        found.append(event.value)
        if event.value in ("name", "command"):
            events.take_line(shape.under("steps").item().under(event.value))
    assert any(": " in one or " #" in one for one in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("env: {A: 1, A: 2}\n", "SB103 2:13"),
        ("env: {A: 1, 'A': 2}\n", "SB103 2:13"),
        ('env:\n  A: 1\n  "\\x41": 2\n', "SB103 4:3"),
        ("env: {<<: {A: 1}, <<: {B: 1}}\n", "SB103 2:19"),
        ("env: {<<: [a]}\n", "SB106 2:12"),
        ("env: {<<: a}\n", "SB106 2:11"),
        ("env: {A: *none}\n", "SB106 2:10"),
        ("env: {A: !x b}\n", "SB104 2:10"),
        ("env: {? [a] : b}\n", "SB101 2:9"),
        ("steps: [{command: x}]\n--- \na: b\n", "SB110 3:1"),
        ("\tenv: {A: b}\n", "SB102 2:1"),
        ("env:\t{A: b}\n", "SB102 2:5"),
        ("env: {A:\tb}\n", "SB102 2:9"),
        ("env: {A: b\tc}\n", "SB102 2:11"),
        ("env: {A: b}\t# why\n", "SB102 2:12"),
        ("env: {A: |\t\n}\n", "SB102 2:11"),
        ("%TAG ! x\n", "SB101 2:1"),
        ('env: {A: "\\ud83d\\ude00"}\n', "SB101 2:10"),
        ('env: {A: "\\U00110000"}\n', "SB101 2:10"),
        ("env: {A: a\ufeffb}\n", "SB101 2:11"),
        ("env: {A: a\x00b}\n", "SB101 2:11"),
        ("env: {A: a\x7fb}\n", "SB101 2:11"),
    ],
)
def test_what_yaml_passes_over_silently_is_refused_in_either_reader(
    text: str, expected: str
) -> None:
    whole = f"runbook: 1\n{text}steps: [{{command: x}}]\n"
    assert codes(whole)[0] == expected
    for fast in (True, False):
        source = Source("f", whole)
        read_tree(source, runbook_shape(VERBS), fast=fast)
        at = source.problems[0].at
        assert f"{source.problems[0].code} {at.line}:{at.column}" == expected


@pytest.mark.parametrize(
    "text", ["a?b", "http://x/?a=1&b=2", "a:b", "a#b", "http://x:1", "-a", "?a"[1:]]
)
def test_a_text_in_brackets_may_hold_what_begins_nothing(text: str) -> None:
    for fast in (True, False):
        source = Source("f", f"runbook: 1\nsteps:\n- command: [curl, {text}]\n")
        tree = read_tree(source, runbook_shape(VERBS), fast=fast)
        assert source.problems == []
        assert isinstance(tree, MapNode)
        assert text in repr(tree)


def test_every_broken_step_is_told_and_the_others_are_checked() -> None:
    text = (
        "runbook: 1\nsteps:\n  - command: [a, b\n    id: a\n  - comand: x\n"
        "  - command: x\n    env: {A: b, A: c}\n    stdin: 'open\n"
    )
    assert codes(text) == ["SB101 4:7", "SB201 5:5", "SB101 8:12"]
    closed = text.replace("'open", "open")
    told = codes(closed + "outputs: {b: 007}\n")
    assert told == ["SB101 4:7", "SB201 5:5", "SB103 7:17", "SB207 9:14"]


def test_what_only_seems_to_be_missing_beside_a_broken_step_is_not_told() -> None:
    text = (
        "runbook: 1\nsteps:\n  - id: a\n    command: [a\n"
        "  - command: echo ${{ steps.a.text }}\n"
    )
    assert codes(text) == ["SB101 5:12"]


def test_no_more_than_two_thousand_problems_are_kept() -> None:
    text = "runbook: 1\nsteps:\n" + "  - rum: x\n" * (3 * MOST_TOLD)
    assert len(problems_of(text, VERBS)) == 2 * MOST_TOLD


def test_without_libyaml_the_same_is_read() -> None:
    script = (
        "import yaml; yaml.__with_libyaml__ = False\n"
        "from pathlib import Path\n"
        "from sandbook.loader import load_text\n"
        "from sandbook.loader._events import has_fast_parser\n"
        "from tests.sandbook.verbs import VERBS\n"
        "assert not has_fast_parser()\n"
        f"book = load_text({TOP!r} + '  - command: a: b\\n', Path('f'), VERBS)\n"
        "assert book.steps[0].args['command'].text == 'a: b'\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
