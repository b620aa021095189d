"""The silences that last: begun, ended, kept through restarts. What a silence covers is in `silences`."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from handlers.alerts.owed import OutboxStore
from handlers.alerts.silences import Silence, silences_of, written


class Silencing:
    """Keeps silences. changed: called when one began or ended, so that what is owed is looked at anew."""

    def __init__(self, outbox: OutboxStore, clock: Callable[[], datetime]) -> None:
        self.changed: Callable[[], None] = lambda: None
        self._outbox, self._clock = outbox, clock
        self._lasting: list[Silence] = []

    async def load(self) -> None:
        """Take up those that an earlier run left. Raises OSError."""
        self._lasting = silences_of(await self._outbox.silences(self._clock()))

    def lasting(self) -> list[Silence]:
        """Return those that last now, the oldest first."""
        now = self._clock()
        if any(each.until <= now for each in self._lasting):
            self._lasting = [each for each in self._lasting if each.until > now]
        return self._lasting

    def here(self, chat: int) -> list[Silence]:
        """Return those that last and concern this chat."""
        return [each for each in self.lasting() if each.chat in {None, chat}]

    async def begin(
        self, chat: int | None, numbers: Iterable[str], lasts: timedelta, *, user: int, name: str, reason: str = ""
    ) -> Silence:
        """Begin a silence. chat: None for everywhere; numbers: none for all accounts. Raises OSError."""
        now = self._clock()
        until, those = now + lasts, frozenset(numbers)
        number = await self._outbox.add_silence(
            chat=chat, numbers=written(those), until=until, at=now, user=user, name=name, reason=reason
        )
        silence = Silence(number, chat, those, until, name, reason)
        self._lasting = [*self._lasting, silence]
        self.changed()
        return silence

    async def end(self, silence: int) -> Silence | None:
        """End a silence before its time: what it held back is told now. None if there is none. Raises OSError."""
        ended = next((each for each in self.lasting() if each.id == silence), None)
        if ended is None:
            return None
        await self._outbox.end_silence(silence)
        self._lasting = [each for each in self._lasting if each.id != silence]
        await self._outbox.hasten(self._clock())
        self.changed()
        return ended
