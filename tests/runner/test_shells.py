"""What the shells of `command` do with failures, and what `write` gives back."""

from __future__ import annotations

import pytest

from tests.runner.conftest import Runs


@pytest.mark.parametrize(
    ("shell", "script", "code"),
    [
        ("bash", "false; true", 1),
        ("sh", "false; true", 1),
        ("bash", "false && true; true", 0),
        ("bash", "if false; then :; fi", 0),
        ("bash", "f() { local x=$(false); }; f", 0),
        ("bash", "false | true", 1),
        ("sh", "false | true", 0),
        ("bash", "yes | head -n 1", 141),
        ("bash", "no_such_program", 127),
        ("sh", "/etc/passwd", 126),
    ],
)
def test_each_shell_ends_at_the_failures_it_is_said_to_end_at(
    run: Runs, shell: str, script: str, code: int
) -> None:
    ran = run(f"""
        steps:
          - command: {script!r}
            shell: {shell}
            expect: {{exit: {code}}}
    """)
    assert ran.code == 0


def test_write_replaces_a_file_and_gives_its_path_size_and_mode(run: Runs) -> None:
    ran = run("""
        steps:
          - write: deep/er/f
            content: a long text
          - write: deep/er/f
            base64: AAEC
            mode: "0640"
          - write: ~/g
            content: ä
          - write: /tmp/h
            content: ""
          - command: stat -c '%a %s' deep/er/f
            expect: {text: {equals: "640 3"}}
    """)
    assert ran.code == 0
    sizes = [ran.results(f"steps[{i}]")["size"] for i in range(4)]
    paths = [str(ran.results(f"steps[{i}]")["path"]) for i in range(4)]
    assert sizes == [11, 3, 2, 0]
    assert paths[3] == "/tmp/h"
    assert all(path.startswith("/") for path in paths)


@pytest.mark.language("§6 write mode")
def test_what_is_written_with_a_secret_is_for_its_owner_only(run: Runs) -> None:
    ran = run(
        """
        secrets: [TOKEN]
        steps:
          - write: f
            content: ${{ secrets.TOKEN }}
          - command: stat -c %a f
            expect: {text: {equals: "600"}}
        """,
        secrets={"TOKEN": "hush-hush"},
    )
    assert ran.code == 0
