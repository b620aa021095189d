"""`python kill_parent.py MODULE`: forks the program that `kills` kills, from a process that has loaded its modules.

So a kill costs no second of loading. It runs in any checkout whose MODULE has `serve`, with a `_storm` in it. Each line
of its input is what to do, in JSON: "start" a process and report when its storm could begin, let it "begin", "kill" it
or "wait" for its end, and report when that was requested (seconds since 1970) and its exit code.
"""

import asyncio
import importlib
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any


def main() -> None:
    """Do what the input says, until its end."""
    module = importlib.import_module(sys.argv[1])
    child = begin = 0
    for line in sys.stdin:
        order = json.loads(line)
        match order["do"]:
            case "start":
                waits, begin = os.pipe()
                child = os.fork()
                if child == 0:
                    os.close(begin)
                    _serve(module, waits, order)
                os.close(waits)
            case "begin":
                os.close(begin)
            case wanted:
                at = time.time()
                if wanted == "kill":
                    os.kill(child, signal.SIGKILL)
                _, status = os.waitpid(child, 0)
                child = 0
                _report([at, os.waitstatus_to_exitcode(status)])
    if child:
        os.kill(child, signal.SIGKILL)


def _serve(module: Any, begin: int, order: dict[str, Any]) -> None:
    """Be the program, whose storm begins when the other end of `begin` is closed. Does not return."""
    storm = module._storm

    async def storm_with_all(*arguments: Any) -> None:
        _report("ready")
        await asyncio.to_thread(os.read, begin, 1)
        await storm(*arguments)

    module._storm = storm_with_all
    code = 1
    try:
        asyncio.run(module.serve(Path(order["path"]), *order["arguments"]))
        code = 0
    finally:
        if code:
            traceback.print_exc()
        os._exit(code)


def _report(what: object) -> None:
    sys.stdout.write(f"> {json.dumps(what)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
