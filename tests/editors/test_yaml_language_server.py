"""What an author sees in an editor, from the language server that editors use."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.editors.language_server import (
    LanguageServer,
    install,
    language_server,
    why_not,
)

ROOT = Path(__file__).parents[2]
BOOKS = sorted((ROOT / "runbooks").glob("*.yaml"))
HEADER = "# yaml-language-server: $schema=runbook.schema.json\n"
TOP = "runbook: 1\nsteps:\n"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installed server."""
    missing = why_not()
    if missing:
        pytest.skip(missing)
    try:
        return install(tmp_path_factory.getbasetemp() / "yaml-language-server")
    except (OSError, subprocess.SubprocessError) as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"npm cannot install the language server: {error}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the schema beside the runbooks, as `sandbook schema` writes it."""
    made = tmp_path_factory.mktemp("books")
    shutil.copy(ROOT / "schemas/runbook.schema.json", made)
    return made


@pytest.fixture(scope="module")
def server(program: Path, folder: Path) -> Iterator[LanguageServer]:
    """A server that knows no schema but the one a file names."""
    with language_server(program, folder) as started:
        yield started


class Editor:
    """One document with a cursor, written as `|`."""

    def __init__(self, server: LanguageServer, path: Path, text: str) -> None:
        before, _, after = (HEADER + text).partition("|")
        self._server = server
        self._path = path
        self._line = before.count("\n") + 1
        self._column = len(before) - before.rfind("\n")
        self.problems = server.open(path, before + after)

    def offers(self) -> dict[str, str]:
        """What may be written at the cursor."""
        return self._server.completions(self._path, self._line, self._column)

    def tells(self) -> str:
        """What is shown when the mouse rests there."""
        return self._server.hover(self._path, self._line, self._column)

    def marks(self) -> list[tuple[int, str]]:
        """What is underlined, with the line as if the header were not there."""
        return [(each.line - 1, each.message) for each in self.problems]


class Editing:
    """Opens texts under one path."""

    def __init__(self, server: LanguageServer, path: Path) -> None:
        self._server = server
        self.path = path

    def __call__(self, text: str) -> Editor:
        """Open a text; the cursor is at `|`."""
        return Editor(self._server, self.path, text)


@pytest.fixture
def edit(
    server: LanguageServer, folder: Path, request: pytest.FixtureRequest
) -> Iterator[Editing]:
    """Open a text."""
    editing = Editing(server, folder / f"{abs(hash(request.node.name))}.yaml")
    yield editing
    server.close(editing.path)


NOTHING: frozenset[str] = frozenset()
OFFERS: Mapping[
    str, tuple[str, frozenset[str] | set[str], frozenset[str] | set[str]]
] = {
    "top keys": ("|\n", {"runbook", "inputs", "steps", "finally", "timeout"}, NOTHING),
    "verbs": (
        TOP + "  - |\n",
        {"command", "write", "check", "name", "timeout"},
        {"stdin", "content"},
    ),
    "verbs behind a name": (
        TOP + "  - name: x\n    |\n",
        {"command", "write", "if"},
        {"name", "stdin"},
    ),
    "keys of a verb": (
        TOP + "  - command: x\n    |\n",
        {"stdin", "shell", "background", "ready", "expect", "retry"},
        {"content", "command", "write", "fail_fast"},
    ),
    "keys of another verb": (
        TOP + "  - write: x\n    |\n",
        {"content", "base64", "mode"},
        {"stdin", "shell"},
    ),
    "steps within steps": (
        TOP + "  - parallel:\n      - command: x\n        |\n",
        {"stdin", "shell"},
        {"content"},
    ),
    "expectations": (
        TOP + "  - command: x\n    expect:\n      |\n",
        {"exit", "stdout", "json", "file"},
        {"status", "error"},
    ),
    "matchers": (
        TOP + "  - command: x\n    expect:\n      stdout:\n        |\n",
        {"contains", "not_contains", "matches"},
        NOTHING,
    ),
    "words": (TOP + "  - command: x\n    shell: |\n", {"bash", "sh"}, NOTHING),
    "booleans": (
        TOP + "  - command: x\n    background: |\n",
        {"true", "false"},
        NOTHING,
    ),
    "examples": (TOP + "  - command: x\n    timeout: |\n", {"10m", "30s"}, NOTHING),
    "types of inputs": (
        "runbook: 1\ninputs:\n  x:\n    type: |\n",
        {"string", "integer", "choice"},
        NOTHING,
    ),
    "sandbox options": (
        "runbook: 1\nsandbox:\n  |\n",
        {"network", "isolation", "resources"},
        {"as", "reuse"},
    ),
    "words of an option": (
        "runbook: 1\nsandbox:\n  isolation: |\n",
        {"process", "container", "microvm"},
        {"none"},
    ),
}


