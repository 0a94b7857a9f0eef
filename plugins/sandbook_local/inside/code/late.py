"""A package whose `__init__` is run when something of it is asked for, not before.

Importing a module of a package runs the package first, with all that it loads for
others. What comes late is whole as soon as somebody uses it: code of the user's sees
no difference.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType


class _Late(ModuleType):
    """Stands for the package until then; it gives what its modules have."""

    _modules: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> object:
        """What a module of it that is named has, or else what the package has."""
        for module in self._modules:
            found = importlib.import_module(f"{self.__name__}.{module}")
            if hasattr(found, name):
                return getattr(found, name)
        self._become()
        return getattr(self, name)

    def __dir__(self) -> list[str]:
        """All of it."""
        self._become()
        return dir(self)

    def _become(self) -> None:
        spec = self.__spec__
        object.__setattr__(self, "__class__", ModuleType)
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module(self)


def put_off(package: str, *modules: str) -> None:
    """Let a package come late; `modules` hold what is asked of it meanwhile."""
    spec = importlib.util.find_spec(package)
    if spec is None or package in sys.modules:
        return
    made = importlib.util.module_from_spec(spec)
    made.__class__ = type("_Late", (_Late,), {"_modules": modules})
    sys.modules[package] = made
