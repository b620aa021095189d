"""Incidents: which alerts of a chat are told as one, what becomes of them, and what their messages still owe.

Pure: facts and moments come in, incidents come out; nothing here waits, sends or stores. An incident gathers what comes
within seconds, and everything that comes before its first message has gone out, so that a Telegram that was away
for hours is caught up with one message. How it is worded is in `handlers.alerts.incident_text`, its delivery in
`handlers.alerts.service`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum, unique

from controller.accounts.reasons import Reason
from controller.troubles import DATABASE, DISK

GATHER = timedelta(seconds=5)
"""An incident takes up what comes so soon after its last growth (chat.md)."""
GROWS_FOR = timedelta(seconds=60)
"""But no longer than this after its first message: a sound must not be swallowed for ever."""
FLAPPING = timedelta(hours=1)
SOUNDS_FOR_SAME, SOUNDS_FOR_ACCOUNT = 2, 3
"""How often an account may sound within `FLAPPING`, for the same reason and in all; then it is told by edits only."""
KEPT = timedelta(hours=2)
"""How long an incident that is over is remembered: for its reply, and to know what flaps."""

CRITICAL: frozenset[str] = frozenset({
    Reason.TRIAL_FAILED,
    Reason.EXHAUSTED,
    Reason.LOGGED_OUT,
    Reason.CONFLICT,
    Reason.BANNED,
    Reason.WRONG_NUMBER,
    DISK,
    DATABASE,
})  # fmt: skip
"""What stays broken until a person acts: repeated until somebody acknowledges."""


@unique
class Kind(StrEnum):
    """What a fact says."""

    ALERT = "alert"
    OVER = "over"
    """The account is connected again, or what was wrong has passed."""
    HANDLED = "handled"
    """A person has closed the account: nothing more is to be told of it."""
    NOTE = "note"
    """A silent line of its own, told once. Its text is `detail`, as HTML."""
    PICTURE = "picture"
    """What a page looked like, told below its incident. Its caption is `detail`, as HTML."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is owed to a chat. number: the account, "" for the controller itself.

    waited: it was held back by a silence.
    """

    id: int
    kind: Kind
    number: str
    reason: str
    at: datetime
    cause: str | None = None
    detail: str = ""
    waited: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One account's trouble within an incident. times: how often it came; over_at: when it was mended or handled."""

    number: str
    reason: str
    at: datetime
    cause: str | None = None
    detail: str = ""
    times: int = 1
    over_at: datetime | None = None
    handled: bool = False

    @property
    def open(self) -> bool:
        """Whether it still stands."""
        return self.over_at is None


@dataclass(frozen=True, slots=True)
class Part:
    """One message of an incident. shown: a digest of what it says. sending: whether it went out is not known."""

    message: int | None = None
    shown: str = ""
    sending: bool = False


@dataclass(frozen=True, slots=True)
class Incident:
    """What one chat is told together.

    told_at: when its first message went out. topic: the forum's topic where it is told, and then it is about
    `about` alone. done: lines about who did what. repeat_at: when it sounds again, unless somebody acknowledges.
    """

    id: int
    chat: int
    opened_at: datetime
    grown_at: datetime
    entries: tuple[Entry, ...]
    topic: int | None = None
    about: str = ""
    told_at: datetime | None = None
    edited_at: datetime | None = None
    acknowledged_by: str = ""
    done: tuple[str, ...] = ()
    repeat_at: datetime | None = None
    parts: tuple[Part, ...] = ()
    reply: Part | None = None

    @property
    def open_entries(self) -> tuple[Entry, ...]:
        """Those that still stand."""
        return tuple(entry for entry in self.entries if entry.open)

    @property
    def over_at(self) -> datetime | None:
        """When the last of it was over; None while something stands."""
        ends = [entry.over_at for entry in self.entries]
        return None if None in ends else max(end for end in ends if end is not None)

    @property
    def critical(self) -> bool:
        """Whether something stands that stays broken until a person acts."""
        return any(entry.reason in CRITICAL for entry in self.open_entries)

    def joinable(self, number: str, now: datetime) -> bool:
        """Whether what comes now about this account is told in it: not where somebody is on what came before."""
        if (self.about and self.about != number) or self.acknowledged_by:
            return False
        if self.told_at is None:
            return True
        return now - self.grown_at <= GATHER and now - self.told_at <= GROWS_FOR


