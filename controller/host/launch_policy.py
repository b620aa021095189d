"""How many browsers may be launched at once, decided from what strains the machine: pure, without clock or I/O.

A launch is dear for its first second and then waits for the network, so what counts is not how many are under way but
how the machine takes them. Each look gives one decision: one slot more while all is easy, fewer at once under strain,
never none while nothing is under way: somebody must always be able to start. What is measured, and when, is
`launch_pressure`'s; who comes next is `controller.launch_slots`'s.
"""

from dataclasses import dataclass

from controller.launch_slots import Bound, Room

MIB = 1 << 20

EASY_CPU = 0.7
"""Share of the time in which something waits for a processor, below which there may be one more."""
BUSY_CPU = 0.9
"""From here on the processors are busy: launches beyond one for each would only make each other late."""
STARTING_PER_CORE = 3
"""Browsers that may be starting for each processor while these are busy: their pages then compute, and do not wait."""
MOST_STARTING_PER_CORE = 10
"""Browsers that may be starting for each processor at all: while WhatsApp cannot be reached, pages wait and wait."""
BUSY_QUEUE = 2.0
"""Where the kernel measures no pressure: runnable tasks for each processor from which on these are busy."""
EASY_LAG = 0.1
LATE_LAG = 0.4
"""Seconds by which the event loop is late, from which on nobody new is launched: probes and alerts go first."""
BUSY_MEMORY = 0.1
BUSY_DISK = 0.6
"""Shares of the time in which something waits for memory or the disk, from which on nobody new is launched."""
BROWSER_MEMORY = 150 * MIB
"""What one more account takes, with a margin; a browser that is starting may take half of that yet."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What does not change. cores: processors that we may use, a control group's quota counted.

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
    """What one look measured. cpu, memory, disk: shares of the time since the last look in which something waited.

    None where the kernel does not tell. queue: runnable tasks for each processor. lag: seconds that the event loop was
    late at the worst. free_memory: bytes.
    """

    cpu: float | None = None
    memory: float | None = None
    disk: float | None = None
    queue: float = 0.0
    lag: float = 0.0
    free_memory: int = 1 << 40

    @property
    def is_cpu_busy(self) -> bool:
        """Whether work waits for processors nearly all the time."""
        return self.queue >= BUSY_QUEUE if self.cpu is None else self.cpu >= BUSY_CPU

    @property
    def is_easy(self) -> bool:
        """Whether there is room for more."""
        has_cpu = self.queue < BUSY_QUEUE / 2 if self.cpu is None else self.cpu < EASY_CPU
        return has_cpu and self.lag < EASY_LAG and self.stops is None

    @property
    def stops(self) -> Bound | None:
        """What lets nobody new begin; None where nothing does."""
        if self.lag >= LATE_LAG:
            return Bound.LAG
        if (self.memory or 0.0) >= BUSY_MEMORY:
            return Bound.MEMORY
        return Bound.DISK if (self.disk or 0.0) >= BUSY_DISK else None


def most_at_once(machine: Machine) -> int:
    """Return the most launches at once where nobody has said one: two for each processor."""
    return min(32, 2 * machine.whole_cores)


def first_room(machine: Machine, most: int) -> Room:
    """Return the room before anything was measured: a launch for each processor."""
    return Room(min(most, machine.whole_cores), _most_starting(machine))


def decide(before: Room, strain: Strain, starting: int, machine: Machine, most: int) -> Room:
    """Return how many may go on at once from now on.

    before: the last decision. starting: browsers that are being launched or whose page does not know yet who it is.
    most: launches at once, whatever is measured.
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
    """Return how many may be starting before the memory that must stay free is touched; one always may."""
    more = (free - machine.reserve - starting * BROWSER_MEMORY // 2) // BROWSER_MEMORY
    return max(1, starting + max(0, more))
