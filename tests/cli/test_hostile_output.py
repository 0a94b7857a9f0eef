"""What programs print breaks nothing: no screen, journal, report or recording."""

from __future__ import annotations

import json
import os
import random
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from sandbook.recording import read
from tests.cli.calls import ROOT, Called, Cli

PIECES = (
    *(bytes([code]) for code in range(256)),
    b"\x1b[",
    b"\x1b[6n",
    b"\x1b[c",
    b"\x1b[?1049h",
    b"\x1b[?1049l",
    b"\x1b[999;999H",
    b"\x1b[2J",
    b"\x1b[31m",
    b"\x1b]0;title\x07",
    b"\x1b]52;c;aGk=\x07",
    b"\x1bP+q544e\x1b\\",
    b"\x1bc",
    b"\r\n",
    b"]]>",
    b"<!--",
    b"\n::error file=x::y\n",
    b"\n::endgroup::\n",
    b"```\n",
    b"|",
    "日本語".encode(),
    "e\u0301".encode(),
    "\u202e\u2028\ufeff".encode(),
    "\ud800".encode(errors="surrogatepass"),
    b"\xf4\x90\x80\x80",
)
BOOK = """
name: Noise
steps:
  - copy: noise
  - for_each: [{files}]
    allow_failure: true
    command: cat noise/${{{{ item }}}}; cat noise/${{{{ item }}}} >&2; exit 3
  - for_each: [{files}]
    pty: [cat, "noise/${{{{ item }}}}"]
    script: [{{expect_exit: 0}}]
  - run_code: |
      import os, sys
      for name in sorted(os.listdir("noise")):
          sys.stdout.write(open("noise/" + name, errors="surrogateescape").read())
  - allow_failure: true
    command: cat noise/*; false
    expect: {{stdout: {{equals: nothing}}}}
  - name: The last words of the run are noise
    command: cat noise/*; exit 1
"""


def _noise(seed: int) -> bytes:
    source = random.Random(seed)
    return b"".join(source.choice(PIECES) for _ in range(source.randrange(1, 600)))


@pytest.fixture
def noisy(cli: Cli) -> Cli:
    """Calls commands in a folder with files of noise, and one long line."""
    folder = cli.folder / "noise"
    folder.mkdir()
    for seed in range(12):
        (folder / f"{seed}.bin").write_bytes(_noise(seed))
    (folder / "line.bin").write_bytes(b"x" * 300_000)
    return cli


def _run(noisy: Cli, *argv: str, **env: str) -> Called:
    names = ", ".join(sorted(os.listdir(noisy.folder / "noise")))  # noqa: PTH208
    book = noisy.book(BOOK.format(files=names))
    called = noisy("run", book, "--artifacts", "kept", *argv, env=env)
    assert called.code == 1, called.err
    return called


def _is_tame(text: str) -> bool:
    return not any(c < " " and c not in "\n\t" for c in text) and "\x9b" not in text


def test_nothing_of_it_reaches_the_reader_of_a_run(noisy: Cli) -> None:
    called = _run(noisy)
    assert _is_tame(called.out)
    assert "✗ Noise failed" in called.out
    shown = noisy("show")
    assert shown.code == 0
    assert _is_tame(shown.out)


def test_every_file_of_the_run_is_of_its_format(noisy: Cli) -> None:
    reports = [f"--report={name}={name}.out" for name in ("junit", "markdown", "json")]
    _run(noisy, *reports)
    suites = ET.parse(noisy.folder / "junit.out").getroot()  # noqa: S314
    assert suites.get("failures") == "1"
    report = json.loads((noisy.folder / "json.out").read_text())
    jsonschema.validate(
        report, json.loads((ROOT / "schemas" / "report.schema.json").read_text())
    )
    for line in (noisy.newest() / "journal.jsonl").read_text().splitlines():
        assert json.loads(line)["v"] == 1
    assert _is_tame((noisy.folder / "markdown.out").read_text())


def test_every_recording_can_be_read_and_played(noisy: Cli) -> None:
    _run(noisy)
    casts = sorted((noisy.folder / "kept").rglob("*.cast"))
    assert len(casts) == 13
    for path in casts:
        assert list(read(path).events)
        played = noisy("play", str(path))
        assert played.code == 0, played.err
        assert _is_tame(played.out), path


def test_no_line_of_it_is_a_command_to_github(noisy: Cli) -> None:
    summary = noisy.folder / "summary.md"
    summary.touch()
    called = _run(noisy, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary))
    commands = [line for line in called.out.splitlines() if line.startswith("::")]
    assert commands
    assert not [line for line in commands if "file=x" in line]
    # A group that noise had ended would not match: ours nest one after the other.
    opened = 0
    for line in commands:
        opened += line.startswith("::group::") - line.startswith("::endgroup::")
        assert opened in (0, 1)
    assert opened == 0
    assert summary.read_text().startswith("### ❌ Noise failed")
