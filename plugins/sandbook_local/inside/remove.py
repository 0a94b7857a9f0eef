"""Takes a sandbox's folder away, following no link."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_folder(path: str) -> None:
    """Remove a folder and all that is in it, as far as we may."""
    try:
        descriptor = os.open(path, _FOLDER)
    except OSError:
        return
    try:
        empty_folder(descriptor)
    finally:
        os.close(descriptor)
    _try(os.rmdir, path, None)


def empty_folder(folder: int) -> None:
    """Remove all that is in an open folder, as far as we may."""
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in found:
        if not is_folder:
            _try(os.unlink, name, folder)
            continue
        try:
            below = os.open(name, _FOLDER, dir_fd=folder)
        except OSError:
            continue
        try:
            empty_folder(below)
        finally:
            os.close(below)
        _try(os.rmdir, name, folder)


def _try(call: Callable[..., None], name: str, folder: int | None) -> None:
    try:
        call(name, dir_fd=folder)
    except OSError:
        return
