"""Accounts with proxies of their own: stored, opened through them, and held alone while they do not answer."""

import asyncio
from dataclasses import dataclass, field

import pyrage
import pytest

from controller.accounts.policy import Policy
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Authenticated, Ended, Ready
from controller.driver import DriverError, Opening
from controller.manager import utc_now
from controller.network.account_proxies import AccountProxies, ProxiedDriver
from controller.network.proxy import Proxy, parse_proxy
from controller.network.route_outages import RouteOutages
from controller.registry import Account, Registry
from controller.troubles import Trouble
from storage.accounts import AccountRecords, ProxyRecords
from storage.database import open_database
from tests.controller.fakes import FakeDriver, FakeSession
from tests.controller.network.test_outage import NUMBERS, FakeTroubles, Store
from tests.virtual_time import pass_time, until, virtual

PROXY = parse_proxy("http://ada:hunter2@proxy.example:3128")
OTHER = parse_proxy("http://other.example:3128")


@dataclass
class Row:
    number: str
    server: str
    login: str
    encrypted: bool


@dataclass
class ProxyRows:
    rows: dict[str, Row] = field(default_factory=dict)
    fails: bool = False

    async def proxies(self):
        return list(self.rows.values())

    async def save_proxy(self, number, server, login, *, encrypted):
        if self.fails:
            raise OSError("the disk is full")
        self.rows[number] = Row(number, server, login, encrypted)

    async def remove_proxy(self, number):
        self.rows.pop(number, None)


class World:
    """Accounts on two ways, each of which can go away."""

    def __init__(self) -> None:
        self.away: set[Proxy | None] = set()
        self.driver = FakeDriver()
        self.driver.script = self.open
        self.told = FakeTroubles()
        self.proxies = AccountProxies(ProxyRows())
        self.registry = Registry(
            Store(), driver=ProxiedDriver(self.driver, self.proxies), policy=Policy(), listener=self.hear,
            launch_slots=2, clock=utc_now,
        )  # fmt: skip
        self.ways = RouteOutages(
            self.registry, self.told, self.proxies, reach=self.reach(None), reach_by=self.reach
        )  # fmt: skip
        self.task = asyncio.create_task(self.ways.run())

    def hear(self, notice) -> None:
        self.ways.note(notice)

    def open(self, session: FakeSession) -> None:
        way = parse_proxy(session.opening.proxy) if session.opening.proxy else None
        if way in self.away:
            session.report(Ended(Reason.CONNECTION_LOST))
        else:
            session.report(Authenticated(session.opening.account))
            session.report(Ready(session.opening.account))

    def reach(self, way: Proxy | None):
        async def ask() -> None:
            if way in self.away:
                raise ConnectionError("the proxy refuses the connection")

        return ask

    async def connect(self, *numbers: str) -> None:
        for number in numbers:
            await self.registry.add(number, name="", owner=1)
            await self.registry.start(number)
        await until(lambda: all(self.registry.status(number).is_connected for number in numbers))

    def lose(self, way: Proxy | None) -> None:
        self.away.add(way)
        for session in list(self.driver.sessions):
            if not session.closed and session.opening.proxy == ("" if way is None else way.url):
                session.report(Ended(Reason.CONNECTION_LOST))

    def status(self, number: str):
        return self.registry.status(number)

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.registry.stop()


@virtual
async def test_only_the_accounts_of_a_dead_proxy_are_held_and_use_up_nothing():
    world = World()
    own, *others = NUMBERS[:4]
    await world.proxies.save(own, PROXY)
    await world.connect(own, *others)
    world.lose(PROXY)
    await pass_time(1200)
    assert world.status(own).on_hold
    assert (world.status(own).state, world.status(own).error_count) == (State.DISCONNECTED, 0)
    assert all(world.status(number).is_connected for number in others)
    assert world.told.said == [
        (
            Trouble.PROXY,
            "http://proxy.example:3128: the proxy refuses the connection, 1 account is waiting",
        )
    ]
    world.lose(None)  # the way of all goes too, and what is new there waits
    world.away.discard(PROXY)
    await until(lambda: world.status(own).is_connected, 60)
    await until(lambda: (Trouble.PROXY, "over") in world.told.said)
    assert [world.status(number).on_hold for number in (own, *others)] == [False, True, True, True]
    world.away.clear()
    await until(lambda: all(world.status(number).is_connected for number in others), 60)
    await world.end()


@virtual
async def test_an_outage_of_the_common_way_holds_no_launch_of_another_way():
    world = World()
    await world.connect(*NUMBERS[:3])
    world.lose(None)
    await pass_time(60)
    await world.proxies.save(NUMBERS[5], OTHER)
    await world.connect(NUMBERS[5])
    assert world.ways.is_outage
    await world.end()


