"""`run --step`, `--from` and `--until`: a part of a runbook."""

from __future__ import annotations

import pytest

from tests.cli.calls import Called, Cli

BOOK = """
    name: Parts
    setup: [{command: echo set-up}]
    steps:
      - {id: a, command: echo first}
      - {id: b, name: Second one, command: echo second}
      - {id: c, command: "echo ${{ steps.b.text }} again"}
      - parallel: [{id: inner, command: echo inside}]
    finally: [{command: echo tidied}]
    artifacts: [never.txt]
    outputs: {a: "${{ steps.a.text }}", b: "${{ steps.b.text }}"}
"""
SAID = ("set-up", "first", "second", "second again", "inside", "tidied")


def _said(called: Called) -> list[str]:
    shown = [line.strip().removeprefix("│ ") for line in called.out.splitlines()]
    return [line for line in shown if line in SAID]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--step", "a"], ["first"]),
        (["--step", "2"], ["second"]),
        (["--step", "steps[1]"], ["second"]),
        (["--step", "Second one"], ["second"]),
        (["--step", "c", "--step", "b"], ["second", "second again"]),
        (["--from", "b"], ["second", "second again", "inside"]),
        (["--until", "b"], ["first", "second"]),
        (["--from", "2", "--until", "3"], ["second", "second again"]),
        (["--from", "4"], ["inside"]),
    ],
    ids=" ".join,
)
def test_only_the_chosen_steps_run_with_setup_and_finally(
    cli: Cli, options: list[str], said: list[str]
) -> None:
    called = cli("run", cli.book(BOOK), *options)
    # An artifact that a step left out would have made is not missed.
    assert (called.code, _said(called)) == (0, ["set-up", *said, "tidied"]), called
    assert "left out; what they would do in the sandbox is not there" in called.err


def test_without_a_choice_everything_runs_and_artifacts_are_missed(cli: Cli) -> None:
    called = cli("run", cli.book(BOOK))
    assert (called.code, _said(called)) == (1, list(SAID))
    assert "artifact not collected" in called.out


def test_outputs_of_steps_that_are_left_out_are_not_computed(cli: Cli) -> None:
    called = cli("run", cli.book(BOOK), "--step", "b", "--json")
    assert called.json()["outputs"] == {"b": "second"}


def test_a_chosen_step_brings_the_sandbox_it_works_in(cli: Cli) -> None:
    book = cli.book("""
        steps:
          - create: {as: one}
          - create: {as: two}
          - {in: one, command: echo first}
          - {in: two, command: echo second}
    """)
    called = cli("run", book, "--step", "4", "--json")
    made = [each["name"] for each in called.json()["sandboxes"]]
    assert (called.code, made) == (0, ["two"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--step", "d"], "error: there is no step 'd'"),
        (["--step", "secnd"], "error: there is no step 'secnd'"),
        (["--step", "5"], "error: there is no step '5'"),
        (["--step", "inner"], "error: step 'inner' runs as a part of step 4 only"),
        (["--step", "a", "--from", "b"], "error: --step names single steps"),
        (["--from", "c", "--until", "a"], "error: step 'c' comes after step 'a'"),
        (["--step", "c"], "error: book.yaml:7:5: this step uses the result of step"),
    ],
    ids=" ".join,
)
def test_a_choice_that_makes_no_sense_runs_nothing(
    cli: Cli, options: list[str], message: str
) -> None:
    called = cli("run", cli.book(BOOK), *options)
    assert (called.code, called.out) == (2, "")
    assert called.err.startswith(message), called.err
    assert len(called.err.splitlines()) == 2
    assert not (cli.state / "runs").exists()


def test_equal_names_are_told_apart_by_number(cli: Cli) -> None:
    book = cli.book("""
        steps:
          - {name: Same, command: echo first}
          - {name: Same, command: echo second}
    """)
    called = cli("run", book, "--step", "Same")
    assert called.code == 2
    assert "give its number instead: 1, 2" in called.err


def test_steps_are_chosen_of_one_file(cli: Cli) -> None:
    other = cli.book(BOOK, "other.yaml")
    called = cli("run", cli.book(BOOK), other, "--step", "a")
    assert called.code == 2
    assert "steps can be chosen of one runbook only" in called.err
