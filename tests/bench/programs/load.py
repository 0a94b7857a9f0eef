"""Read one file as YAML and as a runbook, in turn; prints milliseconds as JSON."""

import json
import sys
import time
from pathlib import Path

import yaml

import sandbook


def rounds(file: Path, count: int) -> dict[str, list[float]]:
    """`yaml.load` and `sandbook.load`; the first round warms up."""
    found: dict[str, list[float]] = {"yaml": [], "sandbook": []}
    text = file.read_text(encoding="utf-8")
    for number in range(count + 1):
        marks = [time.perf_counter()]
        yaml.load(text, Loader=yaml.CSafeLoader)
        marks.append(time.perf_counter())
        sandbook.load(file)
        marks.append(time.perf_counter())
        for name, began, ended in zip(found, marks, marks[1:], strict=False):
            found[name] += [(ended - began) * 1e3] if number else []
    return found


if __name__ == "__main__":
    json.dump(rounds(Path(sys.argv[1]), int(sys.argv[2])), sys.stdout)
