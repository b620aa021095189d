"""`python -m sandbox`: the whole product against the stand-ins, for a first look and for experiments.

Starts both stand-ins and the web page in this process, and the product as a separate process, exactly as in
production: it learns about its environment only from addresses in environment variables. All on 127.0.0.1.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import TypeVar

from sandbox.demo.program import Program
from sandbox.people.cast import ADMIN, OPERATOR
from sandbox.people.server import PeoplePage
from sandbox.telegram import Limits, TelegramStandIn
from sandbox.whatsapp import Options, Timings, WhatsAppStandIn

FAILED = 1
T = TypeVar("T")


class CannotStartError(Exception):
    """The sandbox cannot start. The text is one line."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the demo's arguments."""
    parser.add_argument("--port", type=int, default=8080, help="of the page for people, on 127.0.0.1 (default 8080)")
    parser.add_argument("--telegram-port", type=int, default=8081, help="of Telegram's stand-in (default 8081)")
    parser.add_argument("--whatsapp-port", type=int, default=8082, help="of WhatsApp Web's stand-in (default 8082)")
    parser.add_argument("--data-dir", type=Path, default=Path("data/sandbox"), help="(default data/sandbox)")
    parser.add_argument("--speed", type=float, default=3.0, help="how much faster than the real page loads (default 3)")


async def run(args: argparse.Namespace) -> int:
    """Run until a signal, or until the product exits before it has listened; return the exit code."""
    stop = asyncio.Event()
    programs: list[Program] = []
    _on_signals(stop, programs)
    try:
        async with AsyncExitStack() as stack:
            _make_folder(args.data_dir)
            telegram = await _listening(
                stack, TelegramStandIn(args.telegram_port, limits=Limits()), "--telegram-port", args.telegram_port
            )
            whatsapp = await _listening(stack, _whatsapp(args), "--whatsapp-port", args.whatsapp_port)
            program = Program(_environment(args, telegram, whatsapp.url))
            programs.append(program)
            page = PeoplePage(telegram.url, whatsapp.url, port=args.port, program=program)
            await _listening(stack, page, "--port", args.port)
            print(f"\n    Open {page.url} in your browser, and send /start.\n    Ctrl-C ends it.\n", flush=True)
            stack.push_async_callback(program.close)
            await program.start()
            return await _wait(program, telegram, stop)
    except CannotStartError as error:
        print(f"The sandbox cannot start: {error}", file=sys.stderr)
        return FAILED


def _on_signals(stop: asyncio.Event, programs: list[Program]) -> None:
    """Shut down cleanly at the first signal, and at once at the second, even if the event loop is blocked."""
    loop = asyncio.get_running_loop()
    came: list[int] = []

    def handle(number: int, _: object) -> None:
        if came:
            for program in programs:
                program.end_tree()
            os._exit(128 + number)
        came.append(number)
        loop.call_soon_threadsafe(stop.set)
        if number == signal.SIGINT:
            os.write(2, b"\nEnding. Ctrl-C once more ends it at once.\n")

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.remove_signal_handler(number)
        signal.signal(number, handle)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CannotStartError(f"--data-dir {folder}: {(error.strerror or str(error)).lower()}") from None


async def _listening(stack: AsyncExitStack, server: AbstractAsyncContextManager[T], flag: str, port: int) -> T:
    try:
        return await stack.enter_async_context(server)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise CannotStartError(
            f"port {port}: {why.lower()}; is a sandbox running already? {flag} takes another"
        ) from None


def _whatsapp(args: argparse.Namespace) -> WhatsAppStandIn:
    """Load the page slightly faster than the real one; codes live as long as the real ones."""
    timings = Timings().scaled(args.speed)
    kept = args.data_dir / "phones.json"
    try:
        return WhatsAppStandIn(Options(port=args.whatsapp_port, timings=timings, state_file=kept))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise CannotStartError(f"{kept} cannot be read ({error}); remove it to begin anew") from None


def _environment(args: argparse.Namespace, telegram: TelegramStandIn, page: str) -> dict[str, str]:
    return os.environ | {
        "TELEGRAM_BOT_TOKEN": telegram.token,
        "TELEGRAM_API_URL": telegram.url,
        "TELEGRAM_ADMIN_IDS": str(ADMIN),
        "TELEGRAM_OPERATOR_IDS": str(OPERATOR),
        "TELEGRAM_ALERT_CHAT_ID": "",
        "WHATSAPP_WEB_URL": page,
        "DATA_DIR": str(args.data_dir),
    }


async def _wait(program: Program, telegram: TelegramStandIn, stop: asyncio.Event) -> int:
    """Wait for a signal. If the product exits later, the sandbox stays up: the page shows it and can restart it."""
    first = asyncio.ensure_future(program.ended())
    listened = asyncio.ensure_future(_ever(lambda: telegram.world.updates.polling, telegram))
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({first, listened, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if first.done() and not stopped.done() and not listened.done():
            return first.result() or FAILED
        await stopped
        return 0
    finally:
        for waiting in (first, listened, stopped):
            waiting.cancel()


async def _ever(condition: Callable[[], bool], telegram: TelegramStandIn) -> None:
    async for _ in telegram.world.feed.listen():
        if condition():
            return
