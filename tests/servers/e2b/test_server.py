"""What no program of the SDK asks: older paths, keys, limits, checks of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from e2b.api.client import models
from e2b.envd.process import process_pb

from sandbook_local.folders import Folders
from tests.servers.conftest import E2B_KEY
from tests.servers.e2b.replies import ReplyRejectedError, checked, checked_message
from tests.servers.e2b.server import E2BServer
from tests.servers.running import RunningServer, local_provider, running

_ROOT = Path(__file__).parents[3]


def ask(
    server: RunningServer,
    method: str,
    path: str,
    body: object = None,
    **headers: str,
) -> tuple[int, Any]:
    """The status and the JSON of an answer."""
    request = urllib.request.Request(  # noqa: S310 (the server's own)
        server.url + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"X-API-Key": E2B_KEY, "Content-Type": "application/json"}
        | {name.replace("_", "-"): value for name, value in headers.items()},
    )
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            data = answer.read()
            return answer.status, json.loads(data) if data else None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@contextmanager
def made(server: RunningServer, **body: object) -> Generator[Any]:
    """A sandbox, gone behind the block."""
    wanted = {"templateID": "base", "timeout": 60, **body}
    status, found = ask(server, "POST", "/v2/sandboxes", wanted)
    assert status == 201, found
    try:
        yield found
    finally:
        ask(server, "DELETE", f"/sandboxes/{found['sandboxID']}")


def test_older_paths_are_answered(e2b_server: RunningServer) -> None:
    status, old = ask(e2b_server, "POST", "/sandboxes", {"templateID": "base"})
    assert status == 201
    one = f"/sandboxes/{old['sandboxID']}"
    _, early = ask(e2b_server, "GET", one)
    assert ask(e2b_server, "POST", f"{one}/refreshes", {"duration": 90})[0] == 204
    _, late = ask(e2b_server, "GET", one)
    assert late["endAt"] > early["endAt"]
    status, joined = ask(e2b_server, "POST", f"{one}/connect", {"timeout": 30})
    assert (status, joined["sandboxID"]) == (200, old["sandboxID"])
    assert ask(e2b_server, "POST", f"{one}/connect", {})[0] == 400
    assert ask(e2b_server, "POST", f"{one}/resume", {})[0] == 409
    assert ask(e2b_server, "POST", f"{one}/pause")[0] == 204
    assert ask(e2b_server, "GET", "/sandboxes") == (200, []), "it lists what runs"
    assert len(ask(e2b_server, "GET", "/v2/sandboxes")[1]) == 1
    assert ask(e2b_server, "POST", f"{one}/resume", {"timeout": 60})[0] == 201
    _, told = ask(
        e2b_server, "GET", f"/sandboxes/metrics?sandbox_ids={old['sandboxID']},none"
    )
    assert list(told["sandboxes"]) == [old["sandboxID"]]
    assert ask(e2b_server, "DELETE", one) == (204, None)
    e2b_server.check_clean()


def test_a_sandbox_belongs_to_the_key_that_made_it() -> None:
    with (
        local_provider() as provider,
        running(E2BServer(provider, keys=[E2B_KEY, "other"])) as server,
        made(server) as sandbox,
    ):
        one = f"/sandboxes/{sandbox['sandboxID']}"
        assert ask(server, "GET", one)[0] == 200
        assert ask(server, "GET", one, X_API_Key="other")[0] == 404
        assert ask(server, "GET", "/v2/sandboxes", X_API_Key="other") == (200, [])
        status, error = ask(server, "GET", one, X_API_Key="unknown")
        assert (status, error["code"]) == (401, 401)
        assert ask(server, "GET", one, X_API_Key="")[0] == 401


def test_no_more_sandboxes_live_than_are_allowed() -> None:
    with (
        local_provider() as provider,
        running(E2BServer(provider, most=1)) as server,
    ):
        wanted = {"templateID": "base"}
        with made(server):
            status, error = ask(server, "POST", "/v2/sandboxes", wanted)
            assert status == 429
            assert "maximum number of concurrent E2B sandboxes (1)" in error["message"]
        with made(server):
            pass


def test_envd_wants_the_token_of_its_sandbox(e2b_server: RunningServer) -> None:
    with made(e2b_server, envVars={"A": "1"}) as sandbox:
        to = {"E2b_Sandbox_Id": sandbox["sandboxID"]}
        token = {"X_Access_Token": sandbox["envdAccessToken"]}
        path = "/process.Process/List"
        assert ask(e2b_server, "POST", path, {}, **to, **token) == (
            200,
            {"processes": []},
        )
        assert ask(e2b_server, "GET", "/envs", **to, **token) == (200, {"A": "1"})
        for wrong in ({}, {"X_Access_Token": "wrong"}):
            assert ask(e2b_server, "POST", path, {}, **to, **wrong)[0] == 401
            assert ask(e2b_server, "GET", "/envs", **to, **wrong)[0] == 401
            assert ask(e2b_server, "GET", "/files?path=x", **to, **wrong)[0] == 401
        assert ask(e2b_server, "GET", "/files?path=x", **to, **token)[0] == 404
        assert ask(e2b_server, "GET", "/health", **to) == (204, None)
        status, error = ask(e2b_server, "POST", path, {"new": 1}, **to, **token)
        assert (status, error["code"]) == (400, "invalid_argument")
    assert ask(e2b_server, "GET", "/health", **to)[0] == 502
    e2b_server.check_clean()


@pytest.mark.parametrize(
    "body",
    [
        {"snapshotID": "s"},
        {"snapshotID": 1, "names": []},
        {"snapshotID": "s", "names": [1]},
        {"snapshotID": "s", "names": [], "snapshotId": "s"},
    ],
    ids=["missing", "type", "type_within", "unknown"],
)
def test_a_reply_that_the_sdk_does_not_read_is_not_sent(body: dict[str, Any]) -> None:
    good = {"snapshotID": "s", "names": ["n"]}
    assert checked(models.SnapshotInfo, good) == good
    with pytest.raises(ReplyRejectedError):
        checked(models.SnapshotInfo, body)


@pytest.mark.parametrize("body", [{"event": {"begin": {}}}, {"event": {"start": 1}}])
def test_a_message_that_the_sdk_does_not_read_is_not_sent(body: dict[str, Any]) -> None:
    good = {"event": {"start": {"pid": 1}}}
    assert json.loads(checked_message(process_pb.StartResponse, good)) == good
    with pytest.raises(ReplyRejectedError):
        checked_message(process_pb.StartResponse, body)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_as_a_command_it_leaves_nothing(number: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.servers.e2b", "--key", "k"]
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, cwd=_ROOT, env=env, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            words = dict(word.split("=") for word in server.stdout.readline().split())
            assert words["E2B_API_URL"] == words["E2B_SANDBOX_URL"]
            request = urllib.request.Request(  # noqa: S310 (the server's own)
                words["E2B_API_URL"] + "/v2/sandboxes",
                data=b'{"templateID": "base"}',
                headers={"X-API-Key": "k"},
            )
            urllib.request.urlopen(request).close()  # noqa: S310
            (state,) = tmp_path.glob("*/state")
            assert list(Folders(state).alive()), "a sandbox lives"
            server.send_signal(number)
            assert server.wait(60) == 0
        finally:
            server.kill()
    assert list(tmp_path.iterdir()) == []
