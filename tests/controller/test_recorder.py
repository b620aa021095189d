"""The recorder: stored first, then published; what cannot be stored in time is reported at once."""

import asyncio
from datetime import UTC, datetime

from controller.accounts.notices import Transition
from controller.accounts.reasons import Reason, State
from controller.recorder import STORE_DEADLINE, Recorder
from tests.virtual_time import settle, virtual, virtual_loop


def transition(at: int = 0) -> Transition:
    return Transition(
        f"+49151123{at:05}", datetime(2026, 1, 1, tzinfo=UTC), State.CONNECTED, State.DISCONNECTED, None,
        Reason.LOGGED_OUT, None, "", 0, 10, 0, linked=True, alert=Reason.LOGGED_OUT,
    )  # fmt: skip


class StalledDisk:
    """A store whose transaction hangs, and heeds no cancellation: the thread that waits for the disk never does."""

    def __init__(self) -> None:
        self.stored: list[Transition] = []
        self.calls = 0
        self.wakes = asyncio.Event()

    async def record(self, transitions, absorb=None) -> None:
        self.calls += 1
        while not self.wakes.is_set():
            try:
                await self.wakes.wait()
            except asyncio.CancelledError:
                if self.calls > 1000:
                    raise
        self.stored += transitions


class Troubles:
    def __init__(self) -> None:
        self.heard: list[tuple[str, float]] = []

    async def raise_trouble(self, reason, detail="") -> None:
        self.heard.append((reason, virtual_loop().time()))

    async def clear_trouble(self, reason) -> None:
        self.heard.append((f"{reason} over", virtual_loop().time()))


@virtual
async def test_a_transaction_that_hangs_is_told_at_its_deadline_and_stored_once():
    disk, troubles, published, unstored = StalledDisk(), Troubles(), [], []
    recorder = Recorder(disk, published.append, troubles=troubles, not_stored=unstored.append)
    began = virtual_loop().time()
    recorder(transition())
    await asyncio.sleep(600)
    assert [(reason, at - began) for reason, at in troubles.heard] == [("database_read_only", STORE_DEADLINE)]
    assert STORE_DEADLINE <= 30
    assert published == unstored == [transition()]
    recorder(transition(1))
    await settle()
    assert unstored == published == [transition(), transition(1)], "what comes meanwhile is told at once"
    disk.wakes.set()
    await settle()
    assert disk.stored == [transition(), transition(1)], "each once: the store was never told twice"
    assert troubles.heard[-1][0] == "database_read_only over"
    assert published == [transition(), transition(1)]
    await recorder.stop(5)


@virtual
async def test_what_is_stored_is_published_once_and_not_as_unstored():
    disk, published, unstored = StalledDisk(), [], []
    disk.wakes.set()
    recorder = Recorder(disk, published.append, not_stored=unstored.append)
    recorder(transition())
    await settle()
    assert (disk.stored, published, unstored) == ([transition()], [transition()], [])
    await recorder.stop(5)
