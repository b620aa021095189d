"""Waiting for a condition with a deadline, for tests in real time."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

STEPS = 0.002, 0.03
"""Seconds between two looks, the first and the longest: most waits are over soon."""


async def until(met: Callable[[], object] | Callable[[], Awaitable[object]], what: str, within: float = 60.0) -> None:
    """Return as soon as `met()` is true; raise AssertionError with `what` after `within` seconds."""
    try:
        async with asyncio.timeout(within):
            step, longest = STEPS
            while True:
                answer = met()
                if await answer if inspect.isawaitable(answer) else answer:
                    return
                await asyncio.sleep(step)
                step = min(2 * step, longest)
    except TimeoutError:
        raise AssertionError(f"not within {within} s: {what}") from None
