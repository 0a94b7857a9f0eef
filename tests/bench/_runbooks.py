"""The files that are run: the same steps, written for us and for each peer."""

from __future__ import annotations

import json
from pathlib import Path

PROGRAM = "/bin/true"
"""A process in every tool; the word `true` alone is built into some of them."""


CELLS = ("x = list(range(10))", "print(sum(x))")


def write_runbook(folder: Path, steps: int) -> Path:
    """A runbook of so many commands."""
    lines = [f"  - command: {PROGRAM}" for _ in range(steps)]
    file = folder / f"run-{steps}.yaml"
    file.write_text("\n".join(["runbook: 1", "steps:", *lines, ""]), encoding="utf-8")
    return file


def write_varied_runbook(folder: Path, steps: int) -> Path:
    """A runbook as people write them: names, expressions, expectations."""
    lines = ["runbook: 1", "inputs:", "  url: {default: https://example.org}", "steps:"]
    for number in range(steps):
        lines += [
            f"  - id: step_{number}",
            f"    name: ask for page {number}",
            f"    command: printf '%s' ${{{{ inputs.url }}}}/{number}",
            "    timeout: 30s",
            "    expect:",
            f'      stdout: {{contains: "/{number}"}}',
        ]
    file = folder / f"varied-{steps}.yaml"
    file.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return file


def write_runbook_of_lines(folder: Path, steps: int) -> Path:
    """The same, with names and commands that only we read as texts."""
    text = write_varied_runbook(folder, steps).read_text(encoding="utf-8")
    text = text.replace("name: ask for", "name: first: ask for")
    text = text.replace("\n    timeout:", " # and on\n    timeout:")
    file = folder / f"lines-{steps}.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def write_cells(folder: Path) -> Path:
    """Two cells of code, the second with what the first one made."""
    lines = [f"  - run_code: {json.dumps(code)}" for code in CELLS]
    file = folder / "cells.yaml"
    file.write_text("\n".join(["runbook: 1", "steps:", *lines, ""]), encoding="utf-8")
    return file


def write_notebook(folder: Path, _steps: int) -> None:
    """The same cells for tools that run notebooks."""
    cells: list[dict[str, object]] = [
        {
            "cell_type": "code",
            "id": f"c{number}",
            "source": code,
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }
        for number, code in enumerate(CELLS)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    whole = {
        "cells": cells,
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (folder / "cells.ipynb").write_text(json.dumps(whole), encoding="utf-8")


def write_script(folder: Path, steps: int) -> None:
    """The floor: a shell that starts the same processes."""
    file = folder / "script.sh"
    file.write_text(f"{PROGRAM}\n" * steps, encoding="utf-8")


def write_taskfile(folder: Path, steps: int) -> None:
    """For go-task."""
    cmds = [f"      - {PROGRAM}" for _ in range(steps)]
    lines = ["version: '3'", "tasks:", "  default:", "    cmds:", *cmds, ""]
    (folder / "Taskfile.yml").write_text("\n".join(lines), encoding="utf-8")


def write_dodo(folder: Path, steps: int) -> None:
    """For doit."""
    text = f"""\
def task_all():
    for number in range({steps}):
        yield {{"name": str(number), "actions": ["{PROGRAM}"]}}
"""
    (folder / "dodo.py").write_text(text, encoding="utf-8")


def write_deploy(folder: Path, steps: int) -> None:
    """For pyinfra."""
    text = f"""\
from pyinfra.operations import server

for number in range({steps}):
    server.shell(name=f"step {{number}}", commands=["{PROGRAM}"])
"""
    (folder / "deploy.py").write_text(text, encoding="utf-8")
