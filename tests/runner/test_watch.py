"""The verb `watch`: what it sees, what it waits for, and how it tells what is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import cast

import pytest

from sandbook.api import Watch, WatchEvent, WatchRequest
from sandbook_local.sandbox import LocalSandbox
from tests.runner.conftest import Ran, Runs

pytestmark = pytest.mark.language("§6 watch")


def _events(ran: Ran, path: str = "steps[1]") -> list[Mapping[str, object]]:
    found = ran.results(path)["events"]
    assert isinstance(found, Sequence)
    return [cast("Mapping[str, object]", each) for each in found]


def _told(ran: Ran, path: str = "steps[1]") -> list[tuple[object, object]]:
    return [(each["event"], each["path"]) for each in _events(ran, path)]


def _cause(ran: Ran, path: str = "steps[1]") -> str:
    last = ran.step(path).last
    assert last is not None
    return last.cause or ""


def _notes(ran: Ran, path: str = "steps[1]") -> Sequence[str]:
    last = ran.step(path).last
    assert last is not None
    return last.notes


def _watch(run: Runs, rest: str, *, before: str = "mkdir out") -> Ran:
    """A run that makes `out` and then watches it; `rest` are the keys of the step."""
    keys = "\n".join(f"    {line}" for line in rest.splitlines())
    return run(f"steps:\n  - command: {before}\n  - watch: out\n{keys}\n")


def test_what_happens_during_the_steps_is_seen(run: Runs) -> None:
    ran = _watch(
        run,
        """\
during:
  - command: echo 1 > out/a
  - command: mv out/a out/b; rm out/b
expect:
  - {event: deleted, path: b}
  - {event: created, path: a}
  - {event: [modified, created], path: "?"}
  - {event: renamed, path: b}
  - {path: a}
  - {event: renamed}""",
    )
    assert ran.code == 0, ran.report.cause
    assert _told(ran) == [
        ("created", "a"),
        ("modified", "a"),
        ("renamed", "b"),
        ("deleted", "b"),
    ]
    assert [each["from"] for each in _events(ran)] == [None, None, "a", None]
    times = [datetime.fromisoformat(str(each["time"])) for each in _events(ran)]
    assert times == sorted(times)
    assert all(time.tzinfo for time in times)


def test_watching_starts_before_the_first_step_and_later_steps_are_not_seen(
    run: Runs,
) -> None:
    ran = run("""
        steps:
          - command: mkdir out; echo > out/before
          - id: w
            watch: out
            during: [{command: touch out/first}]
          - command: touch out/after
          - check: steps.w.events[0].path == 'first' and steps.w.events | length == 1
        """)
    assert ran.code == 0, ran.report.cause


def test_without_steps_it_waits_for_what_is_expected(run: Runs) -> None:
    ran = run("""
        steps:
          - command: mkdir out
          - command: i=0; while sleep 0.1; do i=$((i+1)); echo > out/late$i; done
            background: true
          - watch: out
            expect: [{event: created, path: "late*", within: 60s}]
        """)
    assert ran.code == 0, ran.report.cause


def test_what_comes_after_the_steps_is_waited_for(run: Runs) -> None:
    ran = run("""
        steps:
          - command: mkdir out
          - watch: out
            during:
              - command: sleep 0.5; echo > out/late
                background: true
            expect: [{event: created, path: late, within: 60s}]
        """)
    assert ran.code == 0, ran.report.cause


def test_what_was_not_seen_is_told_with_what_was(run: Runs) -> None:
    ran = _watch(
        run,
        """\
