"""The vendor's SDK alone: a sandbox, so many commands one after the other, its end."""

import asyncio
import sys

from e2b import AsyncSandbox


async def main(count: int) -> None:
    """Fail where a command does not print what it must."""
    sandbox = await AsyncSandbox.create(timeout=60)
    for _ in range(count):
        if (await sandbox.commands.run("/bin/true")).stdout != "same\n":
            raise RuntimeError("that is another server")
    if not await sandbox.kill():
        raise RuntimeError("it was not there")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
