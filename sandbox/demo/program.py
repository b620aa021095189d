"""The product as a separate process: start, stop, kill, restart, and its output.

Contents: the process and its output lines. Not here: the stand-ins, and the product itself.
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
    """The product, in its own process group, so that a Ctrl-C reaches it once, through us.

    `environment` is all its configuration. Its output is forwarded to our stderr; the last lines are stored.
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
        """Start it, unless it is running."""
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
        """Ask it to exit and wait; it is killed after STOP_SECONDS."""
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
        """Kill it at once, like kill -9; its browsers stay behind, for its next start to find."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def ended(self) -> int:
        """Wait until it exits; return its exit code, negative for a signal."""
        assert self._process is not None
        code = await self._process.wait()
        if self._reader is not None:
            await asyncio.wait({self._reader}, timeout=2)
        return code

    async def close(self) -> None:
        """Kill whatever is still running."""
        await self.stop()
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader

    def end_tree(self) -> None:
        """Kill it and all its descendants without waiting, so this can be called from a signal handler."""
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
            except ValueError:  # longer than the stream's limit: not worth storing
                continue
            if not line:
                return
            text = line.decode(errors="replace").rstrip("\n")
            self._lines.append(text)
            print(text, file=sys.stderr, flush=True)
