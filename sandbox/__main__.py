"""`python -m sandbox [demo|whatsapp|telegram|people]`: runs one part, or the whole sandbox. Dispatch only."""

import argparse
import asyncio
import importlib
import signal
import sys
from types import ModuleType

PARTS = {
    "demo": "the whole product against the stand-ins (what runs when nothing is named)",
    "whatsapp": "a stand-in for WhatsApp Web, with phones to play with",
    "telegram": "a stand-in for Telegram's Bot API, with users to play with",
    "people": "one page for people, on top of both",
}


def main(argv: list[str]) -> int:
    """Parse the command line and run the selected part; return the exit code."""
    if not argv or (argv[0].startswith("--") and argv[0] != "--help"):
        argv = ["demo", *argv]
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="part", required=True, metavar="|".join(PARTS))
    for name, text in PARTS.items():
        command = commands.add_parser(name, help=text, description=text)
        if name in argv[:1]:  # only the selected part is imported
            importlib.import_module(f"sandbox.{name}.cli").add_arguments(command)
    args = parser.parse_args(argv)
    return asyncio.run(_run(importlib.import_module(f"sandbox.{args.part}.cli"), args))


async def _run(part: ModuleType, args: argparse.Namespace) -> int:
    """Run a part; Ctrl-C ends one that does not handle signals itself."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        code: int = await part.run(args) or 0
    except asyncio.CancelledError:
        return 0
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
