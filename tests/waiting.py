"""Waiting for a condition with a deadline, for tests in real time."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

STEP = 0.03


async def until(met: Callable[[], object] | Callable[[], Awaitable[object]], what: str, within: float = 30.0) -> None:
    """Return as soon as `met()` is true; raise AssertionError with `what` after `within` seconds."""
    try:
        async with asyncio.timeout(within):
            while True:
                answer = met()
                if await answer if inspect.isawaitable(answer) else answer:
                    return
                await asyncio.sleep(STEP)
    except TimeoutError:
        raise AssertionError(f"not within {within} s: {what}") from None
