"""What can happen to machines, on a real Ray cluster: accounts are connected elsewhere in time and never run twice.

What ran when is read from the browsers' own notes by the boot clock. The leases have their default terms.
"""

import asyncio
import signal
import sys

import pytest

from controller.cluster.leases import Terms
from controller.hosts import HostState
from tests.cluster.conftest import ACCOUNTS

pytest.importorskip("ray", reason="many machines need Ray: make cluster-test")
pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

IN_TIME = Terms().fence + 15


@pytest.fixture(autouse=True)
def never_twice(world):
    world.alerts.clear()
    world.incidents.clear()
    yield
    assert world.cluster.overlaps() == []
    assert world.alerts == []
    assert len(world.incidents) <= 1, "a host's death is one incident at most"


async def test_accounts_are_spread_over_the_hosts(world):
    assert sorted(len(world.on(host)) for host in "abc") == [3, 3, 3]


async def test_a_browser_that_crashes_comes_back(world):
    number = world.on("b")[0]
    browser = next(one for one in world.cluster.nodes["b"].named(f"{number[1:]}.b.") if "notes" in str(one.cmdline()))
    browser.kill()

    await world.until(lambda: not world.managers[number].get_status().is_connected, 10)
    await world.connected(30)


async def test_a_drained_hosts_accounts_move_with_clean_closes(world):
    world.hosts.drain("c", draining=True)
    moving = world.on("c")
    for number in moving:
        world.managers[number].recycle("its host is drained")

    await world.connected_elsewhere(moving, "c", 60)
    assert world.on("c") == []
    world.hosts.drain("c", draining=False)
    for number in world.on("a")[:1] + world.on("b")[:2]:
        world.managers[number].recycle("back")
    await world.until(lambda: bool(world.on("c")) and world.all_connected(), 60)


def worker(world, host):
    return world.cluster.nodes[host].named("ray::HostProcess")


async def test_a_killed_worker(world):
    lost = world.on("b")
    assert lost
    world.cluster.nodes["b"].signal(signal.SIGKILL, worker(world, "b"))

    assert await world.connected_elsewhere(lost, "b", IN_TIME) <= IN_TIME
    await world.up("b")


async def spread(world, host):
    """Bring some accounts to a host that came back."""
    await world.up(host)
    while len(world.on(host)) < 2:
        number = next(one for one in ACCOUNTS if world.hosts.host_of(one) != host)
        world.managers[number].recycle("spread")
        await asyncio.sleep(1)
        await world.connected(60)


async def test_a_killed_raylet(world):
    await spread(world, "c")
    lost, node = world.on("c"), world.cluster.nodes["c"]
    node.signal(signal.SIGKILL, node.named("raylet/raylet"))

    assert await world.connected_elsewhere(lost, "c", IN_TIME) <= IN_TIME
    node.kill()
    await asyncio.to_thread(lambda: node.start().wait())
    await world.up("c")


async def test_a_host_that_is_frozen_and_thawed(world):
    await spread(world, "b")
    lost, node = world.on("b"), world.cluster.nodes["b"]
    frozen = node.processes()
    node.signal(signal.SIGSTOP, frozen)

    assert await world.connected_elsewhere(lost, "b", IN_TIME) <= IN_TIME
    node.signal(signal.SIGCONT, frozen)
    await asyncio.sleep(5)
    node.kill()
    await asyncio.to_thread(lambda: node.start().wait())
    await world.up("b")


async def test_a_hung_raylet(world):
    await spread(world, "c")
    lost, node = world.on("c"), world.cluster.nodes["c"]
    raylet = node.named("raylet/raylet")
    node.signal(signal.SIGSTOP, raylet)

    # Its browsers go on until Ray gives the node up: their machine answers, and they are well.
    assert await world.connected_elsewhere(lost, "c", 90) <= 90
    node.signal(signal.SIGCONT, raylet)
    node.kill()
    await asyncio.to_thread(lambda: node.start().wait())
    await world.up("c")


async def test_a_killed_guard_is_replaced(world):
    await spread(world, "b")
    node = world.cluster.nodes["b"]
    guards = node.named("controller.cluster.guard")
    node.signal(signal.SIGKILL, guards)
    await world.until(lambda: bool(set(node.named("controller.cluster.guard")) - set(guards)), 10)

    assert world.all_connected()


@pytest.fixture
def store(world):
    """The folder that all share; what is put there is how it fails: `gone`, or `slow` with seconds."""
    yield world.cluster.folder
    for name in ("gone", "slow"):
        (world.cluster.folder / name).unlink(missing_ok=True)


async def test_a_store_that_is_gone_opens_nothing_and_loses_nothing(world, store):
    (store / "gone").touch()
    number = ACCOUNTS[0]
    world.managers[number].recycle("the store is gone")
    await world.until(lambda: not world.managers[number].get_status().is_connected, 20)
    await asyncio.sleep(3)
    assert sum(one.get_status().is_connected for one in world.managers.values()) == len(ACCOUNTS) - 1
    (store / "gone").unlink()

    await world.connected(60)


async def test_a_slow_store_costs_no_host_its_lease(world, store):
    before = {one: world.hosts.host_of(one) for one in ACCOUNTS}
    (store / "slow").write_text("30")
    number = ACCOUNTS[1]
    world.managers[number].recycle("the store is slow")
    await world.until(lambda: not world.managers[number].get_status().is_connected, 20)
    await asyncio.sleep(Terms().fence + 3)  # longer than any lease
    assert all(state is HostState.UP for state in world.states().values())
    assert {one: world.hosts.host_of(one) for one in ACCOUNTS if one != number} == {
        one: host for one, host in before.items() if one != number
    }
    assert sum(one.get_status().is_connected for one in world.managers.values()) >= len(ACCOUNTS) - 1
    (store / "slow").unlink()

    await world.connected(90)


async def test_a_second_controller_is_refused(world):
    code = (
        "import asyncio, functools\n"
        "from controller.cluster import ray_links\n"
        "from controller.cluster.leases import Terms\n"
        "ray_links._CONNECT_SECONDS = 3\n"
        f"asyncio.run(ray_links.RayLinks('{'127.0.0.1:6399'}', print, Terms()).connect())\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()

    assert b"another controller runs" in said
