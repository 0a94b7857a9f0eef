"""`expect`, `save`, `check` and `ready` in real runs: what holds, and what is told."""

from __future__ import annotations

import pytest

from tests.runner.conftest import Runs

SERVER = """\
  - id: server
    command: |
      mkdir -p web && printf '{"ok": true}' > web/index.html
      exec python3 -m http.server -d web -b 127.0.0.1 PORT
    background: true
    ready: {port: PORT, within: 30s}
"""


@pytest.mark.parametrize(
    ("expect", "told"),
    [
        ("{file: out}", None),
        ('{file: {path: out, equals: "hi\\n"}}', None),
        ("{file: {path: out, size: 3}}", None),
        ("{file: {path: out, size: {more_than: 2, less_than: 1KiB}}}", None),
        ("{file: {path: out, size: {one_of: [2KB, 3]}}}", None),
        (
            "{file: {path: out, size: {more_than: 1KiB}}}",
            "the size of 'out' should be more than 1024, it is 3",
        ),
        ("{file: [out, {path: gone, exists: false}]}", None),
        ("{file: {path: out/deeper, exists: false}}", None),
        ("{file: folder}", None),
        ("{file: gone}", "there is no file 'gone'"),
        ("{file: {path: out, exists: false}}", "'out' exists"),
        ("{file: {path: folder, contains: x}}", "'folder' is a folder"),
        ("{file: {path: out, size: 4}}", "the size of 'out' should equal 4, it is 3"),
    ],
)
def test_files_are_looked_at_from_the_folder_of_the_step(
    run: Runs, expect: str, told: str | None
) -> None:
    ran = run(f"""
        steps:
          - command: mkdir -p sub/folder && echo hi > sub/out
          - command: true
            cwd: sub
            expect: {expect}
    """)
    cause = ran.step("steps[1]").cause
    assert ran.code == (1 if told else 0), cause
    assert (told or "") in (cause or "")


def test_save_tells_the_nearest_line_where_nothing_matches(run: Runs) -> None:
    ran = run("""
        steps:
          - command: printf 'start\\nversion 3\\nend\\n'
            save: {n: "version: (.*)"}
    """)
    assert ran.code == 1
    assert "the nearest line is 'version 3'" in (ran.step("steps[0]").cause or "")


def test_a_check_is_tried_until_it_holds(run: Runs) -> None:
    ran = run("""
        steps:
          - command: (sleep 0.3; echo done > flag) > /dev/null 2>&1 &
          - check: {file: {path: flag, contains: done}, within: 30s}
    """)
    assert ran.code == 0, ran.report.cause


def test_the_last_failure_of_a_check_is_told_with_how_often_it_looked(
    run: Runs,
) -> None:
    ran = run("""
        steps:
          - check: {file: never, within: 400ms}
    """)
    assert ran.code == 1
    cause = ran.step("steps[0]").cause or ""
    assert "there is no file 'never' (looked " in cause
    assert "within 0.4 s)" in cause


@pytest.mark.parametrize(
    ("check", "told"),
    [
        ("{http: URL/, status: 200, json: {ok: true}}", None),
        ("{http: URL/gone, status: 404}", None),
        ("{http: URL/gone}", "status should be below 400, it is 404"),
        ("{http: URL/, text: nope}", "text should contain 'nope'"),
        ("{http: 'http://127.0.0.1:1/', status: 200}", "refused"),
        ("{step: server, output: 'GET /'}", "output should contain 'GET /'"),
    ],
)
@pytest.mark.language("§6 check http", "§6 check step", "§6 command ready", "§5 status")
def test_a_check_asks_from_inside_the_sandbox(
    run: Runs, free_tcp_port: int, check: str, told: str | None
) -> None:
    port = str(free_tcp_port)
    url = f"http://127.0.0.1:{port}"
    book = f"steps:\n{SERVER}  - check: {check}\n"
    ran = run(book.replace("URL", url).replace("PORT", port))
    cause = ran.step("steps[1]").cause
    assert ran.code == (1 if told else 0), cause
    assert (told or "") in (cause or "")


@pytest.mark.language("§5 status", "§4 results")
def test_the_status_of_an_answer_does_not_hide_that_of_its_step(
    run: Runs, free_tcp_port: int
) -> None:
    url = f"http://127.0.0.1:{free_tcp_port}"
    server = SERVER.replace("PORT", str(free_tcp_port)).replace("URL", url)
    ran = run(
        f"steps:\n{server}"
        f"  - {{id: gone, check: {{http: {url}/gone, status: 404}}}}\n"
        '  - check: steps.gone.status == "passed"\n'
    )
    assert ran.code == 0, ran.report.cause


def test_a_program_that_dies_is_noticed_although_a_look_takes_long(run: Runs) -> None:
    ran = run("""
        steps:
          - command: echo broken >&2; exit 3
            background: true
            ready: {command: sleep 50, within: 60s}
    """)
    assert ran.code == 1
    cause = ran.step("steps[0]").cause or ""
    assert "ended with code 3 before it was ready" in cause
    assert "broken" in cause
    assert ran.step("steps[0]").last is not None


def test_a_timeout_stays_a_failure_whatever_is_expected(run: Runs) -> None:
    ran = run("""
        steps:
          - command: echo hi; sleep 30
            timeout: 1s
            expect: {exit: any, stdout: hi}
    """)
    assert ran.code == 1
    assert "still running after 1 s" in (ran.step("steps[0]").cause or "")
