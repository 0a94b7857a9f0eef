"""`sandbook fmt`: files in place, stdin, folders, and what is left alone."""

from __future__ import annotations

from tests.cli.calls import Cli

UGLY = "steps:\n- command:   a: b\n"
NEAT = 'runbook: 1\nsteps:\n  - command: "a: b"\n'


def test_a_file_is_rewritten_and_named(cli: Cli) -> None:
    book = cli.book(UGLY)
    called = cli("fmt", book)
    assert (called.code, called.err) == (0, "")
    assert called.out == "book.yaml: formatted\n1 file formatted\n"
    assert (cli.folder / book).read_text() == NEAT


def test_a_canonical_file_is_not_touched(cli: Cli) -> None:
    path = cli.folder / "neat.yaml"
    path.write_text(NEAT)
    before = path.stat()
    called = cli("fmt", "neat.yaml")
    assert (called.code, called.out) == (0, "0 files formatted, 1 unchanged\n")
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_mode_and_links_stay(cli: Cli) -> None:
    real = cli.folder / cli.book(UGLY)
    real.chmod(0o754)
    (cli.folder / "soft.yaml").symlink_to("book.yaml")
    assert cli("fmt", "soft.yaml").code == 0
    assert (cli.folder / "soft.yaml").is_symlink()
    assert real.read_text() == NEAT
    assert real.stat().st_mode & 0o777 == 0o754
    assert sorted(path.name for path in cli.folder.iterdir()) == [
        "book.yaml",
        "soft.yaml",
    ]


def test_every_name_of_a_file_shows_the_new_text(cli: Cli) -> None:
    real = cli.folder / cli.book(UGLY)
    other = cli.folder / "other.txt"
    other.hardlink_to(real)
    assert cli("fmt", "book.yaml").code == 0
    assert other.read_text() == NEAT


def test_check_names_what_would_change_and_writes_nothing(cli: Cli) -> None:
    book = cli.book(UGLY)
    before = (cli.folder / book).read_bytes()
    called = cli("fmt", "--check", book)
    assert called.code == 1
    assert called.out == "book.yaml: would be formatted\n1 file would be formatted\n"
    assert (cli.folder / book).read_bytes() == before


def test_check_of_a_canonical_file_is_0(cli: Cli) -> None:
    (cli.folder / "neat.yaml").write_text(NEAT)
    assert cli("fmt", "--check", "neat.yaml").code == 0


def test_diff_shows_what_would_change_and_writes_nothing(cli: Cli) -> None:
    book = cli.book(UGLY)
    before = (cli.folder / book).read_bytes()
    called = cli("fmt", "--diff", book)
    assert called.code == 0
    assert "--- book.yaml\n+++ book.yaml (formatted)\n" in called.out
    assert '\n+  - command: "a: b"\n' in called.out
    assert (cli.folder / book).read_bytes() == before
    assert cli("fmt", "--diff", "--check", book).code == 1


def test_stdin_goes_to_stdout(cli: Cli) -> None:
    called = cli("fmt", "-", stdin=b"runbook: 1\r\n" + UGLY.encode())
    assert (called.code, called.out, called.err) == (0, NEAT, "")


def test_a_folder_stands_for_the_runbooks_below_it(cli: Cli) -> None:
    for name in ("a/one.yaml", "a/b/two.yml", "a/.hidden/three.yaml", "a/no.txt"):
        (cli.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (cli.folder / name).write_text("runbook: 1\n" + UGLY)
    (cli.folder / "a" / "other.yaml").write_text("a:   b\n")
    called = cli("fmt", "a")
    assert called.code == 0
    assert called.out == (
        "a/b/two.yml: formatted\na/one.yaml: formatted\n2 files formatted\n"
    )
    assert (cli.folder / "a" / "other.yaml").read_text() == "a:   b\n"


def test_a_folder_without_runbooks_is_told(cli: Cli) -> None:
    (cli.folder / "empty").mkdir()
    called = cli("fmt", "empty")
    assert called.code == 2
    assert called.err.startswith("error: there is no runbook below 'empty'\n")


def test_a_file_with_problems_is_left_and_the_others_are_not(cli: Cli) -> None:
    bad = cli.book("stepz:   []\n", "bad.yaml")
    before = (cli.folder / bad).read_bytes()
    called = cli("fmt", bad, "missing.yaml", cli.book(UGLY))
    assert called.code == 2
    assert "bad.yaml:2:1: " in called.err
    assert "bad.yaml: 2 problems; it was left as it is\n" in called.err
    assert "missing.yaml:1:1: the file cannot be read: No such file" in called.err
    assert called.out == ("book.yaml: formatted\n1 file formatted, 2 with problems\n")
    assert (cli.folder / bad).read_bytes() == before


def test_a_tab_is_not_guessed_away(cli: Cli) -> None:
    book = cli.book("steps:\n\t- check: true\n")
    called = cli("fmt", book)
    assert called.code == 2
    assert "a tab stands where YAML wants spaces" in called.err


def test_a_file_that_cannot_be_written_is_told(cli: Cli) -> None:
    called = cli("fmt", "/dev/null")
    assert called.code == 2
    assert "the file is empty" in called.err
