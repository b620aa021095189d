"""Whose turn it is among the lanes of messages: each has a share, so that none waits for ever behind another. Pure.

Strict priority has no bound: a lane that never runs empty is the only one that is served. So turns go round a table.
In a private chat, which takes a message each 1.11 s, the oldest alert or answer is sent within 3 turns (3.4 s), a
linking code within 6 (6.7 s), an update or a card within 12 (13.4 s), whatever waits in the other lanes.
"""

from collections.abc import Collection, Sequence

from handlers.chat.messages import Lane

TABLE = (
    Lane.ALERTS, Lane.ANSWERS, Lane.QR,
    Lane.ALERTS, Lane.ANSWERS, Lane.UPDATES,
    Lane.ALERTS, Lane.ANSWERS, Lane.QR,
    Lane.ALERTS, Lane.ANSWERS, Lane.CARDS,
)  # fmt: skip
"""Whose each turn is, round and round."""


class Turns:
    """Goes round the table. A turn whose owner has nothing to send goes to who was served longest ago.

    table: whose each turn is; empty where the budget itself gives each lane its share, as a group's does.
    """

    def __init__(self, table: Sequence[Lane] = TABLE) -> None:
        self._table = table
        self._taken = 0
        self._last = dict.fromkeys(Lane, -1)

    @property
    def owner(self) -> Lane | None:
        """Whose the next turn is, if that lane has something to send."""
        return self._table[self._taken % len(self._table)] if self._table else None

    def choose(self, ready: Collection[Lane]) -> Lane:
        """Return which of the lanes that could send now gets the next turn. ready: not empty."""
        owner = self.owner
        return owner if owner is not None and owner in ready else min(ready, key=lambda lane: (self._last[lane], lane))

    def take(self, lane: Lane) -> None:
        """Note that the lane took the turn."""
        self._last[lane] = self._taken
        self._taken += 1
