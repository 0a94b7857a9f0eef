"""`--report NAME=FILE`: what each format says, where it goes, and what if it fails."""

from __future__ import annotations

import json
import os
import signal
import stat
import threading
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.cli.calls import Cli, bare_plugin, finish, wait_until
from tests.cli.test_run import valid

MIXED = """
    name: Mixed
    steps:
      - name: Hello
        command: echo out; echo err >&2
      - name: Loop
        for_each: [a, b]
        command: echo "${{ item }}"
      - name: Pardoned
        command: exit 4
        allow_failure: true
      - name: Not now
        if: 1 == 2
        command: echo x
      - name: At once
        parallel:
          - {name: one, command: "true"}
          - {name: two, command: "echo why | cat; exit 3"}
        fail_fast: false
      - name: Never
        command: "true"
    finally:
      - {name: Bye, command: "true"}
"""
GREEN = "name: Green\nsteps: [{name: only, command: echo fine}]"
PLUGIN = """
    from sandbook.api import hookimpl

    class Acme:
        name = "acme"
        summary = "what Acme reads"

        def render(self, ends, *, environ):
            {body}

    @hookimpl
    def sandbook_reporters():
        return [Acme()]
"""


def read(cli: Cli, name: str = "r.xml") -> ET.Element:
    """The suites, as `parsed` reads them."""
    return parsed((cli.folder / name).read_bytes())


def parsed(text: str | bytes) -> ET.Element:
    """What a real parser makes of it."""
    return ET.fromstring(text)  # noqa: S314 (our own text)


def cases(root: ET.Element) -> dict[str, ET.Element]:
    """The test cases by name, each of which is there once."""
    found = [(case.get("name", ""), case) for case in root.iter("testcase")]
    assert len(dict(found)) == len(found)
    return dict(found)


def verdict(case: ET.Element) -> str:
    """How a test came out."""
    tags = [each.tag for each in case if not each.tag.startswith("system")]
    assert len(tags) <= 1
    return tags[0] if tags else "passed"


def counts(suite: ET.Element) -> list[str | None]:
    return [suite.get(key) for key in ("tests", "failures", "errors", "skipped")]


def acme(cli: Cli, body: str) -> None:
    code = PLUGIN.format(body=body)
    cli.plugin("acme", code=code, group="sandbook", distribution="acme")


def test_junit_has_a_test_for_each_step_and_item(cli: Cli) -> None:
    called = cli("run", cli.book(MIXED), "--report", "junit=r.xml")
    assert called.code == 1
    root = read(cli)
    (suite,) = root
    assert {name: verdict(case) for name, case in cases(root).items()} == {
        "Hello": "passed",
        "Loop #1": "passed",
        "Loop #2": "passed",
        "Pardoned": "skipped",
        "Not now": "skipped",
        "At once > one": "passed",
        "At once > two": "failure",
        "Never": "skipped",
        "Bye": "passed",
    }
    assert counts(suite) == counts(root) == ["9", "1", "0", "3"]


def test_junit_tells_place_time_cause_and_output(cli: Cli) -> None:
    cli("run", cli.book(MIXED), "--report", "junit=r.xml")
    root = read(cli)
    found = cases(root)
    hello, two, bye = found["Hello"], found["At once > two"], found["Bye"]
    assert (hello.get("classname"), bye.get("classname")) == ("book", "book.finally")
    assert (hello.get("file"), hello.get("line")) == ("book.yaml", "4")
    assert float(hello.get("time", "")) > 0
    assert hello.findtext("system-out") == "out\n"
    assert hello.findtext("system-err") == "err\n"
    failure = two[0]
    assert (failure.get("message"), failure.get("type")) == (
        "exit code 3: why",
        "failed",
    )
    assert "at book.yaml:18\n\nwhy\n" in (failure.text or "")
    assert found["Never"][0].get("message") == "it did not run"
    assert found["Pardoned"][0].get("message", "").endswith("exit code 4")
    about = {each.get("name"): each.get("value") for each in root.iter("property")}
    assert about["run"] == cli.newest().name
    assert about["provider.main"] == "local (process)"
    assert about["sandbox.main"]


def test_several_runbooks_are_several_suites_of_one_file(cli: Cli) -> None:
    (cli.folder / "ci").mkdir()
    red = cli.book("name: Red\nsteps: [{command: exit 1}]", "ci/red.yaml")
    green = cli.book(GREEN, "green.yaml")
    called = cli("run", red, green, "-q", "--report", "junit=r.xml")
    assert called.code == 1
    root = read(cli)
    assert [suite.get("name") for suite in root] == ["Red", "Green"]
    assert [counts(suite) for suite in root] == [["1", "1", "0", "0"], ["1", *"000"]]
    assert counts(root) == ["2", "1", "0", "0"]
    assert [c.get("classname") for c in root.iter("testcase")] == ["ci.red", "green"]


