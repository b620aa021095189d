"""The alerts of all chats: creates and connects their parts, with a worker per chat.

Load it once, before the first transition is stored; from then on each stored change wakes its chat's worker.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from controller.accounts.notices import Transition
from controller.incidents import Changes, Incident
from controller.registry import Registry
from controller.tasks import Tasks
from controller.troubles import Trouble
from handlers.alerts.absorber import Absorber
from handlers.alerts.announcer import Announcer
from handlers.alerts.chat_changes import ChatChanges
from handlers.alerts.escalation.audience import Audience
from handlers.alerts.escalation.duty import Duty
from handlers.alerts.escalation.escalator import EscalationContext, EscalationPolicy, Escalator
from handlers.alerts.handling import Handling
from handlers.alerts.incidents.book import Kind
from handlers.alerts.incidents.ledger import AlertStore, Ledger
from handlers.alerts.incidents.policy import AlertPolicy, PolicyOf
from handlers.alerts.incidents.recipients import Recipients
from handlers.alerts.incidents.silences import Silences
from handlers.alerts.inherited_alerts import InheritedAlerts
from handlers.alerts.offers import LiveOffers
from handlers.alerts.unsent import Unsent
from handlers.alerts.worker import ChatEvents, Context, Worker
from handlers.chat.send_queue import SendQueue


class Alerts:
    """The alerts of all chats."""

    def __init__(
        self,
        queue: SendQueue,
        tasks: Tasks,
        *,
        accounts: Registry,
        store: AlertStore,
        recipients: Recipients,
        clock: Callable[[], datetime],
        silence_clock: Callable[[], datetime],
        duty: Duty,
        escalation: EscalationPolicy,
        policy_of: PolicyOf = lambda _: AlertPolicy(),
    ) -> None:
        self._tasks, self._recipients, self._duty = tasks, recipients, duty
        self._workers: dict[int, Worker] = {}
        self._loaded = False
        self._ledger = Ledger(store, self._wake)
        self.silences = Silences(store, silence_clock, self._wake_all, host_clock=clock)
        audience = Audience(accounts, recipients, duty)
        left: set[tuple[str, str]] = set()
        self._absorber = Absorber(audience, self.silences, clock, policy_of, self._channel, left)
        self._inherited = InheritedAlerts(accounts, self._ledger, self._absorber, left, clock)
        around = EscalationContext(self._ledger, self.silences, audience, clock, self._absorber.absorb_sounding)
        self._escalator = Escalator(around, escalation)
        self.announcer = Announcer(
            queue,
            tasks,
            ledger=self._ledger,
            audience=audience,
            absorber=self._absorber,
            escalator=self._escalator,
            clock=clock,
        )
        self.handling = Handling(self._ledger, self._absorber, self.silences, clock)
        self.chats = ChatChanges(
            tasks,
            ledger=self._ledger,
            silences=self.silences,
            audience=audience,
            absorber=self._absorber,
            escalator=self._escalator,
            announcer=self.announcer,
            retired=self._retire,
            wake=lambda chat: self._wake([chat]),
            try_again=self._try_again,
        )
        self._escalating: asyncio.Task[None] | None = None
        self._unsent = Unsent(self._ledger.books, self._is_held, clock)
        self._offers = LiveOffers(accounts, tasks, self._look_again)
        chats = self.chats
        self._context = Context(
            queue,
            accounts,
            self._ledger,
            self.silences,
            clock,
            policy_of,
            ChatEvents(chats.gone, self._back, chats.moved, chats.refused, chats.no_topics),
            looks_at=lambda chat: chat < 0 or chat == recipients.alert_chat,
            offers=self._offers,
            reader_of=audience.reader,
            announcer=self.announcer,
        )

    async def load(self) -> None:
        """Load what is stored, before the first transition is stored. Raises OSError."""
        self._recipients.moved.update(await self._ledger.store.moved())
        self._recipients.gone |= await self._ledger.store.gone()
        await self.silences.load()
        await self._ledger.load()
        await self._duty.load()
        self._loaded = True

    async def start(self) -> None:
        """Resume what an earlier run left. Only once the accounts are loaded: alerts name them."""
        self._escalating = self._tasks.start(self._escalator.run(), "escalation")
        self._inherited.load(e for book in self._ledger.books() for each in book.incidents for e in each.open_entries)
        self._tasks.start(self._inherited.run(), "looking at what an earlier run left")
        self._wake([*(place.chat for place in self._recipients.of_admins()), *self._ledger.chats])
        if any(self._ledger.book(chat).is_open("") for chat in self._ledger.chats):
            # That its end can be stored proves that it is over.
            await self.announcer.trouble(Kind.OVER, Trouble.DATABASE)

    def absorb(self, transitions: Sequence[Transition]) -> Changes:
        """Return how transitions change the incidents of all chats, to be stored in their own transaction."""
        if not self._loaded:
            raise RuntimeError("alerts are not loaded yet")
        return self._ledger.plan(lambda draft: self._absorber.absorb_transitions(draft, transitions))

    def account_changed(self, number: str) -> None:
        """Re-examine alerts about an account whose remedies may have changed. Returns at once."""
        entries = [entry for book in self._ledger.books() for each in book.incidents for entry in each.entries]
        for entry in {entry for entry in entries if entry.number == number and entry.open}:
            self._offers.look(entry)
        self._look_again(number)

    def policy_changed(self, chat: int) -> None:
        """Re-examine a chat's alerts: what was held back may be due now. Returns at once."""
        self._wake([chat])
        self._workers[chat].policy_changed()

    def membership_changed(self, chat: int, *, may_write: bool) -> None:
        """Note that what the bot may do in a chat has changed. Returns at once."""
        if (worker := self._workers.get(chat)) is not None:
            worker.membership_changed(may_write=may_write)

    async def drain(self, seconds: float) -> bool:
        """Send everything that can be sent now, within so many seconds. Returns whether that succeeded."""
        self._wake_all()
        waiting = [asyncio.ensure_future(worker.until_idle()) for worker in self._workers.values()]
        if not waiting:
            return True
        _, late = await asyncio.wait(waiting, timeout=seconds)
        for each in late:
            each.cancel()
        return not late

    def unsent(self) -> list[datetime]:
        """Return since when alerts are pending that have reached nobody in any chat."""
        return self._unsent.since()

    def waiting(self, chat: int) -> int:
        """Return how many alerts wait until a chat can be written to."""
        return sum(len(each.open_entries) for each in self._ledger.book(chat).incidents if each.told_at is None)

    def _back(self, chat: int, late: bool) -> None:  # noqa: FBT001 - a callback
        self.chats.back(chat, late=late)

    def _is_held(self, incident: Incident) -> bool:
        worker = self._workers.get(incident.chat)
        return worker is not None and worker.held_until(incident, self._context.clock()) is not None

    async def look(self) -> None:
        """Return once every chat's worker has re-examined its book: proof that alerts are being processed.

        Raises RuntimeError if a worker or the escalator has ended.
        """
        if self._escalating is not None and self._escalating.done():
            raise RuntimeError("nobody escalates any more")
        await asyncio.gather(*(worker.look() for worker in self._workers.values()))

    # --- workers ------------------------------------------------------------------------------------------------------

    def _wake(self, chats: Iterable[int]) -> None:
        for chat in chats:
            worker = self._workers.get(chat)
            if worker is None:
                worker = self._workers[chat] = Worker(self._context, chat, gone=chat in self._recipients.gone)
                worker.task = self._tasks.start(worker.run(), f"alerts of chat {chat}")
            worker.wake()

    def _wake_all(self) -> None:
        self._wake(list(self._workers))

    def _try_again(self, chat: int) -> None:
        self._wake([chat])
        self._workers[chat].try_again()

    def _retire(self, chat: int) -> None:
        worker = self._workers.pop(chat, None)
        if worker is not None and worker.task is not None:
            worker.task.cancel()

    def _look_again(self, number: str) -> None:
        for worker in self._workers.values():
            worker.look_again(number)

    def _channel(self, chat: int) -> tuple[frozenset[int], bool]:
        """Return the incidents that a chat rejects now, and whether each account has a topic there."""
        worker = self._workers.get(chat)
        return (frozenset(), False) if worker is None else (worker.refusing, worker.forum)
