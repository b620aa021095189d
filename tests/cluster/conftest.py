"""One cluster and one controller for all tests of the session; a test breaks something and leaves it mended."""

import asyncio

import pytest
import pytest_asyncio

from controller.accounts.notices import CodeShown, Transition
from controller.accounts.policy import Policy
from controller.cluster.cluster_hosts import ClusterHosts
from controller.cluster.leases import Terms
from controller.cluster.ray_links import RayLinks
from controller.host.deadline import boot_time
from controller.host.host_watch import HostWatch
from controller.hosts import HostState
from controller.launch_slots import LaunchSlots
from controller.manager import Manager
from tests.cluster.fake_machine import make_in
from tests.cluster.network import in_own_network
from tests.cluster.nodes import Cluster
from tests.controller.fakes import FakeDriver

ACCOUNTS = [f"+4915112345{number:02}" for number in range(9)]


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    in_own_network()
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        yield made.start()
    finally:
        made.stop()


class World:
    """The controller's side in this process. `alerts` are what people would have been told with sound of accounts.

    `incidents` are what they would have been told of hosts; an incident that changes is still one.
    """

    def __init__(self, cluster, make=None, numbers=ACCOUNTS, launches=4, archives=None):
        self.cluster, self.terms, self.alerts, self.numbers = cluster, Terms(), [], numbers
        links = RayLinks(cluster.address, make or make_in(cluster.folder), self.terms)
        self.hosts = ClusterHosts(
            links, FakeDriver(), self.terms, clock=boot_time, name=cluster.address, archives=archives
        )
        self.managers, self.launches = {}, launches
        self.incidents, self.open_incidents = [], set()
        self.scan = None

    async def raise_trouble(self, reason, detail=""):
        if reason not in self.open_incidents:
            self.incidents.append((reason, detail))
            self.open_incidents.add(reason)

    async def clear_trouble(self, reason):
        self.open_incidents.discard(reason)

    def notify(self, notice):
        if isinstance(notice, CodeShown) and self.scan is not None:
            self.scan(notice.code.text, notice.number)
        if isinstance(notice, Transition) and notice.alert:
            self.alerts.append(notice)

    __call__ = notify

    async def begin(self):
        await self.hosts.identify()
        await self.hosts.end_orphans()
        await self.until(lambda: self.states() == dict.fromkeys("abc", HostState.UP), 60)
        slots = LaunchSlots(self.launches * len(self.states()))
        self.watching = asyncio.create_task(HostWatch(self.hosts, slots, self, launches=self.launches).run())
        for number in self.numbers:
            self.managers[number] = Manager(number, driver=self.hosts, slots=slots, policy=Policy(), listener=self)
            await self.managers[number].start()
        return self

    async def end(self):
        self.watching.cancel()
        await asyncio.gather(*(manager.stop() for manager in self.managers.values()))
        await self.hosts.stop()

    def states(self):
        return {one.name: one.state for one in self.hosts.usage()}

    def on(self, host):
        return [number for number in self.numbers if self.hosts.host_of(number) == host]

    def all_connected(self):
        return all(one.get_status().is_connected for one in self.managers.values())

    async def connected(self, within):
        await self.until(self.all_connected, within)

    async def until(self, condition, within):
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + within
        while not condition():
            assert loop.time() < ends_at, (self.states(), {k: m.get_status().detail for k, m in self.managers.items()})
            await asyncio.sleep(0.1)

    async def connected_elsewhere(self, lost, hosts, within):
        """Wait until all accounts are connected, those that were lost on none of `hosts`; return the seconds."""
        loop = asyncio.get_running_loop()
        began = loop.time()

        def elsewhere():
            return self.all_connected() and all(self.hosts.host_of(one) not in {"", *hosts} for one in lost)

        await self.until(elsewhere, within)
        return loop.time() - began

    async def up(self, host, within=90):
        await self.until(lambda: self.states()[host] is HostState.UP, within)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world(cluster):
    made = World(cluster)
    await made.begin()
    await made.connected(60)
    yield made
    await made.end()
