"""What a run comes to for each fault of the service, at each place where it can strike.

Each row is run by `test_faults`, and the table in `plugins/README.md` is made of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.servers.core.faults import Fault

PASSED = "passed"
AWAY = "connection refused"
_STATUSES = {"401", "402", "403", "404", "429", "500", "502", "503"}
_BROKEN = ("reset", "black hole", "lost reply", "cut")

ECHO = """
steps:
  - command: echo hello
    expect: {stdout: {equals: "hello\\n"}}
"""
# More than goes through the driver, and not to be packed small.
_LARGE = "".join(f"{number * 7919 % 100_003}\n" for number in range(12_000))
FILES = f"""
steps:
  - write: large
    content: {_LARGE!r}
  - command: [sh, -c, "wc -c <large"]
    expect: {{stdout: "{len(_LARGE)}"}}
  - fetch: large
""".replace("'", '"')
TERMINAL = """
steps:
  - pty: sh
    script:
      - enter: echo be'for'e; sleep 0.5; echo beh'in'd
      - see: before
      - see: behind
      - enter: exit
      - expect_exit: 0
"""
UNTIL_TOLD = """
steps:
  - command: until [ -e ~/go ]; do sleep 0.1; done
"""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a fault can strike: the requests, and the runbook that makes them."""

    words: str
    method: str
    path: str
    book: str = ECHO
    skip: int = 0
    after: int = 20


