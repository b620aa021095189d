"""Alerts of all chats: who works for which chat, and what people do about what stands.

Each chat has a worker of its own (`worker`); what is one incident is decided in `incidents`.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from controller.tasks import Tasks
from handlers.alerts.incidents import Book, Incident, Kind
from handlers.alerts.sender import Context, incident_of, incident_row
from handlers.alerts.worker import Worker

_EPOCH = 1_767_225_600
"""2026 began at this second: incidents are numbered by the clock, so that no number comes twice."""


class Alerts:
    """All chats' alerts. Load it once, then wake chats as things are owed to them."""

    def __init__(self, context: Context, tasks: Tasks) -> None:
        self.counts = context.counts
        self._context, self._tasks = context, tasks
        self._workers: dict[int, Worker] = {}
        self._last_id = 0
        self.loaded = False

    async def load(self, chats: Iterable[int]) -> set[str]:
        """Take up what an earlier run left. chats: those that alerts will go to, whatever they are owed.

        Returns the accounts whose trouble is told or owed. Raises OSError.
        """
        await self._context.outbox.release()
        kept: dict[int, list[Incident]] = {}
        for number, chat, body in await self._context.outbox.incidents():
            incident = incident_of(body)
            kept.setdefault(chat, []).append(incident)
            self._last_id = max(self._last_id, number)
        waiting = await self._context.outbox.waiting()
        self.loaded = True
        for chat in {*chats, *kept, *waiting}:
            self._worker(chat, kept.get(chat, ())).wake()
        told = {entry.number for each in kept.values() for incident in each for entry in incident.open_entries}
        return told | set(await self._context.outbox.numbers(Kind.ALERT))

    def wake(self, chats: Iterable[int]) -> None:
        """Something is owed to these chats, or has changed for them."""
        if self.loaded:
            for chat in chats:
                self._worker(chat).wake()

    def wake_all(self) -> None:
        """Let every chat look again: a silence began or ended."""
        self.wake(list(self._workers))

    async def drain(self, seconds: float) -> bool:
        """Let all that is owed now be told, for at most so long. Returns whether it was."""
        self.wake_all()
        waiting = [asyncio.ensure_future(worker.until_idle()) for worker in self._workers.values()]
        if not waiting:
            return True
        _, late = await asyncio.wait(waiting, timeout=seconds)
        for each in late:
            each.cancel()
        return not late

    def find(self, chat: int, incident: int) -> Incident | None:
        """Return an incident of a chat, if it is still remembered."""
        worker = self._workers.get(chat)
        return None if worker is None else worker.book.get(incident)

    def standing(self, chat: int) -> list[Incident]:
        """Return the incidents of a chat in which something stands, the oldest first."""
        worker = self._workers.get(chat)
        return [] if worker is None else [each for each in worker.book.incidents if each.open_entries]

    async def acknowledge(self, incident: Incident, line: str) -> None:
        """Somebody is on it: it is not repeated, here or wherever else the same is told. Raises OSError."""
        about = {(entry.number, entry.reason) for entry in incident.open_entries}
        for worker in self._workers.values():
            for each in worker.book.incidents:
                theirs = {(entry.number, entry.reason) for entry in each.open_entries}
                if each.id == incident.id or (theirs and theirs <= about):
                    await worker.change(replace(each, acknowledged_by=line, repeat_at=None, edited_at=None))

    async def add_line(self, incident: Incident, line: str) -> None:
        """Let the incident tell who did what. Raises OSError."""
        worker = self._worker(incident.chat)
        now = worker.book.get(incident.id)
        if now is not None:
            await worker.change(replace(now, done=(*now.done[-4:], line), edited_at=None))

    def next_id(self) -> int:
        """Return a number for a new incident."""
        self._last_id = max(self._last_id + 1, int(self._context.clock().timestamp()) - _EPOCH)
        return self._last_id

    async def move(self, chat: int, to: int) -> None:
        """Let what is owed to a group go to the supergroup that it has become. Raises OSError."""
        await self._context.outbox.move(chat, to)
        old = self._workers.pop(chat, None)
        moved = [] if old is None else [_afresh(each, to) for each in old.book.incidents]
        if old is not None:
            old.retire()
            await self._context.outbox.settle((), [incident_row(each) for each in moved])
        self._worker(to, moved).wake()

    def _worker(self, chat: int, incidents: Iterable[Incident] = ()) -> Worker:
        worker = self._workers.get(chat)
        if worker is None:
            worker = self._workers[chat] = Worker(self._context, Book(chat, self.next_id, incidents))
            worker.task = self._tasks.start(worker.run(), f"alerts of chat {chat}")
        return worker


def _afresh(incident: Incident, chat: int) -> Incident:
    """Return the incident as it is to be told in another chat: anew, unless it is over."""
    told = incident.over_at is not None
    parts = tuple(replace(part, sending=False) for part in incident.parts) if told else ()
    return replace(incident, chat=chat, topic=None, about="", parts=parts, reply=None)
