"""/hosts and /drain from the chat: machines are listed, and emptied one account at a time."""

import asyncio

from controller.accounts.reasons import Reason, State
from controller.hosts import HostState, HostUsage, UnknownHostError
from handlers.telegram.commands import hosts as commands
from tests.handlers.conftest import Rig, running_rig
from tests.handlers.fakes import ADMIN, BERLIN, OPERATOR, PARIS, FakeAccounts


class Hosts:
    def __init__(self):
        self.places = {BERLIN: "b", PARIS: "c"}
        self.drained = []

    def usage(self):
        return [
            HostUsage("b", HostState.DRAINING if "b" in self.drained else HostState.UP, 1, 10, 3 << 30, None, "1.2"),
            HostUsage("c<", HostState.LOST, 0),
        ]

    def host_of(self, account):
        return self.places.get(account, "")

    def drain(self, host, *, draining):
        if host != "b":
            raise UnknownHostError(host)
        (self.drained.append if draining else self.drained.remove)(host)


class Moving(FakeAccounts):
    """Accounts that open elsewhere when they are recycled."""

    hosts: Hosts

    def recycle(self, number, why):
        self.hosts.places[number] = ""

        def connected():
            self.hosts.places[number] = "c"

        asyncio.get_running_loop().call_later(0.1, connected)
        return super().recycle(number, why)


async def test_one_machine_alone_says_so(rig: Rig):
    await rig.answer(ADMIN, "/hosts", "only this one machine")
    await rig.answer(ADMIN, "/drain b", "only this one machine")


async def test_machines_are_listed(telegram, database):
    async with running_rig(telegram, database, hosts=Hosts()) as rig:
        answer = await rig.answer(ADMIN, "/hosts", "does not answer")

        assert "b up, 1 of 10 accounts, 3.0 GB of memory free, version 1.2" in answer["text"].replace("🟢 ", "")
        assert "c<" in answer["text"]


async def test_a_host_is_drained_in_one_message(telegram, database, monkeypatch):
    monkeypatch.setattr(commands, "LOOK_SECONDS", 0.05)
    hosts, accounts = Hosts(), Moving()
    accounts.hosts = hosts
    async with running_rig(telegram, database, accounts=accounts, hosts=hosts) as rig:
        for number in (BERLIN, PARIS):
            accounts.put(number, number, state=State.CONNECTED, reason=Reason.LINKED, is_connected=True)

        answer = await rig.answer(ADMIN, "/drain b", "is drained: 1 account moved")

        assert "moved to host c in " in answer["text"]
        assert hosts.drained == ["b"]
        assert [call for call in accounts.calls if call[0] == "recycle"] == [("recycle", BERLIN, commands.DRAINED)]
        assert (ADMIN, "drain", None, "b on") in rig.records.audited
        await rig.answer(ADMIN, "/drain b off", "takes accounts again")
        assert hosts.drained == []


async def test_what_cannot_be_drained_is_told(telegram, database):
    async with running_rig(telegram, database, hosts=Hosts()) as rig:
        await rig.answer(ADMIN, "/drain x", "There is no host “x”")
        await rig.answer(ADMIN, "/drain", "Say which host")


async def test_machines_are_the_admins_alone(telegram, database):
    hosts = Hosts()
    async with running_rig(telegram, database, hosts=hosts) as rig:
        await rig.answer(OPERATOR, "/drain b", "")
        await asyncio.sleep(0.1)

        assert hosts.drained == []
