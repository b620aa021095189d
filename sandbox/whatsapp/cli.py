"""`python -m sandbox whatsapp`: command line of the stand-in. Arguments only; the rest is server.py."""

import argparse
import asyncio
import os
import signal
from dataclasses import fields
from pathlib import Path

from sandbox.whatsapp.options import Options, Timings
from sandbox.whatsapp.server import HOST, REAL_HOST, WhatsAppStandIn
from sandbox.whatsapp.switches import TABLE, SwitchError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-command's arguments: server, timings, and one flag per switch."""
    parser.add_argument("--port", type=int, default=8082, help="port on 127.0.0.1; 0 = any free one (default 8082)")
    parser.add_argument("--tls", action="store_true", help=f"https, with a certificate for {REAL_HOST}")
    parser.add_argument("--refs", type=int, default=Options().refs, help="codes before UNPAIRED_IDLE (default 6)")
    parser.add_argument("--state", type=Path, metavar="FILE", help="keep the linked devices there")
    speed = "make what one waits for so many times shorter; codes live, and pings wait, as long as ever"
    parser.add_argument("--speed", type=float, default=1.0, help=speed)
    durations = parser.add_argument_group("durations in seconds, taken literally whatever --speed says")
    for each in fields(Timings):
        flag = "--" + each.name.replace("_", "-")
        durations.add_argument(flag, type=float, metavar="S", help=f"default {each.default}")
    cases = parser.add_argument_group("nasty cases, each also at /switches while it runs")
    for row in TABLE:
        flag = "--" + row.name.replace("_", "-")
        if row.kind == "flag":
            cases.add_argument(flag, action="store_true", default=None, help=row.help)
        else:
            cases.add_argument(flag, choices=row.choices or None, metavar=None if row.choices else "N", help=row.help)


async def run(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; return the exit code."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        stand_in = WhatsAppStandIn(_options(args))
    except SwitchError as error:
        print(f"error: {error}")
        return 2
    try:
        async with stand_in:
            print(f"WhatsApp Web stand-in on {stand_in.url} (control: /phone/…, /switches)", flush=True)
            await stop.wait()
    except OSError as error:
        print(f"error: {HOST}:{args.port} cannot be used: {os.strerror(error.errno or 0)}")
        return 1
    return 0


def _options(args: argparse.Namespace) -> Options:
    given = vars(args)
    return Options(
        port=args.port,
        tls=args.tls,
        refs=args.refs,
        timings=Timings().scaled(args.speed).with_given(given),
        state_file=args.state,
        switches={row.name: given[row.name] for row in TABLE if given[row.name] is not None},
    )
