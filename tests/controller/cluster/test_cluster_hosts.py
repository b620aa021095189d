"""Both sides together in virtual time: an account is opened, moved, lost and never runs twice."""

import asyncio

import pytest

from controller.accounts.notices import Transition
from controller.accounts.policy import Policy
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Ended, Heard, Loaded, Ready
from controller.driver import DriverError, Opening, SavedSession
from controller.host.host_watch import HostWatch
from controller.hosts import Home, HostState
from controller.launch_slots import LaunchSlots
from controller.manager import Manager
from controller.troubles import Trouble
from tests.controller.cluster.machines import TERMS, World
from tests.controller.fakes import FakeDriver
from tests.virtual_time import until, virtual, virtual_loop

A, B = "+491511234567", "+491511234568"


async def opened(world, account=A, into=None):
    said = [] if into is None else into
    return await world.hosts.open(Opening(account), said.append), said


def newest(world, account=A):
    host = world.hosts.host_of(account)
    return world.machines[host].driver.newest


@virtual
async def test_reports_come_in_order_and_questions_are_answered():
    async with World("b") as world:
        session, said = await opened(world)
        for report in (Loaded("1"), Heard(), Ready(A)):
            newest(world).report(report)
        await until(lambda: len(said) == 3, within=2)

        assert said == [Loaded("1"), Heard(), Ready(A)]
        assert (await session.probe()).failed is None
        assert await session.heartbeat(ask=True)
        assert (await session.usage()).processes == 5
        assert world.hosts.used()[A].processes == 5
        await session.close()
        assert world.running() == {}
        assert world.hosts.host_of(A) == ""


@virtual
async def test_accounts_are_spread():
    async with World("b", "c") as world:
        for number in range(4):
            await opened(world, f"+4915112345{number:02}")

        assert {one.name: one.accounts for one in world.hosts.usage()} == {"b": 2, "c": 2}


@virtual
async def test_a_host_that_refuses_leaves_nothing():
    async with World("b") as world:
        world.machines["b"].driver.fails = DriverError(Reason.PROFILE_IN_USE, "in use")

        with pytest.raises(DriverError, match="in use") as refused:
            await opened(world)
        assert refused.value.reason is Reason.PROFILE_IN_USE
        assert world.hosts.host_of(A) == ""


@virtual
@pytest.mark.parametrize("fault", ["down", "cut", "frozen"])
async def test_a_lost_host_is_told_when_nothing_can_run_there_and_not_before(fault):
    async with World("b") as world:
        _, said = await opened(world)
        machine = world.machines["b"]
        setattr(machine, fault, True)
        if fault == "down":
            machine.die()
        began = virtual_loop().time()
        await until(lambda: bool(said), within=60)

        assert isinstance(said[0], Ended)
        assert TERMS.ttl - TERMS.beat <= virtual_loop().time() - began <= TERMS.fence + 2
        assert world.running() == {}
        assert [one.state for one in world.hosts.usage()] == [HostState.LOST]


@virtual
async def test_an_account_moves_only_when_its_host_cannot_run_it_any_more():
    async with World("b", "c") as world:
        _, said = await opened(world)
        first = world.hosts.host_of(A)
        world.machines[first].cut = True
        await until(lambda: bool(said), within=60)
        assert world.running() == {}

        await opened(world)

        assert world.hosts.host_of(A) == ({"b", "c"} - {first}).pop()


@virtual
async def test_a_close_that_is_not_confirmed_holds_the_account_until_the_lease_is_over():
    async with World("b", "c") as world:
        session, _ = await opened(world)
        first = world.machines[world.hosts.host_of(A)]
        first.cut = True
        began = virtual_loop().time()
        closing = asyncio.create_task(session.close())
        await asyncio.sleep(10)
        assert first.open_now() == {A}, "it runs on where nobody can reach it"

        await opened(world)
        await closing

        assert virtual_loop().time() - began >= TERMS.ttl - TERMS.beat


