"""What a Python program gives a run is checked like what the command line gives."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.runner.conftest import Runs

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs namespaces")

BOOK = """
    inputs:
      count: {type: integer}
      share: {type: number}
      loud: {type: boolean}
      data: {type: file}
    secrets: [TOKEN]
    steps:
      - copy: ${{ inputs.data }}
        to: data
      - command: test "$(cat data) $TOKEN" = "data of-the-plugin"
        env: {TOKEN: "${{ secrets.TOKEN }}"}
      - check: inputs.count + 1 == 4 and inputs.share < 0.6 and inputs.loud
"""
PROGRAM = """
    import pathlib, sys
    import sandbook
    from sandbook.errors import SandbookError
    try:
        report = sandbook.run_sync("book.yaml", providers=["local"], inputs={
            "count": COUNT, "share": 0.5, "loud": True, "data": pathlib.Path("d.txt"),
        })
    except SandbookError as error:
        sys.exit(f"{error}\\n{error.remedy}")
    print(report.status)
"""
PLUGIN = """
    from sandbook.api import hookimpl

    @hookimpl
    def sandbook_secret(name):
        return "of-the-plugin"
"""


@pytest.fixture
def program(run: Runs, tmp_path: Path) -> Path:
    """A folder with a runbook, a file, and a plugin that knows secrets."""
    run.write(BOOK)
    (run.folder / "d.txt").write_text("data")
    info = tmp_path / "site" / "sandbook_vault-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: sandbook_vault\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text("[sandbook]\nvault = plugin_vault\n")
    (tmp_path / "site" / "plugin_vault.py").write_text(textwrap.dedent(PLUGIN))
    run.environ["PYTHONPATH"] = os.pathsep.join(
        (str(tmp_path / "site"), os.environ.get("PYTHONPATH", ""))
    )
    return run.folder


def call(run: Runs, folder: Path, count: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM).replace("COUNT", count)],
        cwd=folder,
        env=run.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_values_of_python_and_secrets_of_plugins_reach_the_run(
    run: Runs, program: Path
) -> None:
    done = call(run, program, "3")
    assert (done.stdout, done.stderr) == ("passed\n", "")


@pytest.mark.parametrize(
    ("count", "told"),
    [
        ("3.5", "input 'count': must be a whole number, not '3.5'"),
        ("True", "input 'count': must be a whole number, not 'true'"),
        ("None", "input 'count': must be a text, a number, a boolean or a path"),
    ],
)
def test_a_wrong_value_of_python_is_refused_before_anything_starts(
    run: Runs, program: Path, count: str, told: str
) -> None:
    done = call(run, program, count)
    assert done.returncode == 1
    assert done.stderr.startswith(told)
    assert not list(run.state.glob("runs/*"))
