"""Launches that follow the machine: on a simulated one in virtual time, whose processors everything shares."""

import asyncio
from dataclasses import dataclass, field

import pytest

from controller.accounts.model import Wanted
from controller.accounts.notices import Transition
from controller.accounts.policy import Policy
from controller.accounts.reports import Health, Ready
from controller.host.launch_policy import MIB, Machine, Strain
from controller.host.launch_pressure import EVERY, LaunchPressure
from controller.launch_slots import Applicant, Bound, LaunchSlots, Room
from controller.registry import Account, Registry
from controller.tasks import Tasks
from tests.controller.fakes import FakeDriver, FakeSession
from tests.virtual_time import pass_time, settle, virtual, virtual_loop

STEP = 0.01
LATE = 0.5
"""Seconds that a probe of 50 ms of computing may take beside everything else."""


@dataclass
class SimulatedMachine:
    """Processors that whoever works shares evenly. stalled: seconds in which somebody waited for one."""

    cores: int = 2
    working: int = 0
    stalled: float = 0.0
    looked: tuple[float, float] = (0.0, 0.0)
    lag: float = 0.0
    free_memory: int = 8000 * MIB

    async def work(self, seconds: float) -> None:
        self.working += 1
        try:
            while seconds > 0:
                await asyncio.sleep(STEP)
                seconds -= STEP * min(1.0, self.cores / self.working)
        finally:
            self.working -= 1

    async def run(self) -> None:
        while True:
            await asyncio.sleep(STEP)
            self.stalled += STEP * (self.working > self.cores)

    def look(self, lag: float) -> Strain:
        now = asyncio.get_running_loop().time()
        passed, stalled = now - self.looked[0], self.stalled - self.looked[1]
        self.looked = (now, self.stalled)
        return Strain(cpu=stalled / passed if passed else 0.0, lag=max(lag, self.lag), free_memory=self.free_memory)


@dataclass
class Sessions:
    """How long each probe took."""

    probes: list[float] = field(default_factory=list)


class SimulatedSession(FakeSession):
    async def probe(self) -> Health:
        began = asyncio.get_running_loop().time()
        await self.driver.machine.work(0.05)
        self.driver.probes.append(asyncio.get_running_loop().time() - began)
        return self.health


class SimulatedDriver(FakeDriver):
    """Opens a browser by 0.6 s of computing; its page waits a second for the network, and computes for 1.5 s."""

    def __init__(self, machine: SimulatedMachine) -> None:
        super().__init__()
        self.machine = machine
        self.probes: list[float] = []
        self.pages = Tasks("pages")

    async def open(self, opening, report):
        self.opened.append(opening)
        await self.machine.work(0.6)
        session = SimulatedSession(self, opening, report)
        self.sessions.append(session)
        self.pages.start(self._load(session))
        return session

    async def _load(self, session):
        await asyncio.sleep(1.0)
        await self.machine.work(1.5)
        session.report(Ready())


class Store:
    def __init__(self, accounts):
        self._accounts = accounts

    async def accounts(self):
        return self._accounts

    async def set_wanted(self, number, wanted):
        pass


async def boot_of_forty(*, follows: bool) -> tuple[list[float], float]:
    """Boot 40 accounts beside 5 that are connected; return how long probes took, and how long the boot took."""
    machine = SimulatedMachine()
    driver = SimulatedDriver(machine)
    old = [Account(f"+4915110000{n:03}", "", 1, Wanted.CONNECTED, linked=True) for n in range(5)]
    new = [Account(f"+4915120000{n:03}", "", 1, Wanted.CONNECTED, linked=True) for n in range(40)]
    told = []
    registry = Registry(
        Store(old), driver=driver, policy=Policy(health_check=3), listener=told.append,
        launch_slots=4 if follows else 100, clock=virtual_loop().clock,
    )  # fmt: skip
    beside = Tasks("machine")
    beside.start(machine.run())
    if follows:
        beside.start(LaunchPressure(registry.slots, Machine(2.0), machine.look).run())
    await registry.boot()
    await pass_time(20)
    assert all(registry.status(account.number).is_connected for account in old)
    driver.probes.clear()
    registry._store = Store(new)
    began = virtual_loop().time()
    await registry.boot()
    while not all(registry.status(account.number).is_connected for account in new):
        await pass_time(0.5)
        assert virtual_loop().time() - began < 300
    took = virtual_loop().time() - began
    assert not [notice for notice in told if isinstance(notice, Transition) and notice.alert]
    await registry.stop()
    await driver.pages.stop()
    await beside.stop()
    return driver.probes, took


