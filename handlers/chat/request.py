"""A person's request, by message or button press: who, where, when, and its text."""

import re
from dataclasses import dataclass

from controller.stored import StoredRequest
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(StoredRequest):
    """One message or button press of a person with a role: what is stored of it, and what only this run knows.

    confirmed: the person was asked whether to go ahead, and agreed. answered: it was answered when it was queued, so
    that what follows is not urgent. asked: the message that asked. forwarded: the words may be somebody else's.
    """

    confirmed: bool = False
    answered: bool = False
    asked: int | None = None
    forwarded: bool = False

    @property
    def place(self) -> Place:
        """Where to answer."""
        return Place(self.chat, self.topic)
