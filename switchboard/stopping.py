"""Shutdown: its signals, its steps with a deadline each, and a last resort that cannot hang.

The steps themselves are in `app`. Nothing here waits without a limit.
"""

import asyncio
import contextlib
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import psutil

from switchboard.logs import flush

log = logging.getLogger(__name__)

EXIT_LATER = 75
"""EX_TEMPFAIL: the cause is transient, so that a restart is worthwhile."""
LAST_RESORT_SECONDS = 40.0
"""From the first signal until the process is killed, whatever hangs (L15)."""
ALL_STEPS_SECONDS = 34.0
"""From the first signal until steps get no more than `LEAST_SECONDS` each."""
LEAST_SECONDS = 1.0
CANCEL_SECONDS = 1.0
"""How long a step that is cut off may take to end."""
SAME_SIGNAL = 1.0
"""Seconds within which a repeated signal counts as the same: make or a shell forwards what its group got too."""


class StopRequested(Exception):  # noqa: N818 - not an error: somebody requested it
    """A stop was requested before the program was running."""


class Stopping:
    """SIGINT, SIGTERM, SIGQUIT and SIGHUP request an orderly stop; a second one ends the program at once (L15).

    A second SIGHUP does not: a terminal or a log rotation sends it without meaning that. SIGUSR1 and SIGUSR2, which
    would end the program, mean nothing. Create it inside a running loop. SIGHUP is left alone if it is ignored (nohup).
    """

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.why = ""
        """The signal that requested the stop, "" if there was none."""
        self._loop = asyncio.get_running_loop()
        self._first_at: float | None = None
        self._interrupting: asyncio.Timeout | None = None
        self._step = "the start"
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN or number is not signal.SIGHUP:
                self._loop.add_signal_handler(number, self._take, number)
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            self._loop.add_signal_handler(number, log.info, "%s: it means nothing here", number.name)

    def begin(self) -> None:
        """Start the clock, if it is not running: a stop that nobody requested must end, too."""
        if self._first_at is None:
            self._first_at = self._loop.time()
            timer = threading.Timer(LAST_RESORT_SECONDS, self._end_at_once)
            timer.daemon = True
            timer.start()

    @asynccontextmanager
    async def interrupts(self) -> AsyncIterator[None]:
        """Cancel the block as soon as a stop is requested, and raise StopRequested."""
        if self.asked.is_set():
            raise StopRequested
        try:
            async with asyncio.timeout(None) as timeout:
                self._interrupting = timeout
                yield
        except TimeoutError:
            if not timeout.expired():
                raise
            raise StopRequested from None
        finally:
            self._interrupting = None

    async def step(self, name: str, work: Coroutine[Any, Any, Any], seconds: float) -> None:
        """Perform one step of the shutdown. If it fails or hangs, the others are performed nevertheless."""
        self.begin()
        self._step = name
        task = asyncio.create_task(work, name=name)
        seconds = min(seconds, max(LEAST_SECONDS, self._left()))
        if not (await asyncio.wait({task}, timeout=seconds))[0]:
            log.error("Stopping: %s did not end within %.0f s; going on without it", name, seconds)
            await give_up(task)
        elif not task.cancelled() and (error := task.exception()) is not None:
            is_systems = isinstance(error, OSError)  # a disk that fails is no bug
            log.error("Stopping: %s failed: %s", name, error, exc_info=None if is_systems else error)

    def _left(self) -> float:
        assert self._first_at is not None
        return self._first_at + ALL_STEPS_SECONDS - self._loop.time()

    def _take(self, number: signal.Signals) -> None:
        if not self.asked.is_set():
            log.info("%s: stopping; once more ends at once", number.name)
            self.begin()
            self.why = number.name
            self.asked.set()
            if self._interrupting is not None:
                self._interrupting.reschedule(self._loop.time())
        elif number is signal.SIGHUP:
            log.info("SIGHUP: stopping already")
        elif self._first_at is not None and self._loop.time() - self._first_at >= SAME_SIGNAL:
            log.warning("A second signal: ending at once")
            flush()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTERM)  # that of SIGQUIT would dump the memory, with all secrets

    def _end_at_once(self) -> None:
        """Kill the process and its browsers from a separate thread: the loop, or logging, may be what hangs."""
        notifier = threading.Thread(target=self._say_so, daemon=True)
        notifier.start()
        end_descendants()
        notifier.join(1)
        os._exit(EXIT_LATER)

    def _say_so(self) -> None:
        log.critical("Stopping took more than %.0f s (%s hangs): ending at once", LAST_RESORT_SECONDS, self._step)
        flush()


async def give_up(task: "asyncio.Task[Any]") -> None:
    """Cancel a task and wait for it, but not for ever."""
    task.cancel()
    if (await asyncio.wait({task}, timeout=CANCEL_SECONDS))[0] and not task.cancelled():
        task.exception()  # nobody needs it; never retrieved, it would be logged


def end_descendants() -> None:
    """Kill everything that this process has started, and whatever was born of that meanwhile."""
    for _ in range(3):
        family = psutil.Process().children(recursive=True)
        for process in family:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(family, timeout=0.3)
