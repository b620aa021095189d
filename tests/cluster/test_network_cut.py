"""The cable between two machines is pulled: nodes of a real Ray cluster in two network namespaces, the link goes down.

In a process of its own, since its cluster has other addresses.
"""

import asyncio

import pytest
import pytest_asyncio

from controller.cluster.leases import Terms
from controller.hosts import HostState
from tests.cluster.conftest import World
from tests.cluster.network import Network
from tests.cluster.nodes import Cluster

pytest.importorskip("ray", reason="many machines need Ray: make cluster-test")
pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

IN_TIME = Terms().fence + 15


@pytest.fixture(scope="session")
def network():
    made = Network()
    yield made
    made.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world(network, tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp("cluster"), network)
    try:
        made = await World(await asyncio.to_thread(cluster.start)).begin()
        await made.connected(60)
        yield made
        await made.end()
    finally:
        cluster.stop()


async def test_a_cut_cable_moves_all_that_ran_behind_it(world, network):
    lost, nodes = world.on("b") + world.on("c"), [world.cluster.nodes[name] for name in "bc"]
    assert len(lost) == 6
    network.cut()

    assert await world.connected_elsewhere(lost, "bc", IN_TIME) <= IN_TIME
    assert not [one for node in nodes for one in node.named("notes")], (
        "they end with their lease, unreachable as they are"
    )
    network.mend()
    for node in nodes:  # as their service would: a node that was given up ends by itself
        node.kill()
        await asyncio.to_thread(lambda node=node: node.start().wait())
    await world.until(lambda: world.states() == dict.fromkeys("abc", HostState.UP), 90)
    assert world.all_connected()
    assert world.cluster.overlaps() == []
    assert world.alerts == []
    assert len(world.incidents) <= 1


async def test_a_cable_that_is_back_at_once_moves_nothing(world, network):
    number = world.on("a")[0]
    world.hosts.drain("a", draining=True)
    world.managers[number].recycle("to the far side")
    await world.connected_elsewhere([number], "a", 60)
    before = {one: world.hosts.host_of(one) for one in world.numbers}
    network.cut()
    await asyncio.sleep(3)  # what is tested is that a while without a network passes
    network.mend()

    await asyncio.sleep(Terms().fence)
    assert {one: world.hosts.host_of(one) for one in world.numbers} == before
    assert world.all_connected()
    assert world.cluster.overlaps() == []
    assert len(world.incidents) <= 1
