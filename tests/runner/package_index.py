"""An index of packages of our own, on loopback, with one small package in it."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

NAME = "sandbook_tiny"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _wheel() -> bytes:
    info = f"{NAME}-1.0.dist-info"
    files = {
        f"{NAME}.py": b"SAYS = 'tiny'\n",
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: sandbook-tiny\n"
        b"Version: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\n"
        b"Root-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [
        f"{name},sha256={_digest(data)},{len(data)}" for name, data in files.items()
    ]
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""]).encode()
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return into.getvalue()


def _digest(data: bytes) -> str:
    digest = hashlib.sha256(data).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


@contextmanager
def package_index(folder: Path) -> Generator[str]:
    """The address of an index with the package `sandbook-tiny`."""
    package = folder / "simple" / "sandbook-tiny"
    package.mkdir(parents=True)
    wheel = f"{NAME}-1.0-py3-none-any.whl"
    (package / wheel).write_bytes(_wheel())
    (package / "index.html").write_text(
        f'<!DOCTYPE html><html><body><a href="{wheel}">{wheel}</a></body></html>'
    )
    serve = partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/simple/"
        server.shutdown()