@virtual
async def test_files_are_touched_only_when_the_account_runs_nowhere():
    async with World("b") as world:
        session, _ = await opened(world)
        world.files.copies = [SavedSession("1", 0.0, 1)]
        world.machines["b"].cut = True
        await session.close()

        await world.hosts.restore(A, "1")

        assert world.running() == {}
        assert world.files.restored == [(A, "1")]


@virtual
async def test_a_cancelled_opening_is_ended_where_it_went():
    async with World("b") as world:
        world.machines["b"].driver.hangs = True
        opening = asyncio.create_task(world.hosts.open(Opening(A), lambda _: None))
        await until(lambda: world.running() == {A: ["b"]}, within=5)

        opening.cancel()
        await until(lambda: world.hosts.host_of(A) == "", within=5)

        assert world.running() == {}


@virtual
async def test_what_an_old_placement_reports_is_dropped():
    async with World("b") as world:
        session, said = await opened(world)
        old = newest(world)
        await session.close()
        _, new = await opened(world)

        old.report(Ready(A))
        await asyncio.sleep(2)

        assert said == new == []


@virtual
async def test_a_short_silence_loses_nothing():
    async with World("b") as world:
        _, said = await opened(world)
        world.machines["b"].cut = True
        await asyncio.sleep(9)
        world.machines["b"].cut = False
        await asyncio.sleep(120)

        assert said == []
        assert world.machines["b"].deaths == 0
        assert world.running() == {A: ["b"]}


@virtual
async def test_a_host_that_comes_back_begins_anew():
    async with World("b") as world:
        _, said = await opened(world)
        world.machines["b"].cut = True
        await until(lambda: bool(said), within=60)
        world.machines["b"].cut = False
        await asyncio.sleep(5)

        await opened(world)

        assert world.running() == {A: ["b"]}


@virtual
async def test_nothing_opens_before_an_earlier_controllers_leases_are_over():
    began = virtual_loop().time()
    async with World("b") as world:
        await opened(world)

        assert virtual_loop().time() - began >= TERMS.fence


@virtual
async def test_no_host_is_one_clear_line_after_a_while():
    async with World() as world:
        with pytest.raises(DriverError, match="no host is up"):
            await opened(world)


class Listener:
    def __init__(self):
        self.notices = []

    def notify(self, notice):
        self.notices.append(notice)

    __call__ = notify


@virtual
async def test_accounts_of_a_dead_host_are_connected_elsewhere_in_time_and_nobody_is_alerted():
    numbers = [f"+4915112345{number:02}" for number in range(20)]

    def script(session):
        loop = asyncio.get_running_loop()
        loop.call_later(2.0, session.report, Loaded("1"))
        loop.call_later(3.0, session.report, Ready(session.opening.account))

    async with World("b", "c", script=script) as world:
        slots, listener = LaunchSlots(4), Listener()
        managers = [
            Manager(number, driver=world.hosts, slots=slots, policy=Policy(), listener=listener) for number in numbers
        ]
        for manager in managers:
            await manager.start()
        await until(lambda: all(one.get_status().is_connected for one in managers), within=120)
        listener.notices.clear()
        world.machines["b"].down = True
        world.machines["b"].die()
        died_at = virtual_loop().time()
        await until(lambda: len(world.running()) == 20 and not world.machines["b"].open_now(), within=120)
        await until(lambda: all(one.get_status().is_connected for one in managers), within=120)
        took = virtual_loop().time() - died_at

        assert took <= TERMS.fence + 15
        assert [one for one in listener.notices if isinstance(one, Transition) and one.alert] == []
        assert {one.get_status().state for one in managers} == {State.CONNECTED}
        for manager in managers:
            await manager.stop()


class Archives(FakeDriver):
    """What the controller knows of the archives."""

    def __init__(self):
        super().__init__()
        self.homes, self.epoch, self.gone = {}, 1 << 32, False
        self.finds_homes = False
        """It can still be read."""

    def next_epoch(self):
        self.epoch += 1
        return self.epoch

    async def home(self, account):
        if self.gone and not self.finds_homes:
            raise DriverError(Reason.LAUNCH_FAILED, "the archives do not answer in time")
        return self.homes.get(account)

    async def check(self):
        return "no route" if self.gone else ""