def test_a_runbook_that_no_provider_may_run_is_an_error(cli: Cli) -> None:
    strict = cli.book(
        "name: S\nsandbox: {isolation: microvm}\nsteps: [{command: 'true'}]", "s.yaml"
    )
    called = cli("run", strict, cli.book(GREEN), "--report", "junit=r.xml")
    assert called.code == 3
    first, second = read(cli)
    (case,) = [c for c in first.iter("testcase") if verdict(c) == "error"]
    assert "microvm" in case[0].get("message", "") + (case[0].text or "")
    assert counts(second) == ["1", "0", "0", "0"]


def test_a_red_run_has_a_red_test_when_all_its_steps_passed(cli: Cli) -> None:
    book = cli.book(f"{GREEN}\nartifacts: [missing.txt]")
    assert cli("run", book, "--report", "junit=r.xml").code == 1
    found = cases(read(cli))
    assert verdict(found["only"]) == "passed"
    assert verdict(found["the run itself"]) == "failure"
    assert "missing.txt" in found["the run itself"][0].get("message", "")


def test_a_failed_teardown_is_an_error(cli: Cli) -> None:
    bare_plugin(
        cli,
        """
        class Provider(Base):
            async def destroy(self, ref):
                raise errors.TeardownFailed(
                    "not today", provider="bare", operation="destroy", ref=ref
                )
        """,
    )
    call = ("run", cli.book(GREEN), "--provider", "bare", "--report", "junit=r.xml")
    assert cli(*call).code == 5
    assert verdict(cases(read(cli))["the run itself"]) == "error"


def test_a_cancelled_run_is_an_error_and_so_is_what_did_not_begin(cli: Cli) -> None:
    book = cli.book("name: Slow\nsteps: [{name: nap, command: echo on; sleep 60}]")
    later = cli.book(GREEN, "later.yaml")
    process = cli.start("run", book, later, "--report", "junit=r.xml")
    journal = cli.wait_for_event("sandbox.created") / "journal.jsonl"
    wait_until(lambda: '"step.attached"' in journal.read_text())
    process.send_signal(signal.SIGINT)
    assert finish(process).code == 130
    first, second = read(cli)
    assert verdict(cases(first)["nap"]) == "error"
    assert "did not begin" in cases(second)["the run itself"][0].get("message", "")


def test_a_run_whose_process_died_is_an_error(cli: Cli) -> None:
    process = cli.start("run", cli.book("steps: [{name: nap, command: sleep 60}]"))
    journal = cli.wait_for_event("sandbox.created") / "journal.jsonl"
    wait_until(lambda: '"step.attached"' in journal.read_text())
    process.kill()
    process.communicate()
    assert cli("show", "--report", "junit=r.xml").code == 0
    assert verdict(cases(read(cli))["nap"]) == "error"
    cli("reap", "--yes")


def test_any_bytes_of_a_step_make_valid_xml(cli: Cli) -> None:
    (cli.folder / "bytes").write_bytes(bytes(range(256)) * 8 + os.urandom(65536))
    book = cli.book(
        """
        inputs: {called: {}}
        steps:
          - copy: bytes
          - name: "${{ inputs.called }}"
            command: cat bytes; cat bytes >&2; exit 1
        """
    )
    called = "a\x01\x0b\x1b[31m]]>\ufffe\x85&<\"'"
    done = cli("run", book, "-i", f"called={called}", "--report", "junit=r.xml")
    assert done.code == 1
    (red,) = [case for case in read(cli).iter("testcase") if verdict(case) == "failure"]
    assert "]]>" in red.get("name", "")
    assert "\x01" not in ET.tostring(red, encoding="unicode")


def test_loud_steps_are_cut_in_the_middle(cli: Cli) -> None:
    book = cli.book("steps: [{command: 'echo first; seq 100000; echo last'}]")
    assert cli("run", book, "-q", "--report", "junit=r.xml").code == 0
    (out,) = (case.findtext("system-out") or "" for case in read(cli).iter("testcase"))
    assert out.startswith("first\n1\n2\n")
    assert out.endswith("99999\n100000\nlast\n")
    assert "characters left out" in out
    assert len(out) < 70_000


