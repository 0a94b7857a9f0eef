"""Packages that a sandbox gets before its first step, from an index of our own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbook.errors import SandbookError, Unsupported
from sandbook.runner import RunRequest
from tests.runner.conftest import Ran, Runs
from tests.runner.package_index import package_index

BOOK = """
    sandbox: {packages: {pip: [sandbook-tiny]}, env_from: [PIP_INDEX_URL]}
    steps:
      - id: used
        command: python3 -c 'import sandbook_tiny; print(sandbook_tiny.SAYS)'
      - id: again
        command: echo done
    outputs: {says: "${{ steps.used.text }}"}
"""


@pytest.fixture
def index(tmp_path: Path, run: Runs) -> Iterator[str]:
    """The address of an index with one package, which runs find in `PIP_INDEX_URL`."""
    with package_index(tmp_path / "index") as url:
        settings = "settings: {local: {allow_host_network: true}}\n"
        (run.folder / "sandbook.yaml").write_text(settings)
        run.environ["PIP_INDEX_URL"] = url
        yield url


def _on_host(request: RunRequest) -> RunRequest:
    return replace(request, host_network=True)


def _noted(ran: Ran) -> list[object]:
    notes = [e.fields["text"] for e in ran.events if e.name == "step.noted"]
    return [text for text in notes if "packages" in str(text)]


@pytest.mark.usefixtures("index")
@pytest.mark.language("§6 create packages")
def test_packages_are_there_in_the_first_step_and_installed_once(run: Runs) -> None:
    ran = run(BOOK, request=_on_host)
    assert ran.code == 0, ran.report
    assert ran.report.outputs == {"says": "tiny"}
    assert _noted(ran) == ["installing packages in sandbox 'main': pip: sandbook-tiny"]


@pytest.mark.usefixtures("index")
@pytest.mark.language("§6 create packages")
def test_a_create_step_installs_them_and_shows_what_pip_says(run: Runs) -> None:
    ran = run(
        """
        steps:
          - id: box
            create: {packages: {pip: [sandbook-tiny]}, env_from: [PIP_INDEX_URL]}
          - command: [python3, -c, import sandbook_tiny]
        """,
        request=_on_host,
    )
    assert ran.code == 0, ran.report
    shown = b"".join(data for step, _, data in ran.output if step == "steps[0]")
    assert b"Successfully installed sandbook-tiny-1.0" in shown
    kept = b"".join(p.read_bytes() for p in (ran.folder / "output").iterdir())
    assert b"Successfully installed sandbook-tiny-1.0" in kept


@pytest.mark.usefixtures("index")
@pytest.mark.language("§6 create packages")
def test_a_reused_sandbox_has_them_without_the_index(run: Runs) -> None:
    book = """
        steps:
          - create:
              reuse: {session: p}
              packages: {pip: [sandbook-tiny]}
              env_from: [PIP_INDEX_URL]
          - command: [python3, -c, import sandbook_tiny]
    """
    assert run(book, request=_on_host).code == 0
    run.environ["PIP_INDEX_URL"] = "http://127.0.0.1:9/simple/"
    second = run(book, request=_on_host)
    assert second.code == 0, second.report
    shown = b"".join(data for _, _, data in second.output)
    assert b"already satisfied" in shown
    run.end_all()


@pytest.mark.usefixtures("index")
@pytest.mark.language("§6 create packages")
def test_an_unknown_package_fails_the_step_that_needs_the_sandbox(run: Runs) -> None:
    ran = run(BOOK.replace("[sandbook-tiny]", "[sandbook-none]"), request=_on_host)
    assert (ran.code, ran.report.status) == (1, "failed")
    last = ran.step("steps[0]").last
    assert last is not None
    assert "pip ended with exit code 1" in (last.cause or "")
    assert "No matching distribution found for sandbook-none" in (last.cause or "")
    assert ran.step("steps[1]").last is None
    tried = [e.fields["outcome"] for e in ran.events if e.name == "provider.tried"]
    assert tried == ["created"]
    assert run.sandboxes() == []


@pytest.mark.usefixtures("index")
def test_the_cause_and_the_output_hide_secrets(run: Runs) -> None:
    ran = run(
        """
        secrets: [WHICH]
        sandbox: {env: {}, env_from: [PIP_INDEX_URL], packages: {pip: [no-such-thing]}}
        steps: [{command: "true"}]
        """,
        secrets={"WHICH": "no-such-thing"},
        request=_on_host,
    )
    assert ran.code == 1
    kept = b"".join(p.read_bytes() for p in (ran.folder / "output").iterdir())
    cause = ran.step("steps[0]").last
    assert cause is not None
    assert "No matching distribution found for ***" in (cause.cause or "")
    assert b"***" in kept
    assert b"no-such-thing" not in kept


@pytest.mark.usefixtures("index")
def test_a_step_that_tries_again_tries_to_install_again(run: Runs) -> None:
    ran = run(
        """
        sandbox: {packages: {pip: [sandbook-none]}, env_from: [PIP_INDEX_URL]}
        steps:
          - command: "true"
            retry: {times: 1, wait: 0s}
        """,
        request=_on_host,
    )
    assert ran.code == 1
    assert len(_noted(ran)) == 2
    assert ran.names().count("sandbox.created") == 1


def test_a_python_without_pip_is_named(run: Runs) -> None:
    ran = run("""
        sandbox: {packages: {pip: [anything]}, env: {PATH: /nowhere}}
        steps: [{command: [/bin/true]}]
    """)
    assert ran.code == 1
    last = ran.step("steps[0]").last
    assert last is not None
    assert "there is no python3 in it (use a template" in (last.cause or "")


@pytest.mark.language("§6 create packages")
@pytest.mark.parametrize("where", ["sandbox", "create"])
def test_apt_without_root_is_refused_before_anything_runs(
    run: Runs, where: str
) -> None:
    options = "{packages: {apt: [jq]}}"
    top = f"sandbox: {options}" if where == "sandbox" else "env: {}"
    first = f"create: {options}" if where == "create" else 'command: "true"'
    with pytest.raises(Unsupported, match=r"packages\.apt.*exec\.user.*local") as told:
        run(f"{top}\nsteps:\n  - {first}\n")
    assert "leave `packages.apt` out" in told.value.remedy
    assert not (run.state / "sandboxes").exists() or run.sandboxes() == []


@pytest.mark.parametrize("item", ["--index-url=x", "-r", "''"])
@pytest.mark.parametrize("key", ["pip", "apt"])
def test_an_option_in_place_of_a_package_is_refused(
    run: Runs, key: str, item: str
) -> None:
    with pytest.raises(SandbookError, match=rf"packages\.{key}\[1\]") as told:
        run(f"""
            sandbox: {{packages: {{{key}: [fine, "{item.strip("'")}"]}}}}
            steps: [{{command: "true"}}]
        """)
    assert told.value.exit_code == 2


def test_an_option_that_comes_from_an_input_is_refused_before_a_sandbox_is_made(
    run: Runs,
) -> None:
    ran = run(
        """
        inputs: {which: {type: string}}
        sandbox: {packages: {pip: ["${{ inputs.which }}"]}}
        steps: [{command: "true"}]
        """,
        inputs={"which": "--target=/tmp"},
    )
    assert ran.code == 2
    assert "packages.pip[0]" in (ran.report.cause or "")
    assert "sandbox.created" not in ran.names()