PLACES = {
    "create": Place(words="make a sandbox", method="POST", path="/v2/sandboxes"),
    "look up": Place(
        words="look a sandbox up whose reply was lost",
        method="GET",
        path="/v2/sandboxes",
        after=1,
    ),
    "open": Place(
        words="begin to use a new sandbox",
        method="POST",
        path="/process.Process/Start",
    ),
    "command": Place(
        words="start a command, and hear of it",
        method="POST",
        path="/process.Process/SendInput",
        skip=1,
        after=0,
    ),
    "terminal": Place(
        words="open a terminal, and type",
        method="POST",
        path="/process.Process/SendInput",
        book=TERMINAL,
        skip=2,
        after=0,
    ),
    "write": Place(
        words="write a large file", method="POST", path="/files", book=FILES
    ),
    "read": Place(words="read a large file", method="GET", path="/files", book=FILES),
    "renew": Place(
        words="keep it alive",
        method="POST",
        path="/sandboxes/*/timeout",
        book=UNTIL_TOLD,
        after=0,
    ),
    "destroy": Place(words="end it", method="DELETE", path="/sandboxes/*", after=0),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One outcome: `faults` come one after the other, once each, or one for good.

    `end` is the class of the error where no sandbox could be had, else the status of
    the step; `says` stands in the cause. `left` sandboxes are on the server when the
    run is over, and are ended by a reap.
    """

    place: str
    faults: tuple[str, ...]
    for_good: bool = False
    end: str = PASSED
    exit: int = 0
    ledger: str = "committed"
    says: str = ""
    words: str
    left: int = 0
    made: int = 1
    retry_after: int = 1
    first: tuple[Fault, ...] = field(default=())

    def armed(self) -> Iterator[Fault]:
        """The faults, as the server takes them."""
        yield from self.first
        at = PLACES[self.place]
        for name in self.faults:
            if name == AWAY:
                continue
            kind = "status" if name in _STATUSES else name.replace(" ", "_")
            yield Fault(
                kind="end_machine" if name == "killed" else kind,  # type: ignore[arg-type]  # words of the table
                method=at.method,
                path=at.path,
                skip=at.skip,
                count=None if self.for_good else 1,
                after=at.after,
                status=int(name) if name in _STATUSES else 500,
                message="as asked",
                headers=(
                    {"retry-after": str(self.retry_after)} if name == "429" else {}
                ),
            )

    @property
    def id(self) -> str:
        """For the test's name."""
        often = "for good" if self.for_good else "once"
        return f"{self.place}-{'+'.join(self.faults)}-{often}".replace(" ", "_")


def refused(name: str, kind: str, says: str, words: str, *, exit: int = 3) -> Row:
    """A create that is refused for good."""
    return Row(
        place="create",
        faults=(name,),
        for_good=True,
        end=kind,
        exit=exit,
        ledger="released",
        says=says,
        words=words,
        made=0,
        retry_after=60,
    )


_ONCE_MORE = "asked again, at most twice, after a moment"
_FALLBACK = "the next provider of the chain is tried"
_LOST_CREATE = Fault(kind="lost_reply", method="POST", path="/v2/sandboxes")

ROWS: tuple[Row, ...] = (
    refused("401", "AuthRejected", "check E2B_API_KEY", _FALLBACK),
    refused("402", "PlanLimit", "see the plan", _FALLBACK),
    refused("403", "PlanLimit", "see the plan", _FALLBACK),
    refused("404", "SpecRejected", "name a template", "the run is refused", exit=2),
    refused("429", "RateLimited", "wait a little", f"too long a wait: {_FALLBACK}"),
    refused("500", "Busy", "try again", f"{_ONCE_MORE}; then {_FALLBACK}"),
    refused("502", "Busy", "try again", f"{_ONCE_MORE}; then {_FALLBACK}"),
    refused("503", "Busy", "try again", f"{_ONCE_MORE}; then {_FALLBACK}"),
    refused(AWAY, "Unreachable", "refused", f"{_ONCE_MORE}; then {_FALLBACK}"),
    refused("reset", "CreateUnknown", "reset", f"looked up: none; {_FALLBACK}"),
    refused("black hole", "CreateUnknown", "time", f"looked up: none; {_FALLBACK}"),
    Row(
        place="create",
        faults=("429",),
        words="waits as long as it was told, if 10 s at most, and asks again",
    ),
    Row(place="create", faults=("500", "503"), words=_ONCE_MORE),
    Row(
        place="create",
        faults=("lost reply",),
        for_good=True,
        words="looked up by its label, and used",
    ),
    Row(
        place="create",
        faults=("cut",),
        for_good=True,
        words="looked up by its label, and used",
    ),
    Row(
        place="look up",
        faults=("500", "reset"),
        first=(_LOST_CREATE,),
        words="looked up again, three times in all",
    ),
    Row(
        place="look up",
        faults=("500",),
        for_good=True,
        first=(_LOST_CREATE,),
        end="CreateUnknown",
        exit=3,
        ledger="uncertain",
        says="there may be a sandbox",
        words="no other provider is tried; the next run or `reap` settles it",
        left=1,
    ),
    Row(place="open", faults=("503", "reset"), words="opened again, twice"),
    Row(place="open", faults=("black hole", "cut"), words="opened again, twice"),
    Row(
        place="open",
        faults=("500",),
        for_good=True,
        end="Unreachable",
        exit=3,
        says="could not be used, and was ended",
        words=f"ended and charged; {_FALLBACK}",
    ),
    Row(
        place="open",
        faults=("401",),
        end="AuthRejected",
        exit=3,
        says="as asked",
        words=f"ended and charged; {_FALLBACK}",
    ),
    Row(
        place="open",
        faults=("killed",),
        end="Unreachable",
        exit=3,
        says="could not be used",
        words=f"charged; {_FALLBACK}",
    ),
    Row(
        place="command",
        faults=("402", "403", "429", "500", "502", "503", *_BROKEN),
        words="heard again from where it was; it ran once",
    ),
    Row(place="command", faults=("401",), words="heard again; it ran once"),
    Row(place="command", faults=("404",), words="heard again; it ran once"),
    Row(
        place="command",
        faults=("503",),
        for_good=True,
        end="lost",
        exit=1,
        says="was not found again within",
        words="looked for again for 30 s; then the step is lost",
    ),
    Row(
        place="command",
        faults=("killed",),
        end="lost",
        exit=1,
        says="has ended",
        words="the step is lost",
    ),
    Row(
        place="terminal",
        faults=("500", *_BROKEN),
        words="joined again, with what it showed",
    ),
    Row(
        place="terminal",
        faults=("killed",),
        end="lost",
        exit=1,
        says="has ended",
        words="the step is lost",
    ),
    Row(
        place="write",
        faults=("402", "403", "429", "500", "502", "503", *_BROKEN),
        words="written again, whole",
    ),
    Row(
        place="write",
        faults=("401",),
        end="failed",
        exit=1,
        says="check E2B_API_KEY",
        words="the step fails",
    ),
    Row(
        place="write",
        faults=("500",),
        for_good=True,
        end="lost",
        exit=1,
        says="was not found again within",
        words="tried again for 30 s; then the step is lost",
    ),
    Row(
        place="write",
        faults=("killed",),
        end="lost",
        exit=1,
        says="run afresh",
        words="the step is lost",
    ),
    Row(
        place="read",
        faults=("402", "403", "429", "500", "502", "503", *_BROKEN),
        words="read again, whole",
    ),
    Row(
        place="read",
        faults=("404",),
        end="failed",
        exit=1,
        says="as asked",
        words="the step fails: the file is missing",
    ),
    Row(
        place="read",
        faults=("killed",),
        end="lost",
        exit=1,
        says="run afresh",
        words="the step is lost",
    ),
    Row(
        place="renew",
        faults=(
            *("401", "402", "403", "404", "429", "500", "502", "503"),
            *_BROKEN,
        ),
        words="tried again at the next beat",
    ),
    Row(
        place="destroy",
        faults=("502", "500", "lost reply"),
        words="ended again, three times in all",
    ),
    Row(place="destroy", faults=("402", "403"), words="ended again"),
    Row(place="destroy", faults=("429", "cut"), words="ended again"),
    Row(
        place="destroy",
        faults=("401", "404"),
        words="ended again; that it is gone is believed when nothing is told of it",
    ),
    Row(place="destroy", faults=("black hole", "reset"), words="ended again"),
    Row(
        place="destroy",
        faults=("500",),
        for_good=True,
        exit=5,
        ledger="bound",
        says="could not be ended",
        words="told with its end of life; `reap` ends it",
        left=1,
    ),
)


def table() -> str:
    """The rows for people."""
    lines = [
        "| while it is to … | the service | the run | exit | ledger |",
        "|---|---|---|---|---|",
    ]
    for row in ROWS:
        faults = ", ".join(row.faults)
        often = "each once" if len(row.faults) > 1 else "once"
        often = "for good" if row.for_good else often
        end = "" if row.end == PASSED else f" (`{row.end}`)"
        lines.append(
            f"| {PLACES[row.place].words} | {faults}, {often} "
            f"| {row.words}{end} | {row.exit} | {row.ledger} |"
        )
    return "\n".join(lines)
