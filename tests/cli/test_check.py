"""`sandbook check`: every problem, and nothing else happens."""

from __future__ import annotations

from tests.cli.calls import Cli

GOOD = "steps: [{command: 'true'}, {command: 'true'}]"


def test_a_file_without_problems_is_ok(cli: Cli) -> None:
    called = cli("check", cli.book(GOOD))
    assert (called.code, called.out, called.err) == (0, "book.yaml: ok: 2 steps\n", "")


def test_nothing_is_made_on_disk(cli: Cli) -> None:
    before = sorted(cli.folder.parent.rglob("*"))
    book = cli.book(GOOD)
    assert cli("check", book).code == 0
    after = sorted(cli.folder.parent.rglob("*"))
    made = {path.name for path in set(after) - set(before)}
    assert {name for name in made if not name.endswith(".pyc")} <= {book, "__pycache__"}


def test_the_problems_of_all_files_are_told(cli: Cli) -> None:
    bad = cli.book("stepz: []", "bad.yaml")
    good = cli.book(GOOD, "good.yaml")
    called = cli("check", bad, "missing.yaml", good)
    assert called.code == 2
    assert called.err == ""
    assert "bad.yaml:2:1: " in called.out
    assert "did you mean" in called.out
    assert "missing.yaml:1:1: the file cannot be read: No such file" in called.out
    assert called.out.endswith("good.yaml: ok: 2 steps\n")


def test_problems_are_data_with_json(cli: Cli) -> None:
    called = cli("check", cli.book("stepz: []\nsteps: [{command: 'true'}]"), "--json")
    assert called.code == 2
    (problem,) = called.rows("problems")
    assert problem.keys() == {
        "code",
        "file",
        "line",
        "column",
        "message",
        "remedy",
        "severity",
    }
    assert (problem["file"], problem["line"], problem["column"]) == ("book.yaml", 2, 1)
    assert problem["severity"] == "error"


def test_no_problems_are_an_empty_list_with_json(cli: Cli) -> None:
    called = cli("check", cli.book(GOOD), "--json")
    assert (called.code, called.rows("problems")) == (0, [])


def test_a_folder_is_no_runbook(cli: Cli) -> None:
    called = cli("check", str(cli.folder))
    assert called.code == 2
    assert "the file cannot be read: Is a directory (SB100)" in called.out


def test_a_file_that_is_not_utf8_is_told_with_its_line(cli: Cli) -> None:
    (cli.folder / "latin.yaml").write_bytes(b"runbook: 1\nname: caf\xe9\n")
    called = cli("check", "latin.yaml")
    assert called.code == 2
    assert "latin.yaml:2:1: the file is not UTF-8 text (SB100)" in called.out


def test_stdin_is_checked_as_a_file_is(cli: Cli) -> None:
    good = cli("check", "-", stdin=b"runbook: 1\nsteps: [{command: 'true'}]\n")
    assert (good.code, good.out) == (0, "-: ok: 1 step\n")
    bad = cli("check", "-", stdin=b"name: caf\xe9\n")
    assert bad.code == 2
    assert "<stdin>:1:1: the file is not UTF-8 text" in bad.out


def test_stdin_twice_is_refused(cli: Cli) -> None:
    called = cli("check", "-", "-")
    assert called.code == 2
    assert called.err == "error: '-' is given twice\n  stdin can be read only once\n"


def test_a_warning_makes_no_file_wrong(cli: Cli) -> None:
    called = cli("check", cli.book("steps:\n  - command: echo a # b\n"))
    assert called.code == 0
    assert ": warning: " in called.out
    assert called.out.endswith("book.yaml: ok: 1 step, 1 warning\n")
