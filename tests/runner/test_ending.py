"""How a run ends: time-outs, cancellation, crashes, and what is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest

from sandbook.journal import read_journal
from sandbook.report import fold
from tests.runner.conftest import Ran, Runs

SIGNALLED = """
import sys, anyio
from pathlib import Path
from sandbook.installation import Installation
from sandbook.loader import load_runbook
from sandbook.runner import RunRequest, execute
import os

def stuck(remaining):
    print("\\n".join(remaining), flush=True)
    os._exit(130)

async def main(path):
    here = Installation(environ=os.environ, project=path.parent, providers=("local",))
    async with here:
        book = load_runbook(path, {n: v.spec for n, v in here.verbs.items()})
        return await execute(RunRequest(runbook=book, on_stuck=stuck), here)

raise SystemExit(anyio.run(main, Path(sys.argv[1])))
"""


class Client:
    """A run in a process of its own; ends with the `with` block."""

    def __init__(self, run: Runs, text: str) -> None:
        self._runs = run.state / "runs"
        self.told = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", SIGNALLED, str(run.write(text))],
            env=run.environ,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it, if the test has not."""
        self.process.kill()
        self.process.communicate()

    def until(self, claim: Callable[[Ran], bool], *, within: float = 30.0) -> Ran:
        """Wait until the journal says so."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            ran = self.ran()
            if ran is not None and claim(ran):
                return ran
            time.sleep(0.02)
        raise AssertionError(f"it never came true: {self.ran()}")

    def ran(self) -> Ran | None:
        """What the journal says so far."""
        folders = sorted(self._runs.glob("*")) if self._runs.exists() else []
        if not folders or not (folders[-1] / "journal.jsonl").exists():
            return None
        events = list(read_journal(folders[-1] / "journal.jsonl"))
        if not events:
            return None
        code = self.process.poll()
        return Ran(
            code=-1 if code is None else code,
            report=fold(events),
            events=events,
            folder=folders[-1],
        )

    def end(self) -> int:
        """Wait for its end; what it printed is in `told`."""
        self.told, _ = self.process.communicate(timeout=30)
        return self.process.returncode


def _says(text: str) -> Callable[[Ran], bool]:
    return lambda ran: any(text in p.read_text() for p in _outputs(ran))


def _outputs(ran: Ran) -> list[Path]:
    return list((ran.folder / "output").iterdir())


@pytest.mark.language("§4 timeout")
def test_a_step_that_reaches_its_timeout_fails_and_keeps_its_output(run: Runs) -> None:
    ran = run("""
        steps:
          - command: echo before; sleep 60
            timeout: 500ms
    """)
    assert ran.code == 1
    assert ran.step("steps[0]").status == "timed_out"
    assert ran.results("steps[0]")["stdout"] == "before\n"


@pytest.mark.language("§1 timeout")
def test_the_runs_own_timeout_ends_it_with_4_after_finally(run: Runs) -> None:
    ran = run("""
        timeout: 1s
        steps:
          - command: sleep 60
        finally:
          - check: run.status == "timed_out"
    """)
    assert ran.code == 4
    assert ran.step("finally[0]").status == "passed"
    assert run.sandboxes() == []


def test_the_first_signal_runs_finally_and_teardown(run: Runs) -> None:
    with Client(
        run,
        """
        steps:
          - command: echo begun; sleep 60
        finally:
          - command: echo cleaned
        """,
    ) as client:
        client.until(_says("begun"))
        client.process.send_signal(signal.SIGINT)
        assert client.end() == 130
        ran = client.ran()
        assert ran is not None
        assert ran.report.status == "cancelled"
        assert ran.step("steps[0]").status == "cancelled"
        assert ran.step("finally[0]").status == "passed"
        assert run.sandboxes() == []


def test_the_second_signal_leaves_at_once_and_names_what_remains(run: Runs) -> None:
    with Client(
        run,
        """
        sandbox: {timeout: 3s}
        steps:
          - command: echo begun; sleep 60
        finally:
          - command: echo slow; sleep 60
        """,
    ) as client:
        client.until(_says("begun"))
        client.process.send_signal(signal.SIGINT)
        client.until(_says("slow"))
        client.process.send_signal(signal.SIGINT)
        assert client.end() == 130
        (left,) = run.sandboxes()
        assert left in client.told
        assert "lives until" in client.told
        _wait(lambda: run.sandboxes() == [])


def test_a_killed_client_leaves_a_sandbox_that_ends_by_itself(run: Runs) -> None:
    with Client(
        run,
        """
        sandbox: {timeout: 2s}
        steps:
          - command: echo begun; sleep 60
        """,
    ) as client:
        client.until(_says("begun"))
        client.process.kill()
        client.end()
        assert len(run.sandboxes()) == 1
        ran = client.ran()
        assert ran is not None
        assert "run.finished" not in ran.names()
        _wait(lambda: run.sandboxes() == [])


def test_heartbeats_keep_a_sandbox_beyond_its_lifetime(run: Runs) -> None:
    ran = run("""
        sandbox: {timeout: 1s}
        steps:
          - command: sleep 3; echo alive
            expect: {stdout: alive}
    """)
    assert ran.code == 0
    assert "sandbox.extended" in ran.names()


@pytest.mark.language("§6 command background: ended early")
def test_a_background_command_that_dies_fails_the_run(run: Runs) -> None:
    ran = run("""
        steps:
          - id: server
            command: sleep 0.2; echo no port >&2; exit 3
            background: true
          - check: {step: server, exit: 3, within: 20s}
    """)
    assert ran.code == 1
    assert "ended by itself with code 3" in (ran.report.cause or "")


@pytest.mark.language("§6 command background", "§6 command ready")
def test_a_background_command_is_ready_when_it_says_so(run: Runs) -> None:
    ran = run("""
        steps:
          - id: server
            command: sleep 0.3; echo listening; sleep 300
            background: true
            ready: {output: listening, within: 20s}
          - check: '"listening" in steps.server.stdout'
    """)
    assert ran.code == 0, ran.report.cause


@pytest.mark.language("§6 command ready", "§6 check http")
def test_a_server_is_ready_when_its_port_accepts(run: Runs) -> None:
    ran = run("""
        steps:
          - command: [python3, -m, http.server, "8123", --bind, 127.0.0.1]
            background: true
            ready: {http: "http://127.0.0.1:8123/", within: 30s}
          - check: {http: "http://127.0.0.1:8123/", status: 200, text: Directory}
          - check: {http: "http://127.0.0.1:8123/nope", status: 404}
    """)
    assert ran.code == 0, ran.report.cause


def test_waiting_stops_at_once_when_the_program_has_died(run: Runs) -> None:
    ran = run("""
        steps:
          - command: echo broken >&2; exit 9
            background: true
            ready: {port: 9, within: 5m}
    """)
    assert ran.code == 1
    cause = ran.step("steps[0]").cause or ""
    assert "ended with code 9 before it was ready" in cause
    assert "broken" in cause


@pytest.mark.language("§6 create isolation")
def test_no_provider_ends_with_3_and_says_why(run: Runs) -> None:
    # Nothing that is registered is a micro virtual machine.
    ran = run("""
        sandbox: {isolation: microvm}
        steps:
          - command: echo never
        finally:
          - command: echo neither
    """)
    assert ran.code == 3
    assert ran.report.status == "refused"
    assert "isolation microvm" in (ran.report.cause or "")


@pytest.mark.language("§1 artifacts")
def test_artifacts_are_kept_also_after_a_failure(run: Runs) -> None:
    ran = run("""
        artifacts: [out/a.txt, "logs/*.log"]
        steps:
          - command: mkdir out logs; echo A > out/a.txt; echo L > logs/x.log; exit 1
    """)
    assert ran.code == 1
    kept = ran.folder / "artifacts"
    assert (kept / "out/a.txt").read_text() == "A\n"
    assert (kept / "logs/x.log").read_text() == "L\n"


@pytest.mark.language("§6 teardown")
def test_artifacts_are_kept_before_their_sandbox_is_torn_down(run: Runs) -> None:
    ran = run("""
        artifacts: [a.txt]
        steps:
          - command: echo A > a.txt
          - teardown:
    """)
    assert ran.code == 0, ran.report.cause
    assert (ran.folder / "artifacts" / "a.txt").read_text() == "A\n"


@pytest.mark.language("§7 artifacts: equal names")
def test_two_artifacts_of_one_name_are_a_failure(run: Runs) -> None:
    ran = run("""
        inputs: {other: {default: a.txt}}
        artifacts: [a.txt, "${{ inputs.other }}"]
        steps:
          - command: echo A > a.txt
    """)
    assert ran.code == 1
    assert "there is a 'a.txt' already" in (ran.report.cause or "")


@pytest.mark.language("§7 artifacts: missing")
def test_an_artifact_that_is_missing_fails_a_green_run(run: Runs) -> None:
    ran = run("""
        artifacts: [out/a.txt]
        steps:
          - command: "true"
    """)
    assert ran.code == 1
    assert "out/a.txt" in (ran.report.cause or "")


@pytest.mark.language("§1 outputs")
def test_outputs_are_computed_when_all_steps_have_passed(run: Runs) -> None:
    ran = run("""
        steps:
          - id: count
            command: echo 41
        outputs: {answer: "${{ steps.count.text | int + 1 }}"}
    """)
    assert ran.code == 0, ran.report.cause
    assert ran.report.outputs == {"answer": 42}


@pytest.mark.parametrize("secret", ["s3cr3t-token!", "two\nlines of it"])
def test_a_secret_is_in_no_file_that_a_run_leaves(run: Runs, secret: str) -> None:
    ran = run(
        """
        secrets: [TOKEN]
        steps:
          - command: |
              printf '%s\\n' "$TOKEN"
              printf '%s' "$TOKEN" >&2
              printf '%s' "$TOKEN" | base64 -w0
            env: {TOKEN: "${{ secrets.TOKEN }}"}
          - write: token
            content: ${{ secrets.TOKEN }}
          - command: stat -c %a token; cat token
            expect: {stdout: "600"}
          - command: echo "$TOKEN"; exit 1
            env: {TOKEN: "${{ secrets.TOKEN }}"}
        """,
        secrets={"TOKEN": secret},
    )
    assert ran.code == 1
    everything = b"".join(p.read_bytes() for p in _files(ran.folder))
    shown = b"".join(data for _, _, data in ran.output)
    assert b"***" in everything
    for form in (secret, json.dumps(secret)[1:-1], *secret.splitlines()):
        assert form.encode() not in everything.replace(b"{{ secrets.TOKEN }}", b"")
        assert form.encode() not in shown


def _files(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file()]


def _wait(claim: Callable[[], bool], *, within: float = 20.0) -> None:
    deadline = time.monotonic() + within
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_ledger_has_charged_what_the_run_made(run: Runs) -> None:
    import anyio

    from sandbook.ledger import SqliteLedger

    run("steps: [{command: 'true'}]")

    async def usage() -> tuple[int, int, int]:
        ledger = SqliteLedger.open(run.state / "ledger.db", environ=os.environ)
        found = await ledger.usage("local")
        wrong = await ledger.verify()
        await ledger.aclose()
        assert wrong == ()
        return found["sessions"].used, found["seconds"].used, found["concurrent"].held

    sessions, seconds, live = anyio.run(usage)
    assert (sessions, live) == (1, 0)
    assert seconds >= 1


@pytest.mark.parametrize("path", ["link", "link/hostname", "link/*"])
@pytest.mark.language("§6 fetch: links")
def test_a_link_that_leaves_the_working_folder_is_not_fetched(
    run: Runs, path: str
) -> None:
    ran = run(f"""
        steps:
          - command: ln -s /etc link; ls link/
          - fetch: {path}
    """)
    assert ran.code == 1
    assert "leaves the working folder" in (ran.step("steps[1]").cause or "")
    assert not any((ran.folder / "artifacts").iterdir())


@pytest.mark.language("§6 fetch: links")
def test_a_link_within_the_working_folder_is_fetched(run: Runs) -> None:
    ran = run("""
        steps:
          - command: mkdir a; echo A > a/f; ln -s a link
          - fetch: link/f
    """)
    assert ran.code == 0, ran.report.cause
    assert (ran.folder / "artifacts" / "f").read_text() == "A\n"
