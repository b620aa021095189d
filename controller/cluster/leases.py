"""Who may run which account, and until when: the controller's table of leases and a machine's own lease. Pure.

A machine may run browsers while its lease lasts. The lease is an *echoed clock*: each beat carries the time that the
machine's own clock showed when it sent its previous reply, and extends the lease to that time + ttl. A beat that comes
late extends nothing, and clocks of different machines are never compared. The controller in turn knows that no lease
can last longer than ttl after it received that reply. It adds a margin, for clock drift and for the duration of a kill,
and accepts nothing else as proof that a machine has ended: neither a connection error nor a reported death.

Each placement has an epoch, higher than all earlier ones; messages with any other epoch are dropped on both sides.
Times are seconds on each side's own CLOCK_BOOTTIME, which includes suspension.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from controller.hosts import HostState, HostUsage, UnknownHostError

HOME_PATIENCE = 15.0
"""Seconds for which a machine that was lost is waited for if it alone has what an account needs."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms of all leases, in seconds. beat: interval of beats. margin: from a lease's end until accounts are free."""

    ttl: float = 20.0
    beat: float = 5.0
    margin: float = 3.0

    def __post_init__(self) -> None:
        if not (0 < self.beat * 3 <= self.ttl and self.margin > 0):
            raise ValueError("a lease must outlast three beats, and its margin be positive")

    @property
    def fence(self) -> float:
        """Seconds from a machine's last reply until nothing can be running there."""
        return self.ttl + self.margin


class HostLease:
    """A machine's own lease. Once it has expired it cannot be renewed: the machine needs a new life.

    now: this machine's clock. A life that is granted no lease within one ttl is over as well.
    """

    def __init__(self, terms: Terms, now: float) -> None:
        self._ttl = terms.ttl
        self.ends_at = now + terms.ttl
        """When this life is over, on this machine's clock."""
        self._is_given = False
        self._replied_at: float | None = None

    def extend(self, echo: float | None, now: float) -> bool:
        """Handle a beat. Returns whether the lease was extended. echo: time in a reply of this life, else ignored."""
        if self.is_over(now) or echo is None or self._replied_at is None or echo > self._replied_at:
            return False
        ends_at = echo + self._ttl
        if ends_at <= now or (self._is_given and ends_at <= self.ends_at):
            return False
        self._is_given, self.ends_at = True, ends_at
        return True

    def reply(self, now: float) -> float:
        """Return the time to send in a reply, which the next beat echoes."""
        self._replied_at = now
        return now

    def is_over(self, now: float) -> bool:
        """Whether this life is over."""
        return now >= self.ends_at

    def lasts(self, now: float) -> bool:
        """Whether browsers may run."""
        return self._is_given and now < self.ends_at


class Epochs:
    """A machine's record of placements: which epoch of an account may start here, and which is running."""

    def __init__(self) -> None:
        self._latest: dict[str, int] = {}
        self._running: dict[str, int] = {}

    @property
    def running(self) -> dict[str, int]:
        """The accounts that run here, each with its epoch."""
        return dict(self._running)

    def begin(self, account: str, epoch: int) -> bool:
        """Start a placement. Returns False if it is outdated or has been ended, or if another one is still running."""
        if epoch <= self._latest.get(account, -1) or account in self._running:
            return False
        self._latest[account] = self._running[account] = epoch
        return True

    def bar(self, account: str, epoch: int) -> None:
        """Reject this epoch and all earlier ones from now on, even if their request is still on its way."""
        self._latest[account] = max(epoch, self._latest.get(account, -1))

    def end(self, account: str, epoch: int) -> None:
        """Record that nothing is left of a placement."""
        self.bar(account, epoch)
        if self._running.get(account) == epoch:
            del self._running[account]


@dataclass(frozen=True, slots=True)
class Placement:
    """An account's right to run on one machine, in one life of it."""

    account: str
    epoch: int
    host: str
    life: str


@dataclass(frozen=True, slots=True)
class Lost:
    """A life of a machine in which nothing can be running any more, and the accounts that were placed there."""

    host: str
    life: str
    placements: tuple[Placement, ...]


class NotYetError(Exception):
    """An account cannot be placed before `until`, on the controller's clock: it may be running elsewhere."""

    def __init__(self, until: float) -> None:
        super().__init__(f"not before {until}")
        self.until = until


class NoHostError(Exception):
    """No machine accepts an account. The text is one line for people."""


@dataclass(slots=True)
class _Life:
    """One life of a machine. replies: number received. heard_at: when the newest arrived, else when it joined."""

    host: str
    life: str
    capacity: int
    heard_at: float
    build: str = ""
    echo: float | None = None
    replies: int = 0
    failed: bool = False
    free_memory: int | None = None
    free_disk: int | None = None
    short: bool = False
    accounts: set[str] = field(default_factory=set)


