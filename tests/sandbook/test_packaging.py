"""What is shipped is complete and up to date."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from jsonschema.validators import validator_for

import sandbook.api
import sandbook.errors
from sandbook.schema import runbook_schema
from sandbook.verbs import sandbook_verbs

ROOT = Path(__file__).parents[2]


def test_the_schema_for_editors_is_what_the_verbs_say() -> None:
    """`python -m tests.sandbook.test_packaging` writes it anew."""
    written = json.loads((ROOT / "schemas/runbook.schema.json").read_text())
    assert written == json.loads(json.dumps(_schema()))


@pytest.mark.parametrize("path", sorted((ROOT / "schemas").glob("*.json")), ids=str)
def test_every_schema_is_a_json_schema(path: Path) -> None:
    schema = json.loads(path.read_text())
    validator_for(schema).check_schema(schema)
    assert schema["title"]


def test_the_wheel_holds_the_schemas_and_the_provider(tmp_path: Path) -> None:
    subprocess.run(
        [
            sys.executable,
            "-m",
            "hatchling",
            "build",
            "-t",
            "wheel",
            "-d",
            str(tmp_path),
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "sandbook/schemas/report.schema.json" in names
    assert {"sandbook/py.typed", "sandbook_local/py.typed"} <= names
    assert "sandbook_local/inside/main.py" in names
    points = next(name for name in names if name.endswith("entry_points.txt"))
    text = zipfile.ZipFile(wheel).read(points).decode()
    assert "local = sandbook_local" in text


def test_the_readme_has_just_two_commands_to_set_up() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    setups = [block for block in blocks if "pip install" in block]
    assert len(setups) == 2
    assert "sandbook run runbooks/hello.yaml" in setups[0]
    assert setups[1].strip().endswith("pytest")


def test_the_readme_shows_the_runbook_that_it_runs() -> None:
    shown = re.search(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert shown is not None
    assert shown.group(1) == (ROOT / "runbooks/hello.yaml").read_text()


@pytest.mark.parametrize("module", [sandbook.api, sandbook.errors], ids=str)
def test_every_public_name_says_what_it_is(module: object) -> None:
    for name in getattr(module, "__all__", None) or vars(module):
        found = getattr(module, name)
        if isinstance(found, type) and found.__module__.startswith("sandbook"):
            assert found.__doc__, name


def _schema() -> dict[str, object]:
    return runbook_schema({v.spec.name: v.spec for v in sandbook_verbs()})


if __name__ == "__main__":
    text = json.dumps(_schema(), indent=2, ensure_ascii=False)
    (ROOT / "schemas/runbook.schema.json").write_text(text + "\n", encoding="utf-8")
