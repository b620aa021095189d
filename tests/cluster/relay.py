"""Passes connections on, between network namespaces: `python -m tests.cluster.relay PORT PATH`.

At PORT of its own loopback it listens, and each connection goes to the Unix socket at PATH, which all namespaces see.
"""

import asyncio
import sys


async def relay(reader, writer, connecting):
    """Copy both ways between a connection and the one that `connecting` makes, until both have ended."""
    other_reader, other_writer = await connecting

    async def copy(source, target):
        try:
            while data := await source.read(1 << 16):
                target.write(data)
                await target.drain()
        finally:
            target.close()

    await asyncio.gather(copy(reader, other_writer), copy(other_reader, writer), return_exceptions=True)


async def main(port, path):
    async def passed_on(reader, writer):
        await relay(reader, writer, asyncio.open_unix_connection(path))

    async with await asyncio.start_server(passed_on, "127.0.0.1", port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
