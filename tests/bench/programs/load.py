"""Read files as YAML and as runbooks, in turn; prints milliseconds as JSON."""

import json
import sys
import time
from pathlib import Path

import yaml

import sandbook


def rounds(file: Path, lines: Path, count: int) -> dict[str, list[float]]:
    """`yaml.load` and `sandbook.load`, of `lines` the latter; the first warms up."""
    found: dict[str, list[float]] = {"yaml": [], "sandbook": [], "lines": []}
    text = file.read_text(encoding="utf-8")
    for number in range(count + 1):
        marks = [time.perf_counter()]
        yaml.load(text, Loader=yaml.CSafeLoader)
        marks.append(time.perf_counter())
        for one in (file, lines):
            sandbook.load(one)
            marks.append(time.perf_counter())
        for name, began, ended in zip(found, marks, marks[1:], strict=False):
            found[name] += [(ended - began) * 1e3] if number else []
    return found


if __name__ == "__main__":
    first, second, runs = sys.argv[1:]
    json.dump(rounds(Path(first), Path(second), int(runs)), sys.stdout)
