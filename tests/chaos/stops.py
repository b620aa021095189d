"""SIGTERM at many moments of the program's life: each stop is orderly and loses nothing.

It has its own world: the stage keeps its accounts calm, and here they are anything but that.
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.table import Row
from tests.e2e.harness import ADMIN, Program, World, left_behind, world

STOP_LIMIT = 30.0
"""Seconds from SIGTERM to the exit: 20 s for browsers (L15), and time to store and send what is pending."""
BACK_LIMIT = 60.0
_TROUBLE = ("Traceback (most", "Task was destroyed", "never retrieved", "could not be closed", "cannot be ended")
FIRST = "+491511234500"

Reach = Callable[[World, str], Awaitable[bool]]
"""Gets a program to the moment, with the moment's own number; returns whether that is linked by then."""


@dataclass(frozen=True, slots=True)
class Moment:
    """name: for the table. reach: None for a moment of the start itself. wait: seconds from there to the signal."""

    name: str
    wait: float
    reach: Reach | None = None


async def _asked(here: World, number: str) -> bool:
    await here.client.send(ADMIN, f"/link {number} Stop")
    return False


async def _shown(here: World, number: str) -> bool:
    await _asked(here, number)
    await here.until(here.qr)
    return False


async def _scanned(here: World, number: str) -> bool:
    await _asked(here, number)
    message = await here.until(here.qr)
    here.phones.scan(here.decode(message), number)
    return True


async def _connected(here: World, number: str) -> bool:
    await _scanned(here, number)
    await here.until_connected(number)
    return True


async def _reconnecting(here: World, _: str) -> bool:
    await here.client.send(ADMIN, f"/suspend {FIRST}")
    await here.until(lambda: here.newest_state(FIRST) == "SUSPENDED")
    await here.client.send(ADMIN, f"/reconnect {FIRST}")
    return False


MOMENTS = (
    *(Moment(f"{wait:g} s after the start", wait) for wait in (0.2, 0.6, 1.0, 1.4, 1.8, 2.4, 3.2)),
    *(Moment(f"{wait:g} s after /link", wait, _asked) for wait in (0.0, 0.4, 1.0, 1.6)),
    *(Moment(f"{wait:g} s after a code was shown", wait, _shown) for wait in (0.0, 0.5)),
    *(Moment(f"{wait:g} s after a scan", wait, _scanned) for wait in (0.0, 0.3, 0.8)),
    *(Moment(f"{wait:g} s after CONNECTED", wait, _connected) for wait in (0.0, 1.0)),
    *(Moment(f"{wait:g} s after /reconnect", wait, _reconnecting) for wait in (0.1, 1.0)),
)


async def run(folder: Path, every: int = 1, patience: float = 1.0) -> Row:
    """Stop at each moment (or each `every`-th), start again each time, and judge. Never raises for what it does.

    patience: the factor for the limits, 1 for measurements, more on a busy machine.
    """
    row = Row("SIGTERM at " + f"{len(MOMENTS[::every])} moments", layer="controller")
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    async with world(folder) as here:
        async with here.program() as program:
            await here.link(FIRST)
            row.wrong += await _stop(here, program, "CONNECTED", patience)
        expected = [FIRST]
        for place, moment in enumerate(MOMENTS[::every]):
            number = f"+4915112346{place:02}0"
            try:
                linked = await _try(here, moment, number, expected, row, patience)
            except AssertionError as error:
                row.wrong.append(f"{moment.name}: {str(error).splitlines()[0]}")
                continue
            if linked:
                expected.append(number)
        began = time.monotonic()
        async with here.program() as program:
            for number in expected:
                try:
                    is_back = lambda number=number: here.newest_state(number) == "CONNECTED"
                    await here.until(is_back, BACK_LIMIT * patience)
                except AssertionError:
                    row.wrong.append(f"…{number[-4:]} did not come back without a code")
            row.back = time.monotonic() - began
            row.wrong += await _stop(here, program, "the last start", patience)
        if here.rows("PRAGMA integrity_check") != [("ok",)]:
            row.wrong.append("the database is damaged")
    row.note = "each ends with 0 and comes back whole"
    return row


async def _try(here: World, moment: Moment, number: str, expected: list[str], row: Row, patience: float) -> bool:
    """Start, reach the moment, stop there. Returns whether the number is linked now."""
    linked = False
    async with here.program() as program:
        if moment.reach is not None:
            before = {each: len(here.transitions(each)) for each in expected}
            await here.until(lambda: "Telegram: I am" in program.text)
            for each in expected[:1]:
                await here.until_connected(each, after=before[each], within=BACK_LIMIT * patience)
            linked = await moment.reach(here, number)
        await asyncio.sleep(moment.wait)
        row.wrong += await _stop(here, program, moment.name, patience)
    return linked


async def _stop(here: World, program: Program, when: str, patience: float) -> list[str]:
    """Send SIGTERM; return what is wrong about the exit, one line each."""
    program.send(signal.SIGTERM)
    began = time.monotonic()
    try:
        code = await program.ended(STOP_LIMIT * patience)
    except TimeoutError:
        return [f"{when}: it did not end within {STOP_LIMIT * patience:g} s"]
    wrong = [f"{when}: it ended with {code}"] if code not in {0, -signal.SIGTERM} else []
    if code == -signal.SIGTERM and "stopping" in program.text:
        wrong.append(f"{when}: it was cut off")
    wrong += [f"{when}: {_after(program.lines, word)}" for word in _TROUBLE if word in program.text]
    deadline = time.monotonic() + 5 * patience
    while (left := left_behind(here.data_dir)) and time.monotonic() < deadline:  # noqa: ASYNC110 - processes send no event
        await asyncio.sleep(0.1)
    wrong += [f"{when}: left behind: {line}" for line in left]
    if time.monotonic() - began > STOP_LIMIT * patience:
        wrong.append(f"{when}: it took too long")
    return wrong


def _after(lines: list[str], word: str) -> str:
    """Return the line before an error word, and the first line of the exception."""
    place = next(index for index, line in enumerate(lines) if word in line)
    raised = next((line for line in lines[place:] if "Error" in line.partition(":")[0]), lines[place])
    return f"{lines[max(0, place - 1)].strip()[:120]} … {raised.strip()[:120]}"
