"""Turns transitions and troubles into changes to the incidents of every recipient chat.

It only changes a `Draft`, within the transaction that stores it; nothing is stored or sent here.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from controller.accounts.notices import Transition
from controller.accounts.reasons import TRAITS, Reason, State
from controller.incidents import Entry
from handlers.alerts.escalation import escalation_text
from handlers.alerts.escalation.audience import Audience
from handlers.alerts.escalation.steps import with_line
from handlers.alerts.incidents.book import Fact, Kind, Setting
from handlers.alerts.incidents.ledger import Draft
from handlers.alerts.incidents.policy import PolicyOf
from handlers.alerts.incidents.silences import Silences
from handlers.chat.chat_settings import Loudness
from handlers.texts import answers

Channel = Callable[[int], tuple[Collection[int], bool]]
"""For a chat: the incidents whose messages it rejects now, and whether each account has a topic there."""


class Absorber:
    """Applies events to the books of a draft. left: the problems (number, reason) that an earlier run left open."""

    def __init__(
        self,
        audience: Audience,
        silences: Silences,
        clock: Callable[[], datetime],
        policy_of: PolicyOf,
        channel: Channel,
        left: Collection[tuple[str, str]] = (),
    ) -> None:
        self._audience, self._silences, self._clock = audience, silences, clock
        self._policy_of, self._channel, self._left = policy_of, channel, left

    def absorb_transitions(self, draft: Draft, transitions: Sequence[Transition]) -> None:
        """Apply transitions in sequence. Alerts that occur together form one batch per recipient chat."""
        batches: dict[int, list[Fact]] = {}
        for transition in transitions:
            to_all = [place.chat for place in self._audience.of_account(transition.number)]
            for fact in map(self._marked, facts_of(transition)):
                # An end is reported where the problem was.
                chats = to_all if fact.kind is Kind.ALERT else _concerned(draft, batches, fact.number)
                for chat in dict.fromkeys(chats):
                    batches.setdefault(chat, []).append(fact)
        for chat, facts in batches.items():
            self._absorb_in(draft, chat, facts)
            draft.put(draft.book(chat).forget(self._clock(), self._policy_of(chat), self._audience.name))
        for transition in transitions:
            if transition.alert is not None and transition.picture is not None:
                self._add_picture(draft, transition, transition.alert, transition.picture)

    def absorb_facts(self, draft: Draft, chats: Iterable[int], facts: Sequence[Fact]) -> None:
        """Apply facts in these chats; ends apply wherever the problem stands."""
        wherever = {fact.number for fact in facts if fact.kind is not Kind.ALERT}
        chats = [*chats, *(book.chat for book in draft.books() if any(map(book.is_open, wherever)))]
        for chat in dict.fromkeys(chats):
            self._absorb_in(draft, chat, facts)

    def absorb_sounding(self, draft: Draft, chat: int, facts: Sequence[Fact]) -> None:
        """Apply facts in a chat unchanged, ignoring its loudness."""
        refused, forum = self._channel(chat)
        setting = Setting(
            self._clock(),
            self._policy_of(chat),
            draft.next_incident,
            silenced=lambda number: self._silences.until(chat, number) is not None,
            closed=refused,
            forum=forum,
        )
        draft.put(draft.book(chat).absorb(facts, setting))

    def loudness(self, chat: int, entry: Entry) -> Loudness:
        """Return how a chat is to get an alert that cannot be stored now: not at all where it would be held back."""
        policy = self._policy_of(chat)
        held = policy.held_until(entry.reason, entry.at, self._clock()) is not None
        if held or self._silences.until(chat, entry.number) is not None:
            return Loudness.OFF
        on_duty, chosen = self._audience.on_duty(), policy.loudness_of(entry.reason)
        called_first = on_duty is not None and on_duty.user != chat
        return Loudness.SILENT if chosen is Loudness.SOUND and (called_first or entry.silent) else chosen

    def _absorb_in(self, draft: Draft, chat: int, facts: Sequence[Fact]) -> None:
        """Apply facts in a chat, with the loudness chosen there.

        Silently if somebody else is on duty, who is alerted first.
        """
        facts = self._as_chosen(chat, facts)
        on_duty = self._audience.on_duty()
        if on_duty is None or on_duty.user == chat:
            self.absorb_sounding(draft, chat, facts)
            return
        before = {each.id for each in draft.book(chat).incidents}
        self.absorb_sounding(draft, chat, [replace(each, silent=True) for each in facts])
        for each in draft.book(chat).incidents:
            if each.id not in before:
                draft.put(draft.book(chat).put(with_line(each, escalation_text.called_first(on_duty))))

    def _marked(self, fact: Fact) -> Fact:
        """Mark what an earlier run reported already."""
        return replace(fact, anew=(fact.number, fact.reason) in self._left)

    def _as_chosen(self, chat: int, facts: Sequence[Fact]) -> list[Fact]:
        policy, chosen = self._policy_of(chat), []
        for fact in facts:
            loudness = policy.loudness_of(fact.reason) if fact.kind is Kind.ALERT else Loudness.SOUND
            if loudness is not Loudness.OFF:
                chosen.append(replace(fact, silent=True) if loudness is Loudness.SILENT else fact)
        return chosen

    def _add_picture(self, draft: Draft, transition: Transition, reason: Reason, picture: bytes) -> None:
        html = answers.page_picture(transition.number)
        for place in self._audience.of_account(transition.number):
            incident = draft.book(place.chat).about(transition.number, reason)
            if incident is not None:
                draft.add_note(place.chat, html, incident=incident.id, picture=picture)


def _concerned(draft: Draft, batches: Mapping[int, Sequence[Fact]], number: str) -> list[int]:
    """Return the chats with an open entry about the account, before or after these batches are applied."""
    coming = [chat for chat, facts in batches.items() if any(fact.number == number for fact in facts)]
    return [book.chat for book in draft.books() if book.is_open(number)] + coming


def facts_of(transition: Transition) -> list[Fact]:
    """Return what a transition means for people's alerts."""
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
