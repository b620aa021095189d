"""The line in which a person links accounts: one of them has the open code, the others wait for it to be done.

Pure: who is in which line, in what order, and what is next; `handlers.telegram.actions.linking` does what comes of it.
Every person has a line of their own, so nobody waits for another's phone. It lives in memory alone: a restart forgets
who waits. The accounts stay as they are then, not linked, and /link puts them in line again.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Turn:
    """An account's place in a line: the third of twelve, counted from the line's beginning. at: 1 and more."""

    at: int
    of: int
    open: bool
    """It is this one's turn: its code is open, or about to be."""


@dataclass(slots=True)
class Line:
    """A person's line. open: the account whose turn it is; done: how many came before it. Never empty."""

    person: int
    open: str
    waiting: list[str] = field(default_factory=list)
    done: int = 0

    @property
    def length(self) -> int:
        """How many accounts the line has had since it began, with those that wait."""
        return self.done + 1 + len(self.waiting)


class Lines:
    """The lines of all people. An account is in one of them at most."""

    def __init__(self) -> None:
        self._lines: dict[int, Line] = {}
        self._person_of: dict[str, int] = {}

    def join(self, person: int, number: str) -> Turn:
        """Put an account at the end of the person's line, unless it is in a line already; return its place."""
        if number not in self._person_of:
            self._person_of[number] = person
            line = self._lines.get(person)
            if line is None:
                self._lines[person] = Line(person, number)
            else:
                line.waiting.append(number)
        turn = self.turn(number)
        assert turn is not None
        return turn

    def leave(self, number: str) -> str | None:
        """Take an account out of its line; return the one whose turn it has become thereby, if any."""
        person = self._person_of.pop(number, None)
        if person is None:
            return None
        line = self._lines[person]
        if number != line.open:
            line.waiting.remove(number)
            return None
        if not line.waiting:
            del self._lines[person]
            return None
        line.open = line.waiting.pop(0)
        line.done += 1
        return line.open

    def dissolve(self, person: int) -> tuple[str, ...]:
        """End a person's line; return who was in it, the open one first."""
        line = self._lines.pop(person, None)
        numbers = () if line is None else (line.open, *line.waiting)
        for number in numbers:
            del self._person_of[number]
        return numbers

    def line(self, person: int) -> Line | None:
        """Return the person's line, if they have one."""
        return self._lines.get(person)

    def person(self, number: str) -> int | None:
        """Return in whose line an account is."""
        return self._person_of.get(number)

    def turn(self, number: str) -> Turn | None:
        """Return an account's place in its line; None where it is in none."""
        person = self._person_of.get(number)
        if person is None:
            return None
        line = self._lines[person]
        if number == line.open:
            return Turn(line.done + 1, line.length, open=True)
        return Turn(line.done + 2 + line.waiting.index(number), line.length, open=False)
