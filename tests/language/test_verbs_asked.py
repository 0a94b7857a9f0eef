"""What the verbs ask of providers, and where the paths of this computer begin."""

from __future__ import annotations

import json
import os

import pytest

from sandbook.errors import RunbookError, UsageError
from tests.cli import conftest as command_line
from tests.cli.calls import Cli, bare_plugin
from tests.runner import conftest as runner
from tests.runner.conftest import Runs
from tests.runner.test_use import write_file

run = runner.run
cli = command_line.cli


@pytest.mark.language("§6 command user")
def test_another_user_is_refused_at_plan_where_the_provider_cannot(run: Runs) -> None:
    ran = run("steps: [{command: echo never, user: root}]")
    assert ran.code == 3
    assert "exec.user" in (ran.report.cause or "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has other users")
@pytest.mark.language("§6 command user")
def test_another_user_runs_it_where_the_provider_can(cli: Cli) -> None:
    bare_plugin(cli, extra=frozenset({"exec.user"}))
    book = cli.book("steps: [{command: id -un, user: root, expect: {text: root}}]")
    called = cli("run", book, "--provider", "bare")
    assert called.code == 0, called.out + called.err


@pytest.mark.language(
    "§6 create template",
    "§6 create timeout",
    "§6 create metadata, env",
    "§6 create idle_stop",
    "§6 create env_from",
    "§6 create network",
)
def test_a_provider_is_asked_for_what_create_says(cli: Cli) -> None:
    bare_plugin(
        cli,
        """
        import dataclasses, json, os

        class Provider(Base):
            async def create(self, spec, *, key):
                asked = {
                    name: getattr(spec, name)
                    for name in ("template", "lifetime", "idle_stop", "network")
                }
                asked |= {"env": dict(spec.env), "metadata": dict(spec.metadata)}
                with open(os.environ["ASKED"], "w") as file:
                    json.dump(asked, file)
                spec = dataclasses.replace(spec, template=None, idle_stop=None)
                return await super().create(spec, key=key)
        """,
        extra=frozenset({"idle_stop"}),
    )
    book = cli.book("""
        steps:
          - create:
              template: base:3.10
              timeout: 1h30m
              idle_stop: 5m
              metadata: {team: web, day: 2026-09}
              env: {WHERE: box, PORT: 22:22}
              env_from: [FROM_HERE]
              network: [example.org]
          - command: echo "$WHERE $PORT $FROM_HERE-$NOT_THIS"
            expect: {text: {equals: "box 22:22 here-"}}
    """)
    asked = cli.folder / "asked.json"
    env = {"FROM_HERE": "here", "NOT_THIS": "no", "ASKED": str(asked)}
    called = cli("run", book, "--provider", "bare", env=env)
    assert called.code == 0, called.out + called.err
    assert json.loads(asked.read_text()) == {
        "template": "base:3.10",
        "lifetime": 5400.0,
        "idle_stop": 300.0,
        "network": ["example.org"],
        "metadata": {"team": "web", "day": "2026-09"},
        "env": {"WHERE": "box", "PORT": "22:22", "FROM_HERE": "here"},
    }


@pytest.mark.language("§6 create isolation", "§6 create provider")
def test_a_provider_weaker_than_asked_is_skipped_and_named(cli: Cli) -> None:
    bare_plugin(cli, isolation="microvm")
    book = cli.book("""
        steps:
          - {id: box, create: {isolation: microvm, provider: [local, bare]}}
          - check: steps.box.provider == "bare"
    """)
    called = cli("run", book)
    assert called.code == 0, called.out + called.err
    assert "local is not used: " in called.out


@pytest.mark.language("§6 create idle_stop", "§6 create template")
@pytest.mark.parametrize(
    ("option", "told"), [("idle_stop: 5m", "idle_stop"), ("template: x", "template")]
)
def test_what_a_provider_cannot_do_is_refused(
    run: Runs, option: str, told: str
) -> None:
    ran = run(f"steps: [{{create: {{{option}}}}}]")
    assert ran.code in (2, 3)
    assert told in (ran.report.cause or "")
    assert run.sandboxes() == []


@pytest.mark.language("§6 use: finally and artifacts")
def test_finally_and_artifacts_of_a_used_runbook_belong_to_its_step(run: Runs) -> None:
    write_file(
        run,
        "lib.yaml",
        """
        artifacts: [made]
        steps: [{command: touch made; exit 3}]
        finally: [{command: touch tidied}]
        """,
    )
    ran = run("""
        steps: [{use: lib.yaml, allow_failure: true}, {check: {file: tidied}}]
    """)
    assert ran.code == 0, ran.report.cause
    assert (ran.folder / "artifacts" / "made").exists()


@pytest.mark.language("§7 paths on this computer")
def test_paths_on_this_computer_begin_at_the_folder_of_their_runbook(run: Runs) -> None:
    (run.folder / "sandbook.yaml").touch()
    write_file(run, "lib/lib.yaml", "steps: [{copy: data}, {use: deeper/x.yaml}]\n")
    write_file(run, "lib/deeper/x.yaml", "steps: [{copy: ../data, to: again}]\n")
    (run.folder / "lib" / "data").write_text("lib")
    (run.folder / "data").write_text("top")
    ran = run("""
        steps:
          - {copy: data, to: first}
          - use: lib/lib.yaml
          - command: cat first data again
            expect: {text: {equals: topliblib}}
    """)
    assert ran.code == 0, ran.report.cause


@pytest.mark.language("§6 check http")
def test_a_check_sends_its_headers_and_follows_redirects(
    run: Runs, free_tcp_port: int
) -> None:
    ran = run(
        """
        inputs: {port: {}}
        env: {URL: "http://127.0.0.1:${{ inputs.port }}"}
        steps:
          - write: server.py
            content: |
              import http.server, sys
              class Answers(http.server.BaseHTTPRequestHandler):
                  def do_GET(self):
                      self.send_response(302 if self.path == "/old" else 200)
                      self.send_header("Location", "/new")
                      self.end_headers()
                      self.wfile.write(f"{self.path} {self.headers['X-A']}".encode())
              address = "127.0.0.1", int(sys.argv[1])
              http.server.HTTPServer(address, Answers).serve_forever()
          - command: [python3, server.py, "${{ inputs.port }}"]
            background: true
            ready: {http: "${{ env.URL }}/", within: 30s}
          - id: asked
            check: {http: "${{ env.URL }}/old", headers: {X-A: hi}, text: /new hi}
          - check: steps.asked.text == "/new hi"
        """,
        inputs={"port": str(free_tcp_port)},
    )
    assert ran.code == 0, (ran.report.failed_step, ran.report.cause)


@pytest.mark.language("§7 paths on this computer")
@pytest.mark.parametrize("path", ["9" * 300, "round", "round/x"])
def test_what_no_file_can_be_is_not_there(run: Runs, path: str) -> None:
    (run.folder / "round").symlink_to("round")
    with pytest.raises(RunbookError, match="does not exist"):
        run(f"steps: [{{use: '{path}'}}]")
    with pytest.raises(UsageError, match="there is no file"):
        run(f"inputs: {{f: {{type: file, default: '{path}'}}}}\n{A_STEP}")
    ran = run(f"steps: [{{copy: '{path}'}}]")
    assert ran.code == 1
    assert "there is no" in (ran.report.steps[0].cause or "")


A_STEP = "steps: [{check: inputs.f != ''}]"
