"""The one Playwright driver process (Node.js) that all sessions share: started on demand, replaced when dead or hung.

It runs under `launcher`, so that it has its own process group, ends with us and has a pid file.
Not here: browsers and pages.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import playwright
from playwright._impl.out_of_process import PlaywrightClient
from playwright.async_api import Playwright
from playwright.async_api._context_manager import PlaywrightContextManager

from controller.accounts.reasons import Reason
from controller.chromium.playwright.errors import translated
from controller.chromium.process.launch_script import write_ticket
from controller.chromium.process.tree import PidFile, ProcessId, end_tree
from controller.chromium.profile.profile import run_folder
from controller.driver import DriverError
from controller.tasks import uncancelled

log = logging.getLogger(__name__)

_START_SECONDS = 20.0
_PING_SECONDS = 5.0
_STOP_SECONDS = 5.0
_SMALL_HEAP = ("--max-semi-space-size=1",)
"""MiB of V8's heap for what lives briefly: forwarding messages needs no more, and it spares 12 MiB."""
_NODE = "PLAYWRIGHT_NODEJS_PATH"
"""Playwright's documented variable for another Node.js, used to run it under `launcher`."""


class PlaywrightHost:
    """Provides the shared Playwright."""

    def __init__(self, data_dir: Path, host: str = "") -> None:
        """host: this machine's name where many share DATA_DIR."""
        self._run = run_folder(data_dir, host)
        self._more = ("--kill",) if host else ()
        self._lock = asyncio.Lock()
        self._playwright: Playwright | None = None
        self._process: ProcessId | None = None
        self._name = ""

    @property
    def process(self) -> ProcessId | None:
        """The current driver process."""
        return self._process

    async def get(self) -> tuple[Playwright, ProcessId]:
        """Return a responsive Playwright and its process. Raises DriverError."""
        async with self._lock:
            if self._playwright is not None and not await self._answers(self._playwright):
                log.warning("Playwright's driver process is dead or hangs: it is replaced")
                await uncancelled(self._end())
            if self._playwright is None or self._process is None:
                return await self._start()
            # Playwright makes a folder in it for each browser, and somebody may have tidied up.
            self._temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
            return self._playwright, self._process

    async def stop(self) -> None:
        """End the driver process."""
        async with self._lock:
            await self._end()

    async def _answers(self, given: Playwright) -> bool:
        if self._process is None or not self._process.is_alive() or self._process.is_stopped():
            return False
        try:
            with translated("ask Playwright's driver"):
                async with asyncio.timeout(_PING_SECONDS):
                    request = await given.request.new_context()
                    await request.dispose()
        except DriverError:
            return False
        return True

    async def _start(self) -> tuple[Playwright, ProcessId]:
        self._name = f"playwright.{secrets.token_hex(4)}"
        node = Path(os.environ.get(_NODE) or Path(playwright.__file__).parent / "driver" / "node")
        try:
            self._run.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_ticket(
                self._ticket, self._pid_file, os.getpid(), node, "--temporary", str(self._temporary), *self._more,
                first=_SMALL_HEAP,
            )  # fmt: skip
            self._temporary.mkdir(mode=0o700)  # after its ticket, by which `orphans` recognises it
            with translated("start Playwright's driver"), _environment(_NODE, str(self._ticket)):
                async with asyncio.timeout(_START_SECONDS):
                    self._playwright = await _Starting().start()
            self._process = self._started()
        except BaseException:
            await uncancelled(self._end())
            raise
        return self._playwright, self._process

    def _started(self) -> ProcessId:
        found = PidFile.read(self._pid_file)
        if found is None:
            raise DriverError(Reason.LAUNCH_FAILED, "Playwright's driver did not tell its process")
        return found.process

    async def _end(self) -> None:
        given, process, self._playwright, self._process = self._playwright, self._process, None, None
        if not self._name:
            return
        self._remove(self._ticket)  # from here on it cannot start any more: see `launcher`
        found = PidFile.read(self._pid_file)
        if process is None and found is not None:  # its start failed
            process = found.process
        if given is not None and process is not None and not process.is_stopped():
            await self._stop(given)
        if process is not None:
            await end_tree(process, grace=1.0, timeout=_STOP_SECONDS)
        self._remove(self._pid_file)
        await asyncio.to_thread(shutil.rmtree, self._temporary, ignore_errors=True)

    @staticmethod
    def _remove(file: Path) -> None:
        """Remove a file of ours; a disk that refuses must not keep the process alive."""
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            log.warning("A file of Playwright's driver cannot be removed: %s", error.strerror)

    @staticmethod
    async def _stop(given: Playwright) -> None:
        with contextlib.suppress(DriverError), translated("stop Playwright"):
            async with asyncio.timeout(_STOP_SECONDS):
                await given.stop()

    @property
    def _ticket(self) -> Path:
        return self._run / f"{self._name}.sh"

    @property
    def _pid_file(self) -> Path:
        return self._run / f"{self._name}.json"

    @property
    def _temporary(self) -> Path:
        return self._run / f"{self._name}.tmp"


class _Starting(PlaywrightContextManager):
    """Playwright's own start, apart from the error that it stores if its driver does not start, or dies later.

    Nobody retrieves that error, so asyncio would log it with a traceback; it is retrieved here instead. If the start
    fails, Playwright discards the object that holds it.
    """

    async def __aenter__(self) -> Playwright:
        self._client = PlaywrightClient()
        kept = self._client._transport.on_error_future  # noqa: SLF001 - it has no public name
        starting = self._client._playwright  # noqa: SLF001 - likewise
        for future in (kept, starting):
            future.add_done_callback(lambda future: future.cancelled() or future.exception())
        # A caller that gives up must not cancel it: what it began would fail unobserved when the driver ends.
        started = Playwright(await asyncio.shield(starting))
        started.stop = self.__aexit__  # type: ignore[method-assign]
        return started


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
