"""Events of the chats themselves: groups that migrate, chats that become unreachable and return, rejected messages.

While a chat is unreachable its alerts go to the admins' private chats, and after a migration to the supergroup.
Admins are notified once of each.
"""

import logging
from collections.abc import Callable
from dataclasses import replace

from controller.incidents import Incident
from controller.tasks import Tasks
from handlers.alerts import alert_text
from handlers.alerts.absorber import Absorber
from handlers.alerts.announcer import Announcer
from handlers.alerts.escalation.audience import Audience
from handlers.alerts.escalation.escalator import Escalator
from handlers.alerts.incidents.book import Book, Fact, Kind
from handlers.alerts.incidents.delivery import afresh
from handlers.alerts.incidents.ledger import Draft, Ledger
from handlers.alerts.incidents.silences import Silences
from handlers.texts import answers

log = logging.getLogger(__name__)


class ChatChanges:
    """Handles these events: the workers' `ChatEvents`.

    retired: called with a chat to which nothing is sent any more; wake: with one that has something to send; try_again:
    with one that must be retried at once.
    """

    def __init__(
        self,
        tasks: Tasks,
        *,
        ledger: Ledger,
        silences: Silences,
        audience: Audience,
        absorber: Absorber,
        escalator: Escalator,
        announcer: Announcer,
        retired: Callable[[int], None],
        wake: Callable[[int], None],
        try_again: Callable[[int], None],
    ) -> None:
        self._tasks, self._ledger, self._silences, self._audience = tasks, ledger, silences, audience
        self._recipients, self._absorber = audience.recipients, absorber
        self._escalator, self._announcer = escalator, announcer
        self._retired, self._wake, self._try_again = retired, wake, try_again

    # --- migrations -------------------------------------------------------------------------------------------------

    def moved(self, chat: int, to: int) -> None:
        """Redirect a group's alerts to the supergroup it has become. Returns at once."""
        moved = self._recipients.moved
        if chat not in moved and all(place.chat != chat for place in self._recipients.of_admins()):
            return  # anybody may add the bot to a group
        new = moved.get(chat) != to
        moved[chat] = to
        if new:
            log.warning("The group %d has become the supergroup %d", chat, to)
        self._tasks.start(self._move_and_tell(chat, to, tell=new), "moving to a supergroup")

    async def move(self, chat: int, to: int) -> None:
        """Move a group's pending messages to the supergroup it has become. Raises OSError."""

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
        self._retired(chat)
        self._wake(to)

    async def _move_and_tell(self, chat: int, to: int, *, tell: bool) -> None:
        await self.move(chat, to)
        await self._silences.load()
        if tell:
            await self._announcer.notify_admins(alert_text.chat_moved(chat, to))

    # --- unreachable chats ------------------------------------------------------------------------------------------

    def heard_from(self, chat: int) -> None:
        """Retry an unreachable chat, since somebody has written there. Returns at once."""
        if chat not in self._recipients.gone:
            return
        if any(each.told_at is None for each in self._ledger.book(chat).incidents):
            self._try_again(chat)  # sending will show whether it works
        else:
            self.back(chat)

    def gone(self, chat: int, why: str) -> None:
        """Tell admins that a chat cannot be written to, and send them its alerts meanwhile if it is the alert chat."""
        log.warning("Chat %d cannot be written to: %s", chat, why)
        known, reached = chat in self._recipients.gone, self._recipients.reaches_admins
        self._recipients.gone.add(chat)
        if known:
            return
        self._tasks.start(self._redirect(chat, why), "reporting that a chat is gone")
        if reached and not self._recipients.reaches_admins:
            log.error("No admin can be written to: alerts for admins alone reach nobody in Telegram")
            html, operators = alert_text.no_admin_is_reached(why), self._recipients.of_operators()
            self._tasks.start(
                self._announcer.notify(operators, html, sounds=True), "reporting that no admin is reached"
            )

    async def _redirect(self, chat: int, why: str) -> None:
        alerts_go_there = chat == self._recipients.alert_chat
        places = [place for place in self._recipients.of_admins() if place.chat != chat]
        html = alert_text.chat_is_gone(chat, self._recipients.name(chat), why, instead=alerts_go_there)
        now_on_duty = self._audience.duty.now()
        was_on_duty = now_on_duty is not None and now_on_duty.user == chat
        if was_on_duty:
            html = alert_text.duty_is_gone(chat, why)

        def change(draft: Draft) -> None:
            draft.gone.append((chat, True))
            for place in places:
                draft.add_note(place.chat, html, sounds=alerts_go_there or was_on_duty)
            if was_on_duty:  # its alerts now make a sound elsewhere
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
                self._absorber.absorb_facts(draft, [place.chat for place in places], facts)

        await self._announcer.store(change)

    def back(self, chat: int, *, late: bool = False) -> None:
        """Tell admins that a chat can be written to again. late: so is the chat, since what it gets is late.

        Returns at once.
        """
        if chat not in self._recipients.gone:
            return
        # Those who were notified before.
        places = [place for place in self._recipients.of_admins() if place.chat != chat]
        reached = self._recipients.reaches_admins
        self._recipients.gone.discard(chat)
        log.info("Chat %d can be written to again", chat)
        again = () if reached or not self._recipients.reaches_admins else self._recipients.of_operators()

        def change(draft: Draft) -> None:
            draft.gone.append((chat, False))
            for place in places:
                draft.add_note(place.chat, alert_text.chat_is_back(chat))
            for place in again:
                draft.add_note(place.chat, alert_text.ADMINS_ARE_REACHED)
            if late:
                draft.add_note(chat, alert_text.HERE_AGAIN)

        self._tasks.start(self._announcer.store(change), "reporting that a chat is back")

    def silenced(self, chat: int, seconds: float) -> None:
        """Tell admins elsewhere that Telegram demands a long silence in a chat. Returns at once."""
        if chat in self._recipients.gone:
            return  # they know
        elsewhere = [place for place in self._recipients.of_admins() if place.chat != chat]
        elsewhere = elsewhere or [place for place in self._recipients.in_private() if place.chat != chat]
        html = answers.silence_of(chat, seconds)
        self._tasks.start(self._announcer.notify(elsewhere, html, sounds=False), "reporting that a chat is silenced")

    # --- rejected messages ------------------------------------------------------------------------------------------

    def refused(self, incident: Incident, why: str) -> None:
        """Send admins privately, as plain text, what the chat service rejects. Returns at once."""
        entries = [(self._audience.name(entry.number), entry.reason) for entry in incident.open_entries]
        if entries:
            html = alert_text.refused(incident.chat, entries, why)
            private = self._recipients.in_private()
            self._tasks.start(self._announcer.notify(private, html, sounds=True), "a refused alert")

    def no_topics(self, chat: int, why: str) -> None:
        """Tell admins that a forum's alerts go to General. Returns at once."""
        html = alert_text.no_topics(chat, why)
        self._tasks.start(self._announcer.notify_admins(html), "reporting that topics are refused")
