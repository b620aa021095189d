"""Incidents as plain data: alerts that one chat gets together, their messages, and silences, duty and escalation.

`handlers.alerts` has the rules and `storage.incidents` the tables; neither imports the other. Times are aware UTC;
chats, topics and messages are ids of the chat service; numbers are E.164, "" for the controller itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from controller.accounts.reasons import TRAITS
from controller.troubles import TROUBLE_TRAITS

CRITICAL: frozenset[str] = frozenset(
    word for table in (TRAITS, TROUBLE_TRAITS) for word, traits in table.items() if traits.critical
)
"""Reasons that persist until a person acts: their alerts repeat until acknowledged."""


EVERYBODY = 1000
"""The escalation level of an entry for which the whole list was used up."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One account's problem within an incident.

    reason, cause: a `Reason` or a `Trouble`, or a value that another version of the program stored. times: how often
    it occurred. over_at: when it recovered or, with `handled`, when another entry replaced it, or, with `by_person`
    too, when a person closed the account. silent: alerted without sound.
    escalated: to how many of those on the list (`EVERYBODY` at its end), and when last. fallback: the services
    of the fallback channel that took it, and when; "" for none.
    """

    number: str
    reason: str
    at: datetime
    cause: str | None = None
    detail: str = ""
    times: int = 1
    over_at: datetime | None = None
    handled: bool = False
    silent: bool = False
    escalated: int = 0
    escalated_at: datetime | None = None
    fallback: str = ""
    fallback_at: datetime | None = None
    by_person: bool = False

    @property
    def open(self) -> bool:
        """Whether it is still open."""
        return self.over_at is None


@dataclass(frozen=True, slots=True)
class Message:
    """One message of an incident. shown: a digest of its content.

    sending: it was about to be sent, and whether it arrived is unknown. refused: the chat service rejects it, so it is
    not retried.
    """

    message: int | None = None
    shown: str = ""
    sending: bool = False
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Incident:
    """Problems that one chat is alerted of together.

    told_at: when its first message was sent. news: it has grown since its messages last changed. topic: the forum's
    topic where it is sent, in which case it concerns `about` alone. done: lines of HTML about who did what. repeat_at:
    when it sounds again unless acknowledged. parts: its messages in order. reminder: the last one that sounded again.
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
    news: bool = False
    acknowledged_by: str = ""
    done: tuple[str, ...] = ()
    repeat_at: datetime | None = None
    parts: tuple[Message, ...] = ()
    reminder: Message | None = None

    @property
    def open_entries(self) -> tuple[Entry, ...]:
        """Entries that are still open."""
        return tuple(entry for entry in self.entries if entry.open)

    @property
    def over_at(self) -> datetime | None:
        """When the last entry ended; None while one is still open."""
        ends = [entry.over_at for entry in self.entries]
        return None if None in ends else max(end for end in ends if end is not None)

    @property
    def critical(self) -> bool:
        """Whether an open entry persists until a person acts."""
        return any(entry.reason in CRITICAL for entry in self.open_entries)


@dataclass(frozen=True, slots=True)
class Note:
    """A single message that is not updated: a line, or the screenshot of a page, sent below its incident.

    html: the line, or the picture's caption. incident: the one it belongs to. sending: as in `Message`.
    buttons: in rows of two, each with its label and the code that a press sends back.
    """

    id: int
    chat: int
    html: str
    incident: int | None = None
    has_picture: bool = False
    sounds: bool = False
    sending: bool = False
    buttons: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Silence:
    """Mutes alerts while it lasts. chat: None for everywhere. name: who requested it.

    numbers: the accounts, "" for the controller's own troubles; empty for all.
    """

    id: int
    chat: int | None
    numbers: frozenset[str]
    until: datetime
    name: str
    reason: str = ""

    def covers(self, chat: int, number: str, now: datetime) -> bool:
        """Return whether an alert about this account is muted in this chat now."""
        here = self.chat is None or self.chat == chat
        return here and self.until > now and (not self.numbers or number in self.numbers)


@dataclass(frozen=True, slots=True)
class Changes:
    """What one transaction stores about incidents. incidents: each as it was, None for a new one, and as it becomes.

    pictures: PNGs of new notes, by note id. topics: (chat, number, topic), None for a topic that no longer exists.
    moved: a group's old id and its supergroup's. gone: chats, and whether they cannot be written to. committed: called
    once the transaction is committed, never otherwise.
    """

    incidents: tuple[tuple[Incident | None, Incident], ...] = ()
    incidents_gone: tuple[int, ...] = ()
    notes: tuple[Note, ...] = ()
    notes_gone: tuple[int, ...] = ()
    pictures: Mapping[int, bytes] = field(default_factory=dict)
    topics: tuple[tuple[int, str, int | None], ...] = ()
    moved: tuple[int, int] | None = None
    gone: tuple[tuple[int, bool], ...] = ()
    committed: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Target:
    """Somebody an alert is escalated to: a person's private chat, whose id is the person's, or a group."""

    chat: int
    name: str


@dataclass(frozen=True, slots=True)
class Shift:
    """A line of the weekly plan, in local time. days: 0 for Monday. start, end: minutes of the day.

    One that ends before it starts, or at the same minute, ends the next day.
    """

    user: int
    name: str
    days: frozenset[int]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class DutyOverride:
    """An exception from the weekly plan: who is on duty until then. user: None for nobody."""

    user: int | None
    name: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Roster:
    """Who is on duty and when, and to whom alerts are escalated, in order."""

    override: DutyOverride | None = None
    shifts: tuple[Shift, ...] = ()
    targets: tuple[Target, ...] = ()
