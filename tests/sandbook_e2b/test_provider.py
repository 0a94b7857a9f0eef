"""Sandboxes of E2B: found page by page, kept alive, never loaded before their time."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from sandbook.api import ExecRequest, SandboxSpec, Shell, SnapshotRef
from sandbook.errors import ProviderError, SpecRejected
from sandbook_e2b import provider as provider_module
from tests.sandbook_e2b.conftest import Away

HELLO = Path(__file__).parents[2] / "runbooks" / "hello.yaml"


def test_a_list_goes_over_all_pages(
    away: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = {"sandbook.run": "pages"}

    async def pages() -> None:
        provider = away.provider()
        boxes = [
            await provider.create(SandboxSpec(labels=labels), key=f"page-{number}")
            for number in range(3)
        ]
        monkeypatch.setattr(provider_module, "PAGE", 2)
        found = {info.ref.id async for info in provider.list(labels)}
        assert found == {box.ref.id for box in boxes}
        for box in boxes:
            await box.aclose()
            assert await provider.destroy(box.ref) == "destroyed"

    away.run(pages)


def test_what_the_user_says_of_a_sandbox_is_kept_apart_from_what_we_say(
    away: Away,
) -> None:
    labels = {"sandbook.run": "apart", "sandbook.name": "main"}

    async def apart() -> None:
        spec = SandboxSpec(labels=labels, metadata={"team": "blue"})
        async with away.box(spec) as box:
            info = await box.info()
            assert (info.labels, info.metadata) == (labels, {"team": "blue"})
            (found,) = [i async for i in away.provider().list(labels)]
            assert (found.labels, found.metadata) == (labels, {"team": "blue"})
            assert found.ref == box.ref

    away.run(apart)


def test_attaching_moves_no_end_of_life(away: Away) -> None:
    async def unmoved() -> None:
        async with away.box(SandboxSpec(lifetime=60.0)) as box:
            before = (await box.info()).expires_at
            again = await away.provider().attach(box.ref)
            after = (await again.info()).expires_at
            await again.aclose()
            assert before is not None
            assert after is not None
            assert after - before < timedelta(seconds=2)

    away.run(unmoved)


def test_the_working_folder_is_known_to_who_attaches(away: Away) -> None:
    async def known() -> None:
        async with away.box(SandboxSpec(workdir="my/work")) as box:
            again = await away.provider().attach(box.ref)
            process = await again.start(ExecRequest(program=("pwd",), key="where"))
            told = (await process.wait()).stdout.data().decode().strip()
            await again.aclose()
            assert told == f"{box.home}/my/work"

    away.run(known)


@pytest.mark.parametrize(
    "template", ["no-such-template", SnapshotRef(provider="e2b", id="no-such-copy")]
)
def test_an_unknown_template_is_refused(
    away: Away, template: str | SnapshotRef
) -> None:
    async def refused() -> None:
        with pytest.raises(SpecRejected) as caught:
            await away.provider().create(SandboxSpec(template=template), key="none")
        assert "no-such" in str(caught.value)

    away.run(refused)


def test_a_long_shell_text_is_run(away: Away) -> None:
    # Longer than one argument of a program may be.
    text = "".join(f"x{number}=1\n" for number in range(30_000)) + "echo $x29999"

    async def ran() -> None:
        async with away.box() as box:
            process = await box.start(ExecRequest(program=Shell(text=text), key="long"))
            result = await process.wait()
            assert (result.code, result.stdout.data()) == (0, b"1\n")

    assert len(text) > 128 << 10
    away.run(ran)


def test_our_driver_leaves_nothing_in_the_home_folder(away: Away) -> None:
    async def clean() -> None:
        async with away.box() as box:
            await (await box.start(ExecRequest(program=("true",), key="one"))).wait()
            await box.files.write("mine", b"x" * 100_000)
            left = {entry.path async for entry in box.files.list("~")}
            assert f"{box.home}/mine" in left
            assert not [path for path in left if "sandbook" in path]

    away.run(clean)


def test_the_key_is_in_no_text(away: Away) -> None:
    key = away.environ["E2B_API_KEY"]

    async def unseen() -> None:
        provider = away.provider()
        async with away.box() as box:
            text = "tr '\\0' ' ' </proc/*/cmdline; env"
            process = await box.start(
                ExecRequest(program=Shell(text=text, strict=False), key="look")
            )
            inside = (await process.wait()).stdout.data().decode()
            assert "sandbook" in inside or "PATH" in inside
            with pytest.raises(ProviderError) as caught:
                await provider.create(SandboxSpec(template="none"), key="none")
            seen = [inside, repr(provider), repr(box), str(caught.value)]
            assert not [one for one in seen if key in one]

    away.run(unseen)


@pytest.mark.parametrize("argv", [["--help"], ["providers", "--json"]])
def test_the_sdk_is_loaded_for_sandboxes_only(argv: list[str], tmp_path: Path) -> None:
    script = (
        "import json, sys\n"
        "from sandbook.cli import main\n"
        f"main({argv!r})\n"
        "sys.stderr.write(json.dumps(sorted(sys.modules)))\n"
    )
    environ = {"E2B_API_KEY": "e2b_key", "SANDBOOK_STATE": str(tmp_path)}
    done = subprocess.run(
        (sys.executable, "-c", script), env=environ, capture_output=True, check=True
    )
    loaded = json.loads(done.stderr)
    assert "sandbook.cli._group" in loaded
    if argv != ["--help"]:
        assert "sandbook_e2b" in loaded
        rows = json.loads(done.stdout)["providers"]
        assert "e2b" in [row["name"] for row in rows]
    sdk = ("e2b", "e2b_code_interpreter", "httpx", "pyqwest")
    assert not [name for name in loaded if name.partition(".")[0] in sdk]


def test_a_runbook_runs_at_e2b(away: Away, tmp_path: Path) -> None:
    environ = {
        **away.environ,
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "SANDBOOK_STATE": str(tmp_path / "state"),
    }
    argv = (sys.executable, "-m", "sandbook", "run", str(HELLO), "--provider", "e2b")
    done = subprocess.run(
        (*argv, "--report", f"json={tmp_path / 'report.json'}"),
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = (tmp_path / "report.json").read_text()
    assert '"provider": "e2b"' in report
    assert "Hello, world!" in done.stdout
    assert away.environ["E2B_API_KEY"] not in report + done.stdout + done.stderr
    away.server.check_clean()