@virtual
async def test_an_account_that_gets_another_way_amid_an_outage_goes_on_there_and_back():
    world = World()
    await world.connect(*NUMBERS[:3])
    world.lose(None)
    await pass_time(60)
    assert world.status(NUMBERS[0]).on_hold
    await world.proxies.save(NUMBERS[0], OTHER)
    await until(lambda: world.status(NUMBERS[0]).is_connected, 60)
    world.lose(OTHER)
    await pass_time(60)
    world.away.discard(None)
    await until(lambda: world.status(NUMBERS[1]).is_connected, 60)
    assert world.status(NUMBERS[0]).on_hold
    await world.proxies.remove(NUMBERS[0])
    await until(lambda: world.status(NUMBERS[0]).is_connected, 60)
    assert world.told.said[-1] == (Trouble.PROXY, "over")
    await world.end()


@virtual
async def test_two_dead_proxies_are_one_alert_that_ends_with_the_last():
    world = World()
    await world.proxies.save(NUMBERS[0], PROXY)
    await world.proxies.save(NUMBERS[1], OTHER)
    await world.connect(*NUMBERS[:2])
    for proxy in (PROXY, OTHER):
        world.lose(proxy)
    await pass_time(200)
    assert "proxy.example" in world.told.said[-1][1]
    assert "other.example" in world.told.said[-1][1]
    world.away.discard(OTHER)
    await until(lambda: world.status(NUMBERS[1]).is_connected, 60)
    assert world.told.standing == {Trouble.PROXY}
    assert "other.example" not in world.told.said[-1][1]
    world.away.discard(PROXY)
    await until(lambda: world.told.standing == set(), 60)
    assert "hunter2" not in str(world.told.said)
    await world.end()


@virtual
async def test_what_an_earlier_run_told_of_proxies_ends_where_no_account_has_one_any_more():
    world = World()
    world.told.standing.add(Trouble.PROXY)
    await pass_time(10)
    assert world.told.standing == set()
    await world.end()


async def test_passwords_are_encrypted_to_the_key_and_what_is_older_when_a_key_appears(tmp_path):
    key = pyrage.x25519.Identity.generate()
    async with open_database(tmp_path / "db.sqlite") as database:
        records = ProxyRecords(database)
        await AccountRecords(database).add_account(Account(NUMBERS[0], "", 1))
        await AccountProxies(records).save(NUMBERS[0], PROXY)
        assert [row.login for row in await records.proxies()] == ["ada:hunter2"]
        proxies = AccountProxies(records, key)
        await proxies.load()
        assert proxies.find(NUMBERS[0]) == PROXY
        (row,) = await records.proxies()
        assert row.encrypted
        again = AccountProxies(records, key)
        await again.load()
        assert again.find(NUMBERS[0]) == PROXY
    for path in tmp_path.iterdir():
        assert b"hunter2" not in path.read_bytes(), path.name


@pytest.mark.parametrize("key", [None, pyrage.x25519.Identity.generate()])
async def test_with_another_key_nothing_is_opened_on_another_way(key):
    store = ProxyRows()
    await AccountProxies(store, pyrage.x25519.Identity.generate()).save(NUMBERS[0], PROXY)
    proxies = AccountProxies(store, key)
    await proxies.load()
    assert (proxies.find(NUMBERS[0]), proxies.server(NUMBERS[0])) == (None, "http://proxy.example:3128")
    driver = FakeDriver()
    with pytest.raises(DriverError, match="cannot be read with this PROFILE_KEY"):
        await ProxiedDriver(driver, proxies).open(Opening(NUMBERS[0]), lambda _: None)
    assert driver.sessions == []
    await proxies.save(NUMBERS[0], OTHER)
    await ProxiedDriver(driver, proxies).open(Opening(NUMBERS[0]), lambda _: None)
    assert driver.sessions[0].opening.proxy == OTHER.url


async def test_a_store_that_refuses_changes_nothing():
    store = ProxyRows(fails=True)
    proxies = AccountProxies(store)
    with pytest.raises(OSError, match="disk"):
        await proxies.save(NUMBERS[0], PROXY)
    assert proxies.find(NUMBERS[0]) is None


async def test_a_row_that_cannot_be_read_opens_nothing_and_stops_nothing():
    store = ProxyRows({NUMBERS[0]: Row(NUMBERS[0], "nonsense", "", False), NUMBERS[1]: Row(NUMBERS[1], "", "x", True)})
    proxies = AccountProxies(store, pyrage.x25519.Identity.generate())
    await proxies.load()
    assert proxies.is_unreadable(NUMBERS[0])
    assert proxies.is_unreadable(NUMBERS[1])


def test_a_password_is_in_no_text_of_an_opening():
    assert "hunter2" not in repr(Opening(NUMBERS[0], proxy=PROXY.url))
