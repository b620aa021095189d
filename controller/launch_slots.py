"""Launch slots: so many browsers may be launching at once, and none while somebody holds launches back (L13).

Who comes next is fair: accounts that were lost before new ones, and the longest-served of these first; new ones by
turns of the people who add them, so that nobody's three hundred keep another's one waiting. A launch under way is never
taken back.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Applicant:
    """Who asks for a slot. owner: whose account it is. rank: its place among all, the longest-served lowest."""

    owner: int = 0
    rank: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    applicant: Applicant
    lost: bool
    asked: int
    granted: asyncio.Future[None]


class LaunchSlots:
    """Slots to be held with `async with slots.slot(…)`.

    Holds are by name: launches go on when the last one is released.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._free = count
        self._holds: set[str] = set()
        self._waiting: list[_Waiting] = []
        self._launching: dict[int, int] = {}
        """owner → how many of their new accounts are launching."""
        self._served: dict[int, int] = {}
        """owner → when a new account of theirs was last granted a slot."""
        self._clock = 0
        self._places: dict[int, int] | None = None
        """The places of the applicants, by their ids; None where they are to be counted anew."""

    @property
    def holds(self) -> frozenset[str]:
        """The names of who holds launches back now."""
        return frozenset(self._holds)

    @property
    def waiting(self) -> int:
        """How many wait for a slot."""
        return len(self._waiting)

    def place(self, applicant: Applicant) -> int | None:
        """Return this very applicant's place among those that wait, from 1; None if it does not wait."""
        if self._places is None:
            line = sorted(self._waiting, key=self._turn)
            self._places = {id(each.applicant): place for place, each in enumerate(line, start=1)}
        return self._places.get(id(applicant))

    def hold(self, name: str) -> None:
        """Grant no more slots until `release` is called with this name."""
        self._holds.add(name)

    def release(self, name: str) -> None:
        """End a hold, if there is one of this name."""
        self._holds.discard(name)
        self._grant()

    def locked(self) -> bool:
        """Whether whoever asks now would have to wait."""
        return self._free == 0 or bool(self._holds)

    @asynccontextmanager
    async def slot(self, applicant: Applicant, *, lost: bool) -> AsyncIterator[None]:
        """Wait for a slot and hold it. lost: the account has been linked before."""
        self._clock += 1
        mine = _Waiting(applicant, lost, self._clock, asyncio.get_running_loop().create_future())
        self._waiting.append(mine)
        self._places = None
        self._grant()
        try:
            await mine.granted
            yield
        finally:
            self._places = None
            if mine in self._waiting:
                self._waiting.remove(mine)
            else:
                self._give_back(mine)

    def _grant(self) -> None:
        while self._free and self._waiting and not self._holds:
            following = min(self._waiting, key=self._turn)
            self._waiting.remove(following)
            self._places = None
            self._free -= 1
            if not following.lost:
                owner = following.applicant.owner
                self._clock += 1
                self._served[owner] = self._clock
                self._launching[owner] = self._launching.get(owner, 0) + 1
            if not following.granted.done():  # it was cancelled in this very moment, and gives the slot back itself
                following.granted.set_result(None)

    def _give_back(self, mine: _Waiting) -> None:
        self._free += 1
        self._places = None
        if not mine.lost:
            owner = mine.applicant.owner
            self._launching[owner] -= 1
            if not self._launching[owner]:
                del self._launching[owner]
        self._grant()

    def _turn(self, each: _Waiting) -> tuple[int, int, int, int]:
        """Order the waiting: the least comes next."""
        if each.lost:
            return 0, each.applicant.rank, 0, each.asked
        owner = each.applicant.owner
        return 1, self._launching.get(owner, 0), self._served.get(owner, 0), each.asked
