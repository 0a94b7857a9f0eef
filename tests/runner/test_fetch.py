"""`fetch`: what comes out of the sandbox, under which name, and what never does."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbook.errors import RunbookError
from tests.runner.conftest import Ran, Runs

MAKE = """
        steps:
          - command: |
              mkdir -p out/deep/er out/empty
              echo a > out/a.png; echo b > out/b.png; echo c > out/deep/c.png
              echo d > out/deep/er/d.png; echo t > out/t.txt; echo u > 'out/ü ☃.txt'
              chmod 755 out/t.txt
          - id: got
"""


def brought(ran: Ran, path: str = "steps[1]") -> list[str]:
    """The files of the artifacts folder that the step speaks of."""
    folder = Path(str(ran.results(path)["path"]))
    if folder.is_file():
        return [folder.name]
    return sorted(
        str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()
    )


@pytest.mark.language("§6 fetch")
def test_a_file_gets_its_own_name_and_keeps_its_mode(run: Runs) -> None:
    ran = run(f"{MAKE}            fetch: out/t.txt\n")
    assert ran.code == 0
    got = Path(str(ran.results("steps[1]")["path"]))
    assert got.is_absolute()
    assert (got.name, got.read_text()) == ("t.txt", "t\n")
    assert got.stat().st_mode & 0o111
    assert (ran.results("steps[1]")["files"], ran.results("steps[1]")["size"]) == (1, 2)


@pytest.mark.language("§6 fetch")
def test_a_folder_comes_whole_with_empty_folders(run: Runs) -> None:
    ran = run(f"{MAKE}            fetch: out\n")
    assert ran.code == 0
    assert ran.results("steps[1]")["files"] == 6
    assert (Path(str(ran.results("steps[1]")["path"])) / "empty").is_dir()
    assert "deep/er/d.png" in brought(ran)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("out/*.png", ["a.png", "b.png"]),
        ("out/**/*.png", ["a.png", "b.png", "deep/c.png", "deep/er/d.png"]),
        ("out/deep/**", ["c.png", "er/d.png"]),
        ("out/?.txt", ["t.txt"]),
        ("out/? ?.txt", ["ü ☃.txt"]),
        ("*/deep/*.png", ["out/deep/c.png"]),
        ("**/t.txt", ["out/t.txt"]),
    ],
)
@pytest.mark.language("§7 patterns")
def test_a_pattern_brings_what_fits(run: Runs, pattern: str, names: list[str]) -> None:
    ran = run(f"{MAKE}            fetch: '{pattern}'\n            to: got\n")
    assert ran.code == 0
    assert brought(ran) == names
    assert ran.results("steps[1]")["files"] == len(names)


@pytest.mark.parametrize(
    "path", ["out/missing", "out/*.gif", "gone/*", "~/gone/*.x", "out/[ab].png"]
)
@pytest.mark.language("§6 fetch: no match")
def test_no_match_is_a_failure(run: Runs, path: str) -> None:
    ran = run(f"{MAKE}            fetch: '{path}'\n")
    assert ran.code == 1


@pytest.mark.parametrize("to", ["../up", "/etc/x", "a/../../up", "~/../../../x"])
def test_to_stays_in_the_artifacts_folder(run: Runs, to: str) -> None:
    with pytest.raises(RunbookError, match="is not inside the artifacts folder"):
        run(f"{MAKE}            fetch: out/t.txt\n            to: '{to}'\n")


@pytest.mark.parametrize("to", ["../up", "/etc/x", "a/../../up"])
def test_to_stays_there_also_when_it_is_known_only_then(run: Runs, to: str) -> None:
    ran = run(
        f"""
        inputs: {{to: {{}}}}
        {MAKE.strip()}
            fetch: out/t.txt
            to: ${{{{ inputs.to }}}}
        """,
        inputs={"to": to},
    )
    assert ran.code == 1
    assert "must stay in the artifacts folder" in (ran.step("steps[1]").cause or "")


@pytest.mark.language("§6 fetch")
def test_to_may_have_folders(run: Runs) -> None:
    ran = run(f"{MAKE}            fetch: out/t.txt\n            to: a/b/c.txt\n")
    assert ran.code == 0
    assert str(ran.results("steps[1]")["path"]).endswith("/a/b/c.txt")


def test_absolute_and_home_paths_and_cwd(run: Runs) -> None:
    ran = run("""
        steps:
          - command: mkdir -p w; echo w > w/f; echo h > ~/h.txt; echo t > /tmp/t.txt
          - {fetch: /tmp/t.txt}
          - {fetch: ~/h.txt}
          - {fetch: f, cwd: w}
          - {fetch: '*', cwd: w, to: all}
    """)
    assert ran.code == 0
    assert brought(ran, "steps[2]") == ["h.txt"]
    assert brought(ran, "steps[4]") == ["f"]


def test_for_each_fetches_each_item_and_gives_each_path(run: Runs) -> None:
    ran = run("""
        steps:
          - create: {as: one}
          - create: {as: two}
          - in: one
            command: echo 1 > a; echo 2 > b
          - id: all
            in: one
            for_each: [a, b]
            fetch: ${{ item }}
            to: each/${{ item }}
          - in: two
            for_each: ${{ steps.all.each }}
            copy: ${{ item.path }}
          - in: two
            command: cat a b
            expect: {stdout: {equals: "1\\n2\\n"}}
    """)
    assert ran.code == 0


def test_two_files_of_one_name_are_a_failure_and_the_first_stays(run: Runs) -> None:
    ran = run("""
        steps:
          - command: mkdir a b; echo one > a/x.txt; echo two > b/x.txt
          - fetch: a/x.txt
          - fetch: b/x.txt
    """)
    assert ran.code == 1
    cause = ran.step("steps[2]").cause or ""
    assert "there is a 'x.txt' in the artifacts folder already" in cause
    assert "`to`" in cause
    assert (ran.folder / "artifacts" / "x.txt").read_text() == "one\n"


def test_items_of_a_loop_may_not_overwrite_each_other(run: Runs) -> None:
    ran = run("""
        steps:
          - command: mkdir a b; echo one > a/x.txt; echo two > b/x.txt
          - for_each: [a, b]
            fetch: ${{ item }}/x.txt
    """)
    assert ran.code == 1
    assert "already" in (ran.step("steps[1].each[1]").cause or "")
    named = run("""
        steps:
          - command: mkdir a b; echo one > a/x.txt; echo two > b/x.txt
          - for_each: [a, b]
            fetch: ${{ item }}/x.txt
            to: ${{ item }}.txt
    """)
    assert named.code == 0, named.report.cause
    kept = sorted(path.name for path in (named.folder / "artifacts").iterdir())
    assert kept == ["a.txt", "b.txt"]


def test_a_further_try_replaces_what_it_fetched_before(run: Runs) -> None:
    ran = run("""
        steps:
          - command: echo one > x.txt
          - fetch: x.txt
            retry: {times: 1, wait: 1ms}
            expect: {file: {path: twice, exists: true}}
          - command: "true"
    """)
    assert ran.code == 1
    assert len(ran.step("steps[1]").attempts) == 2
    assert "already" not in (ran.step("steps[1]").cause or "")


def test_the_same_file_may_be_fetched_and_be_an_artifact(run: Runs) -> None:
    ran = run("""
        steps:
          - command: echo one > x.txt
          - fetch: x.txt
        artifacts: [x.txt]
    """)
    assert ran.code == 0, ran.report.cause
