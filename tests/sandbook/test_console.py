"""A run is told so that a newcomer knows what happened and what to do next."""

from __future__ import annotations

import pytest

from sandbook.api import JSON
from sandbook.console import PlainConsole, PlanStep, PlanView
from tests.sandbook.told_consoles import FAILED, HOSTILE, printed, said, stream, tell
from tests.sandbook.told_runs import (
    PLAN,
    RUN,
    Teller,
    failed_run,
    passed_run,
)

PASSED = """\
smoke.yaml  ci/smoke.yaml
run 0k2m4p6r8t0v2

✓ sandbox main is ready: e2b, microvm
→ steps[0]
  → steps[0] #1
  ✓ steps[0] #1  1.2s
  → steps[0] #2
  ✓ steps[0] #2  1.2s
✓ steps[0]  1.2s
- steps[1]  skipped: its `if` is false

✓ smoke.yaml passed after 5.0s: 2 passed, 1 skipped
  sandbox  main on e2b (microvm), ended
  quota    e2b: 1 session, 4s; 13 of 1000 sessions this month
"""


def test_a_failed_run_is_told_line_by_line() -> None:
    out = stream()
    tell(PlainConsole(out, PLAN), failed_run())
    assert said(out) == FAILED


def test_a_green_run_without_a_plan_is_told_by_paths() -> None:
    out = stream()
    tell(PlainConsole(out), passed_run(), output={})
    assert said(out) == PASSED


def test_signs_that_the_stream_cannot_hold_become_ascii() -> None:
    out = stream("ascii")
    tell(PlainConsole(out, PLAN), failed_run())
    signs = str.maketrans({"✓": "+", "✗": "x", "→": ">", "↻": "~", "│": "|"})
    assert said(out) == FAILED.translate(signs)


def test_output_that_the_stream_cannot_hold_is_spelt_out() -> None:
    out = stream("ascii")
    console = PlainConsole(out)
    console.on_output("steps[0]", "stdout", "naïve ✓\n".encode())
    assert said(out).endswith("| na\\xefve \\u2713\n")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"status": "cancelled", "exit": 130},
            "✗ Smoke test was cancelled by SIGINT after 1.0s: nothing ran\n",
        ),
        (
            {"status": "refused", "exit": 3, "cause": "no provider could be used"},
            """\
✗ Smoke test was refused by SIGINT after 1.0s: nothing ran
  cause    no provider could be used
  next     sandbook doctor  see what each provider still needs
""",
        ),
    ],
    ids=["cancelled", "refused"],
)
def test_a_run_in_which_no_step_ran_says_so(
    fields: dict[str, JSON], expected: str
) -> None:
    out = stream()
    teller = Teller()
    events = [
        teller("run.started"),
        teller("run.cancelling"),
        teller("run.finished", **fields),
    ]
    tell(PlainConsole(out, PLAN), events)
    assert said(out).split("leave at once\n\n")[1] == expected


def test_a_refused_run_lists_the_providers_it_tried() -> None:
    out = stream()
    teller = Teller()
    tell(
        PlainConsole(out, PLAN),
        [
            teller("run.started"),
            teller(
                "provider.tried",
                outcome="NotConfigured",
                reason="E2B_API_KEY is not set",
            ),
            teller("run.finished", status="refused", exit=3, cause="no provider"),
        ],
    )
    assert "- e2b is not used: E2B_API_KEY is not set\n" in said(out)
    assert "  tried    e2b: E2B_API_KEY is not set\n" in said(out)


def test_a_failed_run_whose_sandbox_ended_offers_to_keep_it_next_time() -> None:
    out = stream()
    teller = Teller()
    tell(
        PlainConsole(out, PLAN),
        [
            teller("run.started", file="my files/smoke.yaml"),
            teller("sandbox.created"),
            *teller.step("steps[0]", status="failed", cause="no"),
            teller("sandbox.ended"),
            teller("run.finished", status="failed", exit=1),
        ],
    )
    assert said(out).endswith(
        "  next     sandbook run 'my files/smoke.yaml' --keep  "
        "run it again and keep the sandbox\n"
        "           sandbook show 0k2m4p6r8t0v2 --output       "
        "see every step with its output\n"
    )


