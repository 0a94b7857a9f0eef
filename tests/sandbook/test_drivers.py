"""What runs inside a sandbox is fit for Python 3.8, and needs nothing else."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from sandbook import drivers

_INSIDE = Path(drivers.__file__).parent / "inside"
_FILES = sorted(_INSIDE.glob("*.py"))
_LATER = {"removeprefix", "removesuffix", "bit_count", "waitstatus_to_exitcode"}


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.stem)
def test_the_driver_is_written_in_python_3_8(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 8))
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not used & _LATER


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.stem)
def test_the_driver_imports_the_standard_library_and_itself(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
        )
    }
    others = {n for n in names if n.partition(".")[0] not in sys.stdlib_module_names}
    assert all(name.startswith("sandbook.drivers.inside") for name in others)
