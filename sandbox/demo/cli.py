"""`python -m sandbox`: the whole product against the stand-ins, for a first look and for trying things out.

Starts both stand-ins and the page for people in this process, and the product as a process of its own, exactly as
it is run in earnest: it sees nothing but addresses in its environment. Everything is on 127.0.0.1.
"""

import argparse
import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from sandbox.people.cast import ADMIN, OPERATOR
from sandbox.people.server import PeoplePage
from sandbox.telegram import Limits, TelegramStandIn
from sandbox.whatsapp import Options, Timings, WhatsAppStandIn

STOP_SECONDS = 40.0
"""How long the product may take to stop: longer than its own limits, so that it is never cut short."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the demo's arguments."""
    parser.add_argument("--port", type=int, default=8080, help="of the page for people, on 127.0.0.1 (default 8080)")
    parser.add_argument("--telegram-port", type=int, default=8081, help="of Telegram's stand-in (default 8081)")
    parser.add_argument("--whatsapp-port", type=int, default=8082, help="of WhatsApp Web's stand-in (default 8082)")
    parser.add_argument("--data-dir", type=Path, default=Path("data/sandbox"), help="(default data/sandbox)")
    parser.add_argument("--speed", type=float, default=3.0, help="how much faster than the real page loads (default 3)")


async def run(args: argparse.Namespace) -> int:
    """Run until a signal comes or the product ends; return the exit code."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    args.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        async with AsyncExitStack() as stack:
            telegram = await stack.enter_async_context(TelegramStandIn(args.telegram_port, limits=Limits()))
            options = _whatsapp(args)
            whatsapp = await stack.enter_async_context(WhatsAppStandIn(options))
            page = await stack.enter_async_context(PeoplePage(telegram.url, whatsapp.url, port=args.port))
            print(f"\n    Open {page.url} in your browser, and send /start.\n    Ctrl-C ends it.\n", flush=True)
            product = await _start(args, telegram, whatsapp.url)
            try:
                return await _wait(product, stop)
            finally:
                await _end(product)
    except OSError as error:
        print(f"The sandbox cannot start: {error.strerror or error}", file=sys.stderr)
        return 1


def _whatsapp(args: argparse.Namespace) -> Options:
    """Make the page load a little faster than the real one; its codes live as long as those."""
    timings = Timings().scaled(args.speed)
    return Options(port=args.whatsapp_port, timings=timings, state_file=args.data_dir / "phones.json")


async def _start(args: argparse.Namespace, telegram: TelegramStandIn, page: str) -> asyncio.subprocess.Process:
    environment = os.environ | {
        "TELEGRAM_BOT_TOKEN": telegram.token,
        "TELEGRAM_API_URL": telegram.url,
        "TELEGRAM_ADMIN_IDS": str(ADMIN),
        "TELEGRAM_OPERATOR_IDS": str(OPERATOR),
        "TELEGRAM_ALERT_CHAT_ID": "",
        "WHATSAPP_WEB_URL": page,
        "DATA_DIR": str(args.data_dir),
    }
    # In a group of its own: a Ctrl-C reaches it once, through us.
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "switchboard", env=environment, start_new_session=True
    )


async def _wait(product: asyncio.subprocess.Process, stop: asyncio.Event) -> int:
    stopped, ended = asyncio.ensure_future(stop.wait()), asyncio.ensure_future(product.wait())
    await asyncio.wait({stopped, ended}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not ended.done():
        product.terminate()
    try:
        return await asyncio.wait_for(ended, STOP_SECONDS)
    except TimeoutError:
        print("The product did not stop in time.", file=sys.stderr)
        return 1


async def _end(product: asyncio.subprocess.Process) -> None:
    """Leave nothing behind, whatever happened."""
    if product.returncode is None:
        os.killpg(product.pid, signal.SIGKILL)
        await product.wait()
