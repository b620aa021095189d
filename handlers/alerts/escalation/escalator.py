"""Escalates open alerts: calls the next person on the list, and uses the fallback channel if Telegram did not deliver.

`steps` decides. An escalation step is stored together with its changes to the books, so that it is taken once. A
fallback message is recorded after a service accepted it: a crash in between sends it again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from controller.incidents import Entry
from handlers.alerts.escalation import escalation_text, fallback, steps
from handlers.alerts.escalation.audience import Audience
from handlers.alerts.escalation.duty import OnDuty
from handlers.alerts.escalation.fallback import FallbackChannel
from handlers.alerts.escalation.steps import Key, OpenTrouble, Step
from handlers.alerts.incidents.book import Book, Fact, Kind
from handlers.alerts.incidents.ledger import Draft, Ledger
from handlers.alerts.incidents.silences import Silences

log = logging.getLogger(__name__)

LOOK_EVERY = 5.0
"""Maximum seconds between two checks; less if a delay is short, or a step is due sooner."""
GRACE = timedelta(seconds=20)
"""After a start, alerts of an earlier run are left to Telegram for this long, however old they are."""
RETRY_FIRST, RETRY_LONGEST = 15.0, 300.0
"""Seconds before the fallback channel is retried after no service accepted a message."""


@dataclass(frozen=True, slots=True)
class EscalationPolicy:
    """Whom to call when nobody responds. way: None without a fallback. after, escalate_after: zero for never.

    after: how long an alert is left to Telegram. escalate_after: how long each person called has to acknowledge.
    """

    way: FallbackChannel | None = None
    after: timedelta = timedelta(seconds=180)
    escalate_after: timedelta = timedelta(seconds=900)


@dataclass(frozen=True, slots=True)
class EscalationContext:
    """What the escalator works with. absorb: adds facts to a chat's book."""

    ledger: Ledger
    silences: Silences
    audience: Audience
    clock: Callable[[], datetime]
    absorb: Callable[[Draft, int, Sequence[Fact]], None]


