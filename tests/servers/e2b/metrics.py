"""What a sandbox uses, measured where it runs."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from e2b.api.client import models

from tests.servers.e2b.replies import Json, checked
from tests.servers.e2b.sandboxes import CPUS, E2BSandbox

_ASK = """\
df -B1 --output=used,size "$HOME" | tail -n 1
sed -n 's/^\\(Mem[TA].*\\|Cached\\): *\\([0-9]*\\) kB$/\\1 \\2/p' /proc/meminfo
"""


async def measure(made: E2BSandbox) -> Json:
    """One measurement, of now."""
    result = await made.machine.run("/bin/sh", "-c", _ASK)
    disk, *lines = result.stdout.data().decode().splitlines()
    used, total = map(int, disk.split())
    memory = {name: int(kb) * 1024 for name, kb in map(str.split, lines)}
    now = datetime.now(UTC)
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    body = {
        "timestamp": now.isoformat(),
        "timestampUnix": int(now.timestamp()),
        "cpuCount": CPUS,
        "cpuUsedPct": round(min(load, 1.0) * 100, 2),
        "memUsed": memory["MemTotal"] - memory["MemAvailable"],
        "memTotal": memory["MemTotal"],
        "memCache": memory["Cached"],
        "diskUsed": used,
        "diskTotal": total,
    }
    return checked(models.SandboxMetric, body)
