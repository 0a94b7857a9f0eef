"""The bodies of the control API, each checked by the SDK's model of it."""

from __future__ import annotations

from e2b.api.client import models

from tests.servers.e2b.replies import Json, checked
from tests.servers.e2b.sandboxes import (
    CPUS,
    DISK_MB,
    ENVD_VERSION,
    MEMORY_MB,
    E2BSandbox,
)
from tests.servers.e2b.snapshots import Snapshot


def sandbox(made: E2BSandbox) -> Json:
    """What create, connect and resume answer."""
    body: Json = {
        "templateID": made.template,
        "sandboxID": made.id,
        "clientID": "tests",
        "envdVersion": ENVD_VERSION,
        "envdAccessToken": made.token,
        "alias": made.alias,
        "domain": None,
    }
    if made.traffic_token is not None:
        body["trafficAccessToken"] = made.traffic_token
    return checked(models.Sandbox, body)


def listed(made: E2BSandbox) -> Json:
    """An item of a list."""
    return checked(models.ListedSandbox, _listed(made))


def detail(made: E2BSandbox) -> Json:
    """What is known of one sandbox."""
    body = {
        **_listed(made),
        "envdAccessToken": made.token,
        "domain": None,
        "allowInternetAccess": made.allow_internet_access,
        "lifecycle": {
            "autoResume": made.auto_resume,
            "onTimeout": made.on_timeout,
        },
        "network": made.network,
    }
    if made.pause_mode is not None:
        body["pauseMode"] = made.pause_mode
    return checked(models.SandboxDetail, body)


def _listed(made: E2BSandbox) -> Json:
    return {
        "templateID": made.template,
        "alias": made.alias,
        "sandboxID": made.id,
        "clientID": "tests",
        "startedAt": made.started_at.isoformat(),
        "endAt": made.machine.ends_at.isoformat(),
        "cpuCount": CPUS,
        "memoryMB": MEMORY_MB,
        "diskSizeMB": DISK_MB,
        "state": made.state,
        "envdVersion": ENVD_VERSION,
        "metadata": made.metadata,
    }


def snapshot(made: Snapshot) -> Json:
    """A copy of a sandbox."""
    body = {"snapshotID": made.id, "names": list(made.names)}
    return checked(models.SnapshotInfo, body)


def not_forked(code: int, message: str) -> Json:
    """One fork that did not come to be."""
    body = {"error": {"code": code, "message": message}}
    return checked(models.SandboxForkResult, body)
