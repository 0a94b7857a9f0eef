"""Quotas hold exactly while processes race for them and are killed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from sandbook.ledger import Ledger, SqliteLedger

LIMIT = 50
RACERS = 100

# One program loads the ledger once and becomes RACERS processes, which all wait for the
# same pipe to close. So they start within moments, on however slow a machine.
RACE = """
import asyncio, json, os, random, signal, sqlite3, sys
from datetime import UTC, datetime
from pathlib import Path
from sandbook.api import SandboxRef
from sandbook.errors import LedgerError, QuotaExhausted
from sandbook.ledger import Limits, SqliteLedger

path, limit, racers, deaths = Path(sys.argv[1]), *map(int, sys.argv[2:])

def die():
    os.kill(os.getpid(), signal.SIGKILL)

async def surely(call):
    # A hundred at once on a busy computer: some wait longer than the ledger's patience.
    while True:
        try:
            return await call()
        except LedgerError as error:
            if "stayed locked" not in str(error):
                raise

async def opened():
    return SqliteLedger.open(path)

async def race(number):
    ledger = await surely(opened)
    death = number % 10 if number % 10 < deaths else None
    wanted = Limits(sessions=limit)
    try:
        held = await surely(
            lambda: ledger.reserve("e2b", f"run{number}", limits=wanted, seconds=60)
        )
    except QuotaExhausted:
        return "refused"
    if death == 0:
        die()
    await surely(lambda: ledger.sent(held.id))
    if death == 1:
        die()
    if death == 2:
        raw = sqlite3.connect(path, isolation_level=None, timeout=60)
        raw.execute("BEGIN IMMEDIATE")
        raw.execute("UPDATE counter SET used = used + 1000, held = 0")
        raw.execute("UPDATE reservation SET state = 'bound'")
        die()
    now = datetime.now(UTC)
    ref = SandboxRef(provider="e2b", id=held.id, created_at=now)
    await surely(lambda: ledger.bound(held.id, ref))
    if number % 2:
        await surely(lambda: ledger.committed(held.id, ended_at=datetime.now(UTC)))
    return "granted"

gate, opener = os.pipe()
told, teller = os.pipe()
children = []
for number in range(racers):
    child = os.fork()
    if not child:
        os.close(opener)
        os.read(gate, 1)
        try:
            outcome = asyncio.run(race(number))
        except BaseException as error:
            outcome = repr(error)
        os.write(teller, (json.dumps(outcome) + "\\n").encode())
        os._exit(0)
    children.append(child)
os.close(opener)
os.close(teller)
with os.fdopen(told) as lines:
    outcomes = [json.loads(line) for line in lines]
for child in children:
    killed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    outcomes += ["killed"] if killed == -signal.SIGKILL else []
print(json.dumps(outcomes))
"""

# Processes that charge one sandbox after another until somebody kills them.
ENDLESS = """
import asyncio, os, random, signal, sys, time
from datetime import UTC, datetime
from pathlib import Path
from sandbook.api import SandboxRef
from sandbook.ledger import Limits, SqliteLedger

async def spend(path):
    ledger = SqliteLedger.open(path)
    while True:
        held = await ledger.reserve("e2b", "run", limits=Limits(), seconds=60)
        await ledger.sent(held.id)
        now = datetime.now(UTC)
        ref = SandboxRef(provider="e2b", id=held.id, created_at=now)
        await ledger.bound(held.id, ref)
        await ledger.committed(held.id, ended_at=now)

for _ in range(int(sys.argv[2])):
    pair = []
    for _ in range(2):
        child = os.fork()
        if not child:
            asyncio.run(spend(Path(sys.argv[1])))
        pair.append(child)
    for child in pair:
        time.sleep(random.uniform(0.01, 0.06))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
"""


def start(path: Path, *, deaths: int, limit: int = LIMIT) -> subprocess.Popen[str]:
    arguments = [str(path), str(limit), str(RACERS), str(deaths)]
    return subprocess.Popen(
        [sys.executable, "-c", RACE, *arguments], stdout=subprocess.PIPE, text=True
    )


async def sample(ledger: Ledger, race: subprocess.Popen[str]) -> list[int]:
    """Sessions used and held, asked for until the race is over."""
    seen: list[int] = []
    while race.poll() is None:
        sessions = (await ledger.usage("e2b"))["sessions"]
        seen.append(sessions.used + sessions.held)
        await anyio.sleep(0.002)
    return seen


async def settle(ledger: Ledger) -> None:
    """What a sweep does when every provider answers that nothing is there."""
    for lost in await ledger.live():
        if lost.state == "sent":
            await ledger.uncertain(lost.id)
        if lost.state != "bound":
            await ledger.released(lost.id)


def test_of_100_racing_processes_exactly_50_get_one_of_50(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    outcomes = json.loads(start(path, deaths=0).communicate()[0])
    assert len(outcomes) == RACERS
    assert {one: outcomes.count(one) for one in set(outcomes)} == {
        "granted": LIMIT,
        "refused": RACERS - LIMIT,
    }
    ledger = SqliteLedger.open(path)
    assert anyio.run(ledger.verify) == ()
    anyio.run(ledger.aclose)


@pytest.mark.parametrize("limit", [LIMIT, RACERS])
def test_processes_killed_before_they_bind_never_break_the_count(
    tmp_path: Path, limit: int
) -> None:
    path = tmp_path / "ledger.db"
    ledger = SqliteLedger.open(path)
    race = start(path, deaths=3, limit=limit)
    seen = anyio.run(sample, ledger, race)
    outcomes = json.loads(race.communicate()[0])
    granted, killed = outcomes.count("granted"), outcomes.count("killed")
    assert len(outcomes) == RACERS
    assert granted + killed == limit
    assert killed > 0
    assert max(seen) == limit
    assert anyio.run(ledger.verify) == ()
    anyio.run(settle, ledger)
    assert anyio.run(ledger.verify) == ()
    sessions = anyio.run(ledger.usage, "e2b")["sessions"]
    assert sessions.used + sessions.held == granted
    assert len(anyio.run(ledger.live)) == sessions.held
    anyio.run(ledger.aclose)


def test_a_process_killed_at_any_moment_leaves_whole_steps(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger = SqliteLedger.open(path)
    subprocess.run([sys.executable, "-c", ENDLESS, str(path), "20"], check=True)
    assert anyio.run(ledger.verify) == ()
    usage, live = anyio.run(ledger.usage, "e2b"), anyio.run(ledger.live)
    assert usage["sessions"].used > 0
    assert usage["sessions"].held == usage["concurrent"].held == len(live)
    assert usage["seconds"].held == 60 * len(live)
    anyio.run(ledger.aclose)
