"""Settings of E2B: how long sandboxes live, several accounts, and a clean end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.cli.loaded import ROOT, Loaded
from tests.sandbook_e2b.calls import Called, Cli
from tests.servers.e2b.server import E2BServer
from tests.servers.running import RunningServer, local_provider, running

ECHO = """
steps:
  - command: echo hello
"""
OWN, WORK = "e2b_own_key", "e2b_work_key"
NOWHERE = "http://127.0.0.1:9"


def lived(ran: Called) -> float:
    """Seconds from the start of a sandbox to its told end of life."""
    assert ran.code == 0, ran.out + ran.err
    assert ran.report is not None
    (box,) = ran.report.sandboxes
    assert box.expires_at is not None
    return (box.expires_at - box.started_at).total_seconds()


def test_the_default_lifetime_is_told_in_milliseconds(cli: Cli) -> None:
    assert 60 < lived(cli.run(ECHO, E2B_DEFAULT_TIMEOUT="90000")) < 100
    own = cli.run("sandbox: {timeout: 5m}\n" + ECHO, E2B_DEFAULT_TIMEOUT="90000")
    assert 250 < lived(own) < 310, "what the runbook says wins"
    assert 550 < lived(cli.run(ECHO)) < 610


@pytest.mark.parametrize("written", ["5m", "0", "-1", "86400001"])
def test_a_default_lifetime_that_is_none_is_refused(cli: Cli, written: str) -> None:
    ran = cli.run(ECHO, E2B_DEFAULT_TIMEOUT=written)
    assert ran.code == 2, ran.out
    assert f"E2B_DEFAULT_TIMEOUT is '{written}' (give milliseconds" in ran.out


def test_other_providers_take_a_unit(cli: Cli) -> None:
    (cli.folder / "book.yaml").write_text("runbook: 1" + ECHO)
    argv = ("run", "book.yaml", "--provider", "local")
    assert 60 < lived(cli(*argv, LOCAL_DEFAULT_TIMEOUT="90s")) < 100
    wrong = cli(*argv, LOCAL_DEFAULT_TIMEOUT="90")
    assert wrong.code == 2, wrong.out
    assert "LOCAL_DEFAULT_TIMEOUT is '90'" in wrong.out


def test_the_environment_wins_over_the_file(cli: Cli) -> None:
    cli.settings({"api_url": NOWHERE, "sandbox_url": NOWHERE})
    assert cli.run(ECHO).code == 0
    cli.settings({"api_url": cli.server.url, "sandbox_url": cli.server.url})
    assert cli.run(ECHO, E2B_API_URL="", E2B_SANDBOX_URL="").code == 0


@pytest.fixture(scope="module")
def two_accounts() -> Generator[RunningServer]:
    """A server that knows two keys."""
    with (
        local_provider() as provider,
        running(E2BServer(provider, keys=[OWN, WORK])) as server,
    ):
        yield server
        server.check_clean()


def _accounts(cli: Cli, **more: object) -> None:
    """Settings with an account besides that of E2B_API_KEY."""
    service = {"api_url": cli.server.url, "sandbox_url": cli.server.url}
    work = {"api_key_from": "WORK_KEY", **service}
    cli.settings({"accounts": {"work": work}, **more})


def test_several_accounts_are_used_by_name(
    warm: Loaded, two_accounts: RunningServer, tmp_path: Path
) -> None:
    cli = Cli(warm, two_accounts, tmp_path)
    # The key of one account never goes where another one's service is.
    elsewhere = {"E2B_API_KEY": "", "E2B_API_URL": NOWHERE, "E2B_SANDBOX_URL": NOWHERE}
    _accounts(cli, account="work")
    kept = cli.run(ECHO, "--keep", WORK_KEY=WORK, **elsewhere)
    assert kept.code == 0, kept.out + kept.err
    assert WORK not in kept.out + kept.err
    # The other account is the one that makes sandboxes now; both are known.
    _accounts(cli)
    both = {"E2B_API_KEY": OWN, "WORK_KEY": WORK}
    other = cli.run(ECHO, "--keep", **both)
    assert other.code == 0, other.out + other.err
    ids = [ran.report.sandboxes[0].id for ran in (kept, other) if ran.report]
    assert two_accounts.state()["sandboxes"] == ids
    listed = cli("sandboxes", "--json", **both)
    assert all(one in listed.out for one in ids), listed.out
    for one in ids:
        ended = cli("sandboxes", "kill", one, "--yes", **both)
        assert ended.code == 0, ended.out + ended.err
    assert cli.ledger() == ("committed", "committed")
    two_accounts.check_clean()


def test_what_lives_is_asked_for_with_the_key_that_settings_name(
    warm: Loaded, two_accounts: RunningServer, tmp_path: Path
) -> None:
    cli = Cli(warm, two_accounts, tmp_path)
    _accounts(cli, account="work")
    keys = {"E2B_API_KEY": "", "WORK_KEY": WORK}
    kept = cli.run(ECHO, "--keep", **keys)
    assert kept.report is not None, kept.out + kept.err
    made = kept.report.sandboxes[0].id
    # Another ledger, which knows nothing of it: only the service can tell.
    elsewhere = str(tmp_path / "elsewhere")
    listed = cli("sandboxes", "--all", "--json", SANDBOOK_STATE=elsewhere, **keys)
    assert made in listed.out, listed.out + listed.err
    assert cli("sandboxes", "kill", made, "--yes", **keys).code == 0
    two_accounts.check_clean()


def test_an_account_without_its_key_is_not_configured(cli: Cli) -> None:
    _accounts(cli, account="work")
    ran = cli.run(ECHO)
    assert ran.code == 3, ran.out
    assert "WORK_KEY is not set" in ran.out


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"account": "wrok"}, "there is no account 'wrok'"),
        ({"api_key": "e2b_secret"}, "api_key"),
        ({"accounts": {"work": {}}}, "api_key_from"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(
    cli: Cli, values: dict[str, object], says: str
) -> None:
    cli.settings(values)
    ran = cli.run(ECHO)
    assert ran.code == 2, ran.out + ran.err
    assert says in ran.out + ran.err
    assert "e2b_secret" not in ran.out + ran.err


def test_a_green_run_ends_with_0_and_nothing_is_left_open(cli: Cli) -> None:
    """In a process of its own, which tells every client that was not closed."""
    (cli.folder / "book.yaml").write_text("runbook: 1" + ECHO)
    argv = ("-X", "dev", "-m", "sandbook", "run", "book.yaml", "--provider", "e2b")
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(cli.folder),
        "PYTHONPATH": str(ROOT),
        "SANDBOOK_STATE": str(cli.folder / "state"),
        "E2B_API_KEY": "e2b_tests",
        "E2B_API_URL": cli.server.url,
        "E2B_SANDBOX_URL": cli.server.url,
    }
    done = subprocess.run(
        (sys.executable, *argv),
        env=environ,
        cwd=cli.folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    cli.server.check_clean()