def test_json_is_the_report_and_of_several_files_a_list(cli: Cli) -> None:
    green = cli.book(GREEN)
    assert cli("run", green, "--report", "json=deep/r.json").code == 0
    assert valid(json.loads((cli.folder / "deep/r.json").read_text()))["exit"] == 0
    assert cli("run", green, green, "--report", "json=r.json").code == 0
    both = json.loads((cli.folder / "r.json").read_text())["reports"]
    assert [valid(report)["exit"] for report in both] == [0, 0]


def test_markdown_has_the_verdict_a_table_and_what_failed_printed(cli: Cli) -> None:
    assert cli("run", cli.book(MIXED), "--report", "markdown=r.md").code == 1
    page = (cli.folder / "r.md").read_text()
    assert page.startswith("### ❌ Mixed failed after ")
    assert "> exit code 3: why" in page
    assert "| ✅ | Hello | " in page
    assert "| ⚠️ | Pardoned |" in page
    assert "| ❌ | At once &gt; two | " in page
    assert "```text\nwhy\n```" in page


def test_markdown_of_a_step_is_text(cli: Cli) -> None:
    book = cli.book(
        """
        steps:
          - name: '<img src=x> | [a](http://b) @you **c**'
            command: printf '```\\n</details>\\n@all\\n'; exit 1
        """
    )
    assert cli("run", book, "--report", "markdown=r.md").code == 1
    page = (cli.folder / "r.md").read_text()
    assert "<img" not in page
    assert "@you" not in page
    assert "http://b" not in page
    assert "&lt;img src=x&gt; \\| \\[a\\](http://\u200bb) @\u200byou" in page
    assert "````text\n```\n</details>\n@all\n````" in page


def test_annotations_stand_at_the_lines_of_the_file(cli: Cli) -> None:
    book = cli.book(MIXED)
    env = {"GITHUB_WORKSPACE": str(cli.folder.parent)}
    called = cli("run", book, "-q", "--report", "github=-", env=env)
    file, pardoned = "project/book.yaml", "failed, which does not count"
    assert called.out.splitlines() == [
        f"::warning file={file},line=9,title=Pardoned::{pardoned}: exit code 4",
        f"::error file={file},line=18,title=At once > two::exit code 3: why",
    ]


def test_a_cause_or_a_name_forges_no_annotation(cli: Cli) -> None:
    book = cli.book(
        """
        steps:
          - name: '::warning::a, b: 100%'
            command: printf '%b' '::error::x\\n::error::y\\r::error::z' >&2; exit 1
        """
    )
    called = cli("run", book, "-q", "--report", "github=-")
    (line,) = called.out.splitlines()
    assert line.startswith(
        "::error file=book.yaml,line=3,title=%3A%3Awarning%3A%3Aa%2C"
    )
    assert "100%25" in line


def test_github_gets_annotations_and_a_summary_unasked(cli: Cli) -> None:
    page = cli.folder / "summary.md"
    page.write_text("of another step\n")
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(page)}
    called = cli("run", cli.book(MIXED), env=env)
    assert called.code == 1
    assert called.out.count("::error ") == 1
    assert called.out.splitlines()[-1].startswith("::error file=book.yaml,line=18")
    assert page.read_text().startswith("of another step\n### ❌ Mixed failed")


def test_a_report_that_is_named_goes_only_where_it_is_named(cli: Cli) -> None:
    page = cli.folder / "summary.md"
    page.touch()
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(page)}
    named = ("--report", "github=g.txt", "--report", "markdown=m.md")
    called = cli("run", cli.book(MIXED), *named, env=env)
    assert "::error " not in called.out
    assert "::error " in (cli.folder / "g.txt").read_text()
    assert (page.read_text(), (cli.folder / "m.md").exists()) == ("", True)


def test_a_summary_that_cannot_be_written_is_no_reason_not_to_run(cli: Cli) -> None:
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": "/nowhere/page.md"}
    assert cli("run", cli.book(GREEN), env=env).code == 0


def test_a_report_on_stdout_has_it_for_itself(cli: Cli) -> None:
    called = cli("run", cli.book(GREEN), "--report", "junit=-")
    assert counts(parsed(called.out)) == ["1", "0", "0", "0"]
    assert "✓ Green passed" in called.err


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("junt=r.xml",), "there is no reporter 'junt': did you mean 'junit'?"),
        (("junt=r.xml",), "\n  markdown  a summary for people"),
        (("report.xml",), "write junit=report.xml"),
        (("out.json",), "write json=out.json"),
        (("junit",), "write junit=FILE, or junit=- for stdout"),
        (("junit=",), "write junit=FILE"),
        (("junit=.",), "'.' cannot be written: is a directory"),
        (("junit=book.yaml/x",), "'book.yaml/x' cannot be written: "),
        (("junit=-", "json=-"), "two reports go to stdout"),
    ],
)
def test_what_is_wrong_with_a_report_is_told_before_anything_runs(
    cli: Cli, given: tuple[str, ...], words: str
) -> None:
    options = [part for each in given for part in ("--report", each)]
    called = cli("run", cli.book(GREEN), *options)
    assert called.code == 2
    assert words in called.err
    assert not list((cli.state / "runs").glob("*"))