class LeaseTable:
    """The controller's side. started_at: when this controller started; leases of an earlier one may last from then on.

    next_epoch: returns an epoch higher than every one before; by default, than those of this table.
    """

    def __init__(self, terms: Terms, started_at: float, next_epoch: Callable[[], int] | None = None) -> None:
        self._terms = terms
        self.opens_at = started_at + terms.fence
        """Nothing is placed before this time."""
        self._next_epoch = next_epoch or itertools.count(1).__next__
        self._lives: dict[str, _Life] = {}
        self._placements: dict[str, Placement] = {}
        self._draining: set[str] = set()
        self._known: set[str] = set()
        self._lost_at: dict[str, float] = {}

    # --- machines -----------------------------------------------------------------------------------------------------

    def join(self, host: str, life: str, capacity: int, now: float, build: str = "") -> None:
        """Add a new life of a machine. Nothing is placed there before it holds a lease."""
        self._known.add(host)
        self._lives[life] = _Life(host, life, capacity, now, build)

    def echo(self, life: str) -> float | None:
        """Return the time that the next beat to a machine echoes."""
        return self._lives[life].echo

    def take_reply(
        self,
        life: str,
        echo: float,
        now: float,
        *,
        free_memory: int | None = None,
        free_disk: int | None = None,
        short: bool = False,
    ) -> None:
        """Handle a machine's reply to a beat. short: it lacks memory or disk, so nothing more is placed there.

        Replies out of order are harmless: they can only make the lease appear longer than it is.
        """
        if (found := self._lives.get(life)) is None:
            return
        found.echo, found.heard_at, found.replies, found.failed = echo, now, found.replies + 1, False
        found.free_memory, found.free_disk, found.short = free_memory, free_disk, short

    def note_failure(self, life: str) -> None:
        """Record that a machine does not answer: nothing is placed there until it does. This proves nothing else."""
        if life in self._lives:
            self._lives[life].failed = True

    def take_lost(self, now: float) -> list[Lost]:
        """Remove and return the lives whose lease has certainly expired. Their accounts are free."""
        lost = []
        for life in [one for one in self._lives.values() if now >= one.heard_at + self._terms.fence]:
            del self._lives[life.life]
            self._lost_at[life.host] = now
            gone = tuple(self._placements.pop(account) for account in sorted(life.accounts))
            lost.append(Lost(life.host, life.life, gone))
        return lost

    def lives(self) -> list[tuple[str, str]]:
        """Return all lives as (host, life)."""
        return [(one.host, one.life) for one in self._lives.values()]

    def drain(self, host: str, *, draining: bool) -> None:
        """Stop placing accounts on a machine, or resume. Raises UnknownHostError."""
        if host not in self._known:
            raise UnknownHostError(host)
        (self._draining.add if draining else self._draining.discard)(host)

    def forget(self, host: str) -> None:
        """Forget a machine that will not return. One with a current life is not forgotten."""
        if not any(one.host == host for one in self._lives.values()):
            self._known.discard(host)
            self._draining.discard(host)

    def usage(self, now: float) -> list[HostUsage]:
        """Return all machines that have ever joined, by name."""
        return [self._usage(host, now) for host in sorted(self._known)]

    def _usage(self, host: str, now: float) -> HostUsage:
        found = [one for one in self._lives.values() if one.host == host]
        if not found:
            return HostUsage(host, HostState.LOST, 0)
        newest = max(found, key=lambda one: (one.replies > 0, one.heard_at))
        state = HostState.DRAINING if host in self._draining else HostState.UP
        return HostUsage(
            host,
            state if self._is_heard(newest, now) else HostState.LOST,
            sum(len(one.accounts) for one in found),
            newest.capacity,
            newest.free_memory,
            newest.free_disk,
            newest.build,
        )

    # --- accounts -----------------------------------------------------------------------------------------------------

    def place(self, account: str, now: float, home: str = "", *, alone: bool = False) -> Placement:
        """Place an account on the machine with the fewest accounts, then with the most memory.

        home: a machine to prefer; with alone, even a full or draining one, and it is waited for if it was just lost.
        Raises NotYetError while it may be running elsewhere, NoHostError if no machine accepts it.
        """
        if now < self.opens_at:
            raise NotYetError(self.opens_at)
        if (held := self._placements.get(account)) is not None:
            raise NotYetError(self._lives[held.life].heard_at + self._terms.fence)
        life = self._choose(now, home, alone=alone)
        placement = self._placements[account] = Placement(account, self._next_epoch(), life.host, life.life)
        life.accounts.add(account)
        return placement

    def _choose(self, now: float, home: str, *, alone: bool) -> _Life:
        """Return the machine for an account, as `place` explains. Raises NoHostError, with why there is none."""
        ready = [one for one in self._lives.values() if one.replies > 1 and self._is_heard(one, now)]
        if alone:
            if at_home := [one for one in ready if one.host == home]:
                return at_home[0]
            if now < max(self.opens_at, self._lost_at.get(home, 0.0)) + HOME_PATIENCE:
                raise NoHostError(f"host {home} alone has its newest session, and is not up")
        open_to_all = [one for one in ready if one.host not in self._draining]
        roomy = [one for one in open_to_all if len(one.accounts) < one.capacity and not one.short]
        if roomy:
            return min(roomy, key=lambda one: (one.host != home, len(one.accounts), -(one.free_memory or 0), one.host))
        if open_to_all:
            raise NoHostError("every host is full or short of memory or disk")
        raise NoHostError("every host that is up is being drained" if ready else "no host is up")

    def _is_heard(self, life: _Life, now: float) -> bool:
        return not life.failed and now - life.heard_at <= 2 * self._terms.beat

    def release(self, placement: Placement) -> None:
        """Free an account: its machine has confirmed that nothing is left of this placement."""
        if self.is_current(placement):
            del self._placements[placement.account]
            self._lives[placement.life].accounts.discard(placement.account)

    def is_current(self, placement: Placement) -> bool:
        """Whether a placement is still in force."""
        return self._placements.get(placement.account) == placement

    def placement(self, account: str) -> Placement | None:
        """Return where an account is, or may be, running."""
        return self._placements.get(account)