@virtual
async def test_l13_no_probe_is_late_because_of_a_boot_of_forty():
    probes, took = await boot_of_forty(follows=True)
    assert len(probes) > 40
    assert max(probes) <= LATE
    assert took <= 1.3 * 40 * (0.6 + 1.5) / 2, "the processors were kept at work all the same"


@virtual
async def test_without_it_probes_would_be_late():
    probes, _ = await boot_of_forty(follows=False)
    assert max(probes) > LATE


class Line:
    """Launches that hold their slot for as long as the test says."""

    def __init__(self, machine: SimulatedMachine, most: int = 4) -> None:
        self.slots = LaunchSlots(most)
        self.go_on = asyncio.Event()
        self.tasks = Tasks("line")
        self.pressure = LaunchPressure(self.slots, Machine(2.0), machine.look)
        self.running = Tasks("pressure")
        self.running.start(self.pressure.run())

    def ask(self, count: int) -> None:
        async def launch() -> None:
            async with self.slots.slot(Applicant(), lost=True) as held:
                held.opened()
                await self.go_on.wait()

        for _ in range(count):
            self.tasks.start(launch())

    async def stop(self) -> None:
        await self.tasks.stop()
        await self.running.stop()


@virtual
async def test_a_page_that_waits_holds_no_slot():
    line = Line(SimulatedMachine())
    line.ask(12)
    await settle()
    now = line.slots.launches
    assert (now.launching, now.loading, now.waiting) == (0, 12, 0)
    await line.stop()


@pytest.mark.parametrize(("trouble", "bound"), [({"lag": 1.0}, Bound.LAG), ({"free_memory": 0}, Bound.MEMORY)])
@virtual
async def test_a_strained_machine_lets_nobody_new_begin_but_one_after_the_other(trouble, bound):
    machine = SimulatedMachine(**trouble)
    line = Line(machine)
    line.slots.hold("until it is measured")
    line.ask(5)
    await pass_time(3 * EVERY)
    line.slots.release("until it is measured")
    await settle()
    now = line.slots.launches
    assert (now.loading, now.waiting, now.room.bound) == (1, 4, bound)
    machine.lag, machine.free_memory = 0.0, 8000 * MIB
    await pass_time(2 * EVERY)
    assert line.slots.launches.waiting == 0
    await line.stop()


@virtual
async def test_nothing_is_measured_while_nobody_launches():
    looks = []

    def look(lag):
        looks.append(lag)
        return Strain()

    line = Line(SimulatedMachine())
    line.pressure._look = look
    await pass_time(3600)
    assert looks == []
    line.ask(1)
    await pass_time(10)
    line.go_on.set()
    await pass_time(1)
    seen = len(looks)
    assert seen > 10
    await pass_time(3600)
    assert len(looks) == seen
    assert line.slots.launches.room == Room(2, 20)
    await line.stop()


@virtual
async def test_what_cannot_be_measured_stops_no_launch(caplog):
    line = Line(SimulatedMachine())
    line.pressure._look = lambda lag: 1 // 0
    line.ask(7)
    await pass_time(10)
    assert line.slots.launches.waiting == 0
    assert "cannot be measured" in caplog.text
    await line.stop()
