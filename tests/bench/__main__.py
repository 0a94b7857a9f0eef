"""`python -m tests.bench [NAME…]`: measure; assert nothing."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.bench._figures import Table
from tests.bench._imports import import_lines
from tests.bench._place import BenchError, Place, open_place
from tests.bench._runbooks import write_runbook
from tests.bench.benches import BENCHES

RUNS = 7


def main() -> int:
    """Measure what was asked for and show it; 1 = something did not work."""
    parser = _parser()
    chosen = parser.parse_args()
    for name in chosen.names:
        if name not in BENCHES:
            parser.error(f"no bench {name!r}; there are {', '.join(BENCHES)}")
    with open_place() as place:
        if chosen.explain:
            return _explain(place)
        tables, failed = _measure(place, chosen.names or list(BENCHES), chosen.runs)
    if chosen.json is not None:
        data = {"v": 1, "machine": _machine(), "tables": [t.as_json() for t in tables]}
        chosen.json.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--runs", type=_count, default=RUNS, help=f"rounds ({RUNS})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every value")
    parser.add_argument(
        "--explain", action="store_true", help="show which imports are dear instead"
    )
    return parser


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value


def _measure(place: Place, names: list[str], runs: int) -> tuple[list[Table], bool]:
    """Each bench in turn; one that does not work is told, the rest go on."""
    tables: list[Table] = []
    failed = False
    for name in names:
        try:
            table = BENCHES[name](place, runs)
        except BenchError as error:
            sys.stderr.write(f"{name} did not work: {error}\n")
            failed = True
            continue
        tables.append(table)
        sys.stdout.write("\n".join([*table.lines(), "", ""]))
        sys.stdout.flush()
    return tables, failed


def _explain(place: Place) -> int:
    file = write_runbook(place.folder, 1)
    # The first time bytecode of what is around us may be written.
    place.sample(place.sandbook("run", str(file)))
    for words in (["--help"], ["run", str(file)]):
        sys.stdout.write("\n".join([*import_lines(place, *words), "", ""]))
    return 0


def _machine() -> Mapping[str, object]:
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
    }


if __name__ == "__main__":
    sys.exit(main())