class Book:
    """The incidents of one chat. What it returns is what changed, to be stored before anything is sent."""

    def __init__(
        self, chat: int, next_id: Callable[[], int], incidents: Iterable[Incident] = (), *, forum: bool = False
    ) -> None:
        self.chat = chat
        self.forum = forum
        self._next_id = next_id
        self._incidents = {incident.id: incident for incident in incidents}

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """All that are remembered, the oldest first."""
        return tuple(self._incidents.values())

    def get(self, incident: int) -> Incident | None:
        """Return one incident, if it is still remembered."""
        return self._incidents.get(incident)

    def put(self, incident: Incident) -> None:
        """Take a changed incident."""
        self._incidents[incident.id] = incident

    def about(self, number: str, reason: str) -> Incident | None:
        """Return the newest incident that tells this of the account."""
        for each in reversed(self.incidents):
            if any((entry.number, entry.reason) == (number, reason) for entry in each.entries):
                return each
        return None

    def is_open(self, number: str) -> bool:
        """Whether something about the account stands."""
        return any(entry.number == number for each in self.incidents for entry in each.open_entries)

    def absorb(self, facts: Sequence[Fact], now: datetime) -> set[int]:
        """Take facts in, in order. Returns the ids of the incidents that changed."""
        mended_in_silence = _mended_in_silence(facts)
        alone = len({fact.number for fact in facts if fact.kind is Kind.ALERT}) == 1
        changed: set[int] = set()
        for fact in facts:
            if fact.id in mended_in_silence:
                continue
            if fact.kind is Kind.ALERT:
                changed |= self._alert(fact, now, alone=alone)
            elif fact.kind in {Kind.OVER, Kind.HANDLED}:
                changed |= self._over(fact)
        return changed

    def forget(self, now: datetime) -> set[int]:
        """Drop what has long been over. Returns the ids that are gone."""
        gone = {
            each.id
            for each in self.incidents
            if (over := each.over_at) is not None and now - over > KEPT and each.told_at is not None
        }
        for incident in gone:
            del self._incidents[incident]
        return gone

    def _alert(self, fact: Fact, now: datetime, *, alone: bool) -> set[int]:
        standing = self._standing(fact)
        if standing is not None:
            self.put(_again(standing, fact, now))
            return {standing.id}
        changed = self._supersede(fact)
        entry = Entry(fact.number, fact.reason, fact.at, fact.cause, fact.detail)
        incident = self._flapping(fact, now)
        if incident is not None:
            self.put(_again(incident, fact, now))
            return changed | {incident.id}
        incident = next((each for each in reversed(self.incidents) if each.joinable(fact.number, now)), None)
        if incident is None:
            about = fact.number if self.forum and alone else ""
            incident = Incident(self._next_id(), self.chat, now, now, (entry,), about=about)
        else:
            others = tuple(
                each for each in incident.entries if (each.number, each.reason) != (entry.number, entry.reason)
            )
            incident = replace(incident, entries=(*others, entry), grown_at=now)
        self.put(incident)
        return changed | {incident.id}

    def _standing(self, fact: Fact) -> Incident | None:
        """Return the incident where the same trouble of the account stands already."""
        for each in reversed(self.incidents):
            if any((entry.number, entry.reason) == (fact.number, fact.reason) for entry in each.open_entries):
                return each
        return None

    def _flapping(self, fact: Fact, now: datetime) -> Incident | None:
        """Return the incident that goes on telling an account which has sounded often enough."""
        of_late = [
            (each, entry)
            for each in self.incidents
            for entry in each.entries
            if entry.number == fact.number and now - each.opened_at <= FLAPPING
        ]
        same = [each for each, entry in of_late if entry.reason == fact.reason]
        # The controller's own troubles have nothing in common but that they are its own.
        enough = len(same) >= SOUNDS_FOR_SAME or (bool(fact.number) and len(of_late) >= SOUNDS_FOR_ACCOUNT)
        return (same or [each for each, _ in of_late])[-1] if enough else None

    def _supersede(self, fact: Fact) -> set[int]:
        """End what stood about the account before: its new trouble takes its place."""
        return self._end(lambda entry: entry.number == fact.number and bool(fact.number), fact.at, handled=True)

    def _over(self, fact: Fact) -> set[int]:
        def ends(entry: Entry) -> bool:
            return entry.number == fact.number and (bool(fact.number) or entry.reason == fact.reason)

        return self._end(ends, fact.at, handled=fact.kind is Kind.HANDLED)

    def _end(self, ends: Callable[[Entry], bool], at: datetime, *, handled: bool) -> set[int]:
        changed = set()
        for each in self.incidents:
            if any(ends(entry) for entry in each.open_entries):
                entries = tuple(
                    replace(entry, over_at=max(at, entry.at), handled=handled) if entry.open and ends(entry) else entry
                    for entry in each.entries
                )
                self.put(replace(each, entries=entries))
                changed.add(each.id)
        return changed


def _again(incident: Incident, fact: Fact, now: datetime) -> Incident:
    """Count another time of what the incident tells already; if it was over it stands again, and nobody is on it."""
    key = (fact.number, fact.reason)
    entries = list(incident.entries)
    at = next((at for at, each in enumerate(entries) if (each.number, each.reason) == key), None)
    by = incident.acknowledged_by if at is not None and entries[at].open else ""
    if at is None:
        entries.append(Entry(fact.number, fact.reason, fact.at, fact.cause, fact.detail))
    else:
        once = entries[at]
        times = once.times + 1 if fact.number else 1  # a trouble that tells its newest figures has not come again
        entries[at] = replace(once, times=times, over_at=None, handled=False, detail=fact.detail or once.detail)
    return replace(incident, entries=tuple(entries), grown_at=now, acknowledged_by=by)


def _mended_in_silence(facts: Sequence[Fact]) -> set[int]:
    """Return the ids of alerts that a silence held back, and that were over before it ended, with what ended them."""
    held: dict[str, list[int]] = {}
    mended: set[int] = set()
    for fact in facts:
        if fact.kind is Kind.ALERT and fact.waited:
            held.setdefault(fact.number, []).append(fact.id)
        elif fact.kind in {Kind.OVER, Kind.HANDLED} and fact.number in held:
            mended.update(held.pop(fact.number))
    return mended
