"""Alerts of all chats: from transitions to incidents, who works for which chat, and what people do about them.

What is one incident is decided in `incidents`, its delivery in `worker`. Load it once, before the first transition is
stored; from then on whatever is stored wakes the worker of its chat.

It is longer than other files because whatever changes a book, by transitions, troubles, people or chats that go, passes
through this one place, which owns the order of changes.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from controller.accounts.notices import Transition
from controller.accounts.reasons import TRAITS, Reason, State
from controller.incidents import CRITICAL, Changes, Incident
from controller.registry import Registry, UnknownAccountError
from controller.tasks import Tasks
from controller.troubles import Trouble
from handlers.alerts import alert_text
from handlers.alerts.escalation import calling_text
from handlers.alerts.escalation.duty import Duty
from handlers.alerts.escalation.escalator import Calling, Escalator, Surroundings
from handlers.alerts.escalation.steps import marked, with_line
from handlers.alerts.incidents.book import Book, Fact, Kind, Setting
from handlers.alerts.incidents.delivery import afresh
from handlers.alerts.incidents.ledger import AlertStore, Draft, Ledger
from handlers.alerts.incidents.policy import AlertPolicy, PolicyOf
from handlers.alerts.incidents.recipients import Recipients
from handlers.alerts.incidents.silences import Silences
from handlers.alerts.offers import LiveOffers
from handlers.alerts.worker import ChatEvents, Context, Worker
from handlers.chat.choices import Loudness
from handlers.chat.errors import ChatError
from handlers.chat.messages import Lane, Place, Text
from handlers.chat.send_queue import SendQueue
from handlers.texts import answers

log = logging.getLogger(__name__)

STORED_WITHIN = 5.0
"""Seconds within which a trouble of the controller is stored, or told without."""


class Alerts:
    """All chats' alerts. chat_moved: a group has another id now, by its old and new one."""

    def __init__(
        self,
        queue: SendQueue,
        tasks: Tasks,
        *,
        accounts: Registry,
        store: AlertStore,
        recipients: Recipients,
        clock: Callable[[], datetime],
        duty: Duty,
        calling: Calling,
        policy_of: PolicyOf = lambda _: AlertPolicy(),
    ) -> None:
        self._queue, self._tasks, self._accounts = queue, tasks, accounts
        self._recipients, self._clock, self._policy_of = recipients, clock, policy_of
        self._workers: dict[int, Worker] = {}
        self._loaded = False
        self._told_plainly: set[tuple[str, str]] = set()
        self._ledger = Ledger(store, self._wake)
        self.silences = Silences(store, clock, self._wake_all)
        self._duty = duty
        around = Surroundings(self._ledger, self.silences, recipients, duty, clock, self._name, self._absorb_sounding)
        self._escalator = Escalator(around, calling)
        self._offers = LiveOffers(accounts, tasks, self._look_again)
        self._context = Context(
            queue,
            accounts,
            self._ledger,
            self.silences,
            clock,
            policy_of,
            ChatEvents(self._gone, self._back, self.move_soon, self._refused, self._no_topics),
            looks_at=lambda chat: chat < 0 or chat == recipients.alert_chat,
            offers=self._offers,
        )

    async def load(self) -> None:
        """Read what an earlier run left, and serve it. Raises OSError."""
        self._recipients.moved.update(await self._ledger.store.moved())
        self._recipients.gone |= await self._ledger.store.gone()
        await self.silences.load()
        await self._ledger.load()
        await self._duty.load()
        self._loaded = True
        self._tasks.start(self._escalator.run(), "escalation")
        self._wake([*(place.chat for place in self._recipients.of_admins()), *self._ledger.chats])
        if any(self._ledger.book(chat).is_open("") for chat in self._ledger.chats):
            await self.trouble(Kind.OVER, Trouble.DATABASE)  # that its end can be stored is the proof of it

    # --- what happens -------------------------------------------------------------------------------------------------

    def absorb(self, transitions: Sequence[Transition]) -> Changes:
        """Return what transitions change of the incidents of all chats, to be stored in their own transaction."""
        if not self._loaded:
            raise RuntimeError("alerts are not loaded yet")
        return self._ledger.plan(lambda draft: self._absorb(draft, transitions))

    def account_changed(self, number: str) -> None:
        """Look again at what is told of an account: what can be done about it may be another. Returns at once."""
        for entry in {e for chat in self._ledger.chats for i in self.standing(chat) for e in i.open_entries}:
            if entry.number == number:
                self._offers.look(entry)
        self._look_again(number)

    def _look_again(self, number: str) -> None:
        for worker in self._workers.values():
            worker.look_again(number)

    async def trouble(self, kind: Kind, reason: Trouble, detail: str = "") -> None:
        """Let admins know of a trouble of the controller itself, or of its end. Never raises.

        Where that cannot be stored in time it is sent all the same, straight away.
        """
        fact = Fact(kind, "", reason, self._clock(), detail=detail)
        chats = [place.chat for place in self._with_duty(self._recipients.of_admins())]
        if await self._stored(lambda draft: self._absorb_facts(draft, chats if kind is Kind.ALERT else (), [fact])):
            if kind is Kind.OVER and ("", reason) in self._told_plainly:  # no incident is there that this would end
                await self.notify_admins(alert_text.straight_over(reason))
            self._told_plainly.discard(("", reason))
        elif kind is Kind.ALERT:
            places = self._with_duty(self._recipients.of_admins())
            self._tell_plainly("", reason, alert_text.straight(reason, detail), places)

    def not_stored(self, transition: Transition) -> None:
        """Send an alert that cannot be stored straight away, once: when it can be, it is an alert like any other."""
        number, reason = transition.number, transition.alert
        if reason is None:
            if transition.state is State.CONNECTED:
                self._told_plainly = {each for each in self._told_plainly if each[0] != number}
            return
        text = alert_text.straight(reason, transition.detail, self._name(number))
        self._tell_plainly(number, reason, text, self._places(number))

    async def notify_admins(
        self, html: str, *, but: int | None = None, sounds: bool = False, buttons: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """Let admins get one message, for certain. but: not in this chat. buttons: as in `Note`. Never raises."""
        places = [place for place in self._recipients.of_admins() if place.chat != but]
        await self._notify(places, html, sounds=sounds, buttons=buttons)

    async def sound(self, html: str) -> None:
        """Let admins get one message that sounds, for certain. Never raises."""
        await self.notify_admins(html, sounds=True)

    async def drain(self, seconds: float) -> bool:
        """Let all that can be sent now be sent, for at most so long. Returns whether it was."""
        self._wake_all()
        waiting = [asyncio.ensure_future(worker.until_idle()) for worker in self._workers.values()]
        if not waiting:
            return True
        _, late = await asyncio.wait(waiting, timeout=seconds)
        for each in late:
            each.cancel()
        return not late

    def unsent(self) -> list[datetime]:
        """Return since when incidents wait that nobody was told of, over all chats."""
        books = map(self._ledger.book, self._ledger.chats)
        return [each.opened_at for book in books for each in book.incidents if each.told_at is None]

    async def look(self) -> None:
        """Return once every chat's worker has looked at its book anew: proof that alerts are worked on.

        Raises RuntimeError if a worker has ended.
        """
        await asyncio.gather(*(worker.look() for worker in self._workers.values()))

    # --- what people do -----------------------------------------------------------------------------------------------

    def find(self, chat: int, incident: int) -> Incident | None:
        """Return an incident of a chat, if it is still remembered."""
        return self._ledger.book(chat).get(incident)

    def standing(self, chat: int) -> list[Incident]:
        """Return the incidents of a chat in which something stands, the oldest first."""
        return [each for each in self._ledger.book(chat).incidents if each.open_entries]

    async def acknowledge(self, incident: Incident, line: str) -> None:
        """Somebody is on it: it is not repeated, here or wherever else the same is told. Raises OSError."""
        about = {(entry.number, entry.reason) for entry in incident.open_entries}

        def change(draft: Draft) -> None:
            for book in draft.books():
                for each in book.incidents:
                    theirs = {(entry.number, entry.reason) for entry in each.open_entries}
                    if each.id == incident.id or (theirs and theirs <= about):
                        book = book.put(replace(each, acknowledged_by=line, repeat_at=None, edited_at=None))  # noqa: PLW2901
                draft.put(book)

        await self._ledger.update(change)

    async def release(self, incident: Incident, line: str) -> None:
        """Nobody is on it any more: it is repeated and escalated anew, wherever the same is told. Raises OSError."""
        keys = [(entry.number, entry.reason) for entry in incident.open_entries]

        def change(draft: Draft) -> None:
            anew = partial(replace, escalated=0, escalated_at=self._clock())
            for book in list(draft.books()):
                book = marked(book, anew, keys)  # noqa: PLW2901
                for each in book.incidents:
                    if each.acknowledged_by and {(e.number, e.reason) for e in each.open_entries} <= set(keys):
                        book = book.put(with_line(replace(each, acknowledged_by=""), line))  # noqa: PLW2901
                draft.put(book)

        await self._ledger.update(change)

    async def add_line(self, incident: Incident, line: str) -> None:
        """Let the incident tell who did what. Raises OSError."""

        def change(draft: Draft) -> None:
            book = draft.book(incident.chat)
            if (now := book.get(incident.id)) is not None:
                draft.put(book.put(with_line(now, line)))

        await self._ledger.update(change)

    async def account_gone(self, number: str) -> None:
        """Let all that stands about an account end: it was removed. Raises OSError."""
        await self._ledger.update(
            lambda draft: self._absorb_facts(draft, (), [Fact(Kind.HANDLED, number, "", self._clock())])
        )
        await self.silences.load()

    async def keep_only(self, chat: int, may_see: Callable[[str], bool]) -> None:
        """Let a chat's book tell nothing more of what may not be seen there any more. Raises OSError.

        may_see: of an account's number, "" for the controller itself. What was sent stays in the chat.
        """

        def change(draft: Draft) -> None:
            book = draft.book(chat)
            hidden = [each for each in book.incidents if not all(may_see(entry.number) for entry in each.entries)]
            left = {each.id: each for each in book.incidents if each not in hidden}
            for each in hidden:
                if entries := tuple(entry for entry in each.entries if may_see(entry.number)):
                    left[each.id] = replace(each, entries=entries)
            notes = book.notes if may_see("") else ()
            if hidden or notes != book.notes:
                draft.put(replace(book, incidents=tuple(left.values()), notes=notes))

        await self._ledger.update(change)

    # --- chats that move, go and come back ----------------------------------------------------------------------------

    def move_soon(self, chat: int, to: int) -> None:
        """Let alerts of a group go to the supergroup that it has become. Returns at once."""
        moved = self._recipients.moved
        if chat not in moved and all(place.chat != chat for place in self._recipients.of_admins()):
            return  # anybody may add the bot to a group
        new = moved.get(chat) != to
        moved[chat] = to
        if new:
            log.warning("The group %d has become the supergroup %d", chat, to)
        self._tasks.start(self._move(chat, to, tell=new), "moving to a supergroup")

    def heard_from(self, chat: int) -> None:
        """Somebody wrote in a chat: if it was gone, it is tried again."""
        if chat not in self._recipients.gone:
            return
        if any(each.told_at is None for each in self._ledger.book(chat).incidents):
            self._wake([chat])  # what is sent there will show
            self._workers[chat].try_again()
        else:
            self._back(chat)

    async def move(self, chat: int, to: int) -> None:
        """Let what a group is still to get go to the supergroup that it has become. Raises OSError."""

        def change(draft: Draft) -> None:
            draft.moved = (chat, to)
            book, there = draft.book(chat), draft.book(to)
            draft.put(Book(chat))
            for each in book.incidents:
                there = there.put(afresh(each, to))
            for note in book.notes:
                there = there.put_note(replace(note, chat=to))
            draft.put(there)

        await self._ledger.update(change)
        old = self._workers.pop(chat, None)
        if old is not None and old.task is not None:
            old.task.cancel()
        self._wake([to])

    async def _move(self, chat: int, to: int, *, tell: bool) -> None:
        await self.move(chat, to)
        await self.silences.load()
        if tell:
            await self.notify_admins(alert_text.chat_moved(chat, to))

    def _gone(self, chat: int, why: str) -> None:
        """Let admins know that a chat cannot be written to, and get its alerts meanwhile if it is the alert chat."""
        log.warning("Chat %d cannot be written to: %s", chat, why)
        known = chat in self._recipients.gone
        self._recipients.gone.add(chat)
        if not known:
            self._tasks.start(self._redirect(chat, why), "telling that a chat is gone")

    async def _redirect(self, chat: int, why: str) -> None:
        alerts_go_there = chat == self._recipients.alert_chat
        places = [place for place in self._recipients.of_admins() if place.chat != chat]
        html = alert_text.chat_is_gone(chat, why, instead=alerts_go_there)
        now_on_duty = self._duty.now()
        was_on_duty = now_on_duty is not None and now_on_duty.user == chat
        if was_on_duty:
            html = alert_text.duty_is_gone(chat, why)

        def change(draft: Draft) -> None:
            draft.gone.append((chat, True))
            for place in places:
                draft.add_note(place.chat, html, sounds=alerts_go_there or was_on_duty)
            if was_on_duty:  # what was to sound there sounds elsewhere
                untold = [each for each in draft.book(chat).incidents if each.told_at is None]
                keys = [(entry.number, entry.reason) for each in untold for entry in each.open_entries]
                self._escalator.sound_everywhere(draft, keys, but=chat)
            if alerts_go_there:
                unseen = [each for each in draft.book(chat).incidents if each.told_at is None or each.news]
                facts = [
                    Fact(Kind.ALERT, e.number, e.reason, e.at, e.cause, e.detail)
                    for each in unseen
                    for e in each.open_entries
                ]
                self._absorb_facts(draft, [place.chat for place in places], facts)

        await self._stored(change)

    def _back(self, chat: int) -> None:
        if chat in self._recipients.gone:
            places = [
                place for place in self._recipients.of_admins() if place.chat != chat
            ]  # who were told it was gone
            self._recipients.gone.discard(chat)
            log.info("Chat %d can be written to again", chat)

            def change(draft: Draft) -> None:
                draft.gone.append((chat, False))
                for place in places:
                    draft.add_note(place.chat, alert_text.chat_is_back(chat))

            self._tasks.start(self._stored(change), "telling that a chat is back")

    def _refused(self, incident: Incident, why: str) -> None:
        """Let admins get in plain words, in private, what the chat service does not take as it is."""
        entries = [(self._name(entry.number), entry.reason) for entry in incident.open_entries]
        if entries:
            html = alert_text.refused(incident.chat, entries, why)
            self._tasks.start(self._notify(self._recipients.in_private(), html, sounds=True), "a refused alert")

    def _no_topics(self, chat: int, why: str) -> None:
        self._tasks.start(self.notify_admins(alert_text.no_topics(chat, why)), "telling that topics are refused")

    # --- parts --------------------------------------------------------------------------------------------------------

    def _absorb(self, draft: Draft, transitions: Sequence[Transition]) -> None:
        """Absorb transitions in their order. Alerts that come together are one batch of each chat that gets them."""
        batches: dict[int, list[Fact]] = {}
        for transition in transitions:
            to_all = [place.chat for place in self._places(transition.number)]
            for fact in facts_of(transition):
                # What ends something is told where the trouble was.
                chats = to_all if fact.kind is Kind.ALERT else _concerned(draft, batches, fact.number)
                for chat in dict.fromkeys(chats):
                    batches.setdefault(chat, []).append(fact)
        for chat, facts in batches.items():
            self._absorb_in(draft, chat, facts)
            draft.put(draft.book(chat).forget(self._clock(), self._policy_of(chat)))
        for transition in transitions:
            if transition.alert is not None and transition.picture is not None:
                self._add_picture(draft, transition, transition.alert, transition.picture)

    def _add_picture(self, draft: Draft, transition: Transition, reason: Reason, picture: bytes) -> None:
        html = answers.page_picture(transition.number)
        for place in self._places(transition.number):
            incident = draft.book(place.chat).about(transition.number, reason)
            if incident is not None:
                draft.add_note(place.chat, html, incident=incident.id, picture=picture)

    def _absorb_facts(self, draft: Draft, chats: Iterable[int], facts: Sequence[Fact]) -> None:
        """Absorb facts in these chats, and what ends something wherever it stands."""
        wherever = {fact.number for fact in facts if fact.kind is not Kind.ALERT}
        chats = [*chats, *(book.chat for book in draft.books() if any(map(book.is_open, wherever)))]
        for chat in dict.fromkeys(chats):
            self._absorb_in(draft, chat, facts)

    def _absorb_in(self, draft: Draft, chat: int, facts: Sequence[Fact]) -> None:
        """Absorb facts in a chat, as loud as was chosen there.

        Without a sound where somebody else is on duty, who is called first.
        """
        facts = self._as_chosen(chat, facts)
        on_duty = self._escalator.on_duty()
        if on_duty is None or on_duty.user == chat:
            self._absorb_sounding(draft, chat, facts)
            return
        before = {each.id for each in draft.book(chat).incidents}
        self._absorb_sounding(draft, chat, [replace(each, silent=True) for each in facts])
        for each in draft.book(chat).incidents:
            if each.id not in before:
                draft.put(draft.book(chat).put(with_line(each, calling_text.called_first(on_duty))))

    def _absorb_sounding(self, draft: Draft, chat: int, facts: Sequence[Fact]) -> None:
        draft.put(draft.book(chat).absorb(facts, self._setting(draft, chat)))

    def _as_chosen(self, chat: int, facts: Sequence[Fact]) -> list[Fact]:
        policy, chosen = self._policy_of(chat), []
        for fact in facts:
            loudness = policy.loudness_of(fact.reason) if fact.kind is Kind.ALERT else Loudness.SOUND
            if loudness is not Loudness.OFF:
                chosen.append(replace(fact, silent=True) if loudness is Loudness.SILENT else fact)
        return chosen

    def policy_changed(self, chat: int) -> None:
        """Look at a chat's alerts anew: what is held back there may be told now. Returns at once."""
        self._wake([chat])

    def _setting(self, draft: Draft, chat: int) -> Setting:
        worker = self._workers.get(chat)
        return Setting(
            self._clock(),
            self._policy_of(chat),
            draft.next_incident,
            silenced=lambda number: self.silences.until(chat, number) is not None,
            closed=worker.refusing if worker else (),
            forum=worker is not None and worker.forum,
        )

    async def _notify(
        self, places: Iterable[Place], html: str, *, sounds: bool, buttons: tuple[tuple[str, str], ...] = ()
    ) -> None:
        chats = [place.chat for place in places]

        def change(draft: Draft) -> None:
            for chat in chats:
                draft.add_note(chat, html, sounds=sounds, buttons=buttons)

        await self._stored(change)

    async def _stored(self, change: Callable[[Draft], None]) -> bool:
        """Store a change; False where that fails, or takes too long: then it may still be stored later."""
        saving = self._tasks.start(self._ledger.update(change), "storing what admins are to know")
        done, _ = await asyncio.wait({saving}, timeout=STORED_WITHIN)
        if not done:
            log.error("What admins are to know is not stored after %g s", STORED_WITHIN)
            return False
        return not saving.cancelled() and saving.exception() is None  # which its owner has logged

    def _tell_plainly(self, number: str, reason: str, html: str, places: Iterable[Place]) -> None:
        if (number, reason) not in self._told_plainly:
            self._told_plainly.add((number, reason))
            what = "an alert that cannot be stored"
            sending = [self._tasks.start(self._send_plainly(place, Text(html)), what) for place in places]
            if reason in CRITICAL:
                self._tasks.start(self._escalator.send_unless_taken(sending, html), what)

    async def _send_plainly(self, place: Place, text: Text) -> bool:
        """Return whether it arrived."""
        try:
            await self._queue.deliver(Lane.ALERTS, place.chat, lambda chat: chat.send(place, text), repeat=True)
        except ChatError as error:
            log.error("An alert could not be sent to chat %d: %s", place.chat, error)
            return False
        return True

    def _with_duty(self, places: Sequence[Place]) -> Sequence[Place]:
        """Return the places, and the chat of whoever is on duty."""
        on_duty = self._escalator.on_duty()
        if on_duty is None or any(place.chat == on_duty.user for place in places):
            return places
        return (*places, Place(on_duty.user))

    def _places(self, number: str) -> Sequence[Place]:
        try:
            return self._with_duty(self._recipients.of_alerts(self._accounts.account(number)))
        except UnknownAccountError:
            return self._with_duty(self._recipients.of_admins())

    def _name(self, number: str) -> str:
        if not number:
            return ""
        try:
            return answers.title(self._accounts.account(number))
        except UnknownAccountError:
            return answers.number_title(number)

    def _wake(self, chats: Iterable[int]) -> None:
        for chat in chats:
            worker = self._workers.get(chat)
            if worker is None:
                worker = self._workers[chat] = Worker(self._context, chat, gone=chat in self._recipients.gone)
                worker.task = self._tasks.start(worker.run(), f"alerts of chat {chat}")
            worker.wake()

    def _wake_all(self) -> None:
        self._wake(list(self._workers))


def _concerned(draft: Draft, batches: Mapping[int, Sequence[Fact]], number: str) -> list[int]:
    """Return the chats in which something about the account stands, or will once these batches are absorbed."""
    coming = [chat for chat, facts in batches.items() if any(fact.number == number for fact in facts)]
    return [book.chat for book in draft.books() if book.is_open(number)] + coming


def facts_of(transition: Transition) -> list[Fact]:
    """Return what a transition is to people's alerts."""
    number, at = transition.number, transition.at
    facts = [Fact(Kind.OVER, number, reason, at) for reason in transition.over]
    if (reason := transition.alert) is not None:
        detail = transition.detail
        if transition.block_ends_at is not None:
            detail = answers.block_ends(transition.block_ends_at, at)
        facts.append(Fact(Kind.ALERT, number, reason, at, transition.cause, detail, silent=transition.silent))
    elif transition.state is State.CONNECTED:
        facts.append(Fact(Kind.OVER, number, "", at))
    elif transition.state is State.SUSPENDED and TRAITS[transition.reason].by_person:
        facts.append(Fact(Kind.HANDLED, number, "", at))
    return facts
