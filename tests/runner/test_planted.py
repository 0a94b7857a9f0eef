"""What a sandbox plants for those who collect its files leads nowhere here."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runner.conftest import Ran, Runs

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs namespaces")

_PLANT = """
    inputs:
      targets: {type: string}
    steps:
      - command: |
          mkdir loot && cd loot && n=0
          for target in $TARGETS; do
            n=$((n+1))
            ln -s "$target" "link$n"
            mkdir "in$n" && ln -s "$target" "in$n/link"
          done
          ln -s ../../../../../../../../../../../.. up
          echo fine > fine
        env: {TARGETS: "${{ inputs.targets }}"}
"""


@pytest.fixture
def secret() -> str:
    """A text that only this computer has."""
    return f"of-the-host-{uuid.uuid4().hex}"


@pytest.fixture
def targets(tmp_path: Path, secret: str, run: Runs) -> list[str]:
    """Paths that lead to the secret here; each is shown to."""
    keys = tmp_path / "home" / ".ssh"
    keys.mkdir(parents=True)
    (keys / "id_ed25519").write_text(secret)
    run.environ |= {"HOME": str(tmp_path / "home"), "HOST_SECRET": secret}
    found = [
        str(keys / "id_ed25519"),
        f"/proc/{os.getpid()}/root{keys}/id_ed25519",
        f"/proc/{os.getpid()}/cwd/../../../../../../../..{keys}/id_ed25519",
    ]
    for path in found:
        assert Path(path).read_text() == secret
    folders = [str(keys), str(tmp_path), "/var/log"]
    for path in [*folders, "/etc/shadow"]:
        assert os.path.lexists(path)
    own = subprocess.run(["env"], env=run.environ, capture_output=True, check=True)
    assert secret.encode() in own.stdout
    return [*found, *folders, "/etc/shadow", f"/proc/{os.getpid()}/environ"]


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _check_nothing_came(ran: Ran, secret: str) -> None:
    shadow = Path("/etc/shadow")
    lines = [secret.encode()]
    if os.access(shadow, os.R_OK):
        lines.append(shadow.read_bytes().splitlines()[0])
    for path in _files(ran.folder):
        for line in lines:
            assert line not in path.read_bytes(), path


def test_links_to_this_computer_are_not_followed_by_artifacts(
    run: Runs, targets: list[str], secret: str
) -> None:
    paths = ["loot", '"loot/**"', '"loot/*"', "loot/link1", "loot/in1/link"]
    listed = f"    artifacts: [{', '.join(paths)}]\n"
    ran = run(listed + _PLANT, inputs={"targets": " ".join(targets)})
    assert ran.code == 1, "a planted link is no artifact"
    assert (ran.folder / "artifacts" / "loot" / "fine").read_text() == "fine\n"
    _check_nothing_came(ran, secret)


def test_links_to_this_computer_are_not_followed_by_fetch(
    run: Runs, targets: list[str], secret: str
) -> None:
    numbers = range(1, len(targets) + 1)
    paths = [p for n in numbers for p in (f"loot/link{n}", f"loot/in{n}/link")]
    paths += [*targets, "loot/up/etc/shadow", *(f"loot/up{path}" for path in targets)]
    fetches = "".join(
        f"      - {{fetch: '{path}', to: 'got/{number}', allow_failure: true}}\n"
        for number, path in enumerate(paths)
    )
    ran = run(_PLANT + fetches, inputs={"targets": " ".join(targets)})
    for number, path in enumerate(paths):
        step = ran.step(f"steps[{number + 1}]")
        assert step.status == "failed", (path, step)
    _check_nothing_came(ran, secret)


def test_what_was_fetched_is_no_way_out_of_the_artifacts_folder(
    run: Runs, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "shown").write_text("it can be written here")
    # A path that is written out is refused before anything runs.
    ran = run(f"""
        inputs: {{up: {{default: ../planted}}, out: {{default: {outside}/planted}}}}
        steps:
          - command: |
              mkdir d && ln -s {outside} d/way && ln -s ../.. d/up
              echo planted > f
          - fetch: d
            to: kept
            allow_failure: true
          - fetch: f
            to: kept/way/planted
            allow_failure: true
          - fetch: f
            to: kept/up/planted
            allow_failure: true
          - fetch: f
            to: ${{{{ inputs.up }}}}
            allow_failure: true
          - fetch: f
            to: ${{{{ inputs.out }}}}
            allow_failure: true
    """)
    assert [path.name for path in outside.iterdir()] == ["shown"]
    places = ran.folder, ran.folder.parent, ran.folder.parent.parent, tmp_path
    assert not any((place / "planted").exists() for place in places)
