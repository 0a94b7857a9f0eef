"""What a path means to a vendor."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PathRules:
    """Relative paths start at `base`; `~` is `home` where the vendor knows it."""

    base: str
    home: str
    tilde: bool = True

    def resolve(self, path: str) -> str:
        """The absolute path that is meant, without dots; "" is `base`."""
        if self.tilde and (path == "~" or path.startswith("~/")):
            path = self.home + path[1:]
        return posixpath.normpath(posixpath.join(self.base, path))
