"""What a run keeps: artifacts, outputs, notes, and what `setup` leaves."""

from __future__ import annotations

import pytest

from tests.runner.conftest import Ran, Runs
from tests.runner.test_use import write_file


def _notes(ran: Ran) -> list[str]:
    return [str(e.fields["text"]) for e in ran.events if e.name == "step.noted"]


@pytest.mark.parametrize("pattern", ["logs/*.log", "nowhere/**/*.log", "*.log"])
@pytest.mark.language("§7 artifacts: missing")
def test_a_pattern_without_a_match_is_a_warning(run: Runs, pattern: str) -> None:
    ran = run(f"""
        artifacts: ["{pattern}"]
        steps: [{{command: mkdir logs}}]
    """)
    assert ran.code == 0, ran.report.cause
    (note,) = ran.report.notes
    assert note.endswith(f"nothing fits the artifact pattern '{pattern}'")
    assert "book.yaml:2:" in note


@pytest.mark.language("§7 artifacts folder")
def test_what_is_kept_has_the_name_of_its_path(run: Runs) -> None:
    ran = run("""
        inputs: {name: {default: b}}
        artifacts: [out/a.txt, "out/${{ inputs.name }}.txt", "deep/**/*.log", folder]
        steps:
          - command: |
              mkdir -p out deep/er folder/in
              echo A > out/a.txt; echo B > out/b.txt; echo L > deep/er/x.log
              echo F > folder/in/f
    """)
    assert ran.code == 0, ran.report.cause
    kept = ran.folder / "artifacts"
    found = sorted(str(p.relative_to(kept)) for p in kept.rglob("*") if p.is_file())
    assert found == ["deep/er/x.log", "folder/in/f", "out/a.txt", "out/b.txt"]
    assert list(ran.report.artifacts) == [
        "out/a.txt",
        "out/b.txt",
        "deep/**/*.log",
        "folder",
    ]


def test_patterns_that_overlap_bring_a_file_once(run: Runs) -> None:
    ran = run("""
        artifacts: [out/a.txt, "out/*.txt", "**/*.txt"]
        steps: [{command: mkdir out; echo A > out/a.txt; echo B > out/b.txt}]
    """)
    assert ran.code == 0, ran.report.cause


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("f.txt", "\"${{ 'f.txt' }}\""),
        ("f.txt", "'*.txt'"),
        ("'*.txt'", "f.txt"),
        (".", "'*.txt'"),
    ],
)
@pytest.mark.language("§7 artifacts: equal names")
def test_files_of_one_name_from_two_sandboxes_are_a_failure(
    run: Runs, first: str, second: str
) -> None:
    ran = run(f"""
        artifacts: [{{path: {first}, in: one}}, {{path: {second}, in: two}}]
        steps:
          - create: {{as: one}}
          - create: {{as: two}}
          - {{in: one, command: echo 1 > f.txt}}
          - {{in: two, command: echo 2 > f.txt}}
    """)
    assert ran.code == 1
    assert "there is a 'f.txt' already" in (ran.report.cause or "")
    assert (ran.folder / "artifacts" / "f.txt").read_text() == "1\n"


def test_a_file_of_a_used_runbook_has_no_second_one_of_its_name(run: Runs) -> None:
    write_file(run, "lib.yaml", "artifacts: [f]\nsteps: [{command: echo x > f}]\n")
    ran = run("steps: [{use: lib.yaml}, {use: lib.yaml}]")
    assert ran.code == 1
    assert "there is a 'f' already" in (ran.step("steps[1]").cause or "")


def test_a_try_of_a_used_runbook_replaces_what_the_one_before_brought(
    run: Runs,
) -> None:
    write_file(
        run,
        "lib.yaml",
        """
        artifacts: [f]
        steps: [{command: echo x >> f; test "$(wc -l < f)" -eq 2}]
        """,
    )
    ran = run("steps: [{use: lib.yaml, retry: {times: 1, wait: 1ms}}]")
    assert ran.code == 0, ran.report.cause
    assert (ran.folder / "artifacts" / "f").read_text() == "x\nx\n"


@pytest.mark.parametrize("artifact", ["away", "away/passwd", "'away/*'"])
def test_an_artifact_behind_a_link_that_leaves_the_folder_is_a_failure(
    run: Runs, artifact: str
) -> None:
    ran = run(f"""
        artifacts: [{artifact}]
        steps: [{{command: ln -s /etc away}}]
    """)
    assert ran.code == 1
    assert "link that leaves the working folder" in (ran.report.cause or "")
    kept = ran.folder / "artifacts"
    assert not kept.exists() or not any(kept.rglob("passwd"))


@pytest.mark.language("§1 outputs")
def test_outputs_are_in_the_report_with_their_types(run: Runs) -> None:
    ran = run("""
        steps: [{id: a, command: "echo '[1, true]'"}]
        outputs: {list: "${{ steps.a.json }}", text: "x ${{ steps.a.exit }}", n: 3}
    """)
    assert ran.code == 0, ran.report.cause
    assert ran.report.outputs == {"list": [1, True], "text": "x 0", "n": 3}
    assert ran.report.to_json()["outputs"] == {"list": [1, True], "text": "x 0", "n": 3}


def test_an_output_that_cannot_be_computed_fails_the_run_and_names_it(
    run: Runs,
) -> None:
    ran = run("""
        steps: [{id: a, command: echo}]
        outputs: {good: 1, bad: "${{ steps.a.json.x }}"}
    """)
    assert ran.code == 1
    assert "output 'bad': " in (ran.report.cause or "")


@pytest.mark.language("§1 setup")
def test_setup_runs_first_and_a_failure_in_it_stops_the_steps(run: Runs) -> None:
    ran = run("""
        setup: [{id: made, command: echo set > up}]
        steps: [{command: test "$(cat up)" = set}, {check: steps.made.ok}]
    """)
    assert ran.code == 0, ran.report.cause
    ran = run("""
        setup: [{command: exit 3}]
        steps: [{command: echo never}]
    """)
    assert ran.code == 1
    assert ran.step("steps[0]").status == "pending"


def test_what_a_step_says_is_in_the_journal_and_the_report(run: Runs) -> None:
    ran = run("""
        steps:
          - command: mkdir d; mkfifo d/pipe; echo x > d/x
          - {fetch: d, to: kept}
    """)
    assert ran.code == 0, ran.report.cause
    last = ran.step("steps[1]").last
    assert last is not None
    assert any("pipe" in note for note in last.notes)
    assert list(last.notes) == _notes(ran)
