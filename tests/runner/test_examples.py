"""The examples are tests: each must pass, by the real command line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runner.conftest import Runs
from tests.runner.package_index import package_index

FOLDER = Path(__file__).parents[2] / "runbooks"
BOOKS = sorted(FOLDER.glob("*.yaml"))
SECRETS = {"LICENCE_KEY": "ABCD-1234-EFGH"}
ELSEWHERE = {"environment", "session"}
"""Examples that need more than a call; each has a test of its own."""


def call(run: Runs, *argv: str) -> str:
    """Run the command line; it must succeed."""
    done = subprocess.run(
        [sys.executable, "-m", "sandbook", *argv],
        env={**run.environ, **SECRETS},
        cwd=run.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "path", [p for p in BOOKS if p.stem not in ELSEWHERE], ids=lambda path: path.stem
)
def test_an_example_passes(run: Runs, path: Path) -> None:
    call(run, "run", str(path))
    assert run.sandboxes() == []
    kept = (path for path in run.state.rglob("*") if path.is_file())
    assert not [p for p in kept if SECRETS["LICENCE_KEY"].encode() in p.read_bytes()]


def test_the_example_of_an_installer_is_red_with_a_wrong_key(run: Runs) -> None:
    # The key is shorter than the installer takes.
    given = {**run.environ, "LICENCE_KEY": "short"}
    done = subprocess.run(
        [sys.executable, "-m", "sandbook", "run", str(FOLDER / "installer.yaml")],
        env=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "This is no key." in done.stdout
    assert "short" not in done.stdout + done.stderr


def test_the_example_of_packages_installs_one(run: Runs, tmp_path: Path) -> None:
    # A project of its own: only there may a sandbox use the network of this computer,
    # where our index is.
    shutil.copy(FOLDER / "environment.yaml", run.folder)
    (run.folder / "sandbook.yaml").write_text(
        "settings: {local: {allow_host_network: true}}\n"
    )
    with package_index(tmp_path / "index") as url:
        run.environ["PIP_INDEX_URL"] = url
        given = ("-i", "package=sandbook-tiny", "--allow-host-network")
        call(run, "run", "environment.yaml", *given, "--artifacts", "kept")
    frozen = (run.folder / "kept" / "requirements.txt").read_text()
    assert frozen == "sandbook-tiny==1.0\n"


def test_the_example_of_a_session_goes_on_where_it_stopped(run: Runs) -> None:
    path = str(FOLDER / "session.yaml")
    first = json.loads(call(run, "run", path, "--json"))
    second = json.loads(call(run, "run", path, "--json"))
    reports = [told["outputs"] for told in (first, second)]
    assert reports == [{"reused": False, "lines": 1}, {"reused": True, "lines": 2}]
    assert len(run.sandboxes()) == 1
    run.end_all()


def test_every_example_is_named_in_the_guide() -> None:
    guide = (FOLDER / "README.md").read_text()
    for path in BOOKS:
        assert f"({path.name})" in guide
