"""Groups a chat's alerts into incidents and tracks their course. Pure and immutable.

`Book.absorb` takes facts and returns the resulting book; nothing here waits, sends or stores. An incident gathers
alerts that arrive within seconds of each other, and everything until its first message is sent, so that a chat that was
unreachable for hours gets one message. `incident_text` has the wording.

Facts are processed in order, and an end takes effect whatever the clock says: it may have been set back.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, StrEnum, unique

from controller.accounts.reasons import TRAITS
from controller.incidents import Entry, Incident, Note
from handlers.alerts.incidents.delivery import is_settled
from handlers.alerts.incidents.incident_text import Names
from handlers.alerts.incidents.policy import AlertPolicy, within

PERSISTENT: frozenset[str] = frozenset(reason for reason, traits in TRAITS.items() if traits.persists)
"""Can coexist with any other trouble, and does not end when the account connects."""
NOTES_AT_MOST = 100
"""Pending notes per chat: a chat that no longer exists must not accumulate them forever."""


@unique
class Kind(StrEnum):
    """What a fact reports."""

    ALERT = "alert"
    OVER = "over"
    """The account is connected again, or the trouble has passed."""
    HANDLED = "handled"
    """A person has closed the account: nothing more is reported about it."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One event of an account, or of the controller itself (number "").

    reason: for an end, the trouble that ended; "" for all that connecting ends. silent: an alert without a sound. anew:
    noticed again after a restart, which does not count as another occurrence.
    """

    kind: Kind
    number: str
    reason: str
    at: datetime
    cause: str | None = None
    detail: str = ""
    silent: bool = False
    anew: bool = False

    def ends(self, entry: Entry) -> bool:
        """Return whether this ends an entry: also one that persists while connected, if a person closed the account."""
        if entry.number != self.number:
            return False
        if self.reason or not self.number:
            return entry.reason == self.reason
        return self.kind is Kind.HANDLED or entry.reason not in PERSISTENT


@dataclass(frozen=True, slots=True)
class Setting:
    """What absorbing depends on besides the facts.

    silenced: whether a silence covers the account in this chat now. closed: incidents that nothing joins any more.
    forum: whether each account has its own topic there.
    """

    now: datetime
    policy: AlertPolicy
    next_id: Callable[[], int]
    silenced: Callable[[str], bool] = lambda _: False
    closed: Collection[int] = ()
    forum: bool = False

    def quiet(self, number: str, reason: str, since: datetime) -> bool:
        """Return whether an alert that has not been sent is held back now, by a silence or by the policy."""
        return self.silenced(number) or self.policy.held_until(reason, since, self.now) is not None


@dataclass(frozen=True, slots=True)
class Book:
    """The incidents and notes of one chat, oldest first."""

    chat: int
    incidents: tuple[Incident, ...] = ()
    notes: tuple[Note, ...] = ()

    def get(self, incident: int) -> Incident | None:
        """Return one incident, if it is still remembered."""
        return next((each for each in self.incidents if each.id == incident), None)

    def about(self, number: str, reason: str) -> Incident | None:
        """Return the newest incident with this trouble of the account."""
        for each in reversed(self.incidents):
            if any((entry.number, entry.reason) == (number, reason) for entry in each.entries):
                return each
        return None

    def is_open(self, number: str) -> bool:
        """Return whether the account has an open entry."""
        return any(entry.number == number for each in self.incidents for entry in each.open_entries)

    def put(self, incident: Incident) -> "Book":
        """Return the book with a changed or new incident."""
        known = self.get(incident.id)
        if known is incident:
            return self
        if known is None:
            return replace(self, incidents=(*self.incidents, incident))
        return replace(self, incidents=tuple(incident if each.id == incident.id else each for each in self.incidents))

    def put_note(self, note: Note) -> "Book":
        """Return the book with a changed or new note; above the maximum the oldest lines are dropped."""
        others = tuple(each for each in self.notes if each.id != note.id)
        return replace(self, notes=(*others, note)[-NOTES_AT_MOST:])

    def without_note(self, note: int) -> "Book":
        """Return the book without a note."""
        return replace(self, notes=tuple(each for each in self.notes if each.id != note))

    def absorb(self, facts: Iterable[Fact], setting: Setting) -> "Book":
        """Return the book after these facts, in order."""
        facts = list(facts)
        alone = len({fact.number for fact in facts if fact.kind is Kind.ALERT}) == 1
        draft = _Draft(self.chat, setting, {each.id: each for each in self.incidents}, alone=alone)
        for fact in facts:
            draft.take(fact)
        return self._with(draft.incidents)

    def superseded_by(self, incident: Incident, now: datetime) -> "Book":
        """Return the book with the same accounts' entries in other incidents ended: this incident replaces them.

        An alert held back by a silence leaves earlier sent ones open until it is sent itself.
        """
        numbers = {entry.number for entry in incident.open_entries if entry.number and entry.reason not in PERSISTENT}

        def ends(entry: Entry) -> bool:
            return entry.number in numbers and entry.reason not in PERSISTENT

        incidents = {each.id: each for each in self.incidents}
        for each in self.incidents:
            if each.id != incident.id and any(map(ends, each.open_entries)):
                incidents[each.id] = _ended(each, ends, now, _End.SUPERSEDED)
        return self._with(incidents)

    def forget(self, now: datetime, policy: AlertPolicy, names: Names) -> "Book":
        """Return the book without incidents that ended long ago and whose messages show it."""
        kept = {each.id: each for each in self.incidents if not _is_past(each, now, policy, names)}
        return self if len(kept) == len(self.incidents) else self._with(kept)

    def _with(self, incidents: dict[int, Incident]) -> "Book":
        notes = tuple(each for each in self.notes if each.incident is None or each.incident in incidents)
        return replace(self, incidents=tuple(incidents.values()), notes=notes)


@dataclass(slots=True)
class _Draft:
    """A book while facts are absorbed. alone: all facts are about one account."""

    chat: int
    setting: Setting
    incidents: dict[int, Incident] = field(default_factory=dict)
    alone: bool = False

    def take(self, fact: Fact) -> None:
        if fact.kind is Kind.ALERT:
            self._alert(fact)
            return
        self._end(fact.ends, fact.at, _End.BY_PERSON if fact.kind is Kind.HANDLED else _End.MENDED)

    def _alert(self, fact: Fact) -> None:
        now, silenced = self.setting.now, self.setting.quiet(fact.number, fact.reason, fact.at)
        reported = self._newest(lambda entry: entry.open and _is_same(entry, fact))
        if reported is not None:
            self.incidents[reported.id] = _again(reported, fact, now)
            return
        if fact.number and fact.reason not in PERSISTENT:
            # The new trouble replaces the previous one; if that was sent, only once this one is sent too.
            superseded = replace(fact, kind=Kind.OVER, reason="")
            self._end(superseded.ends, fact.at, _End.SUPERSEDED, but_told=silenced)
        if (flapping := self._flapping(fact)) is not None:
            self.incidents[flapping.id] = _again(flapping, fact, now)
            return
        entry = _entry(fact)
        joined = next((each for each in reversed(self.incidents.values()) if self._joins(each, fact, silenced)), None)
        if joined is None:
            about = fact.number if self.setting.forum and self.alone else ""
            number = self.setting.next_id()
            self.incidents[number] = Incident(number, self.chat, now, now, (entry,), about=about)
            return
        others = tuple(each for each in joined.entries if not _is_same(each, fact))
        self.incidents[joined.id] = _grown(replace(joined, entries=(*others, entry)), now)

    def _joins(self, incident: Incident, fact: Fact, silenced: bool) -> bool:  # noqa: FBT001 - used here alone
        """Return whether a new alert joins this incident: never once it is acknowledged."""
        if (incident.about and incident.about != fact.number) or incident.acknowledged_by:
            return False
        if incident.id in self.setting.closed or any(part.refused for part in incident.parts):
            return False
        if incident.told_at is None:  # silenced and audible alerts are sent separately
            return self._is_held(incident) == silenced
        now, policy = self.setting.now, self.setting.policy
        recent = within(incident.grown_at, now, policy.gather) and within(incident.told_at, now, policy.grows_for)
        heard = fact.silent or not all(entry.silent for entry in incident.entries)
        return recent and heard and not silenced

    def _is_held(self, incident: Incident) -> bool:
        """Return whether silences hold all of it back."""
        entries = incident.open_entries
        return bool(entries) and all(self.setting.quiet(entry.number, entry.reason, entry.at) for entry in entries)

    def _newest(self, of: Callable[[Entry], bool]) -> Incident | None:
        return next((each for each in reversed(self.incidents.values()) if any(map(of, each.entries))), None)

    def _flapping(self, fact: Fact) -> Incident | None:
        """Return the incident that continues for an account that has sounded often enough."""
        now, policy = self.setting.now, self.setting.policy
        of_late = [
            (each, entry)
            for each in self.incidents.values()
            for entry in each.entries
            if entry.number == fact.number
            and not entry.silent
            and within(each.opened_at, now, policy.flapping)
            and (each.told_at is not None or not self._is_held(each))
        ]
        same = [each for each, entry in of_late if entry.reason == fact.reason]
        # The controller's own troubles are grouped by nothing but being its own.
        enough = len(same) >= policy.sounds_for_same or (
            bool(fact.number) and len(of_late) >= policy.sounds_for_account
        )
        return (same or [each for each, _ in of_late])[-1] if enough else None

    def _end(self, ends: Callable[[Entry], bool], at: datetime, how: "_End", *, but_told: bool = False) -> None:
        """End entries; those that a silence held back and that were never sent leave no trace."""
        for each in list(self.incidents.values()):
            if not any(ends(entry) for entry in each.open_entries) or (but_told and each.told_at is not None):
                continue
            if each.told_at is None and not any(part.sending for part in each.parts):
                quiet = self.setting.quiet
                kept = tuple(e for e in each.entries if not (e.open and ends(e) and quiet(e.number, e.reason, e.at)))
                if not kept:
                    del self.incidents[each.id]
                    continue
                each = replace(each, entries=kept)  # noqa: PLW2901 - the same incident, without them
            self.incidents[each.id] = _ended(each, ends, at, how)


def _is_same(entry: Entry, fact: Fact) -> bool:
    return (entry.number, entry.reason) == (fact.number, fact.reason)


def _entry(fact: Fact) -> Entry:
    return Entry(fact.number, fact.reason, fact.at, fact.cause, fact.detail, silent=fact.silent)


@unique
class _End(Enum):
    """How something ended."""

    MENDED = "mended"
    SUPERSEDED = "something else took its place"
    BY_PERSON = "a person closed the account"


def _ended(incident: Incident, ends: Callable[[Entry], bool], at: datetime, how: _End) -> Incident:
    def end(entry: Entry) -> Entry:
        handled, by_person = how is not _End.MENDED, how is _End.BY_PERSON
        return replace(entry, over_at=max(at, entry.at), handled=handled, by_person=by_person)

    entries = tuple(end(entry) if entry.open and ends(entry) else entry for entry in incident.entries)
    return replace(incident, entries=entries)


def _grown(incident: Incident, now: datetime) -> Incident:
    return replace(incident, grown_at=now, news=incident.told_at is not None)


def _again(incident: Incident, fact: Fact, now: datetime) -> Incident:
    """Count another occurrence of an entry; if it had ended it opens again, unacknowledged."""
    entries = list(incident.entries)
    at = next((at for at, each in enumerate(entries) if _is_same(each, fact)), None)
    by = incident.acknowledged_by if at is not None and entries[at].open else ""
    if at is None:
        entries.append(_entry(fact))
    else:
        once = entries[at]
        if not once.open:  # another occurrence, escalated from the start of the list
            once = replace(once, escalated=0, escalated_at=None, fallback="", fallback_at=None)
        if fact.number and not fact.anew:
            once = replace(once, times=once.times + 1)  # a trouble that updates its figures has not recurred
        once = replace(once, over_at=None, handled=False, by_person=False)
        entries[at] = replace(once, detail=fact.detail or once.detail)
    return _grown(replace(incident, entries=tuple(entries), acknowledged_by=by), now)


def _is_past(incident: Incident, now: datetime, policy: AlertPolicy, names: Names) -> bool:
    over_at = incident.over_at
    if incident.told_at is None or over_at is None or now - over_at <= policy.remembered:
        return False
    return is_settled(incident, names)


def differences(
    before: Iterable[Book], after: Iterable[Book]
) -> tuple[Sequence[tuple[Incident | None, Incident]], Sequence[int], Sequence[Note], Sequence[int]]:
    """Return what has changed: incidents (before, after), the ids of those removed, and the same for notes."""
    old = {each.id: each for book in before for each in book.incidents}
    new = {each.id: each for book in after for each in book.incidents}
    old_notes = {each.id: each for book in before for each in book.notes}
    new_notes = {each.id: each for book in after for each in book.notes}
    return (
        [(old.get(id), each) for id, each in new.items() if old.get(id) is not each],  # noqa: A001 - their own name
        [each for each in old if each not in new],
        [each for id, each in new_notes.items() if old_notes.get(id) is not each],  # noqa: A001
        [each for each in old_notes if each not in new_notes],
    )