during: [{command: "for i in 1 2 3; do echo $i >> out/report.txt; done; touch out/x"}]
expect:
  - {event: deleted, path: report.txt, within: 100ms}
  - {event: created, path: reports.txt, within: 100ms}""",
    )
    assert ran.code == 1
    # How often depends on how fast they come: the kernel tells equal ones once.
    told = re.sub(r" \(\d times\)", "", _cause(ran))
    seen = "seen: created report.txt, modified report.txt, created x"
    assert told == (
        f"deleted report.txt: not within 100ms; {seen}; "
        f"created reports.txt: not within 100ms; {seen}"
    )


def test_nothing_at_all_is_told_as_such(run: Runs) -> None:
    ran = _watch(run, "expect: [{within: 50ms}]")
    assert _cause(ran) == "any change: not within 50ms; nothing has changed"


@pytest.mark.parametrize(
    ("only", "code"),
    [('["a", "b*"]', 0), ("a", 1), ('"**"', 0), ('["b*"]', 1)],
)
def test_only_what_is_named_may_change(run: Runs, only: str, code: int) -> None:
    ran = _watch(run, f"only: {only}\nduring: [{{command: touch out/a out/b1}}]")
    assert ran.code == code, ran.report.cause
    if code:
        stray = "b1" if only == "a" else "a"
        wanted = f"created {stray}: nothing but what `only` names may change"
        assert _cause(ran) == wanted


def test_a_change_beside_only_ends_the_wait_at_once(run: Runs) -> None:
    ran = run("""
        timeout: 60s
        steps:
          - command: mkdir out
          - watch: out
            only: a
            during: [{command: touch out/b}]
            expect: [{path: a, within: 1h}]
        """)
    assert ran.code == 1
    assert "created b: nothing but what `only`" in _cause(ran)


def test_what_is_ignored_is_not_seen(run: Runs) -> None:
    ran = _watch(
        run,
        """\
ignore: ["*.tmp", cache]
only: a
during: [{command: "mkdir out/cache; touch out/cache/x out/x.tmp out/a"}]""",
    )
    assert ran.code == 0, ran.report.cause
    assert _told(ran) == [("created", "a")]


def test_folders_below_count_unless_they_shall_not(run: Runs) -> None:
    text = "during: [{command: touch out/sub/a out/b}]"
    ran = _watch(run, text, before="mkdir -p out/sub")
    assert _told(ran) == [("created", "sub/a"), ("created", "b")]
    ran = _watch(run, f"recursive: false\n{text}", before="mkdir -p out/sub")
    assert _told(ran) == [("created", "b")]


def test_a_file_can_be_watched_by_its_own_name(run: Runs) -> None:
    ran = _watch(
        run,
        """\
during: [{write: out, content: new}]
expect: [{event: modified, path: out}]""",
        before="echo old > out",
    )
    assert ran.code == 0, ran.report.cause
    assert _told(ran) == [("modified", "out")]


def test_the_path_is_relative_to_the_folder_of_the_step(run: Runs) -> None:
    ran = run("""
        steps:
          - command: mkdir -p d/out
          - watch: out
            cwd: d
            during: [{command: touch out/a}]
            expect: [{path: a}]
        """)
    assert ran.code == 0, ran.report.cause


def test_settled_means_that_nothing_more_comes(run: Runs) -> None:
    ran = _watch(
        run,
        """\
during:
  - command: for i in $(seq 600); do echo $i >> out/log; sleep 0.05; done
    background: true
expect: [{event: modified, path: log, within: 300ms, settled: 700ms}]""",
    )
    assert ran.code == 1
    told = "modified log: it went on changing, never still for 700ms"
    assert _cause(ran) == told


def test_something_that_comes_to_rest_has_settled(run: Runs) -> None:
    ran = _watch(
        run,
        """\
during:
  - command: for i in 1 2 3 4 5; do echo $i >> out/log; sleep 0.05; done
    background: true
expect: [{event: modified, path: log, within: 60s, settled: 500ms}]""",
    )
    assert ran.code == 0, ran.report.cause
    assert ("modified", "log") in _told(ran)


def test_a_step_that_fails_is_why_and_what_was_seen_is_kept(run: Runs) -> None:
    ran = _watch(
        run,
        """\
during:
  - command: touch out/a; exit 3
  - command: touch out/never
expect: [{path: b, within: 1h}]""",
    )
    assert ran.code == 1
    assert "exit code 3" in _cause(ran)
    assert _told(ran) == [("created", "a")]


def test_what_is_not_there_cannot_be_watched(run: Runs) -> None:
    ran = _watch(run, "during: [{command: mkdir out}]", before="true")
    assert ran.code == 1
    assert "cannot watch 'out'" in _cause(ran)
    assert "never" not in json.dumps(ran.report.cause)


def test_a_sandbox_that_ends_meanwhile_fails_the_step(run: Runs) -> None:
    ran = _watch(
        run,
        """\
