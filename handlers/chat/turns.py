"""Chooses the next lane of messages: each has a share, so that none waits for ever behind another. Pure.

Strict priority is unbounded: a lane that never runs empty would starve the others. So turns follow a cyclic table.
In a private chat, with a message every 1.11 s, the oldest alert or answer is sent within 3 turns (3.4 s), a
linking code within 6 (6.7 s), an update or a card within 12 (13.4 s), whatever else is waiting.
"""

from collections.abc import Collection, Sequence

from handlers.chat.messages import Lane

TABLE = (
    Lane.ALERTS, Lane.ANSWERS, Lane.QR,
    Lane.ALERTS, Lane.ANSWERS, Lane.UPDATES,
    Lane.ALERTS, Lane.ANSWERS, Lane.QR,
    Lane.ALERTS, Lane.ANSWERS, Lane.CARDS,
)  # fmt: skip
"""The owner of each turn, cyclically."""


class Turns:
    """Follows the table. A turn whose owner has nothing to send goes to a code, else to the least recently served lane.

    A code dies within a minute, so it comes before what only says that it has come; the others keep their own turns.

    table: each turn's owner; empty if the budget itself gives each lane its share, as in groups.
    """

    def __init__(self, table: Sequence[Lane] = TABLE) -> None:
        self._table = table
        self._taken = 0
        self._last = dict.fromkeys(Lane, -1)

    @property
    def owner(self) -> Lane | None:
        """The lane that owns the next turn, if it has something to send."""
        return self._table[self._taken % len(self._table)] if self._table else None

    def choose(self, ready: Collection[Lane]) -> Lane:
        """Return which of the lanes that are ready to send gets the next turn. ready: not empty."""
        owner = self.owner
        if owner is not None and owner in ready:
            return owner
        if owner is not None and Lane.QR in ready:
            return Lane.QR
        return min(ready, key=lambda lane: (self._last[lane], lane))

    def take(self, lane: Lane) -> None:
        """Record that the lane used the turn."""
        self._last[lane] = self._taken
        self._taken += 1
