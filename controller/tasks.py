"""Background tasks with an owner, and clean-up that a cancellation cannot interrupt.

Every task of the program belongs to a `Tasks`, whose owner cancels and awaits the remaining ones at its end.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)


class Tasks:
    """The background tasks of one owner. A task that fails is logged and does not affect the others."""

    __slots__ = ("_name", "_running")

    def __init__(self, name: str = "background task") -> None:
        self._name = name
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any], name: str | None = None) -> asyncio.Task[Any]:
        """Run `work` until it ends or `stop` is called. name: for the log, and for debugging."""
        task = asyncio.get_running_loop().create_task(work, name=name or self._name)
        self._running.add(task)
        task.add_done_callback(self._reap)
        return task

    async def drain(self, seconds: float) -> bool:
        """Wait for running tasks to end by themselves, for at most so many seconds. Returns whether all did."""
        if not self._running:
            return True
        _, late = await asyncio.wait(self._running, timeout=seconds)
        return not late

    async def stop(self) -> None:
        """Cancel and await all remaining tasks, except the calling task itself if it is one of them."""
        running = [task for task in self._running if task is not asyncio.current_task()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _reap(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", task.get_name(), exc_info=error)


async def uncancelled(work: Coroutine[Any, Any, T]) -> T:
    """Run bounded work to its end even if the caller is cancelled meanwhile; the cancellation is raised afterwards."""
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # nobody needs it; never retrieved, it would be logged
        raise cancelled
    return task.result()


class DaemonThreads(Executor):
    """Runs each call in a thread of its own that does not delay the end of the program, however long it hangs.

    most: how many may be running; further calls fail with TimeoutError until some have ended.
    """

    def __init__(self, name: str, most: int) -> None:
        self._name, self._most = name, most
        self._lock = threading.Lock()
        self._running = 0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start a call."""
        future: Future[T] = Future()
        with self._lock:
            if self._running >= self._most:
                future.set_exception(TimeoutError("no answer in time, again and again"))
                return future
            self._running += 1

        def run() -> None:
            wanted = future.set_running_or_notify_cancel()
            try:
                result = fn(*args, **kwargs) if wanted else None
            except BaseException as error:  # noqa: BLE001 - it is raised where the result is awaited
                self._count_down()
                future.set_exception(error)
                return
            self._count_down()
            if wanted:
                future.set_result(result)  # type: ignore[arg-type]

        threading.Thread(target=run, name=self._name, daemon=True).start()
        return future

    def _count_down(self) -> None:
        with self._lock:
            self._running -= 1
