"""Launch slots: a limited number of browsers may be launching at once, and none while launches are held (L13).

A slot is occupied while a browser is launched, which is expensive; once it is open, its page waits for the network and
needs no slot (it still counts as starting until the page is logged in). `host.launch_pressure` sets the number of
slots, up to a fixed maximum. The order is fair: accounts that were lost come before new ones, oldest first; new
ones alternate between the people who add them, so that three hundred of one person do not delay another's
only one. A launch in progress is never aborted.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from enum import StrEnum, unique


@unique
class Bound(StrEnum):
    """The factor that limits concurrent launches."""

    NONE = "none"
    """Only the fixed maximum."""
    CPU = "cpu"
    MEMORY = "memory"
    DISK = "disk"
    LAG = "lag"
    """The controller's own event loop is late."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many may be in progress at once. launching: browsers being launched.

    starting: these, and pages that are not logged in yet; None for no limit. bound: what limits both.
    """

    launching: int
    starting: int | None = None
    bound: Bound = Bound.NONE


@dataclass(frozen=True, slots=True)
class Launches:
    """What is in progress now. loading: open browsers whose page is not logged in yet.

    most: the maximum of concurrent launches on any machine. held: whether launches are held.
    """

    launching: int
    loading: int
    waiting: int
    room: Room
    most: int
    held: bool = False


@dataclass(frozen=True, slots=True)
class Applicant:
    """Who requests a slot. owner: the account's owner. rank: its position among all accounts, oldest first."""

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
        """Free it: the browser is open, and its page waits for the network. Idempotent."""
        if self._opened is not None:
            opened, self._opened = self._opened, None
            opened()


class LaunchSlots:
    """Use with `async with slots.slot(…)`. count: the fixed maximum.

    Holds are by name: launches go on when the last one is released.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._room = Room(count)
        self._in_use = 0
        self._starting = 0
        self.asked = asyncio.Event()
        """Set by each request for a slot; whoever waits for it clears it."""
        self._holds: dict[str, Callable[[str], bool]] = {}
        """name → whether the hold applies to an account's number."""
        self._waiting: list[_Waiting] = []
        self._launching: dict[int, int] = {}
        """owner → how many of their new accounts are launching."""
        self._served: dict[int, int] = {}
        """owner → when a new account of theirs was last granted a slot."""
        self._clock = 0
        self._places: dict[int, int] | None = None
        """Positions of the applicants, by their ids; None if they must be recounted."""

    @property
    def holds(self) -> frozenset[str]:
        """The names of the current holds."""
        return frozenset(self._holds)

    @property
    def waiting(self) -> int:
        """How many are waiting for a slot."""
        return len(self._waiting)

    @property
    def launches(self) -> Launches:
        """What is in progress now."""
        loading = self._starting - self._in_use
        return Launches(self._in_use, loading, len(self._waiting), self._room, self.count, bool(self._holds))

    def allow(self, room: Room) -> None:
        """Set the limits, though never more slots than `count`. Launches in progress are not affected."""
        self._room = replace(room, launching=min(room.launching, self.count))
        self._grant()

    def place(self, applicant: Applicant) -> int | None:
        """Return this applicant's position in the queue, from 1; None if it is not waiting."""
        if self._places is None:
            line = sorted(self._waiting, key=self._turn)
            self._places = {id(each.applicant): place for place, each in enumerate(line, start=1)}
        return self._places.get(id(applicant))

    def hold(self, name: str, concerns: Callable[[str], bool] = lambda _: True) -> None:
        """Grant no more slots until `release` is called with this name. concerns: whether it applies to a number."""
        self._holds[name] = concerns

    def release(self, name: str) -> None:
        """End a hold, if there is one of this name."""
        self._holds.pop(name, None)
        self._grant()

    def locked(self, number: str = "") -> bool:
        """Whether a request for this account would have to wait now."""
        return self.is_held(number) or not self._has_room()

    def is_held(self, number: str) -> bool:
        """Whether a hold applies to an account."""
        return any(concerns(number) for concerns in self._holds.values())

    def _has_room(self) -> bool:
        room = self._room
        return self._in_use < room.launching and (room.starting is None or self._starting < room.starting)

    @asynccontextmanager
    async def slot(self, applicant: Applicant, *, lost: bool) -> AsyncIterator[LaunchSlot]:
        """Wait for a slot and hold it until it is `opened`; the browser counts as starting until the block ends.

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
            free = [each for each in self._waiting if not self.is_held(each.applicant.number)]
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
            if not following.granted.done():  # it was cancelled at this very moment, and returns the slot by itself
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
        """Sort key of the queue: the smallest comes next."""
        if each.lost:
            return 0, each.applicant.rank, 0, each.asked
        owner = each.applicant.owner
        return 1, self._launching.get(owner, 0), self._served.get(owner, 0), each.asked
