"""An event loop with a virtual clock: hours of lifecycle pass in milliseconds, but never in the middle of a query.

When nothing is ready to run, the clock jumps to the next timer. While work is in progress in a thread (an
aiosqlite query, an executor's job) the loop waits for it in real time and the clock stands still.
"""

import asyncio
import functools
import selectors
from asyncio.selector_events import _SelectorSocketTransport  # type: ignore[attr-defined]
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from aiosqlite import core as aiosqlite_core

T = TypeVar("T")

EPOCH = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
STUCK_SECONDS = 20.0
"""Real seconds that a thread's work may take before the loop checks again."""

LONG_JUMP = 1.0
"""Seconds of a jump that could pass a time-out: before it, the loop looks for data still on its way between sockets."""
LOOK = 0.001
"""Real seconds of that look. One that found nothing is not repeated before something has happened at a socket."""


class DeadlockError(AssertionError):
    """Nothing can happen any more, but the test is still waiting."""


class _JumpingSelector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Polls the real selector without waiting, and turns the requested wait into a jump of the clock."""

    def __init__(self, loop: "VirtualLoop") -> None:
        super().__init__()
        self._virtual = loop

    def register(self, *args: Any, **kwargs: Any) -> Any:
        self._virtual.still = False
        return super().register(*args, **kwargs)

    def modify(self, *args: Any, **kwargs: Any) -> Any:
        self._virtual.still = False
        return super().modify(*args, **kwargs)

    def unregister(self, *args: Any, **kwargs: Any) -> Any:
        self._virtual.still = False
        return super().unregister(*args, **kwargs)

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready:
            self._virtual.still = False
        if ready or timeout == 0:
            return ready
        if self._virtual.outstanding and not self._virtual.stalled:
            return super().select(STUCK_SECONDS)
        if timeout is None:
            ready = super().select(0.5)
            if not ready:
                raise DeadlockError("nothing is scheduled and nothing is under way")
            return ready
        if timeout > LONG_JUMP and not self._virtual.still:
            if ready := super().select(LOOK):
                return ready
            self._virtual.still = True
        self._virtual.jump(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop. `outstanding` counts the operations in progress in threads.

    stalled: whether those hang, so that time passes all the same; for tests of what comes of that.
    still: whether nothing has been sent, received, opened or closed since a look at the sockets that found nothing.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self.outstanding = 0
        self.stalled = False
        self.still = False
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self._now

    def jump(self, seconds: float) -> None:
        self._now += seconds

    def clock(self) -> datetime:
        """This loop's wall clock: aware, UTC."""
        return EPOCH + timedelta(seconds=self._now)

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        future = super().run_in_executor(executor, func, *args)
        self.hold(future)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncio's
        self.outstanding += 1  # a limit of asyncio's own since Python 3.12, which no time may pass for
        try:
            await super().shutdown_default_executor()
        finally:
            self.outstanding -= 1

    def hold(self, future: asyncio.Future[Any]) -> None:
        self.outstanding += 1
        future.add_done_callback(self._release)

    def _release(self, _: object) -> None:
        self.outstanding -= 1


def _hold_for_sqlite() -> None:
    """Stop a virtual loop's clock while anything waits for aiosqlite's thread."""
    for name in ("_execute", "_connect", "close"):
        setattr(aiosqlite_core.Connection, name, _holding(getattr(aiosqlite_core.Connection, name)))
    aiosqlite_core.Connection.stop = _holding_future(aiosqlite_core.Connection.stop)


def _holding(method: Any) -> Any:
    @functools.wraps(method)
    async def holding(*args: Any, **kwargs: Any) -> Any:
        loop = asyncio.get_running_loop()
        if not isinstance(loop, VirtualLoop):
            return await method(*args, **kwargs)
        loop.outstanding += 1
        try:
            return await method(*args, **kwargs)
        finally:
            loop.outstanding -= 1

    return holding


def _holding_future(method: Any) -> Any:
    @functools.wraps(method)
    def holding(*args: Any, **kwargs: Any) -> Any:
        future = method(*args, **kwargs)
        if future is not None and isinstance(future.get_loop(), VirtualLoop):
            future.get_loop().hold(future)
        return future

    return holding


def _note_what_is_sent() -> None:
    """Let a virtual loop know of each write: most go straight to the socket, past the loop and its selector."""
    for name in ("write", "writelines"):
        setattr(_SelectorSocketTransport, name, _noting(getattr(_SelectorSocketTransport, name)))


def _noting(method: Any) -> Any:
    @functools.wraps(method)
    def noting(self: Any, *args: Any) -> Any:
        if isinstance(self._loop, VirtualLoop):
            self._loop.still = False
        return method(self, *args)

    return noting


_hold_for_sqlite()
_note_what_is_sent()


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to completion in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Decorate an async test so that it runs in virtual time."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        run_virtual(test(*args, **kwargs))

    return run


def wall_clock() -> datetime:
    """Return the time of the running loop if that is virtual, else the real time: aware, UTC."""
    try:
        loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
    except RuntimeError:
        loop = None
    return loop.clock() if isinstance(loop, VirtualLoop) else datetime.now(UTC)


def virtual_loop() -> VirtualLoop:
    """Return the running virtual loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop


async def settle(rounds: int = 50) -> None:
    """Run everything that is ready now, without advancing the clock."""
    for _ in range(rounds):
        await asyncio.sleep(0)


async def pass_time(seconds: float) -> None:
    """Advance the clock by so many seconds, running everything due meanwhile."""
    await asyncio.sleep(seconds)
    await settle()


async def until(condition: Callable[[], bool], within: float = 3600.0) -> None:
    """Advance the clock in small steps until the condition holds; fail after `within` virtual seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    await settle()
    while not condition():
        if loop.time() > deadline:
            raise AssertionError("the condition was never met")
        await asyncio.sleep(0.05)
