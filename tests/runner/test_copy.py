"""`copy`: what comes into the sandbox, under which name, and what never does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sandbook.errors import RunbookError
from tests.runner.conftest import Runs


def plant(folder: Path, *names: str) -> None:
    """Files that hold their own name; a name that ends with / is a folder."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir()
        else:
            path.write_text(name)


@pytest.mark.language("§6 copy")
def test_a_file_gets_its_own_name_in_cwd(run: Runs) -> None:
    plant(run.folder, "data/a b.txt")
    ran = run("""
        steps:
          - command: mkdir sub
          - id: it
            cwd: sub
            copy: data/a b.txt
          - check: steps.it.files == 1 and steps.it.size == 12
          - command: [cat, "${{ steps.it.path }}"]
            expect: {text: {equals: data/a b.txt}}
          - command: pwd; test -f 'sub/a b.txt'
            expect: {stdout: "/"}
    """)
    assert ran.code == 0
    assert str(ran.results("steps[1]")["path"]).endswith("/sub/a b.txt")


@pytest.mark.language("§6 copy")
def test_a_folder_comes_whole_with_links_modes_and_empty_folders(run: Runs) -> None:
    plant(run.folder, "site/deep/er/x", "site/run.sh", "site/empty/", "site/ünï ☃")
    (run.folder / "site" / "run.sh").chmod(0o755)
    (run.folder / "site" / "link").symlink_to("deep/er/x")
    ran = run("""
        steps:
          - id: it
            copy: site
          - command: |
              cd site
              test -x run.sh && test ! -x deep/er/x
              test -d empty
              readlink link
              cat link 'ünï ☃'
            expect: {stdout: {equals: "deep/er/x\\nsite/deep/er/xsite/ünï ☃"}}
    """)
    assert ran.code == 0
    assert ran.results("steps[0]")["files"] == 3


@pytest.mark.parametrize("to", ["other/name.txt", "~/name.txt", "/tmp/name.txt"])
@pytest.mark.language("§6 copy")
def test_to_says_where_it_goes(run: Runs, to: str) -> None:
    plant(run.folder, "a.txt")
    ran = run(f"""
        steps:
          - {{copy: a.txt, to: {to}}}
          - command: cat {to}
            expect: {{text: {{equals: a.txt}}}}
    """)
    assert ran.code == 0


@pytest.mark.parametrize(
    ("ignore", "left"),
    [
        ("'*.tmp'", "a b.txt d d/c.txt d/e"),
        ("[d]", "a b.txt x.tmp"),
        ("[d/*]", "a b.txt d x.tmp"),
        ("['**/*.t?t', 'd/**/x.tmp']", "a d d/e x.tmp"),
        ("['?']", "b.txt x.tmp"),
        ("['[ab]*']", "a b.txt d d/c.txt d/e d/e/x.tmp x.tmp"),
    ],
)
@pytest.mark.language("§6 copy ignore")
def test_ignore_leaves_out_what_fits(run: Runs, ignore: str, left: str) -> None:
    plant(run.folder, "s/a", "s/b.txt", "s/x.tmp", "s/d/c.txt", "s/d/e/x.tmp")
    ran = run(f"""
        steps:
          - {{copy: s, ignore: {ignore}}}
          - command: cd s && find . -mindepth 1 | cut -c3- | sort | xargs echo
            expect: {{text: {{equals: {left}}}}}
    """)
    assert ran.step("steps[1]").cause is None
    assert ran.code == 0


@pytest.mark.parametrize("path", ["../out.txt", "a/../../out.txt", "/etc/passwd"])
@pytest.mark.language("§7 paths on this computer")
def test_a_path_out_of_the_project_is_refused_before_anything_runs(
    run: Runs, path: str
) -> None:
    plant(run.folder.parent, "out.txt")
    with pytest.raises(RunbookError, match="outside the project"):
        run(f"steps: [{{copy: {path}}}]")


@pytest.mark.parametrize("path", ["link.txt", "folder/out.txt"])
def test_a_link_out_of_the_project_is_refused(run: Runs, path: str) -> None:
    plant(run.folder.parent, "out.txt")
    (run.folder / "link.txt").symlink_to("../out.txt")
    (run.folder / "folder").symlink_to("..")
    ran = run(f"""
        inputs: {{path: {{default: {path}}}}}
        steps:
          - copy: ${{{{ inputs.path }}}}
            to: got
    """)
    assert ran.code != 0
    assert "outside the project" in (ran.step("steps[0]").cause or "")


