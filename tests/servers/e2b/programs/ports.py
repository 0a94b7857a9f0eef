"""What listens in a sandbox is reached from outside, by the host's name."""

from __future__ import annotations

import asyncio
import json
import os
import urllib.error
import urllib.request

# The SDK leaves the kind of an IO open.
# pyright: reportUnknownMemberType=false
from e2b import AsyncSandbox, Sandbox, SandboxNetworkOpts

from tests.servers.e2b.programs.expecting import until

SERVER = """\
from http.server import BaseHTTPRequestHandler, HTTPServer

class Echo(BaseHTTPRequestHandler):
    def do_POST(self):
        size = int(self.headers['content-length'])
        data = self.command + ' ' + self.path + ' ' + self.rfile.read(size).decode()
        self.send_response(201)
        self.send_header('x-own', 'yes')
        self.end_headers()
        self.wfile.write(data.encode())

HTTPServer(('127.0.0.1', 8080), Echo).serve_forever()
"""


def post(sandbox: Sandbox | AsyncSandbox, port: int, **headers: str) -> tuple[int, str]:
    """Ask as if the name were ours: it leads nowhere here, so its host is told."""
    request = urllib.request.Request(
        os.environ["E2B_SANDBOX_URL"] + "/some/path?a=b",
        data=b"hello",
        headers={"Host": sandbox.get_host(port), **headers},
    )
    try:
        with urllib.request.urlopen(request) as answer:
            assert answer.headers["x-own"] == "yes"
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)["message"]


def main() -> None:
    sandbox = Sandbox.create(timeout=60)
    status, message = post(sandbox, 8080)
    assert (status, message) == (502, "The sandbox is running but port is not open")
    sandbox.files.write("server.py", SERVER)
    sandbox.commands.run("python3 server.py", background=True, timeout=0)
    until(lambda: post(sandbox, 8080)[0] == 201)
    assert post(sandbox, 8080) == (201, "POST /some/path?a=b hello")
    assert sandbox.kill()
    assert post(sandbox, 8080) == (502, "The sandbox was not found")

    private = Sandbox.create(timeout=60, network={"allow_public_traffic": False})
    token = private.traffic_access_token
    assert token
    assert post(private, 8080)[0] == 403
    assert post(private, 8080, **{"e2b-traffic-access-token": token})[0] == 502
    assert private.kill()


async def of_the_other_client() -> None:
    network: SandboxNetworkOpts = {"allow_public_traffic": False}
    sandbox = await AsyncSandbox.create(timeout=60, network=network)
    assert sandbox.get_host(8080).startswith(f"8080-{sandbox.sandbox_id}.")
    token = sandbox.traffic_access_token
    assert token
    assert post(sandbox, 8080)[0] == 403
    assert post(sandbox, 8080, **{"e2b-traffic-access-token": token})[0] == 502
    assert await sandbox.kill()


main()
asyncio.run(of_the_other_client())
