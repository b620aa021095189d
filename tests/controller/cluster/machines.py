"""Machines in one process and virtual time: the real two sides, with a network between them that can fail."""

import asyncio

from controller.cluster.browser_host import BrowserHost, Figures
from controller.cluster.cluster_hosts import ClusterHosts, LinkError
from controller.cluster.leases import Terms
from tests.controller.fakes import FakeDriver

TERMS = Terms()


class Machine:
    """A machine with its driver; `cut` loses what is sent, `frozen` lets nothing run, `hangs` delays each answer."""

    def __init__(self, world, host, capacity=50):
        self.world, self.host, self.capacity = world, host, capacity
        self.driver = FakeDriver()
        self.driver.script = world.script
        self.browser_host = None
        self.life = ""
        self.cut = self.frozen = self.down = False
        self.timer = None
        self.deaths = 0

    def begin(self):
        self.world.lives += 1
        self.life = f"{self.host}/{self.world.lives}"
        self.driver = FakeDriver()
        self.driver.script = self.world.script
        self.browser_host = BrowserHost(
            self.driver, self.world.terms, clock=self.world.clock, arm=self.arm, figures=lambda: Figures(free_memory=1)
        )

    def arm(self, at):
        if self.timer is not None:
            self.timer.cancel()
        loop = asyncio.get_running_loop()
        self.timer = loop.call_later(at - self.world.clock(), self.die)

    def die(self):
        """The kernel ends the process with its browsers."""
        if self.timer is not None:
            self.timer.cancel()
        self.browser_host, self.deaths = None, self.deaths + 1
        for session in self.driver.sessions:
            session.closed = True
        self.driver.open_now.clear()

    def open_now(self):
        return set(self.driver.open_now)


class MemoryLink:
    build = "1.0"

    def __init__(self, machine):
        self.machine, self.host, self.life, self.capacity = machine, machine.host, machine.life, machine.capacity

    async def ask(self, method, *arguments):
        await asyncio.sleep(0.005)
        machine = self.machine
        if machine.cut or machine.frozen:
            await asyncio.sleep(30)
            raise LinkError("no route")
        if machine.browser_host is None or machine.life != self.life:
            raise LinkError("its process has died")
        found = await getattr(machine.browser_host, method)(*arguments)
        if machine.cut or machine.frozen or machine.life != self.life or machine.browser_host is None:
            await asyncio.sleep(30)
            raise LinkError("no route")
        await asyncio.sleep(0.005)
        return found

    async def end(self):
        if not (self.machine.cut or self.machine.frozen) and self.machine.life == self.life:
            self.machine.die()


class World:
    """Some machines; `hosts` is the controller's side. Checks at each look that no account runs twice."""

    def __init__(self, *names, terms=TERMS, capacity=50, script=None, archives=None):
        self.terms, self.script, self.lives = terms, script, 0
        self.loop = asyncio.get_running_loop()
        self.machines = {name: Machine(self, name, capacity) for name in names}
        self.files = FakeDriver()
        self.hosts = ClusterHosts(self, self.files, terms, clock=self.clock, name="test", archives=archives)
        self.most = 0

    def clock(self):
        return self.loop.time() + 1000

    async def connect(self):
        pass

    async def look(self, living):
        links = []
        for machine in self.machines.values():
            if machine.host not in living and not (machine.cut or machine.frozen or machine.down):
                machine.begin()
                links.append(MemoryLink(machine))
        return links

    async def stop(self):
        pass

    def running(self):
        """Return which machines run each account now."""
        found = {}
        for machine in self.machines.values():
            for account in machine.open_now():
                found.setdefault(account, []).append(machine.host)
        return found

    async def check(self):
        while True:
            self.most = max([self.most, *(len(hosts) for hosts in self.running().values())])
            await asyncio.sleep(0.05)

    async def __aenter__(self):
        await self.hosts.identify()
        self.checking = asyncio.create_task(self.check())
        await self.hosts.end_orphans()
        return self

    async def __aexit__(self, *_):
        self.checking.cancel()
        await self.hosts.stop()
        assert self.most <= 1, "an account ran on two machines"
