"""What a person asks for, by a message or by a press of a button: who, where, when, and in which words."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from handlers.chat.messages import Place

HIDDEN = "…"
"""Stands where something secret was, in what is stored or shown of a request."""

_OF_PROXIES = re.compile(r"(?P<command>/proxy(@\w+)?)\s(?P<rest>.*)", re.DOTALL | re.IGNORECASE)
_LOGIN = re.compile(r"(?<=://)\S+@")


def without_secrets(words: str) -> str:
    """Return a person's words without the passwords of addresses, and of /proxy without whole addresses."""
    if proxy := _OF_PROXIES.fullmatch(words):
        rest = [HIDDEN if ":" in word or "@" in word else word for word in proxy["rest"].split()]
        return " ".join([proxy["command"], *rest])
    return _LOGIN.sub(f"{HIDDEN}@", words)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Request:
    """One message or one press of a known person.

    user, name: the person's id and what they are called. place: where they are answered. private: nobody else reads
    there. words: what follows the command, or the whole text where there is none; "" for a press.
    message: the message whose button was pressed, which becomes the answer; None where the answer is a new message.
    code: what the pressed button says, "" for a message. press: the id by which a press is answered.
    update: the chat service's number of this message or press, the same when it is delivered again; 0 for none.
    sent_at: when it was sent, aware; of a press only the earliest moment is known. confirmed: the person was asked
    whether this is still to be done, and said yes.
    """

    user: int
    name: str
    place: Place
    private: bool
    words: str = ""
    message: int | None = None
    code: str = ""
    press: str = ""
    update: int = 0
    sent_at: datetime = field(default_factory=_now)
    confirmed: bool = False
    asked: int | None = None

    @property
    def chat(self) -> int:
        """The chat's id."""
        return self.place.chat

    @property
    def topic(self) -> int | None:
        """The topic's id, None outside of forums."""
        return self.place.topic
