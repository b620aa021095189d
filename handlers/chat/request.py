"""A person's request, by message or button press: who, where, when, and its text."""

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
    """One message or button press of a person with a role.

    user, name: the person's id and name. place: where to answer. private: nobody else can read
    there. words: what follows the command, or the whole text if there is none; "" for a press.
    message: the message whose button was pressed, which becomes the answer; None if the answer is a new message.
    code: the button's callback data, "" for a message. press: the id with which to answer a press.
    update: the service's id of this message or press, the same if it is redelivered; 0 for none.
    sent_at: when it was sent, aware; for a press only a lower bound is known. confirmed: the person was asked
    whether to go ahead, and agreed. answered: it was answered when it was queued, so that what follows is not urgent.
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
    answered: bool = False
    asked: int | None = None

    @property
    def chat(self) -> int:
        """The chat's id."""
        return self.place.chat

    @property
    def topic(self) -> int | None:
        """The topic's id, None outside forums."""
        return self.place.topic
