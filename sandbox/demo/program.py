"""The product as a process of its own: begun, stopped, killed, begun again, and what it writes.

Contents: the process and its lines. Not here: the stand-ins, and what the product is.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections import deque
from typing import Any

import psutil

STOP_SECONDS = 40.0
"""How long the product may take to stop: longer than its own limits, so that it is never cut short."""
LINES = 200


class Program:
    """The product, in a process group of its own: a Ctrl-C reaches it once, through us.

    `environment` is all it knows of its surroundings. What it writes goes on to our stderr; the last lines are kept.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()
        self._began = 0.0
        self._lines: deque[str] = deque(maxlen=LINES)

    def state(self) -> dict[str, Any]:
        """Return what the page shows: running, since (seconds since 1970), exit_code and the last lines."""
        process = self._process
        return {
            "running": process is not None and process.returncode is None,
            "since": self._began,
            "exit_code": process.returncode if process is not None else None,
            "lines": list(self._lines),
        }

    async def start(self) -> None:
        """Begin, unless it runs."""
        async with self._changing:
            if self._process is not None and self._process.returncode is None:
                return
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "switchboard",
                env=self._environment,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )  # fmt: skip
            self._began = time.time()
            self._reader = asyncio.create_task(self._read(self._process), name="the product's lines")

    async def stop(self) -> None:
        """Ask it to end and wait; it is killed after STOP_SECONDS."""
        async with self._changing:
            process = self._process
            if process is None or process.returncode is not None:
                return
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
            except TimeoutError:
                sys.stderr.write(f"The product did not stop within {STOP_SECONDS:.0f} s and is killed.\n")
                self.end_tree()
                await process.wait()

    async def kill(self) -> None:
        """End it at once, as kill -9 does; its browsers stay behind, for its next start to find."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def ended(self) -> int:
        """Wait until it ends; return its exit code, negative for a signal."""
        assert self._process is not None
        code = await self._process.wait()
        if self._reader is not None:
            await asyncio.wait({self._reader}, timeout=2)
        return code

    async def close(self) -> None:
        """Leave nothing behind, whatever happened."""
        await self.stop()
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader

    def end_tree(self) -> None:
        """Kill it with everything that it started, without waiting: also fit for a signal handler."""
        if self._process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            me = psutil.Process(self._process.pid)
            for each in [*me.children(recursive=True), me]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while True:
            try:
                line = await process.stderr.readline()
            except ValueError:  # longer than the stream's limit: not worth more
                continue
            if not line:
                return
            text = line.decode(errors="replace").rstrip("\n")
            self._lines.append(text)
            print(text, file=sys.stderr, flush=True)
