"""`sandbook new provider`: what it writes can be installed, and passes as it is."""

from __future__ import annotations

import re
import site
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from sandbook.api import Provider, Sandbox
from sandbook.scaffold import provider_files
from sandbook.testing.conformance import CHECKS
from tests.cli.calls import Cli

SKIPPED = {"A05b", "A06", "A07", "A08"}
"""They are about an SDK and about sandboxes, and there are none yet."""


def _install(project: Path, folder: Path) -> Path:
    """A fresh environment with the package in it; its interpreter.

    What Sandbook needs itself is seen from it, and pip is not: a wheel is unpacked as
    any installer does, without asking an index.
    """
    venv.create(folder, symlinks=True)
    own = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    others = f"import site; site.addsitedir({site.getsitepackages()[0]!r})\n"
    (own / "engine.pth").write_text(others)
    build = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    subprocess.run(build, cwd=project, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(own)
    return folder / "bin" / "python"


def test_a_new_provider_is_listed_and_passes_the_first_group(
    cli: Cli, tmp_path: Path
) -> None:
    called = cli("new", "provider", "acme-cloud")
    assert (called.code, called.err) == (0, "")
    assert "cd sandbook-acme-cloud\n" in called.out
    project = cli.folder / "sandbook-acme-cloud"
    python = _install(project, tmp_path / "venv")
    environ = {name: v for name, v in cli.environ.items() if name != "PYTHONPATH"}
    listed = subprocess.run(
        (python, "-m", "sandbook", "providers"),
        env={**environ, "ACME_CLOUD_API_KEY": "k"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "acme-cloud: not installed, isolation none\n" in listed.stdout
    assert "acme-cloud provider makes no sandboxes yet\n" in listed.stdout
    tested = subprocess.run(
        (python, "-m", "pytest", "-rs", "-v", "-p", "no:cacheprovider"),
        env=environ,
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr
    ends = dict(re.findall(r"::test_(a\w+?)_\w+ (PASSED|SKIPPED)", tested.stdout))
    numbers = {one.number for one in CHECKS.values() if one.group == "A"}
    skipped = {name.lower() for name in SKIPPED}
    assert ends == {
        number.lower(): "SKIPPED" if number.lower() in skipped else "PASSED"
        for number in numbers
    }


def test_a_package_that_is_there_is_not_written_over(cli: Cli) -> None:
    assert cli("new", "provider", "acme").code == 0
    file = cli.folder / "sandbook-acme" / "sandbook_acme" / "provider.py"
    file.write_text("mine\n")
    again = cli("new", "provider", "acme")
    assert again.code == 2
    assert again.err.startswith("error: there is a 'sandbook-acme' already\n")
    assert file.read_text() == "mine\n"
    assert cli("new", "provider", "acme", "elsewhere").code == 0
    assert (cli.folder / "elsewhere" / "pyproject.toml").is_file()


@pytest.mark.parametrize("name", ["Acme", "1st", "a_b", "-x", "a--b", "x" * 41, "a/b"])
def test_a_name_that_cannot_be_one_is_refused_with_what_can(name: str) -> None:
    with pytest.raises(Exception, match=re.escape(f"{name!r} is no name")) as caught:
        provider_files(name)
    assert "acme-cloud" in getattr(caught.value, "remedy", "")


def test_a_name_that_is_taken_is_refused_before_anything_is_written(cli: Cli) -> None:
    for taken in ("local", "daytona"):
        called = cli("new", "provider", taken)
        assert called.code == 2
        assert called.err.startswith(f"error: there is a provider {taken!r} already\n")
    assert list(cli.folder.iterdir()) == []


def test_the_class_of_a_new_provider_has_what_the_contract_names() -> None:
    text = "\n".join(provider_files("acme").values())
    for call in (*_calls(Provider), *_calls(Sandbox)):
        assert re.search(rf"def {call}\(|self\.{call} =", text), call


def _calls(protocol: type) -> list[str]:
    return [name for name in vars(protocol) if not name.startswith("_")]
