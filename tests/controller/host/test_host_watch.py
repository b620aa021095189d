"""Many machines watched as one: launches follow them, and people hear of one that stays away, once."""

import asyncio

from controller.host.host_watch import CHECK_EVERY, NO_ARCHIVES, NO_HOST, PATIENCE, HostWatch
from controller.hosts import HostState, HostUsage
from controller.launch_slots import LaunchSlots
from tests.virtual_time import pass_time, virtual

UP, LOST, DRAINING = HostState.UP, HostState.LOST, HostState.DRAINING


class Hosts:
    def __init__(self, **states):
        self.states, self.archives = states, ""

    async def check_archives(self):
        return self.archives

    def usage(self):
        return [HostUsage(name, state, 4, 5) for name, state in sorted(self.states.items())]


class Told:
    def __init__(self):
        self.said = []

    async def raise_trouble(self, reason, detail=""):
        self.said.append((str(reason), detail))

    async def clear_trouble(self, reason):
        self.said.append(("over", str(reason)))


def watched(**states):
    hosts, slots, told = Hosts(**states), LaunchSlots(100), Told()
    return hosts, slots, told, HostWatch(hosts, slots, told, launches=2)


@virtual
async def test_as_many_launch_at_once_as_the_machines_take():
    hosts, slots, _, watch = watched(b=UP, c=UP)
    await watch.look()
    assert slots.launches.room.launching == 4

    hosts.states["c"] = DRAINING
    await watch.look()
    assert slots.launches.room.launching == 2


@virtual
async def test_launches_wait_while_no_host_takes_an_account():
    hosts, slots, _, watch = watched(b=LOST)
    await watch.look()
    assert NO_HOST in slots.holds

    hosts.states["b"] = UP
    await watch.look()
    assert NO_HOST not in slots.holds


@virtual
async def test_a_host_that_comes_back_soon_is_told_to_nobody():
    hosts, _, told, watch = watched(b=UP, c=UP)
    await watch.look()
    hosts.states["b"] = LOST
    await watch.look()
    await pass_time(PATIENCE - 1)
    await watch.look()
    hosts.states["b"] = UP
    await watch.look()

    assert told.said == [("over", "host_lost")]  # whatever an earlier run had reported


@virtual
async def test_a_host_that_stays_away_is_told_once_with_its_accounts_and_its_end():
    hosts, _, told, watch = watched(b=UP, c=UP)
    await watch.look()
    hosts.states["b"] = LOST
    for _ in range(200):
        await watch.look()
        await pass_time(1)
    hosts.states["b"] = UP
    await watch.look()

    assert told.said[1:] == [("host_lost", "b; 4 accounts ran there, 1 of 2 hosts are up"), ("over", "host_lost")]


@virtual
async def test_a_store_that_is_gone_is_one_incident_and_lets_launches_wait():
    hosts, slots, told, watch = watched(b=UP)
    await watch.check_archives()
    told.said.clear()
    hosts.archives = "no route"
    await watch.check_archives()
    assert told.said == [], "once may be an accident"

    watching = asyncio.create_task(watch.run())
    await pass_time(1)
    assert NO_ARCHIVES in slots.holds
    await pass_time(600)
    assert [line for line in told.said if "archives" in line[0]] == [("archives_unreachable", "no route")]
    assert NO_ARCHIVES in slots.holds

    hosts.archives = ""
    await pass_time(CHECK_EVERY + 1)
    assert told.said[-1] == ("over", "archives_unreachable")
    assert NO_ARCHIVES not in slots.holds
    watching.cancel()
