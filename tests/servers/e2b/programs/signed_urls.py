"""Signed URLs let others read and write one file, for a while."""

# The SDK leaves the kind of an IO open.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request

from e2b import AsyncSandbox, Sandbox


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url) as answer:
        return bytes(answer.read())


def send(url: str, data: bytes) -> None:
    head = b'Content-Disposition: form-data; name="file"; filename="x"'
    form = b"--b\r\n" + head + b"\r\n\r\n" + data + b"\r\n--b--\r\n"
    request = urllib.request.Request(
        url,
        data=form,
        headers={"Content-Type": "multipart/form-data; boundary=b"},
    )
    urllib.request.urlopen(request).close()


def status(url: str) -> int:
    try:
        return len(fetch(url)) * 0 + 200
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def main() -> None:
    first, second = Sandbox.create(timeout=60), Sandbox.create(timeout=60)
    for number, sandbox in enumerate((first, second)):
        sandbox.files.write("a file", f"of {number}")
        assert fetch(sandbox.download_url("a file")) == f"of {number}".encode()
        assert fetch(sandbox.download_url("a file", use_signature_expiration=60))
    send(first.upload_url("sent"), b"from outside")
    assert first.files.read("sent") == "from outside"
    assert not second.files.exists("sent")

    good = first.download_url("a file")
    assert status(good) == 200
    assert status(good + "0") == 401
    assert status(good.replace("a%20file", "sent")) == 401
    assert status(first.download_url("a file", use_signature_expiration=-5)) == 401
    assert status(first.download_url("none")) == 404
    first.kill()
    assert status(good) == 502
    unsigned = good.partition("&signature=")[0]
    assert status(unsigned) == 502
    second.kill()


async def from_the_other_client() -> None:
    sandbox = await AsyncSandbox.create(timeout=60)
    await sandbox.files.write("a file", "of ours")
    assert fetch(sandbox.download_url("a file")) == b"of ours"
    send(sandbox.upload_url("sent", use_signature_expiration=60), b"from outside")
    assert await sandbox.files.read("sent") == "from outside"
    assert await sandbox.kill()


main()
asyncio.run(from_the_other_client())
