"""The subject `file`: whether files of the sandbox are what was expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from posixpath import join
from typing import Final

from sandbook.api import Bound, Files, Stat
from sandbook.errors import FileError, TooLarge, UsageError
from sandbook.expectations._matchers import match

FILE_LIMIT: Final = 10 << 20
_FILE_KEYS: Final = frozenset({"path", "exists", "size"})


async def unmet_files(
    wanted: Bound, files: Files | None, cwd: str | None
) -> Sequence[str]:
    """What does not hold of a file, or of each file of a list."""
    if files is None:
        raise UsageError("`file` needs a sandbox and this step has none")
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        return [told for item in wanted for told in await _file(item, files, cwd)]
    return await _file(wanted, files, cwd)


async def _file(wanted: Bound, files: Files, cwd: str | None) -> Sequence[str]:
    rules = wanted if isinstance(wanted, Mapping) else {"path": wanted}
    path = str(rules.get("path"))
    must_exist = rules.get("exists") is not False
    try:
        stat = await files.stat(_from(cwd, path), follow=True)
    except (FileNotFoundError, NotADirectoryError):
        return (f"there is no file {path!r}",) if must_exist else ()
    except FileError as error:
        return (str(error),)
    if not must_exist:
        return (f"{path!r} exists",)
    return await _what_is_there(rules, path, stat, files)


def _from(cwd: str | None, path: str) -> str:
    return path if cwd is None or path.startswith("~") else join(cwd, path)


async def _what_is_there(
    rules: Mapping[str, Bound], path: str, stat: Stat, files: Files
) -> Sequence[str]:
    matchers = {k: v for k, v in rules.items() if k not in _FILE_KEYS}
    if stat.kind != "file" and (matchers or "size" in rules):
        kind = "a folder" if stat.kind == "folder" else "no plain file"
        return (f"{path!r} is {kind}: it has no text and no size",)
    wrong: list[str] = []
    if "size" in rules:
        size = rules["size"]
        size_rules = size if isinstance(size, Mapping) else {"equals": size}
        wrong += await match(f"the size of {path!r}", size_rules, stat.size)
    if matchers:
        wrong += await _text(path, matchers, stat, files)
    return wrong


async def _text(
    path: str, matchers: Mapping[str, Bound], stat: Stat, files: Files
) -> Sequence[str]:
    try:
        data = await files.read(stat.path, limit=FILE_LIMIT)
    except TooLarge:
        limit = f"{FILE_LIMIT >> 20} MiB"
        return (f"{path!r} is larger than {limit}: too large to look into",)
    except FileError as error:
        return (str(error),)
    return await match(repr(path), matchers, data.decode(errors="replace"))
