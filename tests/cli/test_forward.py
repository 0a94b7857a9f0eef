"""`sandbook sandboxes forward`: a port of a sandbox on this computer."""

from __future__ import annotations

import signal
import socket
import subprocess
import urllib.request

import pytest

from tests.cli.calls import COMMAND, DEADLINE, Cli, bare_plugin, wait_until

KEPT = "steps: [{command: echo hello > page.txt}]"
SERVER = b"""
python3 -u -m http.server 8765 >log 2>&1 &
until [ -s log ]; do sleep 0.05; done
"""


@pytest.fixture
def served(cli: Cli) -> str:
    """The id of a sandbox that serves a page on port 8765."""
    assert cli("run", cli.book(KEPT), "--keep", "-q").code == 0
    (made,) = {str(row["id"]) for row in cli.sandboxes()}
    shell = (*COMMAND, "shell", made)
    subprocess.run(shell, input=SERVER, env=cli.environ, check=True, timeout=DEADLINE)
    return made


def _forward(cli: Cli, *argv: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        (*COMMAND, "sandboxes", "forward", *argv),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=cli.environ,
        text=True,
    )


def _first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip()


def _page(url: str) -> bytes:
    with urllib.request.urlopen(f"{url}/page.txt", timeout=DEADLINE) as answer:  # noqa: S310 (our own)
        found: bytes = answer.read()
        return found


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found: int = listener.getsockname()[1]
        return found


def test_a_port_is_open_until_it_is_left(cli: Cli, served: str) -> None:
    with _forward(cli, served[:-3], "8765") as process:
        url = _first_line(process)
        assert [_page(url) for _ in range(2)] == [b"hello\n"] * 2
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
    assert err == f"port 8765 of sandbox {served}; leave with Ctrl-C\n"
    with pytest.raises(OSError, match="refused"):
        _page(url)
    assert [row["id"] for row in cli.sandboxes()] == [served]


def test_the_port_of_this_computer_can_be_chosen(cli: Cli, served: str) -> None:
    local = _free_port()
    with _forward(cli, served, "8765", "--to", str(local)) as process:
        assert _first_line(process) == f"http://127.0.0.1:{local}"
        assert _page(f"http://127.0.0.1:{local}") == b"hello\n"
        process.terminate()
        assert process.wait(DEADLINE) == 0


def test_a_port_of_this_computer_that_is_taken_is_told(cli: Cli, served: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        local = taken.getsockname()[1]
        called = cli("sandboxes", "forward", served, "8765", "--to", str(local))
    assert called.code == 2
    assert called.err == (
        f"error: port {local} of this computer cannot be had: address already in use\n"
        "  name another one with --to, or leave it out\n"
    )


def test_a_port_where_nothing_listens_is_told(cli: Cli, served: str) -> None:
    called = cli("sandboxes", "forward", served, "9999")
    assert called.code == 1
    assert called.err.startswith(f"error: port 9999 of sandbox '{served}' is closed")
    assert "start what is to listen there" in called.err


def test_a_provider_without_ports_says_what_to_do_instead(cli: Cli) -> None:
    bare_plugin(cli)
    assert cli("run", cli.book(KEPT), "--keep", "-q", "--provider", "bare").code == 0
    (made,) = {str(row["id"]) for row in cli.sandboxes()}
    called = cli("sandboxes", "forward", made, "8765")
    assert called.code == 2
    assert called.err == (
        "error: provider 'bare' has no way to the ports of its sandboxes\n"
        f"  ask from inside: echo 'curl -s localhost:PORT' | sandbook shell {made}\n"
    )


def test_the_end_of_the_sandbox_is_told(cli: Cli, served: str) -> None:
    with _forward(cli, served, "8765") as process:
        assert _page(_first_line(process)) == b"hello\n"
        assert cli("sandboxes", "kill", served).code == 0
        wait_until(lambda: process.poll() is not None)
        _, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    assert "has ended" in err
