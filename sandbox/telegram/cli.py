"""`python -m sandbox telegram`: command line of the stand-in.

Contents: arguments and the command's life cycle. Not here: the stand-in itself.
"""

import argparse
import asyncio
import os
import sys

from sandbox.telegram.budgets import Limits
from sandbox.telegram.server import DEFAULT_TOKEN, TelegramStandIn


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--port", type=int, default=8081, help="loopback port to listen on, 0 for a free one (8081)")
    parser.add_argument("--token", default=DEFAULT_TOKEN, help="the bot token to accept")
    parser.add_argument("--limits", action="store_true", help="enforce Telegram's flood limits (429)")
    parser.add_argument("--penalty", type=int, default=0, metavar="S", help="seconds added to every 429 (0)")


async def run(args: argparse.Namespace) -> int:
    """Serve until cancelled; returns the exit code."""
    limits = Limits(penalty=args.penalty) if args.limits else None
    stand_in = TelegramStandIn(args.port, token=args.token, limits=limits)
    try:
        await stand_in.start()
    except OSError as error:
        print(f"port {args.port} cannot be used: {os.strerror(error.errno or 0).lower()}", file=sys.stderr)
        return 2
    print(f"Telegram stand-in: {stand_in.url}/bot{stand_in.token}/getMe", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await stand_in.stop()
    return 0
