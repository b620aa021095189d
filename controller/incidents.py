"""Incidents as plain data: what one chat is told together, what its messages say, and what holds them back.

`handlers.alerts` decides about them and `storage.incidents` stores them; neither knows the other. Times are aware UTC;
chats, topics and messages are the chat service's ids; numbers are E.164, "" for the controller itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from controller.accounts.reasons import TRAITS
from controller.troubles import TROUBLE_TRAITS

CRITICAL: frozenset[str] = frozenset(
    word for table in (TRAITS, TROUBLE_TRAITS) for word, traits in table.items() if traits.critical
)
"""What stays broken until a person acts: repeated until somebody acknowledges."""


EVERYBODY = 1000
"""How far an entry is escalated at the end of the list."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One account's trouble within an incident.

    reason, cause: a `Reason` or a `Trouble`, or a word that another version of the program knew. times: how often it
    came. over_at: when it was mended or, with `handled`, when something else took its place, or, with `by_person` too,
    when a person closed the account. silent: it is told without a sound.
    escalated: to how many of those on the list (`EVERYBODY` at its end), and when last. second_way: by which it
    went out, and when; "" for by none.
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
    second_way: str = ""
    second_way_at: datetime | None = None
    by_person: bool = False

    @property
    def open(self) -> bool:
        """Whether it still stands."""
        return self.over_at is None


@dataclass(frozen=True, slots=True)
class Message:
    """One message of an incident. shown: a digest of what it says.

    sending: it was about to be sent, and whether it arrived is not known. refused: the chat service does not take it,
    and it is not tried again.
    """

    message: int | None = None
    shown: str = ""
    sending: bool = False
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Incident:
    """What one chat is told together.

    told_at: when its first message went out. news: it has grown since its messages last changed. topic: the forum's
    topic where it is told, and then it is about `about` alone. done: lines of HTML about who did what. repeat_at: when
    it sounds again, unless somebody acknowledges. parts: its messages in order. reply: the one that tells its end.
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
    reply: Message | None = None

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


@dataclass(frozen=True, slots=True)
class Note:
    """A message of its own, sent once: a line, or the picture of a page, which is sent below its incident.

    html: the line, or the picture's caption. incident: the one that it belongs to. sending: as in `Message`.
    buttons: one row of them, each its label and what a press sends back.
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
    """While it lasts no alert sounds. chat: None for everywhere. name: who asked for it.

    numbers: the accounts, "" among them for the controller's own troubles; none for all.
    """

    id: int
    chat: int | None
    numbers: frozenset[str]
    until: datetime
    name: str
    reason: str = ""

    def covers(self, chat: int, number: str, now: datetime) -> bool:
        """Tell whether an alert about this account makes no sound in this chat now."""
        here = self.chat is None or self.chat == chat
        return here and self.until > now and (not self.numbers or number in self.numbers)


@dataclass(frozen=True, slots=True)
class Changes:
    """What one transaction stores of incidents. incidents: each as it was, None for a new one, and as it is to be.

    pictures: PNGs of new notes, by their ids. topics: (chat, number, topic), None for one that is there no more. moved:
    a group's old id and its new one. gone: chats, and whether they cannot be written to. committed: called once the
    transaction is committed, and never if it is not.
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
    """A person's private chat, whose id is the person's, or a group: whom an alert is escalated to."""

    chat: int
    name: str


@dataclass(frozen=True, slots=True)
class Shift:
    """A line of the weekly plan, on this machine's clock. days: 0 for Monday. start, end: minutes of the day.

    One that ends before it starts, or at the same minute, ends on the next day.
    """

    user: int
    name: str
    days: frozenset[int]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Turn:
    """Who is on duty until then, whatever the plan says. user: None for nobody."""

    user: int | None
    name: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Roster:
    """Who is on duty and when, and whom alerts are escalated to, in that order."""

    turn: Turn | None = None
    shifts: tuple[Shift, ...] = ()
    targets: tuple[Target, ...] = ()
