"""What runs inside a sandbox is fit for Python 3.8, and needs nothing else."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import sandbook_local
from sandbook import drivers

_DRIVERS = Path(drivers.__file__).parent
_FILES = sorted(
    file
    for folder in ("inside", "programs")
    for file in _DRIVERS.glob(f"{folder}/*.py")
)
_IPYTHON = ("IPython.", "traitlets")
_LOCAL = Path(sandbook_local.__file__).parent
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
    # What is loaded only where IPython is may use it.
    own = ("sandbook.drivers.", *(_IPYTHON if file.stem == "notebook" else ()))
    assert all(name.startswith(own) for name in others)


def test_javascript_cells_are_run_alike_here_and_far_away() -> None:
    """The local provider shows a sandbox its own folder only, so it has a copy."""
    ours = _DRIVERS / "programs" / "javascript.js"
    theirs = _LOCAL / "inside" / "code" / "javascript.js"
    assert ours.read_bytes() == theirs.read_bytes()
