"""Programs that take all they can get are contained, and the report says by what."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from sandbook_local.cgroups import enforceable
from tests.runner.conftest import Runs

MIB = 1 << 20

FLOOD = """
    steps:
      - command: yes
        timeout: 3s
"""
FLOODED = r"""
import json, os, re, sys
from pathlib import Path
import sandbook

report = sandbook.run_sync(sys.argv[1], providers=("local",))
step = report.steps[0]
output = step.attempts[0].output
status = Path("/proc/self/status").read_text()
folder = Path(os.environ["SANDBOOK_STATE"]) / "runs" / report.run / "output"
print(json.dumps({
    "status": step.status,
    "dropped": output.dropped,
    "stored": sum(p.stat().st_size for p in folder.iterdir()),
    # Not ru_maxrss: what forked us hands its own peak on.
    "peak": int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) * 1024,
}))
"""


def test_a_fork_bomb_ends_with_its_step(run: Runs) -> None:
    ran = run("""
        sandbox: {resources: {pids: 64}}
        steps:
          - id: bomb
            command: |
              f() { f | f & f; }
              f
            timeout: 3s
            allow_failure: true
          - command: echo still here
            retry: {times: 20, wait: 200ms}
    """)
    assert ran.code == 0, ran.report.cause
    assert ran.step("steps[0]").status in ("timed_out", "failed")
    assert run.sandboxes() == []


@pytest.mark.language("§6 create resources")
def test_the_process_limit_is_named(run: Runs) -> None:
    ran = run("""
        sandbox: {resources: {pids: 20}}
        steps:
          - command: |
              for i in $(seq 200); do sleep 30 & done
              wait
            timeout: 20s
    """)
    assert ran.code == 1
    assert "process" in (ran.step("steps[0]").cause or "")


@pytest.mark.language("§6 create resources")
def test_a_full_disk_is_contained_and_named(run: Runs) -> None:
    ran = run("""
        sandbox: {resources: {disk: 8MiB}}
        steps:
          - command: head -c 64M /dev/zero > big
            allow_failure: true
          - command: stat -c %s big
    """)
    assert "disk" in (ran.step("steps[0]").cause or "")
    assert int(str(ran.results("steps[1]")["text"])) <= 8 * MIB


@pytest.mark.skipif(
    "limits.memory" not in enforceable(), reason="no control group to write to"
)
@pytest.mark.language("§6 create resources")
def test_a_memory_bomb_is_contained_and_named(run: Runs) -> None:
    ran = run("""
        sandbox: {resources: {memory: 128MiB}}
        steps:
          - command: [python3, -c, "x = b'1' * (512 << 20); print(len(x))"]
            allow_failure: true
          - command: echo still here
    """)
    assert ran.code == 0, ran.report.cause
    assert "memory" in (ran.step("steps[0]").cause or "")


@pytest.mark.skipif(
    "limits.memory" in enforceable(), reason="memory can be limited here"
)
@pytest.mark.language("§6 create resources")
def test_a_memory_limit_that_cannot_hold_is_refused(run: Runs) -> None:
    ran = run("""
        sandbox: {resources: {memory: 128MiB}}
        steps:
          - command: echo never
    """)
    assert ran.code == 3
    assert "limits.memory" in (ran.report.cause or "")


def test_an_output_flood_holds_neither_memory_nor_disk(run: Runs) -> None:
    # Shown outside first: unhindered, `yes` fills a pipe as fast as it is read.
    assert shutil.which("yes")
    code = "import sys; print(len(sys.stdin.buffer.read(64 << 20)))"
    flood = subprocess.run(
        f"yes | {sys.executable} -c '{code}'",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(flood.stdout) == 64 * MIB
    done = subprocess.run(
        [sys.executable, "-c", FLOODED, str(run.write(FLOOD))],
        env=run.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(done.stdout)
    assert report["status"] == "timed_out"
    assert report["stored"] <= 11 * MIB
    assert report["dropped"] > 0
    assert report["peak"] < 200 * MIB
