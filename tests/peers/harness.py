"""What the peers' tests share: the npm folder, the browser, and a line-by-line conversation with a node script.

No scenario stands here. Everything a test waits for has a deadline.
"""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
INSTALL_DEADLINE = 180
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser")


def why_not() -> str | None:
    """Return the one line that says why peers cannot run here, or None; installs them once from the lock."""
    missing = [tool for tool in ("node", "npm") if shutil.which(tool) is None]
    if missing:
        return f"peers need {' and '.join(missing)}, not found on PATH"
    if browser() is None:
        return "peers need Chromium, not found on PATH"
    stamp = MODULES / ".package-lock.json"
    lock = HERE / "package-lock.json"
    if stamp.exists() and stamp.stat().st_mtime >= lock.stat().st_mtime:
        return None
    command = ["npm", "ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund"]
    environment = {**os.environ, "PUPPETEER_SKIP_DOWNLOAD": "1"}
    try:
        done = subprocess.run(
            command, cwd=HERE, env=environment, capture_output=True, text=True, timeout=INSTALL_DEADLINE, check=False
        )
    except subprocess.TimeoutExpired:
        return f"npm ci did not end within {INSTALL_DEADLINE} s"
    if done.returncode:
        return f"npm ci failed: {(done.stderr.strip() or 'no reason given').splitlines()[-1]}"
    stamp.touch()
    return None


def browser() -> str | None:
    """Return the browser's path, the headless shell where there is one."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


class Node:
    """A running script, ended with all its children; `wait_for` reads its events in order."""

    def __init__(self, script: str, arguments: dict[str, Any]) -> None:
        self._command = ["node", str(HERE / script), json.dumps(arguments)]
        self.events: list[list[Any]] = []
        self._process: asyncio.subprocess.Process

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=HERE,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._process.returncode is None and error is None:
                await self.tell("destroy")
                async with asyncio.timeout(45):
                    await self._process.wait()
        finally:
            if self._process.returncode is None:
                node = psutil.Process(self._process.pid)
                for process in [*node.children(recursive=True), node]:  # puppeteer's browser has a group of its own
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.kill()
                await self._process.wait()

    @property
    def pid(self) -> int:
        """Return the node process's id."""
        return self._process.pid

    async def stream(self) -> AsyncIterator[list[Any]]:
        """Yield events as they come, until the script ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            yield json.loads(line)

    async def tell(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n".encode())
        await self._process.stdin.drain()

    async def wait_for(self, name: str, *, within: float = 60.0) -> list[Any]:
        """Return the arguments of the next event of this name; the error names what came instead."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(within):
                while line := await self._process.stdout.readline():
                    event = json.loads(line)
                    self.events.append(event)
                    if event[0] == name:
                        return event[1:]
        except TimeoutError:
            pass
        raise AssertionError(f"no {name!r} within {within} s; there were {self.events}")

    def names(self) -> list[str]:
        """Return the names of all events so far."""
        return [event[0] for event in self.events]