@pytest.mark.parametrize("place", OFFERS)
def test_what_may_stand_there_is_offered(edit: Editing, place: str) -> None:
    text, offered, not_offered = OFFERS[place]
    found = set(edit(text).offers())
    assert offered <= found
    assert not found & not_offered


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (TOP + "  - command: x\n    ti|meout: 1m\n", "takes longer has failed"),
        (TOP + "  - comm|and: x\n", "shell script"),
        (TOP + "  - command: x\n    retry: {ti|mes: 2}\n", "Further tries"),
        (TOP + "  - command: x\n    expect: {st|dout: a}\n", "stdout contains this"),
        ("runbook: 1\nsec|rets: [A]\nsteps: [{command: x}]\n", "secret values"),
        ("runbook: 1\nsandbox: {net|work: false}\nsteps: []\n", "Outbound traffic"),
    ],
)
def test_a_key_is_explained_under_the_mouse(
    edit: Editing, text: str, told: str
) -> None:
    assert told in edit(text).tells()


def test_what_is_offered_is_explained(edit: Editing) -> None:
    offered = edit(TOP + "  - command: x\n    |\n").offers()
    assert "What the program reads" in offered["stdin"]


MARKS = {
    "unknown key of a step": (
        TOP + "  - command: x\n    timout: 1m\n",
        [(4, "Property timout is not allowed.")],
    ),
    "unknown verb": (TOP + "  - rum: x\n", [(3, "Property rum is not allowed.")]),
    "unknown key at the top": (
        TOP + "  - command: x\ntimout: 1m\n",
        [(4, "Property timout is not allowed.")],
    ),
    "unknown key within a key": (
        TOP + "  - command: x\n    retry: {tims: 2, times: 1}\n",
        [(4, "Property tims is not allowed.")],
    ),
    "two verbs": (
        TOP + "  - command: x\n    write: y\n",
        [(4, "Property write is not allowed.")],
    ),
    "missing key": (TOP + "  - write: x\n", [(3, 'Missing property "content".')]),
    "a number without unit": (
        TOP + "  - command: x\n    timeout: 30\n",
        [(4, "a duration as 30s or 1h30m or none is needed here")],
    ),
    "a wrong word": (
        TOP + "  - command: x\n    shell: zsh\n",
        [(4, "bash or sh is needed here")],
    ),
    "a step that is a text": (
        TOP + "  - make\n",
        [(3, "a step is a map with a verb, as `- command: make test`")],
    ),
}


@pytest.mark.parametrize("mistake", MARKS)
def test_one_mistake_is_marked_once_in_its_line(edit: Editing, mistake: str) -> None:
    text, marked = MARKS[mistake]
    assert edit(text).marks() == marked


def test_a_step_without_a_verb_is_told_the_verbs(edit: Editing) -> None:
    (mark,) = edit(TOP + "  - name: x\n").marks()
    assert mark[0] == 3
    assert mark[1].startswith("a step needs a verb: ")
    assert "command" in mark[1]


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_nothing_is_marked_in_the_examples(
    server: LanguageServer, folder: Path, path: Path
) -> None:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    text = HEADER + "".join(line for line in lines if "$schema=" not in line)
    assert server.open(folder / path.name, text) == []
    # That the schema was in force at all shows where a mistake is added.
    assert len(server.open(folder / f"bad_{path.name}", f"{text}mistake: 1\n")) == 1


def test_the_header_of_the_examples_leads_to_the_schema(
    server: LanguageServer,
) -> None:
    path = ROOT / "runbooks/smoke.yaml"
    text = path.read_text(encoding="utf-8")
    assert server.open(path.with_name("unsaved.yaml"), text) == []
    marked = server.open(path.with_name("unsaved_2.yaml"), f"{text}\nmistake: 1\n")
    assert [each.message for each in marked] == ["Property mistake is not allowed."]
