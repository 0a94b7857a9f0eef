"""`init` and `explain FILE`: the beginning of a runbook, and what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.calls import ROOT, Cli

EXAMPLES = sorted((ROOT / "runbooks").glob("*.yaml"))


def test_what_init_writes_runs_green_as_it_is(cli: Cli) -> None:
    made = cli("init")
    assert made.out == "runbook.yaml is written; run it: sandbook run runbook.yaml\n"
    text = (cli.folder / "runbook.yaml").read_text()
    assert text.startswith("runbook: 1\n")
    assert text.count("#") > 5
    called = cli("run", "runbook.yaml", "-i", "who=you")
    assert called.code == 0, called.out
    assert "Hello, you" in called.out
    assert cli("fmt", "--check", "runbook.yaml").code == 0


def test_init_never_overwrites(cli: Cli) -> None:
    book = cli.book("steps: []")
    before = (cli.folder / book).read_bytes()
    called = cli("init", book)
    assert called.code == 2
    assert "there is a 'book.yaml' already" in called.err
    assert (cli.folder / book).read_bytes() == before


def test_init_tells_where_it_cannot_write(cli: Cli) -> None:
    called = cli("init", "none/book.yaml")
    assert called.code == 2
    assert "'none/book.yaml' cannot be written: No such file" in called.err


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_can_be_begun_with(cli: Cli, path: Path) -> None:
    assert path.stem in cli("init", "--list").out
    assert cli("init", "mine.yaml", "--from", path.stem).code == 0
    assert cli("check", "mine.yaml").code == 0
    for made in cli.folder.glob("*.yaml"):
        assert "$schema=../" not in made.read_text()


def test_an_example_brings_what_it_uses(cli: Cli) -> None:
    made = cli("init", "mine.yaml", "--from", "nightly")
    assert "with smoke.yaml, matrix.yaml beside it" in made.out
    assert cli("init", "again.yaml", "--from", "nightly").code == 0


def test_what_an_example_brings_overwrites_nothing(cli: Cli) -> None:
    (cli.folder / "smoke.yaml").write_text("mine\n")
    called = cli("init", "mine.yaml", "--from", "nightly")
    assert called.code == 2
    assert "there is a 'smoke.yaml' already" in called.err
    assert (cli.folder / "smoke.yaml").read_text() == "mine\n"
    assert not (cli.folder / "mine.yaml").exists()


def test_an_unknown_example_is_told_with_the_nearest(cli: Cli) -> None:
    called = cli("init", "--from", "smokes")
    assert called.code == 2
    assert "there is no example 'smokes'" in called.err
    assert "did you mean 'smoke'?" in called.err
    assert not (cli.folder / "runbook.yaml").exists()


def test_a_runbook_is_told_in_plain_words(cli: Cli) -> None:
    book = cli.book("""
        name: Greeting
        description: Greets somebody.
        inputs:
          who: {default: world, description: the one}
          n: {type: integer, min: 1}
        secrets: [TOKEN]
        steps:
          - id: hi
            if: inputs.n > 1
            command: echo "Hello, ${{ inputs.who }}!"
            expect: {stdout: Hello, exit: 0}
            retry: 2
            timeout: 5s
          - name: Both
            parallel:
              - write: a.txt
                content: x
              - for_each: [a, b]
                command: [echo, "${{ item }}"]
                allow_failure: true
          - check: {file: a.txt}
        finally: [{command: echo bye}]
        artifacts: [a.txt]
    """)
    called = cli("explain", book)
    assert (called.code, called.err) == (0, "")
    assert (
        called.out
        == """\
Greeting
  Greets somebody.

You give it:
  - who: a text (the one); "world" if you do not say
  - n: a whole number, at least 1; must be given

It needs the secret values TOKEN, which it never shows.

It does this, from top to bottom; the first failure stops it:
  1. Run `echo "Hello, ${{ inputs.who }}!"`.
     Only if `${{ inputs.n > 1 }}`.
     Afterwards its stdout must contain `Hello` and its exit must be 0.
     If it fails it is tried 2 more times, 1s apart.
     It may take 5s.
  2. Both: do these at the same time.
     1. Write the file `a.txt`.
     2. Run the program `echo ${{ item }}`.
        Once for each of `[a, b]`.
        If it fails, the rest goes on and the run can still pass.
  3. Check this: the file `a.txt` must be there.

At the end, whatever happened:
  1. Run `echo bye`.
     It may take 1m.

You get the files a.txt.

It runs in a sandbox of its own, which is removed afterwards.
"""
    )


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("a.txt", "the file `a.txt` must be there"),
        ("{path: a.txt}", "the file `a.txt` must be there"),
        ("{path: a.txt, exists: false}", "the file `a.txt` must not be there"),
        (
            "{path: a.txt, contains: x, size: {more_than: 3}}",
            "the file `a.txt` must contain `x` and have the size more_than 3",
        ),
        (
            "[a.txt, {path: b.txt, contains: x}]",
            "the file `a.txt` must be there and the file `b.txt` must contain `x`",
        ),
    ],
)
def test_what_a_file_must_be_is_told(cli: Cli, file: str, told: str) -> None:
    called = cli("explain", cli.book(f"steps: [{{check: {{file: {file}}}}}]"))
    assert told in " ".join(called.out.split())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_can_be_told(cli: Cli, path: Path) -> None:
    called = cli("explain", str(path))
    assert called.code == 0
    assert max(map(len, called.out.splitlines())) <= 100
    assert "Template(" not in called.out
    assert "Expression(" not in called.out


def test_a_wrong_runbook_is_not_told_but_its_problems(cli: Cli) -> None:
    called = cli("explain", cli.book("stepz: []"))
    assert called.code == 2
    assert "book.yaml:2:1: " in called.err


def test_what_is_neither_a_code_nor_a_file_is_told(cli: Cli) -> None:
    called = cli("explain", "nothing.yaml")
    assert called.code == 2
    assert "'nothing.yaml' is neither a code nor a file" in called.err
