"""A controller in a process of its own, which can be killed: `python -m tests.cluster.controller FOLDER ADDRESS`.

It says on stdout, each with the boot clock: `started`, then `connected` once all its accounts are.
"""

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace

from controller.host.deadline import boot_time
from tests.cluster.conftest import World


def say(word, *figures):
    sys.stdout.write(" ".join(map(str, (word, boot_time(), *figures))) + "\n")
    sys.stdout.flush()


async def main():
    world = World(SimpleNamespace(folder=Path(sys.argv[1]), address=sys.argv[2]))
    say("started")
    await world.begin()
    await world.connected(100)
    say("connected", len(world.alerts), len(world.incidents))
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
