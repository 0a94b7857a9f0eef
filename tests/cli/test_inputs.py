"""Inputs come from options, from files and, at a terminal, from the person."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.calls import Called, Cli, interrupt
from tests.cli.person import Terminal

BOOK = """
    inputs:
      who: {description: Whom to greet, pattern: '[a-z ]*'}
      count: {type: integer, min: 1, max: 9}
      level: {type: choice, options: [low, '3', high]}
      loud: {type: boolean}
      data: {type: file, default: book.yaml}
    steps: [{command: echo "${{ inputs.who }}"}]
"""
GIVEN = ("-i", "who=you", "-i", "count=3", "-i", "level=low", "-i", "loud=true")


def planned(cli: Cli, *options: str, stdin: bytes = b"") -> dict[str, object]:
    """The inputs in force."""
    called = cli("plan", cli.book(BOOK), "--json", *options, stdin=stdin)
    assert called.code == 0, called.err
    inputs: dict[str, object] = called.rows("plans")[0]["inputs"]
    return inputs


def refused(called: Called) -> list[str]:
    """The lines that tell why, and that nothing ran."""
    assert (called.code, called.out) == (2, "")
    return called.err.splitlines()


def test_a_value_may_hold_signs_of_equality_and_may_be_empty(cli: Cli) -> None:
    book = cli.book("inputs: {a: {}, b: {}}\nsteps: [{command: 'true'}]")
    called = cli("plan", book, "--json", "-i", "a=x=y=", "-i", "b=")
    assert called.rows("plans")[0]["inputs"] == {"a": "x=y=", "b": ""}


def test_files_are_yaml_or_json_and_every_text_is_as_written(cli: Cli) -> None:
    book = cli.book(
        "inputs: {a: {}, b: {}, c: {}, d: {}, n: {type: number}}\n"
        "steps: [{command: 'true'}]"
    )
    (cli.folder / "in.yaml").write_text(
        "a: 3.10\nb: NO\nc: 0644 # a comment\nd: '# none'\nn: 1.50\n"
    )
    called = cli("plan", book, "--json", "--inputs", "in.yaml")
    expected = {"a": "3.10", "b": "NO", "c": "0644", "d": "# none", "n": 1.5}
    assert called.rows("plans")[0]["inputs"] == expected
    (cli.folder / "in.json").write_text(
        '{\n\t"a": "é\\ud83d\\ude00\\/\\\\ud83d",\n\t"b": true, "c": "x\\ty",'
        '\n\t"d": 1e3, "n": 2}\n'
    )
    called = cli("plan", book, "--json", "--inputs", "in.json")
    expected = {"a": "é😀/\\ud83d", "b": "true", "c": "x\ty", "d": "1e3", "n": 2}
    assert called.rows("plans")[0]["inputs"] == expected


def test_a_later_file_wins_and_an_option_wins_over_all(cli: Cli) -> None:
    (cli.folder / "a.yaml").write_text("who: a\ncount: 1\nlevel: high\nloud: false\n")
    (cli.folder / "b.yaml").write_text("who: b\ncount: 2\n")
    options = ("--inputs", "a.yaml", "--inputs", "b.yaml", "-i", "who=c")
    found = planned(cli, *options)
    assert (found["who"], found["count"], found["level"]) == ("c", 2, "high")


def test_inputs_may_come_from_stdin(cli: Cli) -> None:
    text = json.dumps({"who": "you", "count": 3, "level": "3", "loud": True}).encode()
    assert planned(cli, "--inputs", "-", stdin=text)["level"] == "3"
    book = cli.folder / cli.book(BOOK)
    for command in ("run", "plan"):
        called = cli(command, "-", "--inputs", "-", stdin=book.read_bytes())
        told = refused(called)[0]
        assert told == "error: --inputs: '-' is the runbook already"


def test_every_problem_of_options_and_files_is_told_at_once(cli: Cli) -> None:
    (cli.folder / "in.yaml").write_text("whoo: you\ncount: 12\n  \nlevel: 3.0\n")
    called = cli("run", cli.book(BOOK), "--inputs", "in.yaml", "-i", "loud=yes")
    assert refused(called) == [
        (
            "error: in.yaml:1:1: there is no input 'whoo'; "
            "input 'who': must be given (Whom to greet); "
            "in.yaml:2:1: input 'count': must be at most 9, not 12; "
            "in.yaml:4:1: input 'level': must be one of low, 3, high, not '3.0'; "
            "input 'loud': must be true or false, not 'yes'"
        ),
        "  did you mean 'who'?",
        "  give it with -i who=VALUE",
        "  give it with -i count=1",
        "  give it with -i level=low",
        "  give it with -i loud=true",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("who: [a, b]\n", "in.yaml:1:6: input 'who' is one value, not a list or a map"),
        ("who:\n", "in.yaml:1:5: input 'who' has no value here"),
        ('{"who": null}', "in.yaml:1:9: input 'who' has no value here"),
        ("- who\n", "in.yaml:1:1: a map of inputs is needed here"),
        ("who: a\nwho: b\n", "in.yaml:2:1: the key 'who' stands twice"),
        ("who: 'open\n", "in.yaml:1:"),
        ("who: !x y\n", "in.yaml:1:6: '!x' would be a YAML tag"),
        ("\xff", "in.yaml:1:1: the file is not UTF-8 text"),
    ],
)
def test_what_is_no_map_of_texts_is_told_at_its_place(
    cli: Cli, text: str, told: str
) -> None:
    (cli.folder / "in.yaml").write_text(text, encoding="latin-1")
    lines = refused(cli("run", cli.book(BOOK), *GIVEN, "--inputs", "in.yaml"))
    assert lines[0].startswith(told)
    assert lines[-1].endswith("; nothing ran")


def test_a_file_of_inputs_that_is_not_there_is_told(cli: Cli) -> None:
    lines = refused(cli("run", cli.book(BOOK), *GIVEN, "--inputs", "none.yaml"))
    assert "'none.yaml' cannot be read: no such file" in lines[0]


def test_an_empty_file_of_inputs_gives_nothing(cli: Cli) -> None:
    (cli.folder / "in.yaml").write_text("\n# none today\n")
    assert planned(cli, *GIVEN, "--inputs", "in.yaml")["who"] == "you"


def test_nobody_is_asked_in_a_pipe(cli: Cli) -> None:
    lines = refused(cli("run", cli.book(BOOK), *GIVEN[2:], stdin=b"somebody\n"))
    assert lines[0] == "error: input 'who': must be given (Whom to greet)"


@contextmanager
def asked(cli: Cli, *argv: str, book: str = BOOK) -> Generator[Terminal]:
    """A person at a terminal who runs a runbook."""
    made = Terminal(cli, "run", cli.book(book), *argv)
    try:
        yield made
    finally:
        made.close()


def test_a_person_is_asked_for_what_is_missing_until_it_fits(cli: Cli) -> None:
    with asked(cli, "-i", "loud=true") as person:
        person.see("Whom to greet")
        person.see("who: ")
        person.type("\n")
        person.see("type a value, '' for an empty one")
        person.type("NO\n")
        person.see("must match the pattern [a-z ]*, and 'NO' does not")
        person.type("you\n")
        person.see("count (a whole number): ")
        person.type("many\n")
        person.see("must be a whole number, not 'many'")
        person.type("3\n")
        person.see("  1  low")
        person.see("level (1-3): ")
        person.type("4\n")
        person.see("must be one of low, 3, high, not '4'")
        person.type("1\n")
        person.see("passed")
        assert person.process.wait(30) == 0
    inputs = json.loads((cli.newest() / "report.json").read_text())["inputs"]
    chosen = {"who": "you", "count": 3, "level": "low", "loud": True}
    assert {name: inputs[name] for name in chosen} == chosen


def test_an_option_that_is_a_number_is_not_taken_for_one_of_the_list(cli: Cli) -> None:
    given = ("-i", "who=you", "-i", "count=3", "-i", "loud=true")
    with asked(cli, *given) as person:
        person.see("level (1-3): ")
        person.type("3\n")
        person.see("passed")
        assert person.process.wait(30) == 0
    report = json.loads((cli.newest() / "report.json").read_text())
    assert report["inputs"]["level"] == "3"


def test_ctrl_c_at_a_question_ends_everything_before_it_began(cli: Cli) -> None:
    with asked(cli) as person:
        person.see("who: ")
        interrupt(person.process)
        assert person.process.wait(30) == 130
    assert not list(cli.state.glob("runs/*"))


def test_ctrl_d_at_a_question_is_a_refusal(cli: Cli) -> None:
    with asked(cli) as person:
        person.see("who: ")
        person.type("\x04")
        person.see("input 'who': must be given")
        assert person.process.wait(30) == 2
    assert not list(cli.state.glob("runs/*"))


@pytest.mark.parametrize("argv", [["--json"], ["-i", "who=x"]], ids=["json", "CI"])
def test_nobody_is_asked_by_a_program(cli: Cli, argv: list[str]) -> None:
    if argv != ["--json"]:
        cli.environ["CI"] = "true"
    with asked(cli, *argv) as person:
        person.see("must be given")
        assert person.process.wait(30) == 2
        assert "(a whole number): " not in person.shown


def test_a_file_is_meant_from_where_the_person_stands(cli: Cli, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "its.txt").write_text("x")
    (other / "in.yaml").write_text("data: its.txt\n")
    book = str(cli.folder / cli.book(BOOK))
    called = cli("plan", book, "--json", *GIVEN, "--inputs", "in.yaml", cwd=other)
    assert called.rows("plans")[0]["inputs"]["data"] == str(other / "its.txt")