@virtual
async def test_an_account_goes_where_its_session_is_under_an_epoch_of_the_archives():
    archives = Archives()
    archives.homes[B] = Home("c", alone=True)
    async with World("b", "c", archives=archives) as world:
        for account in (A, B):
            await opened(world, account)
        assert (world.hosts.host_of(A), world.hosts.host_of(B)) == ("b", "c")
        assert newest(world, B).opening.epoch == archives.epoch > 1 << 32

        world.machines["c"].die()
        world.machines["c"].down = True
        await until(lambda: world.hosts.host_of(B) == "", within=30)
        began = virtual_loop().time()
        await opened(world, B)
        assert 10 <= virtual_loop().time() - began <= 16, "its machine was waited for, but not for ever"
        assert world.hosts.host_of(B) == "b", "where a person is asked"


@virtual
async def test_archives_that_are_gone_open_nothing_and_move_nothing():
    archives = Archives()
    async with World("b", archives=archives) as world:
        await opened(world)
        archives.gone = True
        assert await world.hosts.check_archives() == "no route"

        with pytest.raises(DriverError, match="do not answer"):
            await opened(world, B)
        await asyncio.sleep(60)

        assert world.running() == {A: ["b"]}
        assert [one.state for one in world.hosts.usage()] == [HostState.UP]


class Told:
    def __init__(self):
        self.said = []

    async def raise_trouble(self, reason, detail=""):
        self.said.append(reason)

    async def clear_trouble(self, reason):
        self.said.append(("over", reason))


@virtual
@pytest.mark.parametrize("fails_at", ["the controller", "the host"])
async def test_a_store_that_is_gone_is_one_incident_whatever_closes_meanwhile(fails_at):
    """Its browser crashes while the store is gone: it waits and comes back, and all others never notice."""
    archives, told, listener = Archives(), Told(), Listener()

    def script(session):
        asyncio.get_running_loop().call_later(1.0, session.report, Ready(session.opening.account))

    async with World("b", archives=archives, script=script) as world:
        slots = LaunchSlots(4)
        watching = asyncio.create_task(HostWatch(world.hosts, slots, told, launches=4).run())
        managers = [Manager(one, driver=world.hosts, slots=slots, policy=Policy(), listener=listener) for one in (A, B)]
        for manager in managers:
            await manager.start()
        await until(lambda: all(one.get_status().is_connected for one in managers), within=120)
        listener.notices.clear()
        told.said.clear()

        archives.gone = True
        driver = world.machines["b"].driver
        if fails_at == "the host":
            archives.finds_homes = True
            driver.fails = DriverError(Reason.LAUNCH_FAILED, "cannot write to the archives: no route")
        next(one for one in driver.sessions if one.opening.account == A).report(Ended(Reason.SESSION_CLOSED))
        await asyncio.sleep(1800)
        assert told.said == [Trouble.ARCHIVES]
        assert [one for one in listener.notices if isinstance(one, Transition) and (one.alert or one.number == B)] == []

        archives.gone, driver.fails = False, None
        await until(lambda: all(one.get_status().is_connected for one in managers), within=90)
        assert told.said == [Trouble.ARCHIVES, ("over", Trouble.ARCHIVES)]
        assert [one for one in listener.notices if isinstance(one, Transition) and one.alert] == []
        watching.cancel()
        for manager in managers:
            await manager.stop()


@virtual
async def test_a_session_is_given_up_only_when_the_account_runs_nowhere():
    archives = Archives()
    async with World("b", archives=archives) as world:
        session, _ = await opened(world)
        discarding = asyncio.create_task(world.hosts.discard(A))
        await asyncio.sleep(5)
        assert archives.discarded == []
        await session.close()
        await discarding

        assert archives.discarded == [A]
