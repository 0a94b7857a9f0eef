"""What a sandbox is made of, as the creating client says it."""

from __future__ import annotations

from sandbook_local.inside import frames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sandbook_local.inside.frames import Message

CODE = "/run/sandbook/inside"
"""Where a sandbox sees this folder, for the workers that load their code late."""


class Plan:
    """A checked description of a sandbox.

    `binds` are (source on the host, target inside), `links` (target text, path
    inside), `files` (path inside, text). `home_links` and `home_files` are the same
    below the home folder; a file whose text begins with `#!` may be run. Where no
    `memory` is written, `usual_memory` is held as well as a watch can.
    """

    __slots__ = (
        "allow",
        "also",
        "binds",
        "cpus",
        "disk",
        "egress",
        "enforce",
        "env",
        "files",
        "folder",
        "hard_end",
        "home",
        "home_files",
        "home_links",
        "host_network",
        "id",
        "launcher",
        "lifetime",
        "links",
        "memory",
        "message",
        "owner",
        "pids",
        "probe",
        "record",
        "uid_base",
        "uid_count",
        "usual_memory",
        "workdir",
    )

    def __init__(self, message: Message) -> None:
        self.message = message
        self.launcher = frames.text(message, "launcher")
        self.id = frames.text(message, "id")
        self.folder = frames.text(message, "folder")
        self.owner = frames.whole(message, "owner")
        self.uid_base = frames.whole(message, "uid_base", least=1)
        self.uid_count = frames.whole(message, "uid_count", least=1)
        self.host_network = message.get("host_network") is True
        self.binds = frames.rows(message, "binds")
        self.links = frames.rows(message, "links")
        self.files = frames.rows(message, "files")
        self.home_links = frames.rows(message, "home_links")
        self.home_files = frames.rows(message, "home_files")
        self.home = frames.text(message, "home")
        self.workdir = frames.text(message, "workdir")
        self.env = frames.mapping(message, "env")
        self.disk = frames.whole(message, "disk", least=1)
        self.pids = frames.whole(message, "pids", least=1)
        memory = frames.optional_number(message, "memory")
        self.memory = None if memory is None else int(memory)
        self.usual_memory = frames.whole(message, "usual_memory", least=1)
        self.cpus = frames.optional_number(message, "cpus")
        self.enforce = message.get("enforce") is True
        self.lifetime = frames.number(message, "lifetime")
        self.hard_end = frames.number(message, "max_lifetime")
        self.egress = message.get("egress") is True
        self.allow = (
            None if message.get("allow") is None else frames.texts(message, "allow")
        )
        self.also = frames.texts(message, "also")
        self.record = frames.text(message, "record")
        self.probe = message.get("probe") is True
