"""`python -m sandbox people`: command line of the web page.

Contents: arguments and the command's life cycle. Not here: the page itself.
"""

import argparse
import asyncio
import os
import sys

import aiohttp

from sandbox.people.server import PeoplePage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--port", type=int, default=8080, help="loopback port to listen on, 0 for a free one (8080)")
    parser.add_argument("--telegram", default="http://127.0.0.1:8081", metavar="URL", help="Telegram's stand-in")
    parser.add_argument("--whatsapp", default="http://127.0.0.1:8082", metavar="URL", help="WhatsApp Web's stand-in")


async def run(args: argparse.Namespace) -> int:
    """Serve until cancelled; returns the exit code."""
    page = PeoplePage(args.telegram, args.whatsapp, port=args.port)
    try:
        await page.start()
    except (OSError, aiohttp.ClientError) as error:
        if isinstance(error, aiohttp.ClientError):
            print(f"Telegram's stand-in does not answer at {args.telegram}", file=sys.stderr)
        else:
            print(f"port {args.port} cannot be used: {os.strerror(error.errno or 0).lower()}", file=sys.stderr)
        return 2
    print(f"The page for people: {page.url}", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await page.stop()
    return 0
