"""The schemas that come as files: beside the package, or in the checkout above it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

_PACKAGE = Path(__file__).parents[1]
_FOLDERS = (_PACKAGE / "schemas", _PACKAGE.parents[1] / "schemas")


def shipped_schema(kind: str) -> dict[str, object]:
    """The schema of settings, a report or an event."""
    name = f"{kind}.schema.json"
    path = next(folder / name for folder in _FOLDERS if (folder / name).is_file())
    return cast("dict[str, object]", json.loads(path.read_text(encoding="utf-8")))
