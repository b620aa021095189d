"""Plain data of people's side that outlives the process: `handlers` decides about it, `storage` keeps it.

Neither knows the other. Incidents are in `controller.incidents`. Times are aware UTC; users, chats, topics and messages
are the chat service's ids.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRequest:
    """What a person asked for, by a message or a button: what is stored of it.

    update: the service's id of this message or press, the same if it is redelivered; 0 for none.
    user, name: the person's id and name. chat, topic: where to answer; topic is None outside forums. private: nobody
    else can read there. words: what follows the command, or the whole text if there is none; "" for a press.
    message: the message whose button was pressed, which becomes the answer; None if the answer is a new message.
    code: the button's callback data, "" for a message. press: the id with which to answer a press.
    sent_at: when it was sent by the service's time, aware; for a press only a lower bound is known. started: it was
    being carried out when the process ended, so it may or may not have been completed.
    """

    update: int = 0
    user: int
    name: str
    chat: int
    topic: int | None = None
    private: bool
    words: str = ""
    message: int | None = None
    code: str = ""
    press: str = ""
    sent_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    started: bool = False


@dataclass(frozen=True, slots=True)
class StoredPerson:
    """Somebody with access. role: a word of `handlers.chat.people`. added_by: who gave it to them."""

    user: int
    role: str
    name: str
    added_by: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody without access who wrote to the bot. at: the first time."""

    user: int
    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What a person changed. number: the account, several with commas between them, or None. outcome: what came of it.

    Of a removed account, number is the word that stands for it now.
    """

    at: datetime
    user: int
    command: str
    number: str | None
    outcome: str


@dataclass(frozen=True, slots=True)
class MessageReference:
    """Reference to one of our messages. key: what it is about; shown: a digest of its content."""

    key: str
    chat: int
    topic: int | None
    message: int
    shown: str


@dataclass(frozen=True, slots=True)
class StoredProxy:
    """An account's own proxy. server: its address without user and password; login: those, as in an address.

    encrypted: login is an age file in base64.
    """

    number: str
    server: str
    login: str = field(repr=False)
    encrypted: bool
