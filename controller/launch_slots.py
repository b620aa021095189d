"""Launch slots: so many browsers may be launching at once, and none while somebody holds launches back (L13).

A slot is held while a browser is launched, which is dear; once it is open, its page waits for the network and holds
none (it still counts as starting, until the page has found out who it is). How many slots there are is said from
outside (`host.launch_pressure`), up to a fixed most. Who comes next is fair: accounts that were lost before new ones,
and the longest-served of these first; new ones by turns of the people who add them, so that nobody's three hundred keep
another's one waiting. A launch under way is never taken back.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from enum import StrEnum, unique


@unique
class Bound(StrEnum):
    """What keeps launches from being more at once."""

    NONE = "none"
    """Nothing but the most that there may ever be."""
    CPU = "cpu"
    MEMORY = "memory"
    DISK = "disk"
    LAG = "lag"
    """The controller's own event loop is late."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many may go on at once. launching: browsers being launched.

    starting: these, and the pages that do not know yet who they are; None for any number. bound: what bounds both.
    """

    launching: int
    starting: int | None = None
    bound: Bound = Bound.NONE


@dataclass(frozen=True, slots=True)
class Launches:
    """What is under way now. loading: browsers that are open and whose page does not know yet who it is.

    most: launches at once, whatever the machine would take. held: whether somebody holds launches back.
    """

    launching: int
    loading: int
    waiting: int
    room: Room
    most: int
    held: bool = False


@dataclass(frozen=True, slots=True)
class Applicant:
    """Who asks for a slot. owner: whose account it is. rank: its place among all, the longest-served lowest."""

    owner: int = 0
    rank: int = 0
    number: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    applicant: Applicant
    lost: bool
    asked: int
    granted: asyncio.Future[None]


class LaunchSlot:
    """A slot that was granted."""

    def __init__(self, opened: Callable[[], None]) -> None:
        self._opened: Callable[[], None] | None = opened

    def opened(self) -> None:
        """Give it to whoever is next: the browser is open, and its page waits for the network. May be said twice."""
        if self._opened is not None:
            opened, self._opened = self._opened, None
            opened()


class LaunchSlots:
    """Slots to be held with `async with slots.slot(…)`. count: the most that there may ever be.

    Holds are by name: launches go on when the last one is released.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._room = Room(count)
        self._in_use = 0
        self._starting = 0
        self.asked = asyncio.Event()
        """Set with each question for a slot; to be cleared by whoever waits for it."""
        self._holds: dict[str, Callable[[str], bool]] = {}
        """By name: for which accounts' numbers each hold is."""
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

    @property
    def launches(self) -> Launches:
        """What is under way now."""
        loading = self._starting - self._in_use
        return Launches(self._in_use, loading, len(self._waiting), self._room, self.count, bool(self._holds))

    def allow(self, room: Room) -> None:
        """Let so many go on at once from now on, though never more slots than `count`. What is under way goes on."""
        self._room = replace(room, launching=min(room.launching, self.count))
        self._grant()

    def place(self, applicant: Applicant) -> int | None:
        """Return this very applicant's place among those that wait, from 1; None if it does not wait."""
        if self._places is None:
            line = sorted(self._waiting, key=self._turn)
            self._places = {id(each.applicant): place for place, each in enumerate(line, start=1)}
        return self._places.get(id(applicant))

    def hold(self, name: str, concerns: Callable[[str], bool] = lambda _: True) -> None:
        """Grant no more slots until `release` is called with this name. concerns: for which accounts' numbers."""
        self._holds[name] = concerns

    def release(self, name: str) -> None:
        """End a hold, if there is one of this name."""
        self._holds.pop(name, None)
        self._grant()

    def locked(self, number: str = "") -> bool:
        """Whether whoever asks now, for this account, would have to wait."""
        return self._is_held(number) or not self._has_room()

    def _is_held(self, number: str) -> bool:
        return any(concerns(number) for concerns in self._holds.values())

    def _has_room(self) -> bool:
        room = self._room
        return self._in_use < room.launching and (room.starting is None or self._starting < room.starting)

    @asynccontextmanager
    async def slot(self, applicant: Applicant, *, lost: bool) -> AsyncIterator[LaunchSlot]:
        """Wait for a slot and hold it until it is `opened`; what is inside counts as starting until its end.

        lost: the account has been linked before.
        """
        self._clock += 1
        mine = _Waiting(applicant, lost, self._clock, asyncio.get_running_loop().create_future())
        self._waiting.append(mine)
        self._places = None
        self.asked.set()
        self._grant()
        held = LaunchSlot(self._opened)
        try:
            await mine.granted
            yield held
        finally:
            self._places = None
            if mine in self._waiting:
                self._waiting.remove(mine)
            else:
                held.opened()
                self._give_back(mine)

    def _grant(self) -> None:
        while self._has_room():
            free = [each for each in self._waiting if not self._is_held(each.applicant.number)]
            if not free:
                return
            following = min(free, key=self._turn)
            self._waiting.remove(following)
            self._places = None
            self._in_use += 1
            self._starting += 1
            if not following.lost:
                owner = following.applicant.owner
                self._clock += 1
                self._served[owner] = self._clock
                self._launching[owner] = self._launching.get(owner, 0) + 1
            if not following.granted.done():  # it was cancelled in this very moment, and gives the slot back itself
                following.granted.set_result(None)

    def _opened(self) -> None:
        self._in_use -= 1
        self._grant()

    def _give_back(self, mine: _Waiting) -> None:
        self._starting -= 1
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
