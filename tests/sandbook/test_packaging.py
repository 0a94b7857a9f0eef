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
from sandbook.schema import runbook_schema, schema_text
from sandbook.schema.manual import manual
from sandbook.verbs import sandbook_verbs

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["runbook.schema.json", "README.md"])
def test_what_is_made_from_the_verbs_is_what_they_say(name: str) -> None:
    """`python -m tests.sandbook.test_packaging` writes it anew."""
    assert (ROOT / "schemas" / name).read_text(encoding="utf-8") == _made()[name]


@pytest.mark.parametrize("path", sorted((ROOT / "schemas").glob("*.json")), ids=str)
def test_every_schema_is_a_json_schema(path: Path) -> None:
    schema = json.loads(path.read_text())
    validator_for(schema).check_schema(schema)
    assert schema["title"]
    assert schema["description"]


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
    assert {
        f"sandbook/schemas/{kind}.schema.json"
        for kind in ("runbook", "settings", "report", "event")
    } <= names
    assert "sandbook/schema/manual.md" in names
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


def _made() -> dict[str, str]:
    """The files in `schemas/` that are made from the verbs."""
    verbs = {verb.spec.name: verb.spec for verb in sandbook_verbs()}
    return {
        "runbook.schema.json": schema_text(runbook_schema(verbs)),
        "README.md": manual(verbs),
    }


if __name__ == "__main__":
    for each, text in _made().items():
        (ROOT / "schemas" / each).write_text(text, encoding="utf-8")
