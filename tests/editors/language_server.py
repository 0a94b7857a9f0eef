"""A small client of the language server that editors use for YAML."""

from __future__ import annotations

import itertools
import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSION = "1.19.2"
DEADLINE = 60.0
INSTALL_DEADLINE = 300.0
_NO_STORE = {"enable": False, "url": ""}
_SETTINGS: Mapping[str, object] = {
    "validate": True,
    "hover": True,
    "completion": True,
    # What an editor would fetch from the network is not needed here.
    "schemaStore": _NO_STORE,
    "kubernetesCRDStore": _NO_STORE,
}


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """What an editor underlines; `line` counts from 1."""

    line: int
    message: str


def install(folder: Path) -> Path:
    """Install the server below `folder`, unless it is there; its program."""
    program = folder / "node_modules/.bin/yaml-language-server"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            (
                *("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"),
                *("--prefix", str(folder), f"yaml-language-server@{VERSION}"),
            ),
            check=True,
            capture_output=True,
            timeout=INSTALL_DEADLINE,
        )
    return program


def why_not() -> str:
    """Why the server cannot be used here; nothing if it can."""
    missing = [name for name in ("node", "npm") if shutil.which(name) is None]
    return f"there is no {' and no '.join(missing)}" if missing else ""


class LanguageServer:
    """One server; every document is opened under a path, saved or not."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._ids = itertools.count(1)
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._told: dict[str, list[Diagnostic]] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def begin(self, folder: Path) -> None:
        """Shake hands."""
        capabilities = {
            "workspace": {"configuration": True},
            "textDocument": {
                "completion": {"completionItem": {"snippetSupport": True}},
                "hover": {"contentFormat": ["markdown"]},
            },
        }
        self._ask(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": folder.as_uri(),
                "capabilities": capabilities,
            },
        )
        self._tell("initialized", {})
        self._tell(
            "workspace/didChangeConfiguration", {"settings": {"yaml": _SETTINGS}}
        )

    def open(self, path: Path, text: str) -> list[Diagnostic]:
        """Show a document to the server; what it says of it."""
        uri = path.as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._told.pop(uri, None)
        self._tell("textDocument/didOpen", {"textDocument": document})
        while uri not in self._told:
            self._take(self._next())
        return self._told[uri]

    def close(self, path: Path) -> None:
        """Close a document."""
        document = {"uri": path.as_uri()}
        self._tell("textDocument/didClose", {"textDocument": document})

    def completions(self, path: Path, line: int, column: int) -> dict[str, str]:
        """What could be written there, both from 1: labels and their explanation."""
        found: Any = self._ask("textDocument/completion", _at(path, line, column))
        items: Any = found["items"] if hasattr(found, "items") else found or []
        return {item["label"]: _plain(item.get("documentation")) for item in items}

    def hover(self, path: Path, line: int, column: int) -> str:
        """What is shown of the key there."""
        found = self._ask("textDocument/hover", _at(path, line, column))
        return _plain(found["contents"]) if found else ""

    def end(self) -> None:
        """End it; its pipe is closed when nobody reads it any more."""
        self._process.kill()
        self._reader.join(DEADLINE)
        self._process.communicate()

    def _ask(self, method: str, params: object) -> Any:
        number = next(self._ids)
        self._send({"id": number, "method": method, "params": params})
        while True:
            message = self._next()
            if message.get("id") == number and "method" not in message:
                assert "error" not in message, message["error"]
                return message["result"]
            self._take(message)

    def _tell(self, method: str, params: object) -> None:
        self._send({"method": method, "params": params})

    def _take(self, message: Mapping[str, Any]) -> None:
        method, params = message.get("method"), message.get("params")
        if method == "textDocument/publishDiagnostics" and params is not None:
            self._told[params["uri"]] = [
                Diagnostic(each["range"]["start"]["line"] + 1, each["message"])
                for each in params["diagnostics"]
            ]
        elif "id" in message and method is not None:
            self._send({"id": message["id"], "result": _answer(method, params)})

    def _send(self, message: Mapping[str, object]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        stdin.flush()

    def _next(self) -> dict[str, Any]:
        message = self._messages.get(timeout=DEADLINE)
        assert message is not None, "the language server has ended"
        return message

    def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        while header := stdout.readline():
            name, _, value = header.partition(b":")
            if name.lower() == b"content-length":
                while stdout.readline().strip():
                    pass
                body = stdout.read(int(value))
                if len(body) < int(value):
                    break  # it was ended while it said something
                self._messages.put(json.loads(body))
        self._messages.put(None)


@contextmanager
def language_server(program: Path, folder: Path) -> Generator[LanguageServer]:
    """Start a server, and end it."""
    process = subprocess.Popen(
        (str(program), "--stdio"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    server = LanguageServer(process)
    try:
        server.begin(folder)
        yield server
    finally:
        server.end()


def _at(path: Path, line: int, column: int) -> dict[str, object]:
    position = {"line": line - 1, "character": column - 1}
    return {"textDocument": {"uri": path.as_uri()}, "position": position}


def _answer(method: str, params: Any) -> object:
    if method == "workspace/configuration":
        known = {"yaml": _SETTINGS}
        return [known.get(item.get("section")) for item in params["items"]]
    return None


def _plain(text: Any) -> str:
    """A text of the protocol, which may stand alone or in a map."""
    found: Any = text.get("value") if hasattr(text, "get") else text
    return str(found or "")
