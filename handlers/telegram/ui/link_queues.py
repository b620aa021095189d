"""The queue in which a person links accounts: one of them has the open code, the others wait until it is done.

Pure: only which accounts are in which queue, in what order, and which is next; `handlers.telegram.actions.linking`
acts on it. Every person has a queue of their own, so nobody waits for another's phone. Queues exist in memory only:
a restart discards them. The waiting accounts are then simply not linked, and /link queues them again.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Position:
    """An account's place in a queue, counted from the queue's beginning: the third of twelve. at: from 1."""

    at: int
    of: int
    open: bool
    """It is this account's turn: its code is open, or about to be."""


@dataclass(slots=True)
class LinkQueue:
    """A person's queue. open: the account whose turn it is; done: how many came before it. Never empty."""

    person: int
    open: str
    waiting: list[str] = field(default_factory=list)
    done: int = 0

    @property
    def length(self) -> int:
        """The number of accounts that the queue has had since it began, including the waiting ones."""
        return self.done + 1 + len(self.waiting)


class LinkQueues:
    """The queues of all people. An account is in at most one of them."""

    def __init__(self) -> None:
        self._queues: dict[int, LinkQueue] = {}
        self._person_of: dict[str, int] = {}

    def join(self, person: int, number: str) -> Position:
        """Append an account to the person's queue, unless it is in a queue already; return its place."""
        if number not in self._person_of:
            self._person_of[number] = person
            queue = self._queues.get(person)
            if queue is None:
                self._queues[person] = LinkQueue(person, number)
            else:
                queue.waiting.append(number)
        place = self.position(number)
        assert place is not None
        return place

    def waits(self, number: str) -> bool:
        """Return whether an account is queued and its turn has not come yet."""
        place = self.position(number)
        return place is not None and not place.open

    def leave(self, number: str) -> str | None:
        """Remove an account from its queue; return the account whose turn that makes it, if any."""
        person = self._person_of.pop(number, None)
        if person is None:
            return None
        queue = self._queues[person]
        if number != queue.open:
            queue.waiting.remove(number)
            return None
        if not queue.waiting:
            del self._queues[person]
            return None
        queue.open = queue.waiting.pop(0)
        queue.done += 1
        return queue.open

    def dissolve(self, person: int) -> tuple[str, ...]:
        """End a person's queue; return its accounts, the open one first."""
        queue = self._queues.pop(person, None)
        numbers = () if queue is None else (queue.open, *queue.waiting)
        for number in numbers:
            del self._person_of[number]
        return numbers

    def queue(self, person: int) -> LinkQueue | None:
        """Return the person's queue; None if they have none."""
        return self._queues.get(person)

    def person(self, number: str) -> int | None:
        """Return the person in whose queue an account is."""
        return self._person_of.get(number)

    def position(self, number: str) -> Position | None:
        """Return an account's place in its queue; None if it is in none."""
        person = self._person_of.get(number)
        if person is None:
            return None
        queue = self._queues[person]
        if number == queue.open:
            return Position(queue.done + 1, queue.length, open=True)
        return Position(queue.done + 2 + queue.waiting.index(number), queue.length, open=False)
