"""Decides whom a critical alert is escalated to next, and when the fallback channel is used. Pure.

Critical alerts that Telegram has not accepted in time, or that nobody acknowledged to the end of the list, go out by
the fallback channel. An account's trouble counts once, in however many chats it is open: decisions cover all of them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from controller.incidents import CRITICAL, EVERYBODY, Entry, Incident, Roster, Target
from handlers.alerts.incidents.book import Book
from handlers.alerts.incidents.policy import elapsed

Key = tuple[str, str]
"""An account's number, "" for the controller itself, and the reason."""


@dataclass(frozen=True, slots=True)
class OpenTrouble:
    """An open critical trouble, across all chats. told_at: when the first chat got it, None while none has."""

    key: Key
    at: datetime
    cause: str | None
    detail: str
    told_at: datetime | None
    acknowledged: bool
    silent: bool
    """Whether some chat got it without a sound."""
    escalated: int
    escalated_at: datetime | None
    fallback: bool
    """Whether it went out by the fallback channel."""


def open_troubles(books: Iterable[Book], is_silenced: Callable[[int, str], bool]) -> list[OpenTrouble]:
    """Return the open troubles, oldest first, except those that a silence covers in every chat.

    is_silenced: of a chat and an account.
    """
    found: dict[Key, list[tuple[Incident, Entry]]] = {}
    for book in books:
        for incident in book.incidents:
            for entry in incident.open_entries:
                if entry.reason in CRITICAL:
                    found.setdefault((entry.number, entry.reason), []).append((incident, entry))
    troubles = []
    for key, places in found.items():
        heard = [each for each in places if not is_silenced(each[0].chat, key[0])]
        if heard:
            troubles.append(_trouble(key, heard, places))
    return sorted(troubles, key=lambda each: each.at)


def _trouble(key: Key, heard: list[tuple[Incident, Entry]], places: list[tuple[Incident, Entry]]) -> OpenTrouble:
    taken = [at for incident, entry in heard if (at := taken_at(incident, entry)) is not None]
    entries = [entry for _, entry in places]
    last = [entry.escalated_at for entry in entries if entry.escalated_at is not None]
    first = min(entries, key=lambda entry: entry.at)
    return OpenTrouble(
        key,
        first.at,
        first.cause,
        first.detail,
        min(taken, default=None),
        any(incident.acknowledged_by for incident, _ in places),
        any(entry.silent for _, entry in heard),
        max(entry.escalated for entry in entries),
        max(last, default=None),
        any(entry.fallback_at is not None for entry in entries),
    )


def taken_at(incident: Incident, entry: Entry) -> datetime | None:
    """Return when the chat service accepted this entry's message; None if it has not, or rejected it for good."""
    if incident.told_at is None or (incident.parts and incident.parts[0].refused):
        return None
    if incident.news and entry.at > max(incident.told_at, incident.edited_at or incident.told_at):
        return None
    return max(incident.told_at, entry.at)


def is_due_on_fallback(
    trouble: OpenTrouble, now: datetime, after: timedelta, *, heard_since: datetime | None = None
) -> bool:
    """Return whether a trouble is due on the fallback channel now.

    after: how long it is left to the chat service. heard_since: earliest start of that period, since before it was
    silenced, or nobody was there to deliver it.
    """
    if trouble.fallback or trouble.acknowledged:
        return False
    if trouble.escalated >= EVERYBODY:
        return True
    since = trouble.at if heard_since is None else max(trouble.at, heard_since)
    return trouble.told_at is None and elapsed(since, now, after)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of escalation. target: the next on the list, None for everybody. level: the position on the list."""

    key: Key
    target: Target | None
    level: int


def next_step(
    trouble: OpenTrouble, roster: Roster, now: datetime, after: timedelta, on_duty: int | None
) -> Step | None:
    """Return whom a trouble is escalated to now. after: how long each has to acknowledge; zero for never.

    on_duty: was called first, and is not called again from the list.
    """
    if not after or trouble.told_at is None or trouble.acknowledged or trouble.escalated >= EVERYBODY:
        return None
    if not elapsed(trouble.escalated_at or trouble.told_at, now, after):
        return None
    for at, target in enumerate(roster.targets[trouble.escalated :], start=trouble.escalated + 1):
        if target.chat != on_duty:
            return Step(trouble.key, target, at)
    return Step(trouble.key, None, EVERYBODY)


def marked(book: Book, change: Callable[[Entry], Entry], keys: Iterable[Key], *, since: datetime | None = None) -> Book:
    """Return the book with these troubles' open entries changed. since: or that were open then, and ended meanwhile."""
    those = set(keys)

    def is_meant(entry: Entry) -> bool:
        stood = entry.over_at is None or (since is not None and entry.over_at >= since)
        return stood and (entry.number, entry.reason) in those

    for incident in book.incidents:
        if any(map(is_meant, incident.entries)):
            entries = tuple(change(entry) if is_meant(entry) else entry for entry in incident.entries)
            book = book.put(replace(incident, entries=entries, edited_at=None))
    return book


def sounding_again(incident: Incident, keys: Iterable[Key], now: datetime) -> Incident:
    """Return the incident as it sounds for these troubles: again if it was sent, else when it will be."""
    those = set(keys)
    entries = tuple(
        replace(entry, silent=False) if entry.open and (entry.number, entry.reason) in those else entry
        for entry in incident.entries
    )
    repeat_at = incident.repeat_at if incident.told_at is None else now
    return replace(incident, entries=entries, repeat_at=repeat_at)


def with_line(incident: Incident, line: str) -> Incident:
    """Return the incident with another line of HTML about what was done; the newest five are kept."""
    return replace(incident, done=(*incident.done[-4:], line.replace("\n", " ")), edited_at=None)
