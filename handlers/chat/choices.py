"""What people chose from the chat, in memory and stored: loudness, quiet hours, and where alerts go."""

from collections.abc import Sequence
from enum import StrEnum, unique
from typing import Protocol


@unique
class Loudness(StrEnum):
    """How a kind of alert comes."""

    SOUND = "sound"
    SILENT = "silent"
    OFF = "off"
    """Not at all."""

    @property
    def following(self) -> "Loudness":
        """The next one, round and round."""
        everyone = list(Loudness)
        return everyone[(everyone.index(self) + 1) % len(everyone)]


class ChoiceStore(Protocol):
    """Where choices are stored. Every method raises OSError if it cannot."""

    async def destination(self) -> tuple[int, int | None] | None:
        """Return the chat and the topic that alerts go to; None where nobody chose one."""

    async def set_destination(self, chosen: tuple[int, int | None] | None) -> None:
        """Store where alerts go, by chat and topic; None for where the settings say."""

    async def loudness(self) -> Sequence[tuple[int, str, str]]:
        """Return what was chosen: chat, kind of alert, loudness."""

    async def set_loudness(self, chat: int, kind: str, loudness: str) -> None:
        """Store how loud a kind of alert is in a chat."""

    async def quiet_hours(self) -> Sequence[tuple[int, int, int]]:
        """Return chats with their quiet hours: the minutes of the day in which they begin and end."""

    async def set_quiet_hours(self, chat: int, hours: tuple[int, int] | None) -> None:
        """Store a chat's quiet hours, None for none."""

    async def move_chat(self, chat: int, to: int) -> None:
        """Let a supergroup have what was chosen for the group that it was."""


class Choices:
    """How loud alerts are in each chat, and when it is to be quiet there."""

    def __init__(self, store: ChoiceStore) -> None:
        self.store = store
        self._loudness: dict[int, dict[str, Loudness]] = {}
        self._quiet: dict[int, tuple[int, int]] = {}

    async def load(self) -> None:
        """Read what an earlier run left. Raises OSError."""
        self._loudness.clear()
        for chat, kind, loudness in await self.store.loudness():
            if loudness in set(Loudness):
                self._loudness.setdefault(chat, {})[kind] = Loudness(loudness)
        self._quiet = {chat: (begins, ends) for chat, begins, ends in await self.store.quiet_hours()}

    def loudness(self, chat: int) -> dict[str, Loudness]:
        """Return what was chosen in a chat, by the kind of alert; what is missing sounds."""
        return self._loudness.get(chat, {})

    def quiet_hours(self, chat: int) -> tuple[int, int] | None:
        """Return the minutes of the day in which a chat's quiet hours begin and end."""
        return self._quiet.get(chat)

    async def set_loudness(self, chat: int, kind: str, loudness: Loudness) -> None:
        """Choose how loud a kind of alert is in a chat. Raises OSError."""
        await self.store.set_loudness(chat, kind, loudness)
        self._loudness[chat] = {**self.loudness(chat), kind: loudness}

    async def set_quiet_hours(self, chat: int, hours: tuple[int, int] | None) -> None:
        """Choose a chat's quiet hours. Raises OSError."""
        await self.store.set_quiet_hours(chat, hours)
        self._quiet.pop(chat, None)
        if hours is not None:
            self._quiet[chat] = hours

    async def move(self, chat: int, to: int) -> None:
        """Let a supergroup have what was chosen for the group that it was. Raises OSError."""
        await self.store.move_chat(chat, to)
        await self.load()