during: [{command: kill -9 -1}]
expect: [{path: a, within: 1h}]""",
    )
    assert ran.code == 1


def test_each_try_and_each_item_watches_anew(run: Runs) -> None:
    ran = run("""
        steps:
          - command: mkdir a b
          - watch: ${{ item }}
            for_each: [a, b]
            during: [{command: "touch ${{ item }}/${{ item }}"}]
            expect: [{path: "${{ item }}"}]
          - watch: a
            retry: {times: 3, wait: 50ms}
            during: [{command: "echo x >> n; touch a/$(grep -c x n)"}]
            expect: [{event: created, path: "2", within: 50ms}]
        """)
    assert ran.code == 0, ran.report.cause
    assert len(ran.step("steps[2]").attempts) == 2


def test_a_thousand_changes_are_kept_and_all_are_judged(run: Runs) -> None:
    ran = _watch(
        run,
        """\
during: [{command: "cd out; for i in $(seq 1500); do : > f$i; done"}]
expect: [{event: created, path: f1500}]""",
    )
    assert ran.code == 0, ran.report.cause
    assert len(_events(ran)) == 1000
    assert "1500 changes; the result holds the first 1000" in _notes(ran)


class _Forgetful:
    """A watch that says after the first event that it could not tell all."""

    def __init__(self, inner: Watch, lost: frozenset[str]) -> None:
        self._inner = inner
        self._lost = lost

    async def events(self) -> AsyncIterator[WatchEvent]:
        said = False
        async for event in self._inner.events():
            if event.path not in self._lost:
                yield event
            elif not said:
                said = True
                now = datetime.now(UTC)
                yield WatchEvent(kind="overflow", path=".", was=None, at=now)

    async def catch_up(self) -> None:
        await self._inner.catch_up()


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Local sandboxes whose watches lose what is about `lost` and `gone`."""
    inner = LocalSandbox.watch

    @asynccontextmanager
    async def watch(box: LocalSandbox, request: WatchRequest) -> AsyncGenerator[Watch]:
        async with inner(box, request) as real:
            yield _Forgetful(real, frozenset({"lost", "gone", "sub/lost", "changed"}))

    monkeypatch.setattr(LocalSandbox, "watch", watch)


@pytest.mark.usefixtures("forgetful")
def test_what_was_lost_is_looked_for(run: Runs) -> None:
    ran = _watch(
        run,
        """\
during:
  - command: touch out/lost out/sub/lost; rm out/gone; echo 2 >> out/changed
expect:
  - {event: created, path: lost}
  - {event: created, path: "**/lost"}
  - {event: deleted, path: "gon?"}
  - {event: modified, path: changed}""",
        before="mkdir -p out/sub; touch out/gone out/changed",
    )
    assert ran.code == 0, ran.report.cause
    assert any("more changed at once than could be told" in n for n in _notes(ran))


@pytest.mark.usefixtures("forgetful")
def test_what_was_there_before_does_not_count_as_created(run: Runs) -> None:
    ran = _watch(
        run,
        """\
during: [{command: chmod 600 out/lost; touch out/sub/lost}]
expect: [{event: created, path: lost, within: 100ms}]""",
        before="mkdir -p out/sub; touch out/lost",
    )
    assert ran.code == 1


@pytest.mark.usefixtures("forgetful")
def test_only_cannot_be_shown_when_changes_were_lost(run: Runs) -> None:
    ran = _watch(run, 'only: "**"\nduring: [{command: touch out/lost}]')
    assert ran.code == 1
    assert "nobody knows whether it was `only` that" in _cause(ran)


def test_a_program_that_ends_the_watch_fails_the_step(run: Runs) -> None:
    ran = _watch(
        run,
        """\
during: [{command: "pkill -9 -f '[m]ain.py watch'"}]
expect: [{path: a, within: 1h}]""",
    )
    assert ran.code == 1
    assert "was ended from inside the sandbox" in _cause(ran)