class Escalator:
    """Create it with the alerts, load the ledger and the duty first, then run it."""

    def __init__(self, around: EscalationContext, policy: EscalationPolicy) -> None:
        self._around, self._policy = around, policy
        self._ledger, self._clock, self._audience = around.ledger, around.clock, around.audience
        self._heard_since: dict[Key, datetime] = {}
        self._untaken_since: dict[Key, float] = {}
        """Since when no service has accepted it, in loop time: the wall clock may stand still."""
        self._pause: float | None = None
        """Seconds until the next fallback message is due; None if none is."""
        self._floor: datetime | None = None
        self._unmarked: dict[Key, tuple[datetime, str]] = {}
        """What a service accepted and is not stored yet: by which service, and when."""
        self._wait = 0.0
        self._not_before = float("-inf")
        self._seen: OnDuty | None = None
        self._has_seen = False

    async def run(self) -> None:
        """Run until cancelled."""
        await asyncio.gather(
            self._again_and_again(self.escalate, self._policy.escalate_after),
            self._again_and_again(self.send_by_fallback, self._policy.after),
            self._again_and_again(self._watch_duty, timedelta(minutes=1)),
        )

    async def _again_and_again(self, look: Callable[[], Awaitable[float | None]], of: timedelta) -> None:
        """Check, and wait at most as long as the check says. of: the delay concerned; zero: it never comes due."""
        if not of:
            return
        every = min(LOOK_EVERY, max(0.05, of.total_seconds() / 10))
        pause: float | None = None
        while True:
            try:
                pause = await look()
            except OSError as error:
                log.error("What is escalated could not be stored, trying again: %s", error)
            except Exception:
                log.exception("Escalation met what should not happen, going on")
            await asyncio.sleep(every if pause is None else min(every, max(pause, 0.0)))

    # --- the list -----------------------------------------------------------------------------------------------------

    async def escalate(self) -> None:
        """Call the next person on the list for all that nobody acknowledged in time. Raises OSError."""
        if self._steps(self._ledger.books()):
            await self._ledger.update(self._take_steps)

    def _steps(self, books: Iterable[Book]) -> list[tuple[OpenTrouble, Step]]:
        now, roster, on_duty = self._clock(), self._audience.duty.roster, self._audience.on_duty()
        found = []
        for trouble in self._heard(books):
            after = self._policy.escalate_after
            step = steps.next_step(trouble, roster, now, after, on_duty.user if on_duty else None)
            # At the end of the list somebody must be left to call: else nothing is stored, and a list may yet be added.
            if step is not None and (step.target is not None or trouble.silent or self._policy.way is not None):
                found.append((trouble, step))
        return found

    def _take_steps(self, draft: Draft) -> None:
        now = self._clock()
        for trouble, step in self._steps(draft.books()):
            line = ""
            if step.target is not None:
                target = self._audience.recipients.moved.get(step.target.chat, step.target.chat)
                line = escalation_text.escalated(step.target.name, now)
                self._sound_in(draft, target, trouble)
            elif trouble.silent:
                line = escalation_text.escalated("", now)
                self.sound_everywhere(draft, [trouble.key])
            log.warning("An alert (%s) is escalated: %s", trouble.key[1], "to the next" if step.target else "to all")

            def change(entry: Entry, level: int = step.level) -> Entry:
                return replace(entry, escalated=level, escalated_at=now)

            for book in list(draft.books()):
                after = steps.marked(book, change, [trouble.key])
                for incident in after.incidents:
                    concerned = any((e.number, e.reason) == trouble.key for e in incident.open_entries)
                    if line and concerned and line not in incident.done:
                        after = after.put(steps.with_line(incident, line))
                draft.put(after)

    def _sound_in(self, draft: Draft, chat: int, trouble: OpenTrouble) -> None:
        """Sound an alert in one chat, where it may be open already."""
        book, key = draft.book(chat), trouble.key
        there = next((e for e in book.incidents if any((x.number, x.reason) == key for x in e.open_entries)), None)
        if there is None:
            fact = Fact(Kind.ALERT, *key, trouble.at, trouble.cause, trouble.detail)
            self._around.absorb(draft, chat, [fact])
        else:
            draft.put(book.put(steps.sounding_again(there, [key], self._clock())))

    def sound_everywhere(self, draft: Draft, keys: Sequence[Key], *, but: int | None = None) -> None:
        """Sound alerts in all chats that got them silently. but: except this one."""
        for book in [each for each in draft.books() if each.chat != but]:
            for incident in book.incidents:
                if any(entry.silent and (entry.number, entry.reason) in keys for entry in incident.open_entries):
                    book = book.put(steps.sounding_again(incident, keys, self._clock()))  # noqa: PLW2901
            draft.put(book)

    # --- the fallback channel -----------------------------------------------------------------------------------------

    async def send_by_fallback(self) -> float | None:
        """Send what is due by the fallback channel. Raises OSError if the result cannot be stored.

        Returns the seconds until the next message is due, if known.
        """
        if self._policy.way is None:
            return None
        if self._unmarked:
            await self._mark()
        due = self._due()[: fallback.TROUBLES_AT_ONCE]
        loop = asyncio.get_running_loop()
        if not due or loop.time() < self._not_before:
            return self._pause
        if by := await self._send(fallback.title(due), fallback.text(due, self._audience.name, self._clock())):
            self._wait = 0.0
            self._unmarked |= dict.fromkeys((each.key for each in due), (self._clock(), by))
            await self._mark()
        else:
            self._wait = min(max(RETRY_FIRST, 2 * self._wait), RETRY_LONGEST)
            self._not_before = loop.time() + self._wait
        return None

    def _due(self) -> list[OpenTrouble]:
        now, after = self._clock(), self._policy.after
        floor = self._floor = self._floor or now + min(GRACE, after) - after
        heard = self._heard(self._ledger.books())
        is_silent = bool(self._around.silences.active())
        open_troubles = steps.open_troubles(self._ledger.books(), lambda _, __: False) if is_silent else heard
        known = {each.key for each in open_troubles}
        self._heard_since = {key: at for key, at in self._heard_since.items() if key in known}
        self._heard_since |= dict.fromkeys(known - {each.key for each in heard}, now)
        loop_now = asyncio.get_running_loop().time()
        untaken = [each.key for each in heard if each.told_at is None]
        self._untaken_since = {key: self._untaken_since.get(key, loop_now) for key in untaken}
        self._pause = None

        def is_due_on_fallback(trouble: OpenTrouble) -> bool:
            heard_since = self._heard_since.get(trouble.key, floor)
            if steps.is_due_on_fallback(trouble, now, after, heard_since=heard_since):
                return True
            if trouble.key not in self._untaken_since or trouble.fallback or trouble.acknowledged:
                return False
            waits = max(
                loop_now - self._untaken_since[trouble.key], (now - max(trouble.at, heard_since)).total_seconds()
            )
            left = after.total_seconds() - waits
            self._pause = left if self._pause is None else min(self._pause, left)
            return left <= 0

        return [each for each in heard if each.key not in self._unmarked and is_due_on_fallback(each)]

    async def _mark(self) -> None:
        sent = dict(self._unmarked)

        def change(draft: Draft) -> None:
            for key, (at, by) in sent.items():
                mark = partial(replace, fallback=by, fallback_at=at)
                for book in list(draft.books()):
                    draft.put(steps.marked(book, mark, [key], since=at))

        await self._ledger.update(change, urgent=True)
        for key in sent:
            self._unmarked.pop(key, None)

    async def send_unless_taken(self, sending: Sequence["asyncio.Task[bool]"], html: str) -> None:
        """Send what cannot be stored by the fallback channel, unless one of these tasks reports its arrival in time."""
        loop = asyncio.get_running_loop()
        ends_at, waiting = loop.time() + self._policy.after.total_seconds(), set(sending)
        while waiting and loop.time() < ends_at:
            done, waiting = await asyncio.wait(
                waiting, timeout=ends_at - loop.time(), return_when=asyncio.FIRST_COMPLETED
            )
            if any(not each.cancelled() and each.exception() is None and each.result() for each in done):
                return
        words = fallback.plain(html)
        await self._send("Switchboard: something needs you", f"{words}\n\n{escalation_text.BY_FALLBACK_UNSTORED}")

    async def _send(self, subject: str, body: str) -> str:
        """Send by the fallback channel; return the names of the services that accepted, "" if none did."""
        way = self._policy.way
        if way is None:
            return ""
        took = [name for name, taken in (await way.send(subject, body)).items() if taken]
        if took:
            log.warning("An alert was sent through the fallback channel: %s", ", ".join(took))
        else:
            log.error("No fallback service accepted an alert either")
        return ", ".join(took)

    def _heard(self, books: Iterable[Book]) -> list[OpenTrouble]:
        """Return the open troubles that are not silenced."""
        is_silent = bool(self._around.silences.active())
        return steps.open_troubles(books, self._is_silenced if is_silent else lambda _, __: False)

    def _is_silenced(self, chat: int, number: str) -> bool:
        return self._around.silences.until(chat, number) is not None

    # --- duty ---------------------------------------------------------------------------------------------------------

    async def _watch_duty(self) -> None:
        """Announce who is on duty when that changes. Raises OSError."""
        now = self._audience.duty.now()
        before, had_seen = self._seen, self._has_seen
        self._seen, self._has_seen = now, True
        if not had_seen:
            return
        if (before and before.user) == (now and now.user):
            return
        html = escalation_text.duty_changed(now, self._clock())
        chats = [place.chat for place in self._audience.recipients.of_admins()]
        chats += [each.user for each in (before, now) if each is not None]

        def change(draft: Draft) -> None:
            for chat in dict.fromkeys(chats):
                draft.add_note(chat, html)

        await self._ledger.update(change)
