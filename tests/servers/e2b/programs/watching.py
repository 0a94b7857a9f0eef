"""Folders are watched: by a stream, and by asking now and then."""

# The SDK leaves the kind of an IO open.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import asyncio

from e2b import (
    AsyncSandbox,
    FileNotFoundException,
    FilesystemEvent,
    FilesystemEventType,
    InvalidArgumentException,
    Sandbox,
    SandboxException,
    TimeoutException,
)

from tests.servers.e2b.programs.expecting import raises, until, until_async

Row = tuple[str, FilesystemEventType]
CREATE, WRITE = FilesystemEventType.CREATE, FilesystemEventType.WRITE
REMOVE, RENAME = FilesystemEventType.REMOVE, FilesystemEventType.RENAME


def asked(sandbox: Sandbox) -> None:
    sandbox.files.make_dir("watched/below")
    watch = sandbox.files.watch_dir("watched", recursive=True)
    flat = sandbox.files.watch_dir("watched")
    sandbox.commands.run("cd watched; echo 1 >a; mv a b; echo 1 >below/c; rm b")
    seen: list[Row] = []

    def has_come() -> bool:
        seen.extend((event.name, event.type) for event in watch.get_new_events())
        return ("b", REMOVE) in seen

    until(has_come)
    steps = [("a", CREATE), ("a", RENAME), ("b", CREATE), ("b", REMOVE)]
    assert [row for row in seen if row in steps] == steps
    assert ("below/c", CREATE) in seen
    names: set[str] = set()

    def is_seen() -> bool:
        names.update(event.name for event in flat.get_new_events())
        return {"a", "b"} <= names

    until(is_seen)
    assert not [name for name in names if name.startswith("below/")]
    sandbox.commands.run("echo more >>watched/below/c")
    until(
        lambda: ("below/c", WRITE) in [(e.name, e.type) for e in watch.get_new_events()]
    )
    watch.stop()
    flat.stop()
    with raises(SandboxException):
        watch.get_new_events()
    with raises(FileNotFoundException):
        sandbox.files.watch_dir("none")
    sandbox.files.write("file", "")
    with raises(InvalidArgumentException):
        sandbox.files.watch_dir("file")


async def streamed(sandbox: AsyncSandbox) -> None:
    heard: list[FilesystemEvent] = []
    ends: list[Exception | None] = []
    watch = await sandbox.files.watch_dir(
        "watched", on_event=heard.append, on_exit=ends.append, include_entry=True
    )
    await sandbox.files.write("watched/new", "text")
    path = "/home/user/watched/new"
    await until_async(lambda: any(e.entry and e.entry.path == path for e in heard))
    await sandbox.files.remove("watched/new")
    await until_async(lambda: any(event.type == REMOVE for event in heard))
    assert {event.name for event in heard} == {"new"}
    await watch.stop()  # type: ignore[no-untyped-call]  # the SDK's own
    assert ends == [None]


async def at_its_deadline(sandbox: AsyncSandbox) -> None:
    ends: list[Exception | None] = []
    await sandbox.files.watch_dir(
        "watched", on_event=lambda _: None, on_exit=ends.append, timeout=0.5
    )
    await until_async(lambda: bool(ends))
    assert isinstance(ends[0], TimeoutException)


async def main() -> None:
    sandbox = Sandbox.create(timeout=120)
    asked(sandbox)
    same = await AsyncSandbox.connect(sandbox.sandbox_id)
    await streamed(same)
    await at_its_deadline(same)
    assert await same.kill()


asyncio.run(main())
