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
from sandbook.errors import Unsupported, UsageError

ASK_TIMEOUT = 10.0
BODY_LIMIT = 5 << 20
"""Bytes of a body that are looked at, less than what is kept of an output."""

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
class Redirects(r.HTTPRedirectHandler):
    def redirect_request(self, q, *given):
        # What was meant for one host, a token above all, is not told to another.
        to = super().redirect_request(q, *given)
        if to is not None and to.host != q.host:
            to.headers.clear()
        return to
q = r.Request(os.environ["ASK_URL"], headers=json.loads(os.environ["ASK_HEADERS"]))
try:
    a = r.build_opener(Redirects).open(q, timeout=9)
except urllib.error.HTTPError as e:
    a = e
except (OSError, ValueError) as e:
    sys.exit(str(getattr(e, "reason", e)))
print(json.dumps({"status": a.status}), flush=True)
sys.stdout.buffer.write(a.read(BODY_LIMIT))'
elif command -v curl >/dev/null 2>&1; then
  body=$(mktemp)
  status=$(printf '%s' "$ASK_CURL" |
    curl -sS -L -m 9 --proto =http,https --max-redirs 10 --max-filesize BODY_LIMIT \\
      -K - -o "$body" -w '%{http_code}' -- "$ASK_URL") || { rm -f "$body"; exit 1; }
  printf '{"status": %s}\\n' "$status" && head -c BODY_LIMIT "$body"; rm -f "$body"
  exit 0
fi
exit 125
""".replace("BODY_LIMIT", str(BODY_LIMIT))
_NO_TOOL = 125


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A reply to GET; `status` after redirects."""

    status: int
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAnswer:
    """Nothing answered; `why` are the words of what asked, if it said any."""

    why: str


async def port_is_open(step: StepScope, number: int) -> bool:
    """Whether a port of the sandbox accepts connections on its loopback."""
    result = await _ask(step, _PORT, {"ASK_PORT": str(number)})
    return result.code == 0


async def http_status(step: StepScope, url: str) -> int | None:
    """The status a GET from inside gives, None when nothing answers."""
    answer = await http_get(step, url, {})
    return answer.status if isinstance(answer, Answer) else None


async def http_get(
    step: StepScope, url: str, headers: Mapping[str, str]
) -> Answer | NoAnswer:
    """GET from inside the sandbox, redirects followed.

    Headers go to the host of `url` only; of the body `BODY_LIMIT` bytes are read.
    """
    if not url.startswith(("http://", "https://")):
        raise UsageError(
            f"{url!r} is no address to ask", remedy="it begins with http:// or https://"
        )
    env = {
        "ASK_URL": url,
        "ASK_HEADERS": json.dumps(dict(headers)),
        "ASK_CURL": _curl_headers(headers),
    }
    result = await _ask(step, _HTTP, env)
    first, _, body = result.stdout.data().partition(b"\n")
    if result.code != 0 or not first.startswith(b'{"status"'):
        said = result.stderr.data().decode(errors="replace").strip().splitlines()
        return NoAnswer(why=said[-1] if said else "")
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