def test_json_and_a_report_on_stdout_exclude_each_other(cli: Cli) -> None:
    called = cli("run", cli.book(GREEN), "--json", "--report", "junit=-")
    assert called.code == 2
    assert "exclude each other" in called.err


def test_looking_whether_a_report_can_be_written_leaves_nothing(cli: Cli) -> None:
    (cli.folder / "old.xml").write_text("old")
    call = ("--report", "junit=new.xml", "--report", "markdown=old.xml")
    assert cli("run", cli.book(GREEN), *call, "--report", "nothing=x").code == 2
    assert not (cli.folder / "new.xml").exists()
    assert (cli.folder / "old.xml").read_text() == "old"


def test_a_report_that_fails_at_the_end_is_told_and_the_others_are_written(
    cli: Cli,
) -> None:
    call = ("--report", "json=/dev/full", "--report", "junit=r.xml")
    called = cli("run", cli.book(GREEN), *call)
    assert called.code == 70
    assert "✓ Green passed" in called.out
    assert "the report 'json' was not written: '/dev/full': no space left" in called.err
    assert counts(read(cli)) == ["1", "0", "0", "0"]


def test_a_device_stays_a_device(cli: Cli) -> None:
    assert cli("run", cli.book(GREEN), "--report", "junit=/dev/null").code == 0
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_pipe_gets_the_report_once_and_whole(cli: Cli) -> None:
    pipe = cli.folder / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    assert cli("run", cli.book(GREEN), "--report", "junit=pipe").code == 0
    reader.join()
    assert counts(parsed(got[0])) == ["1", "0", "0", "0"]


def test_a_plugin_adds_a_reporter(cli: Cli) -> None:
    body = "return ';'.join(f'{e.file} {e.exit} {e.report.status}' for e in ends)"
    acme(cli, body)
    book = cli.book(GREEN)
    assert cli("run", book, book, "--report", "acme=a.txt").code == 0
    told = "book.yaml 0 passed;book.yaml 0 passed"
    assert (cli.folder / "a.txt").read_text() == told
    assert "what Acme reads" in cli("run", book, "--report", "acne=x").err


def test_a_reporter_that_raises_changes_no_verdict_silently(cli: Cli) -> None:
    acme(cli, "raise ValueError('odd \\x07')")
    call = ("--report", "acme=a.txt", "--report", "junit=r.xml")
    called = cli("run", cli.book(GREEN), *call)
    assert called.code == 70
    assert "✓ Green passed" in called.out
    assert "the report 'acme' was not written: ValueError: odd \\x07" in called.err
    trace = called.err.partition("with the trace in ")[2].splitlines()[0].strip("'")
    assert "odd" in Path(trace).read_text()
    assert counts(read(cli)) == ["1", "0", "0", "0"]
    assert not (cli.folder / "a.txt").exists()


def test_a_broken_plugin_is_named_where_its_reporter_is_missed(cli: Cli) -> None:
    cli.plugin("acme", code="1 / 0", group="sandbook", distribution="acme")
    called = cli("run", cli.book(GREEN), "--report", "acme=a.txt")
    assert called.code == 2
    assert "ZeroDivisionError" in called.err


@pytest.fixture
def past(cli: Cli) -> Cli:
    """A run that is over, with the report it gave then."""
    assert cli("run", cli.book(MIXED), "--report", "junit=then.xml").code == 1
    return cli


def test_show_writes_the_same_report_of_a_past_run(past: Cli) -> None:
    then = (past.folder / "then.xml").read_text()
    assert past("show", "--report", "junit=now.xml").out == ""
    assert (past.folder / "now.xml").read_text() == then
    run = past.newest().name
    assert past("show", run, "--report", "junit=-").out == then


def test_show_tells_a_run_in_one_way(past: Cli) -> None:
    called = past("show", "--json", "--report", "junit=-")
    assert (called.code, called.out) == (2, "")
    assert "--json and --report exclude each other" in called.err
