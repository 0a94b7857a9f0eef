"""The author's guide, played: its files are written, its commands run.

    python -m tests.runner.guide        writes what they really print into the guide

A block of YAML behind `<!-- file: NAME -->` is that file. A block `console` is what a
person types behind `$` and sees; `<!-- exit N -->` before it says that it fails.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.cli.calls import stable

GUIDE = Path(__file__).parents[2] / "runbooks" / "README.md"

_BLOCK = re.compile(
    r"(?P<before>(?:<!-- (?:file: (?P<file>\S+)|exit (?P<exit>\d+)) -->\n)?)"
    r"```(?P<kind>\w+)\n(?P<body>.*?)```\n",
    re.DOTALL,
)
_TIMEOUT = 120


class Player:
    """Plays the blocks of a guide in a folder, one after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "guide"
        self._folder.mkdir()
        self._environ = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "SANDBOOK_STATE": str(folder / "state"),
            "SANDBOOK_CACHE": str(folder / "cache"),
            "XDG_CONFIG_HOME": str(folder / "config"),
        }

    def play(self, text: str) -> str:
        """The guide with what its commands print now."""
        return _BLOCK.sub(self._block, text)

    def _block(self, found: re.Match[str]) -> str:
        if found["file"]:
            (self._folder / found["file"]).write_text(found["body"], encoding="utf-8")
        if found["kind"] != "console":
            return found[0]
        commands = re.findall(r"^\$ (.*)$", found["body"], re.MULTILINE)
        assert commands, found[0]
        *first, last = [self._run(command) for command in commands]
        expected = int(found["exit"] or 0)
        codes = [code for code, _ in (*first, last)]
        assert codes == [0] * len(first) + [expected], (commands, first, last)
        shown = "".join(
            f"$ {command}\n{out}"
            for command, (_, out) in zip(commands, (*first, last), strict=True)
        )
        played = f"{found['before']}```console\n{shown}```\n"
        # Another duration is no reason to write the guide anew.
        return found[0] if stable(played) == stable(found[0]) else played

    def _run(self, command: str) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self._folder,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT,
            text=True,
            check=False,
        )
        # Where the reader's own folder is, nobody knows.
        return done.returncode, done.stdout.replace(f"{self._folder}/", "")


def main() -> None:
    """Write the guide anew."""
    with tempfile.TemporaryDirectory() as folder:
        played = Player(Path(folder)).play(GUIDE.read_text(encoding="utf-8"))
    GUIDE.write_text(played, encoding="utf-8")


if __name__ == "__main__":
    main()