def test_a_failed_teardown_is_not_told_as_green() -> None:
    out = stream()
    teller = Teller()
    cause = "sandbox i1 could not be ended; it lives until 21:14"
    tell(
        PlainConsole(out, PLAN),
        [
            teller("run.started"),
            teller("sandbox.created"),
            *teller.step("steps[0]"),
            teller("run.finished", exit=5, cause=cause),
        ],
    )
    assert "✗ Smoke test passed, but a teardown failed after 2.0s" in said(out)
    assert f"  cause    {cause}\n" in said(out)
    assert "           sandbook reap " in said(out)


def test_use_without_a_limit_is_told_without_one() -> None:
    out = stream()
    teller = Teller()
    totals: JSON = {"quota": {"e2b": {"used": 1, "limit": None}}}
    tell(
        PlainConsole(out, PLAN),
        [
            teller("run.started"),
            teller("sandbox.created"),
            teller("sandbox.ended", seconds=3),
            teller("run.finished", totals=totals),
        ],
    )
    assert "  quota    e2b: 1 session, 3s; 1 session this month\n" in said(out)


def test_an_allowed_failure_and_a_note_are_warnings() -> None:
    out = stream()
    console = PlainConsole(out, PLAN)
    teller = Teller()
    start, finish = teller.step("steps[0]", status="failed", cause="no", allowed=True)
    console.on_event(teller("run.started"))
    console.on_event(start)
    console.on_note("steps[0]", "sh is used\n\x1b[2Jsince there is no bash")
    console.on_event(finish)
    assert said(out).endswith(
        "→ [1/5] Install\n"
        "  ! sh is used\n"
        "  ! since there is no bash\n"
        "! [1/5] Install         1.2s  failed, which is allowed: no\n"
    )


def test_output_after_the_end_of_its_step_names_the_step() -> None:
    out = stream()
    console = PlainConsole(out, PLAN)
    teller = Teller()
    for event in (teller("run.started"), *teller.step("steps[1].parallel[0]")):
        console.on_event(event)
    console.on_output("steps[1].parallel[0]", "stdout", b"GET /\n")
    assert said(out).endswith("    web │ GET /\n")


def test_labels_and_places_that_events_tell_come_before_those_of_the_plan() -> None:
    out = stream()
    console = PlainConsole(out, PLAN)
    teller = Teller()
    begun = teller(
        "step.started", step="steps[2].each[1]", label="Ping b", location="x.yaml:1:2"
    )
    console.on_event(teller("run.started"))
    console.on_event(begun)
    assert said(out).endswith("→ Ping b\n")


def test_control_sequences_of_a_step_never_reach_the_reader() -> None:
    text = printed(HOSTILE)
    (line,) = [each for each in text.splitlines() if "│" in each]
    assert line == "  │ link^G^Hhidden\\x9b31m\\u202e red"
    assert "\x1b" not in text


def test_labels_and_causes_are_not_trusted_either() -> None:
    out = stream()
    plan = PlanView(
        name="a\x1b[2Jb",
        steps=(PlanStep(path="steps[0]", label="\x1b]0;x\x07c", verb="v", at="f\x07"),),
    )
    teller = Teller()
    tell(
        PlainConsole(out, plan),
        [
            teller("run.started"),
            *teller.step("steps[0]", status="failed", cause="\x1b[2Jd\n\x1b[Ae"),
            teller("run.finished", status="failed", exit=1),
        ],
    )
    assert "\x1b" not in said(out)
    assert "\x07" not in said(out)
    assert "ab failed after" in said(out)


def test_a_resumed_run_says_where_it_goes_on() -> None:
    out = stream()
    console = PlainConsole(out, PLAN)
    teller = Teller()
    console.on_event(teller("run.started"))
    console.on_event(teller("run.resumed"))
    assert said(out).endswith(f"Smoke test goes on at Server answers\nrun {RUN}\n\n")
