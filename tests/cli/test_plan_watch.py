"""What `plan` and `explain` say of watching files."""

from __future__ import annotations

from tests.cli import conftest as command_line
from tests.cli.calls import Cli, bare_plugin

cli = command_line.cli

BOOK = """\
steps:
  - command: mkdir out
  - watch: out
    only: ["*.txt", b]
    ignore: "*.tmp"
    during:
      - command: make
    expect:
      - {event: created, path: a.txt, within: 10s}
      - {event: [renamed, modified], path: "?.txt", settled: 300ms}
      - {event: deleted}
  - watch: out
    recursive: false
    expect: [{path: b}]
"""
TOLD = """\
  1. Run `mkdir out`.
  2. Watch what happens to `out` while it does this.
     `a.txt` must be created within 10s.
     `?.txt` must be renamed or modified, and then stay as it is for 300ms.
     Something must be deleted.
     Nothing but `*.txt` and `b` may change there.
     It does not look at `*.tmp`.
     1. Run `make`.
  3. Wait until something happens to `out`.
     `b` must be changed.
"""


def test_a_watch_is_told_in_plain_english(cli: Cli) -> None:
    called = cli("explain", cli.book(BOOK))
    assert called.code == 0, called.err
    assert TOLD in called.out


def test_a_plan_says_what_a_provider_that_only_looks_cannot_see(cli: Cli) -> None:
    bare_plugin(cli, emulated=frozenset({"watch", "watch.recursive"}))
    book = cli.book(BOOK)
    told = cli("plan", book, "--provider", "bare").out
    assert "watch (emulated: what comes and goes between two looks is not seen)" in told
    assert "watch.recursive (emulated)" in told
    assert "emulated" not in cli("plan", book, "--provider", "local").out


def test_a_watch_below_needs_more_than_one_that_is_not(cli: Cli) -> None:
    bare_plugin(cli, extra=frozenset({"watch"}))
    text = "steps: [{watch: out, recursive: RECURSIVE, expect: [{path: a}]}]"
    flat = cli("plan", cli.book(text.replace("RECURSIVE", "false")), "--provider=bare")
    assert flat.code == 0, flat.out
    deep = cli("plan", cli.book(text.replace("RECURSIVE", "true")), "--provider=bare")
    assert deep.code == 3
    assert "lacks watch.recursive" in deep.out
