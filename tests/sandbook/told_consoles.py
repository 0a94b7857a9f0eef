"""Consoles told of a run, and what they said."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from sandbook.api import StreamName
from sandbook.console import Console, PlainConsole
from sandbook.events import Event
from tests.sandbook.told_runs import Teller

HOSTILE = (
    b"\x1b]0;title\x07\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\"
    b"\x1b[2J\x1b[1;1H\x1b[?25l\x07\x08\x1bc\x1b[8mhidden\xc2\x9b31m\xe2\x80\xae"
    b"\x1bP+q\x1b\\\x1b]52;c;ZXZpbA==\x07 \x1b[1;31mred\x1b[0m\n"
)
Output: TypeAlias = Mapping[tuple[str, int], list[tuple[StreamName, bytes]]]

OUTPUT: Output = {
    ("steps[0]", 1): [
        ("stdout", b"Collecting flask\nInst"),
        ("stdout", b"alled \x1b[32mflask\x1b[0m 3.0"),
    ],
    ("steps[1].parallel[1]", 1): [("stderr", b"db is ready\n")],
    ("steps[2]", 1): [("stderr", b"curl: (7) refused\n")],
    ("steps[2]", 2): [("stderr", b"  0%\r 50%\r100%\ncurl: (7) refused again\n")],
    ("finally[0]", 1): [("stdout", b"bye\n")],
}

FAILED = """\
Smoke test  ci/smoke.yaml
run 0k2m4p6r8t0v2, 5 steps

- daytona is not used: 5000 of 5000 sessions of 2026-11 are used
✓ sandbox main is ready: e2b, microvm
→ [1/5] Install
  │ Collecting flask
  │ Installed flask 3.0
✓ [1/5] Install         4.2s
→ [2/5] Start all
  → web
  → db
    db │ db is ready
  ✓ db                  1.2s
  ✓ web                 1.2s
✓ [2/5] Start all       1.2s
→ [3/5] Server answers
  │ curl: (7) refused
↻ [3/5] Server answers  1.2s  exit code 7, expected 0; again in 1.0s
→ [3/5] Server answers  (try 2)
  │ 100%
  │ curl: (7) refused again
✗ [3/5] Server answers  1.2s  exit code 7, expected 0
finally
→ [5/5] Clean up
  │ bye
✓ [5/5] Clean up        0.3s

✗ Smoke test failed after 11.0s: 4 passed, 1 failed, 1 not run
  cause    exit code 7, expected 0
           the server said no
  step     Server answers
  at       ci/smoke.yaml:12:5
  output   │ 100%
           │ curl: (7) refused again
  sandbox  main on e2b (microvm), lives until 21:14 UTC (9m49s from now)
  quota    e2b: 1 session, 10s; 13 of 1000 sessions this month
  next     sandbook shell 0k2m4p6r8t0v2          look around in the sandbox
           sandbook show 0k2m4p6r8t0v2 --output  see every step with its output
"""


def stream(encoding: str = "utf-8") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")


def said(out: io.TextIOWrapper) -> str:
    out.flush()
    raw = out.buffer
    assert isinstance(raw, io.BytesIO)
    return raw.getvalue().decode(out.encoding)


def tell(console: Console, events: Iterable[Event], output: Output = OUTPUT) -> None:
    """Tell the events, and after the start of a step what it printed."""
    for event in events:
        console.on_event(event)
        step, attempt = event.fields.get("step"), event.fields.get("attempt")
        if event.name == "step.started":
            assert isinstance(step, str)
            assert isinstance(attempt, int)
            for name, data in output.get((step, attempt), ()):
                console.on_output(step, name, data)
    console.close()


def printed(
    data: bytes, make: Callable[[io.TextIOWrapper], Console] = PlainConsole
) -> str:
    """What is told of one step that prints `data`."""
    out = stream()
    console = make(out)
    teller = Teller()
    console.on_event(teller("run.started"))
    console.on_event(teller("step.started"))
    console.on_output("steps[0]", "stdout", data)
    console.on_event(teller("step.finished"))
    console.close()
    return said(out)
