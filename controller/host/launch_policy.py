"""Decides how many browsers may launch at once from the machine's measured load: pure, without clock or I/O.

A launch is CPU-bound for its first second and then waits for the network, so the limit follows how the machine copes
rather than a fixed count. Each measurement yields one decision: one slot more while the load is low, fewer at once
under pressure, and always at least one, so that a launch can always start. `launch_pressure` decides when to measure;
`controller.launch_slots` decides who comes next.
"""

from dataclasses import dataclass

from controller.launch_slots import Bound, Room

MIB = 1 << 20

EASY_CPU = 0.7
"""CPU pressure, as a share of time, below which one more launch is allowed."""
BUSY_CPU = 0.9
"""CPU pressure from which the processors count as busy: further launches would only delay each other."""
STARTING_PER_CORE = 3
"""Concurrent launches per processor while these are busy: the launching pages are then computing, not waiting."""
MOST_STARTING_PER_CORE = 10
"""Concurrent launches per processor in any case: while WhatsApp cannot be reached, pages wait indefinitely."""
BUSY_QUEUE = 2.0
"""Runnable tasks per processor that count as busy, on kernels without pressure figures."""
EASY_LAG = 0.1
LATE_LAG = 0.4
"""Event loop lag in seconds from which nothing new is launched: probes and alerts take precedence."""
BUSY_MEMORY = 0.1
BUSY_DISK = 0.6
"""Memory and I/O pressure, as shares of time, from which nothing new is launched."""
BROWSER_MEMORY = 150 * MIB
"""Memory of one more account, with a margin; a browser that is starting may still need half of it."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The constants of a machine. cores: processors we may use, after a control group's quota.

    reserve: bytes that must stay free.
    """

    cores: float
    reserve: int = 300 * MIB

    @property
    def whole_cores(self) -> int:
        """Processors, at least one."""
        return max(1, round(self.cores))


@dataclass(frozen=True, slots=True)
class Strain:
    """One measurement. cpu, memory, disk: pressure since the last measurement, as shares of time.

    None if the kernel does not report it. queue: runnable tasks per processor. lag: the event loop's maximum lag in
    seconds. free_memory: bytes.
    """

    cpu: float | None = None
    memory: float | None = None
    disk: float | None = None
    queue: float = 0.0
    lag: float = 0.0
    free_memory: int = 1 << 40

    @property
    def is_cpu_busy(self) -> bool:
        """Whether tasks wait for processors nearly all the time."""
        return self.queue >= BUSY_QUEUE if self.cpu is None else self.cpu >= BUSY_CPU

    @property
    def is_easy(self) -> bool:
        """Whether one more launch is allowed."""
        has_cpu = self.queue < BUSY_QUEUE / 2 if self.cpu is None else self.cpu < EASY_CPU
        return has_cpu and self.lag < EASY_LAG and self.stops is None

    @property
    def stops(self) -> Bound | None:
        """Why nothing new may be launched; None if it may."""
        if self.lag >= LATE_LAG:
            return Bound.LAG
        if (self.memory or 0.0) >= BUSY_MEMORY:
            return Bound.MEMORY
        return Bound.DISK if (self.disk or 0.0) >= BUSY_DISK else None


def most_at_once(machine: Machine) -> int:
    """Return the default maximum of concurrent launches: two per processor."""
    return min(32, 2 * machine.whole_cores)


def first_room(machine: Machine, most: int) -> Room:
    """Return the limit before the first measurement: one launch per processor."""
    return Room(min(most, machine.whole_cores), _most_starting(machine))


def decide(before: Room, strain: Strain, starting: int, machine: Machine, most: int) -> Room:
    """Return the new limit of concurrent launches.

    before: the last decision. starting: browsers being launched, or whose page does not know its account state yet.
    most: the configured maximum.
    """
    launching = min(most, max(1, before.launching))
    if (stops := strain.stops) is not None:
        return Room(max(1, launching // 2), max(1, starting), stops)
    floor = min(most, machine.whole_cores)
    limit, bound = _most_starting(machine), Bound.NONE
    if strain.is_easy:
        launching = min(most, launching + 1)
    elif launching < floor:
        launching += 1
    elif strain.is_cpu_busy and launching > floor:
        launching -= 1
    if strain.is_cpu_busy or (before.bound is Bound.CPU and not strain.is_easy):
        limit, bound = STARTING_PER_CORE * machine.whole_cores, Bound.CPU
    fits = _fitting(strain.free_memory, starting, machine)
    if fits < limit:
        limit, bound = fits, Bound.MEMORY if fits < starting + most else bound
    return Room(launching, limit, bound)


def _most_starting(machine: Machine) -> int:
    return MOST_STARTING_PER_CORE * machine.whole_cores


def _fitting(free: int, starting: int, machine: Machine) -> int:
    """Return how many may be starting before the memory reserve is touched; at least one."""
    more = (free - machine.reserve - starting * BROWSER_MEMORY // 2) // BROWSER_MEMORY
    return max(1, starting + max(0, more))
