"""Entry points are found as `importlib.metadata` finds them, without loading it."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from sandbook.distributions import EntryPoint, entry_points

ODD = """
# not a word of this = counts:
before = any.group
[acme]
 plain=acme.plain
with space  =  acme.space : Thing [extra]
#gone = acme.gone
[other]
no = acme.no
[acme]
again = acme.again
"""


def _install(place: Path, folder: str, text: str, name: str = "Acme.One") -> None:
    info = place / folder
    info.mkdir(parents=True)
    file = "METADATA" if folder.endswith(".dist-info") else "PKG-INFO"
    (info / file).write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n\nx")
    (info / "entry_points.txt").write_text(text)


def _as_the_library(*groups: str) -> list[EntryPoint]:
    found = importlib.metadata.entry_points()
    return sorted(
        EntryPoint(group, each.name, each.value, each.dist.name if each.dist else "")
        for group in groups
        for each in found.select(group=group)
    )


def test_those_of_this_computer_are_as_the_library_tells_them() -> None:
    groups = sorted(importlib.metadata.entry_points().groups)
    assert {"sandbook.providers", "pytest11"} <= set(groups)
    assert sorted(entry_points(groups)) == _as_the_library(*groups)


def test_a_file_is_read_as_the_library_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    _install(first, "Acme.One-1.dist-info", ODD)
    _install(second, "acme_one-2.dist-info", "[acme]\nhidden = acme.hidden\n")
    _install(second, "old.egg-info", "[acme]\nold = acme.old\n", name="old")
    (second / "file.egg-info").write_text("Name: file\n")
    monkeypatch.setattr(
        sys, "path", [str(tmp_path / "none"), *map(str, (first, second))]
    )
    found = entry_points(("acme",))
    assert [each.name for each in found] == ["plain", "with space", "again", "old"]
    assert {each.distribution for each in found} == {"Acme.One", "old"}
    assert sorted(found) == _as_the_library("acme")


def test_packages_in_an_archive_are_left_to_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("acme-1.dist-info/METADATA", "Name: acme\n")
        made.writestr("acme-1.dist-info/entry_points.txt", "[acme]\nin = acme.zip\n")
    monkeypatch.setattr(sys, "path", [str(archive)])
    assert entry_points(("acme",)) == [EntryPoint("acme", "in", "acme.zip", "acme")]


def test_no_command_loads_what_reads_mail() -> None:
    code = (
        "from sandbook.registry import Registry; Registry.from_environment({}).verbs()"
    )
    told = "import sys; print(*{'email', 'importlib.metadata'} & set(sys.modules))"
    done = subprocess.run(
        (sys.executable, "-c", f"{code}; {told}"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []
