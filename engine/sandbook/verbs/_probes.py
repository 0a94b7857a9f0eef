"""Questions asked from inside a sandbox, with whatever tool it has.

The provider's own way to a port is not used: a service that only the outside can
reach is not the service the runbook's next command would reach.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

from sandbook.api import ExecRequest, ExecResult, Shell, StepScope
from sandbook.errors import Unsupported

ASK_TIMEOUT = 10.0

_PORT = """
if command -v python3 >/dev/null 2>&1; then
  exec python3 -c 'import os, socket
socket.create_connection(("127.0.0.1", int(os.environ["ASK_PORT"])), 5).close()'
elif command -v bash >/dev/null 2>&1; then
  exec bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$ASK_PORT"'
elif command -v nc >/dev/null 2>&1; then
  exec nc -z 127.0.0.1 "$ASK_PORT"
fi
exit 125
"""

# One line of JSON, then the body: the body may be anything.
_HTTP = """
if command -v python3 >/dev/null 2>&1; then
  exec python3 -c 'import json, os, sys, urllib.error, urllib.request as r
q = r.Request(os.environ["ASK_URL"], headers=json.loads(os.environ["ASK_HEADERS"]))
try:
    a = r.urlopen(q, timeout=9)
except urllib.error.HTTPError as e:
    a = e
print(json.dumps({"status": a.status}), flush=True)
sys.stdout.buffer.write(a.read())'
elif command -v curl >/dev/null 2>&1; then
  body=$(mktemp)
  status=$(printf '%s' "$ASK_CURL" |
    curl -sS -L -m 9 -K - -o "$body" -w '%{http_code}' -- "$ASK_URL") || exit 1
  printf '{"status": %s}\\n' "$status" && cat "$body" && rm -f "$body"
  exit 0
fi
exit 125
"""
_NO_TOOL = 125


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A reply to GET; `status` after redirects."""

    status: int
    body: str


async def port_is_open(step: StepScope, number: int) -> bool:
    """Whether a port of the sandbox accepts connections on its loopback."""
    result = await _ask(step, _PORT, {"ASK_PORT": str(number)})
    return result.code == 0


async def http_status(step: StepScope, url: str) -> int | None:
    """The status a GET from inside gives, None when nothing answers."""
    answer = await http_get(step, url, {})
    return answer.status if answer else None


async def http_get(
    step: StepScope, url: str, headers: Mapping[str, str]
) -> Answer | None:
    """GET from inside the sandbox, redirects followed; None when nothing answers."""
    env = {
        "ASK_URL": url,
        "ASK_HEADERS": json.dumps(dict(headers)),
        "ASK_CURL": _curl_headers(headers),
    }
    result = await _ask(step, _HTTP, env)
    first, _, body = result.stdout.data().partition(b"\n")
    if result.code != 0 or not first.startswith(b'{"status"'):
        return None
    status = json.loads(first)["status"]
    return Answer(status=int(status), body=body.decode(errors="replace"))


def _curl_headers(headers: Mapping[str, str]) -> str:
    """Lines of a curl configuration file: values never stand in its arguments."""
    lines = (
        f"{k}: {v}".replace("\\", "\\\\").replace('"', '\\"')
        for k, v in headers.items()
    )
    return "".join(f'header = "{line}"\n' for line in lines)


async def _ask(step: StepScope, script: str, env: Mapping[str, str]) -> ExecResult:
    sandbox = await step.sandbox()
    process = await sandbox.start(
        ExecRequest(
            program=Shell(text=script, dialect="sh", strict=False),
            key=f"{step.key}/ask/{uuid4().hex[:12]}",
            env={**step.env, **env},
            timeout=ASK_TIMEOUT,
        )
    )
    result = await process.wait()
    if result.code == _NO_TOOL:
        raise Unsupported(
            "the sandbox has none of python3, curl, bash, nc to ask with",
            provider=sandbox.ref.provider,
            operation="check",
            remedy="install one of them in the template, or use `ready: {command: …}`",
        )
    return result
