"""The packages of a Python kernel, as a sandbox shows them.

They are shown to the kernel alone, by a folder of links at the end of its path: what
the user installed comes first, and the user's own `python3` does not see them.
"""

from __future__ import annotations

import json
from pathlib import Path

LINKS_FILE = "/run/sandbook/packages.json"
"""Where a sandbox says which there are: name to path."""

EXTRA_FOLDER = "/run/sandbook/packages"
"""Where it shows those that are nowhere below the system and the interpreter."""


class Missing(Exception):  # noqa: N818 (becomes a refusal)
    """There is no kernel."""


def link(folder: Path) -> None:
    """Fill `folder` with links to the packages of a kernel."""
    links = json.loads(Path(LINKS_FILE).read_bytes())
    if not links:
        raise Missing("ipykernel")
    for name, target in links.items():
        (folder / name).symlink_to(target)