def test_a_link_inside_a_folder_brings_nothing_of_outside(run: Runs) -> None:
    plant(run.folder.parent, "secret.txt")
    plant(run.folder, "s/a")
    (run.folder / "s" / "link").symlink_to(run.folder.parent / "secret.txt")
    ran = run("""
        steps:
          - copy: s
          - command: ls s; ! cat s/link
            expect: {output: {not_contains: secret.txt content}}
    """)
    assert ran.code == 0


@pytest.mark.language("§7 paths on this computer")
def test_the_project_reaches_up_to_its_mark(run: Runs) -> None:
    plant(run.folder.parent, "sandbook.yaml", "shared.txt")
    (run.folder.parent / "sandbook.yaml").write_text("")
    ran = run("""
        steps:
          - copy: ../shared.txt
          - command: cat shared.txt
            expect: {stdout: shared.txt}
    """)
    assert ran.code == 0


def test_what_is_not_there_is_a_failure(run: Runs) -> None:
    ran = run("""
        steps:
          - copy: nothing.txt
    """)
    assert ran.code == 1
    assert "nothing.txt" in (ran.step("steps[0]").cause or "")


@pytest.mark.language("§7 file inputs")
def test_an_input_of_type_file_may_be_anywhere(run: Runs, tmp_path: Path) -> None:
    plant(tmp_path, "elsewhere/data.csv")
    ran = run(
        """
        inputs: {data: {type: file}}
        steps:
          - copy: ${{ inputs.data }}
          - command: cat data.csv
            expect: {stdout: data.csv}
        """,
        inputs={"data": str(tmp_path / "elsewhere" / "data.csv")},
    )
    assert ran.code == 0


def test_an_input_that_is_a_text_opens_no_way_out(run: Runs, tmp_path: Path) -> None:
    plant(tmp_path, "elsewhere.csv")
    ran = run(
        """
        inputs: {data: {}}
        steps:
          - copy: ${{ inputs.data }}
        """,
        inputs={"data": str(tmp_path / "elsewhere.csv")},
    )
    assert ran.code != 0
    assert "outside the project" in (ran.step("steps[0]").cause or "")


@pytest.mark.language("§7 paths on this computer")
def test_the_default_of_a_file_input_stays_in_the_project(run: Runs) -> None:
    plant(run.folder.parent, "elsewhere.csv")
    with pytest.raises(RunbookError, match="outside the project"):
        run("""
            inputs: {data: {type: file, default: ../elsewhere.csv}}
            steps:
              - copy: ${{ inputs.data }}
        """)


@pytest.mark.language("§6 fetch")
def test_a_path_of_a_fetch_can_be_copied_into_another_sandbox(run: Runs) -> None:
    ran = run("""
        steps:
          - create: {as: one}
          - create: {as: two}
          - in: one
            command: mkdir -p d/e; echo hi > d/e/f; mkdir d/empty
          - id: got
            in: one
            fetch: d
          - in: two
            copy: ${{ steps.got.path }}
          - in: two
            command: cat d/e/f; test -d d/empty
            expect: {stdout: hi}
    """)
    assert ran.code == 0


def test_copy_of_many_with_for_each(run: Runs) -> None:
    plant(run.folder, "a.txt", "b.txt")
    ran = run("""
        steps:
          - id: all
            for_each: [a.txt, b.txt]
            copy: ${{ item }}
            to: in/${{ item }}
          - check: steps.all.each[1].size == 5
          - command: cat in/a.txt in/b.txt
            expect: {stdout: {equals: a.txtb.txt}}
    """)
    assert ran.code == 0


def test_a_pipe_is_passed_over_and_told(run: Runs) -> None:
    plant(run.folder, "s/a")
    os.mkfifo(run.folder / "s" / "pipe")
    ran = run("""
        steps:
          - {copy: s, ignore: ['*.none']}
          - command: ls s
            expect: {text: {equals: a}}
    """)
    assert ran.code == 0
    assert "pipe: neither a file nor a folder" in str(ran.events)
