"""Between managers and the rest of the program: transitions are stored first, in batches, and then published.

One task, one queue. Codes bypass it: they are credentials, never stored, and a person is waiting for them.
While the database fails, transitions are published at once and queued until they can be stored; people are alerted.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from controller.accounts.notices import Listener, Notice, Transition
from controller.incidents import Changes
from controller.troubles import Trouble, Troubles

log = logging.getLogger(__name__)

BATCH = 500
"""The most transitions written in one transaction."""
STORE_DEADLINE = 30.0
"""Seconds that one transaction may take."""
RETRY_SECONDS = 5.0
"""Between two attempts to store what could not be stored."""


Absorb = Callable[[Sequence[Transition]], Changes]
"""Returns what transitions change of chats' incidents. Called within the transaction that stores both."""


class TransitionStore(Protocol):
    """Storage of transitions."""

    async def record(self, transitions: Sequence[Transition], absorb: Absorb | None = None) -> None:
        """Append them, update their accounts and store what `absorb` returns, in one transaction. Raises OSError."""


class Recorder:
    """Receives notices from managers (as their `Listener`), stores them and passes them on in order.

    listeners: called with each notice. troubles: notified when nothing can be stored. not_stored: called with each
    transition that cannot be stored for now.
    """

    def __init__(
        self,
        store: TransitionStore,
        *listeners: Listener,
        absorb: Absorb | None = None,
        troubles: Troubles | None = None,
        not_stored: Callable[[Transition], None] | None = None,
    ) -> None:
        self._store, self._listeners = store, listeners
        self._absorb, self._troubles, self._not_stored = absorb, troubles, not_stored
        self._waiting: list[Transition] = []
        self._published = 0
        """How many of the queued transitions have been published already."""
        self._failing = False
        self._more = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._owner = asyncio.get_running_loop().create_task(self._run(), name="recorder")

    def __call__(self, notice: Notice) -> None:
        """Receive a notice."""
        if not isinstance(notice, Transition) or not (notice.alert or notice.over or not notice.within_state):
            self._publish(notice)
            return
        self._waiting.append(notice)
        self._idle.clear()
        self._more.set()
        if self._failing:
            self._publish_waiting()

    async def stop(self, deadline: float) -> None:
        """Store and publish what is queued, for at most `deadline` seconds, and end."""
        try:
            async with asyncio.timeout(deadline):
                await self._idle.wait()
        except TimeoutError:
            log.error("%d transitions could not be stored before the end", len(self._waiting))
        self._owner.cancel()
        await asyncio.gather(self._owner, return_exceptions=True)

    def _publish(self, notice: Notice) -> None:
        for listener in self._listeners:
            listener(notice)

    def _publish_waiting(self) -> None:
        for transition in self._waiting[self._published :]:
            self._publish(transition)
            if self._not_stored is not None:
                self._not_stored(transition)
        self._published = len(self._waiting)

    async def _run(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            while self._waiting:
                batch = self._waiting[:BATCH]
                await self._store_waiting(batch)
                unpublished = batch[self._published :]
                del self._waiting[: len(batch)]
                self._published = max(0, self._published - len(batch))
                for transition in unpublished:
                    self._publish(transition)
            self._idle.set()

    async def _store_waiting(self, batch: Sequence[Transition]) -> None:
        while True:
            try:
                await self._record(batch)
            except Exception as error:
                if not isinstance(error, OSError):  # anything else is a bug, and must not stop the storing
                    log.exception("Transitions could not be stored")
                await self._refused(str(error) or "no answer in time")
                await asyncio.sleep(RETRY_SECONDS)
            else:
                if self._failing:
                    self._failing = False
                    log.info("Transitions can be stored again")
                    if self._troubles is not None:
                        await self._troubles.clear_trouble(Trouble.DATABASE)
                return

    async def _record(self, batch: Sequence[Transition]) -> None:
        """Store a batch; if it misses its deadline, report that and keep waiting.

        The call is not cancelled: the store may ignore a cancellation, and a second call meanwhile would store the
        batch twice.
        """
        storing = asyncio.ensure_future(self._store.record(batch, self._absorb))
        try:
            done, _ = await asyncio.wait({storing}, timeout=STORE_DEADLINE)
            if not done:
                await self._refused(f"no answer in {STORE_DEADLINE:g} s")
            await storing
        finally:
            storing.cancel()

    async def _refused(self, why: str) -> None:
        if self._failing:
            return
        self._failing = True
        log.error("Transitions cannot be stored, trying on: %s", why)
        self._publish_waiting()
        if self._troubles is not None:
            await self._troubles.raise_trouble(Trouble.DATABASE, why)
