"""Settings made in the chat, cached and stored: loudness, quiet hours, and where alerts go."""

from collections.abc import Sequence
from enum import StrEnum, unique
from typing import Protocol


@unique
class Loudness(StrEnum):
    """How a kind of alert is delivered."""

    SOUND = "sound"
    SILENT = "silent"
    OFF = "off"
    """Not at all."""

    @property
    def following(self) -> "Loudness":
        """The next value, cyclically."""
        everyone = list(Loudness)
        return everyone[(everyone.index(self) + 1) % len(everyone)]


_ALL = "*"
"""How a feed of all accounts is stored."""


class ChatSettingsStore(Protocol):
    """Storage of these settings. Every method raises OSError on failure."""

    async def destination(self) -> tuple[int, int | None] | None:
        """Return the chat and topic chosen for alerts; None if nobody chose one."""

    async def set_destination(self, chosen: tuple[int, int | None] | None) -> None:
        """Store the chat and topic for alerts; None restores the default from the settings."""

    async def loudness(self) -> Sequence[tuple[int, str, str]]:
        """Return (chat, kind of alert, loudness) for everything that was chosen."""

    async def set_loudness(self, chat: int, kind: str, loudness: str) -> None:
        """Store how loud a kind of alert is in a chat."""

    async def quiet_hours(self) -> Sequence[tuple[int, int, int]]:
        """Return (chat, start, end) of all quiet hours, in minutes of the day."""

    async def set_quiet_hours(self, chat: int, hours: tuple[int, int] | None) -> None:
        """Store a chat's quiet hours; None removes them."""

    async def feeds(self) -> Sequence[tuple[int, str]]:
        """Return (chat, words), one to a line, of every chat in which a feed was chosen or turned off."""

    async def set_feed(self, chat: int, words: str) -> None:
        """Store which accounts a chat's feed lists, by words, one to a line."""

    async def move_chat(self, chat: int, to: int) -> None:
        """Carry a group's settings over to the supergroup it became."""


class ChatSettings:
    """How loud alerts are in each chat, and its quiet hours."""

    def __init__(self, store: ChatSettingsStore) -> None:
        self.store = store
        self._loudness: dict[int, dict[str, Loudness]] = {}
        self._quiet: dict[int, tuple[int, int]] = {}
        self._feeds: dict[int, tuple[str, ...]] = {}

    async def load(self) -> None:
        """Load what is stored. Raises OSError."""
        self._loudness.clear()
        for chat, kind, loudness in await self.store.loudness():
            if loudness in set(Loudness):
                self._loudness.setdefault(chat, {})[kind] = Loudness(loudness)
        self._quiet = {chat: (begins, ends) for chat, begins, ends in await self.store.quiet_hours()}
        self._feeds = {chat: _words(stored) for chat, stored in await self.store.feeds()}

    def loudness(self, chat: int) -> dict[str, Loudness]:
        """Return a chat's choices by kind of alert; kinds without one make a sound."""
        return self._loudness.get(chat, {})

    def quiet_hours(self, chat: int) -> tuple[int, int] | None:
        """Return start and end of a chat's quiet hours, in minutes of the day."""
        return self._quiet.get(chat)

    def feed(self, chat: int) -> tuple[str, ...] | None:
        """Return the words that pick the accounts of a chat's feed, "" for all; None if nobody ever chose."""
        return self._feeds.get(chat)

    def feeds(self) -> list[tuple[int, tuple[str, ...]]]:
        """Return each chat that has a feed, with the words of its accounts."""
        return [(chat, words) for chat, words in self._feeds.items() if words]

    async def set_feed(self, chat: int, words: tuple[str, ...]) -> None:
        """Choose which accounts a chat's feed lists: by words, "" for all; none for no feed. Raises OSError."""
        await self.store.set_feed(chat, "\n".join(word or _ALL for word in words))
        self._feeds[chat] = words

    async def set_loudness(self, chat: int, kind: str, loudness: Loudness) -> None:
        """Set how loud a kind of alert is in a chat. Raises OSError."""
        await self.store.set_loudness(chat, kind, loudness)
        self._loudness[chat] = {**self.loudness(chat), kind: loudness}

    async def set_quiet_hours(self, chat: int, hours: tuple[int, int] | None) -> None:
        """Set a chat's quiet hours. Raises OSError."""
        await self.store.set_quiet_hours(chat, hours)
        self._quiet.pop(chat, None)
        if hours is not None:
            self._quiet[chat] = hours

    async def move(self, chat: int, to: int) -> None:
        """Carry a group's settings over to the supergroup it became. Raises OSError."""
        await self.store.move_chat(chat, to)
        await self.load()


def _words(stored: str) -> tuple[str, ...]:
    return tuple("" if word == _ALL else word for word in stored.split("\n") if word)
