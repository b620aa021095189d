"""The registry with a real database: look-up, boot, launch slots, orderly shutdown."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from controller.accounts.model import Stage
from controller.accounts.notices import CodeShown, Transition
from controller.accounts.policy import Policy
from controller.accounts.reasons import Reason, Remedy, State
from controller.accounts.reports import Authenticated, Ended, PasskeyAsked, Ready
from controller.driver import DriverError, SavedSession
from controller.incidents import Changes
from controller.recorder import Recorder
from controller.registry import OUTAGE, Registry, ShuttingDownError, UnknownAccountError
from controller.troubles import Trouble
from storage.accounts import AccountRecords
from storage.database import open_database
from tests.controller.fakes import FakeDriver
from tests.virtual_time import EPOCH, pass_time, settle, until, virtual, virtual_loop

BERLIN, BONN = "+491511234567", "+4915112345999"


@asynccontextmanager
async def running(path, driver=None, *, slots=2, policy=None, absorb=None):
    """A registry as the program runs it: booted, recording, and stopped in order at the end."""
    driver = driver or FakeDriver()
    told = []
    async with open_database(path) as database:
        memory = AccountRecords(database)
        recorder = Recorder(memory, told.append, absorb=absorb)
        registry = Registry(
            memory, driver=driver, policy=policy or Policy(), listener=recorder, launch_slots=slots,
            clock=virtual_loop().clock,
        )  # fmt: skip
        registry.driver, registry.told, registry.rows = driver, told, database.rows
        await registry.boot()
        await settle()
        try:
            yield registry
        finally:
            await registry.stop()
            await recorder.stop(5)
            await driver.stop()


def ready(driver):
    driver.script = lambda session: session.report(Ready())


@virtual
async def test_look_up_by_number(tmp_path):
    async with running(tmp_path / "db") as registry:
        account = await registry.add(BERLIN, name="Support Berlin", owner=42)
        assert registry.account(BERLIN) == account
        assert await registry.add(BERLIN, name="another", owner=43) == account
        with pytest.raises(UnknownAccountError):
            registry.account(BONN)
        with pytest.raises(UnknownAccountError):
            registry.status(BONN)
        with pytest.raises(UnknownAccountError):
            await registry.start(BONN)
        await registry.add(BONN, name="SUPPORT BERLIN", owner=42)
        await registry.rename(BONN, "Bonn")
        assert registry.account(BONN).name == "Bonn"
        assert [a.number for a in registry.accounts()] == [BERLIN, BONN]


@virtual
async def test_an_account_that_is_added_twice_at_once_is_one(tmp_path):
    async with running(tmp_path / "db") as registry:
        first, second = await asyncio.gather(
            registry.add(BERLIN, name="Support Berlin", owner=42), registry.add(BERLIN, name="Berlin", owner=43)
        )
        assert first == second
        assert registry.accounts() == [first]


@virtual
async def test_l14_a_connected_account_comes_back_after_a_stop_and_after_a_kill(tmp_path):
    driver = FakeDriver()
    ready(driver)
    async with running(tmp_path / "db", driver) as registry:
        await registry.add(BERLIN, name="", owner=42)
        await registry.start(BERLIN)
        await until(lambda: registry.status(BERLIN).is_connected)
    assert driver.newest.closed
    for _ in range(2):
        async with running(tmp_path / "db", driver) as registry:
            await until(lambda: registry.status(BERLIN).is_connected)
            assert registry.status(BERLIN).reason is Reason.LINKED
            assert registry.account(BERLIN).owner == 42
    assert driver.openings == 3


@virtual
async def test_l12_suspended_stays_so_through_restarts(tmp_path):
    driver = FakeDriver()
    ready(driver)
    async with running(tmp_path / "db", driver) as registry:
        await registry.add(BERLIN, name="", owner=42)
        await registry.start(BERLIN)
        await settle()
        assert await registry.suspend(BERLIN)
    async with running(tmp_path / "db", driver) as registry:
        await pass_time(3600)
        assert registry.status(BERLIN).state is State.SUSPENDED
        assert driver.openings == 1
        assert await registry.start(BERLIN)
        await until(lambda: registry.status(BERLIN).is_connected)


@virtual
async def test_l14_a_ban_is_remembered_with_its_end(tmp_path):
    driver = FakeDriver()
    async with running(tmp_path / "db", driver) as registry:
        await registry.add(BERLIN, name="", owner=42)
        await registry.start(BERLIN)
        await settle()
        driver.newest.report(Ready())
        driver.newest.report(Ended(Reason.BANNED, "spam", block_ends_in=7200))
        await settle()
    async with running(tmp_path / "db", driver) as registry:
        assert registry.status(BERLIN).detail == "spam"
        assert registry.status(BERLIN).next_retry_in == pytest.approx(7200, abs=60)
        assert driver.openings == 1


@virtual
async def test_l13_no_more_launch_at_once_than_there_are_slots(tmp_path):
    driver = FakeDriver()
    driver.opening_takes = 5
    ready(driver)
    async with running(tmp_path / "db", driver, slots=2) as registry:
        numbers = [f"+4915112345{n:03}" for n in range(10)]
        for number in numbers:
            await registry.add(number, name="", owner=42)
        for number in numbers:
            await registry.start(number)
        await pass_time(6)
        stages = [registry.status(number).stage for number in numbers]
        assert stages.count(Stage.LAUNCHING) == 2
        assert stages.count(Stage.QUEUED) == 6
        await until(lambda: all(registry.status(number).is_connected for number in numbers), within=30)
        assert driver.most_at_once == 2
        assert [opening.account for opening in driver.opened] == numbers, "in turn"


@virtual
async def test_l15_all_are_destroyed_side_by_side_and_no_command_is_taken(tmp_path):
    driver = FakeDriver()
    ready(driver)
    async with running(tmp_path / "db", driver) as registry:
        for n in range(20):
            await registry.add(f"+4915112345{n:03}", name="", owner=42)
            await registry.start(f"+4915112345{n:03}")
        await settle()
        for session in driver.sessions:
            session.close_takes = 10
        began = virtual_loop().time()
        stopping = asyncio.create_task(registry.stop())
        await settle()
        with pytest.raises(ShuttingDownError):
            await registry.start(f"+4915112345{0:03}")
        with pytest.raises(ShuttingDownError):
            await registry.add(BERLIN, name="", owner=42)
        with pytest.raises(ShuttingDownError):
            await registry.suspend(f"+4915112345{0:03}")
        await stopping
        assert virtual_loop().time() - began == pytest.approx(10, abs=1)
        assert all(session.closed for session in driver.sessions)


@virtual
async def test_a_saved_session_is_restored_under_a_closed_browser_and_connected(tmp_path):
    driver = FakeDriver()
    ready(driver)
    driver.copies = [SavedSession("20260101T000000", EPOCH.timestamp(), 1000)]
    async with running(tmp_path / "db", driver) as registry:
        await registry.add(BERLIN, name="", owner=42)
        await registry.start(BERLIN)
        await settle()
        driver.newest.close_takes = 5
        assert await registry.saved(BERLIN) == driver.copies
        await registry.restore(BERLIN, "20260101T000000")
        assert driver.restored == [(BERLIN, "20260101T000000")]
        await until(lambda: registry.status(BERLIN).is_connected)
        with pytest.raises(DriverError, match="no copy"):
            await registry.restore(BERLIN, "another")
        await until(lambda: registry.status(BERLIN).is_connected)
        assert driver.openings == 3


@asynccontextmanager
async def restoring(path):
    """A registry of one linked account, whose session is being restored from a copy for ten seconds."""
    driver = FakeDriver()
    ready(driver)
    copies = driver.copies = [SavedSession("first", EPOCH.timestamp(), 1), SavedSession("second", EPOCH.timestamp(), 1)]
    at_once, restore = set(), driver.restore

    async def slow(account, name):
        assert not at_once, "two copies in one place"
        at_once.add(name)
        await asyncio.sleep(10)
        await restore(account, name)
        at_once.discard(name)

    driver.restore = slow
    async with running(path, driver) as registry:
        await registry.add(BERLIN, name="", owner=42)
        await registry.start(BERLIN)
        await settle()
        registry.restoring = asyncio.create_task(registry.restore(BERLIN, copies[0].name))
        await settle()
        assert registry.status(BERLIN).state is State.SUSPENDED
        yield registry


@virtual
async def test_a_start_waits_until_a_restore_has_ended(tmp_path):
    async with restoring(tmp_path / "db") as registry:
        starting = asyncio.create_task(registry.start(BERLIN))
        await pass_time(9)
        assert registry.driver.openings == 1, "no browser on a profile that is about to be replaced"
        assert not await starting, "the restore itself has started the account"
        await registry.restoring
        await until(lambda: registry.status(BERLIN).is_connected)
        assert registry.driver.openings == 2


@virtual
async def test_who_suspends_during_a_restore_or_restores_another_copy_has_the_last_word(tmp_path):
    async with restoring(tmp_path / "db") as registry:
        another = asyncio.create_task(registry.restore(BERLIN, "second"))
        suspending = asyncio.create_task(registry.suspend(BERLIN))
        await asyncio.gather(registry.restoring, another, suspending)
        assert registry.driver.restored == [(BERLIN, "first"), (BERLIN, "second")]
        await pass_time(60)
        assert registry.status(BERLIN).reason is Reason.SUSPENDED_BY_OPERATOR
    async with running(tmp_path / "db") as registry:
        assert registry.status(BERLIN).state is State.SUSPENDED


@virtual
async def test_who_waits_for_a_restore_while_the_controller_stops_is_told_so(tmp_path):
    async with restoring(tmp_path / "db") as registry:
        starting = asyncio.create_task(registry.start(BERLIN))
        await settle()
        await registry.stop()
        for waiting in (registry.restoring, starting):
            with pytest.raises(ShuttingDownError):
                await waiting
        assert registry.driver.openings == 1


@virtual
async def test_removal_closes_and_forgets_but_keeps_the_history(tmp_path):
    driver = FakeDriver()
    ready(driver)
    async with running(tmp_path / "db", driver) as registry:
        await registry.add(BERLIN, name="", owner=42)
        await registry.start(BERLIN)
        await settle()
        assert await registry.remove(BERLIN) is True
        assert driver.newest.logged_out
        assert driver.newest.closed
        assert driver.removed == [BERLIN]
        assert registry.accounts() == []
        with pytest.raises(UnknownAccountError):
            await registry.start(BERLIN)
    async with running(tmp_path / "db") as registry:
        assert registry.accounts() == []
        assert len(await registry.rows("SELECT * FROM transitions")) > 1


@virtual
async def test_transitions_are_stored_before_they_are_told_and_stages_are_not(tmp_path):
    driver = FakeDriver()
    ready(driver)
    async with running(tmp_path / "db", driver) as registry:
        await registry.add(BERLIN, name="", owner=42)
        await registry.start(BERLIN)
        await until(lambda: registry.status(BERLIN).is_connected)
        await pass_time(1)
        told = [n for n in registry.told if isinstance(n, Transition) and not n.within_state]
        rows = await registry.rows("SELECT from_state, to_state, reason FROM transitions ORDER BY id")
        assert [tuple(row) for row in rows] == [(t.before, t.state, t.reason) for t in told]
        assert [row["to_state"] for row in rows] == ["CONNECTING", "CONNECTED"]


class BrokenStore:
    """Refuses so many times, then keeps."""

    def __init__(self, refusals, error=None):
        self.refusals, self.error = refusals, error or OSError("disk full")
        self.kept = []

    async def record(self, transitions, absorb=None):
        if self.refusals:
            self.refusals -= 1
            raise self.error
        self.kept += transitions


def transition(n):
    at = virtual_loop().clock() + timedelta(seconds=n)
    return Transition(
        BERLIN, at, State.IDLE, State.CONNECTING, None, Reason.ASKED, None, "",
        n, 10, 0, linked=False,
    )  # fmt: skip


class FakeTroubles:
    """Receives all notices of a recorder."""

    def __init__(self):
        self.transitions, self.troubles = [], []

    async def raise_trouble(self, reason, detail=""):
        self.troubles.append((reason, detail))

    async def clear_trouble(self, reason):
        self.troubles.append((reason, "over"))


@virtual
async def test_what_cannot_be_stored_is_told_at_once_and_stored_when_it_can_be_again(caplog):
    told, store = FakeTroubles(), BrokenStore(3)
    recorder = Recorder(store, told.transitions.append, troubles=told)
    for n in range(3):
        recorder(transition(n))
    await pass_time(1)
    assert [t.attempts for t in told.transitions] == [0, 1, 2]
    recorder(transition(3))
    await pass_time(1)
    assert [t.attempts for t in told.transitions] == [0, 1, 2, 3]
    assert store.kept == []
    assert told.troubles == [(Trouble.DATABASE, "disk full")], "once"
    await pass_time(60)
    recorder(transition(4))
    await pass_time(1)
    assert [t.attempts for t in store.kept] == [0, 1, 2, 3, 4]
    assert [t.attempts for t in told.transitions] == [0, 1, 2, 3, 4], "each once"
    assert told.troubles == [(Trouble.DATABASE, "disk full"), (Trouble.DATABASE, "over")]
    assert "disk full" in caplog.text
    await recorder.stop(1)


@virtual
async def test_a_bug_in_the_storing_is_no_end_of_the_telling(caplog):
    told, store = FakeTroubles(), BrokenStore(1, UnicodeEncodeError("utf-8", "\ud83d", 0, 1, "surrogates not allowed"))
    recorder = Recorder(store, told.transitions.append)
    recorder(transition(0))
    await pass_time(60)
    recorder(transition(1))
    await pass_time(1)
    assert [t.attempts for t in store.kept] == [t.attempts for t in told.transitions] == [0, 1]
    assert "surrogates not allowed" in caplog.text
    await recorder.stop(1)


@virtual
async def test_a_stop_waits_for_what_is_not_stored_yet_but_not_for_ever(caplog):
    recorder = Recorder(BrokenStore(10**9), lambda notice: None)
    recorder(transition(1))
    began = virtual_loop().time()
    await recorder.stop(7)
    assert virtual_loop().time() - began == pytest.approx(7)
    assert "1 transitions could not be stored" in caplog.text


@virtual
async def test_codes_pass_by_at_once_and_are_never_stored():
    told, store = [], BrokenStore(10**9)
    recorder = Recorder(store, told.append)
    recorder(transition(1))
    shown = CodeShown(BERLIN, None, None, virtual_loop().clock())  # type: ignore[arg-type]
    recorder(shown)
    assert told == [shown]
    await recorder.stop(0)


@virtual
async def test_an_alert_within_a_state_is_owed_although_it_is_no_row(tmp_path):
    owed, driver = [], FakeDriver()

    def absorb(transitions):
        owed.extend(transitions)
        return Changes()

    async with open_database(tmp_path / "db") as database:
        recorder = Recorder(AccountRecords(database), absorb=absorb)
        registry = Registry(AccountRecords(database), driver=driver, policy=Policy(), listener=recorder, launch_slots=2)
        driver.script = lambda session: session.report(PasskeyAsked())
        await registry.add(BERLIN, name="", owner=1)
        await registry.start(BERLIN)
        await until(lambda: any(each.alert is Reason.PASSKEY for each in owed))
        assert [each.within_state for each in owed] == [False, True], "the way to it: the attempt, then the alert"
        rows = await database.rows("SELECT to_state FROM transitions")
        assert [row[0] for row in rows] == [State.CONNECTING]
        await registry.stop()
        await recorder.stop(5)


# --- races between a check and the action -----------------------------------------------------------------------------


def hold_back(monkeypatch, registry, method):
    """Make a write of the store wait until the event is set, as on a slow disk."""
    gate, real = asyncio.Event(), getattr(registry._store, method)

    async def slow(*args):
        await gate.wait()
        return await real(*args)

    monkeypatch.setattr(registry._store, method, slow)
    return gate


@pytest.mark.parametrize("command", ["start", "suspend", "add"])
@virtual
async def test_nothing_opens_when_a_stop_comes_while_a_command_is_being_stored(tmp_path, monkeypatch, command):
    async with running(tmp_path / "db") as registry:
        ready(registry.driver)
        await registry.add(BERLIN, name="", owner=1)
        gate = hold_back(monkeypatch, registry, "add_account" if command == "add" else "set_wanted")
        doing = asyncio.create_task(
            registry.add(BONN, name="", owner=1) if command == "add" else getattr(registry, command)(BERLIN)
        )
        await settle()
        await asyncio.wait_for(registry.stop(), 30)
        gate.set()
        with pytest.raises(ShuttingDownError):
            await asyncio.wait_for(doing, 30)
        await pass_time(300)
        assert registry.driver.openings == 0
        assert [account.number for account in registry.accounts()] == [BERLIN]
        if command == "start":  # what was asked for is kept for the next run
            assert [row[0] for row in await registry.rows("SELECT wanted FROM accounts")] == ["connected"]


@virtual
async def test_a_restored_account_is_started_although_the_database_refuses(tmp_path, monkeypatch):
    async with running(tmp_path / "db") as registry:
        ready(registry.driver)
        await registry.add(BERLIN, name="", owner=1)
        await registry.start(BERLIN)
        await until(lambda: registry.status(BERLIN).is_connected)

        async def refuse(*_):
            raise OSError("/srv/switchboard.sqlite: disk is full")

        monkeypatch.setattr(registry._store, "set_wanted", refuse)
        registry.driver.copies = [SavedSession("2026-01-01", 0.0, 1)]
        await registry.restore(BERLIN, "2026-01-01")
        await until(lambda: registry.status(BERLIN).is_connected)


@virtual
async def test_a_renaming_does_not_bring_back_what_was_removed_meanwhile(tmp_path, monkeypatch):
    async with running(tmp_path / "db") as registry:
        await registry.add(BERLIN, name="", owner=1)
        gate = hold_back(monkeypatch, registry, "rename")
        renaming = asyncio.create_task(registry.rename(BERLIN, "Berlin"))
        await settle()
        removing = asyncio.create_task(registry.remove(BERLIN))
        await settle()
        gate.set()
        await asyncio.gather(renaming, removing)
        assert registry.accounts() == []


# --- removal ----------------------------------------------------------------------------------------------------------


@virtual
async def test_a_removal_tells_whether_the_device_was_logged_out(tmp_path):
    async with running(tmp_path / "db") as registry:
        ready(registry.driver)
        for number in (BERLIN, BONN):
            await registry.add(number, name="", owner=1)
        await registry.start(BERLIN)
        await until(lambda: registry.status(BERLIN).is_connected)
        registry.driver.newest.log_out_fails = DriverError(Reason.UNKNOWN, "no way to log out")
        assert await registry.remove(BERLIN) is False
        assert await registry.remove(BONN) is None, "no browser was open to do it"
        assert registry.driver.removed == [BERLIN, BONN]


@virtual
async def test_an_account_whose_profile_cannot_be_deleted_stays_and_can_be_removed_later(tmp_path, monkeypatch):
    async with running(tmp_path / "db") as registry:
        await registry.add(BERLIN, name="", owner=1)
        deleting = registry.driver.remove

        async def refuse(_):
            raise DriverError(Reason.UNKNOWN, "the disk does not answer")

        monkeypatch.setattr(registry.driver, "remove", refuse)
        with pytest.raises(DriverError):
            await registry.remove(BERLIN)
        assert registry.status(BERLIN).state is State.SUSPENDED
        monkeypatch.setattr(registry.driver, "remove", deleting)
        await registry.remove(BERLIN)
        assert registry.accounts() == []


@virtual
async def test_an_account_whose_row_cannot_be_deleted_stays_and_can_be_linked_or_removed_later(tmp_path, monkeypatch):
    async with running(tmp_path / "db") as registry:
        ready(registry.driver)
        await registry.add(BERLIN, name="", owner=1)
        await registry.start(BERLIN)
        await until(lambda: registry.status(BERLIN).is_connected)
        deleting = registry._store.remove_account

        async def refuse(_):
            raise OSError("/srv/switchboard.sqlite: disk is full")

        monkeypatch.setattr(registry._store, "remove_account", refuse)
        with pytest.raises(OSError, match="disk is full"):
            await registry.remove(BERLIN)
        assert registry.status(BERLIN).state is State.SUSPENDED
        assert await registry.start(BERLIN)
        await until(lambda: registry.status(BERLIN).is_connected)
        monkeypatch.setattr(registry._store, "remove_account", deleting)
        await registry.remove(BERLIN)
        assert registry.accounts() == []


# --- L13, L14: what is taken up ---------------------------------------------------------------------------------------


@virtual
async def test_l13_an_account_that_is_added_during_an_outage_is_held_too(tmp_path):
    async with running(tmp_path / "db") as registry:
        registry.hold()
        await registry.add(BERLIN, name="", owner=1)
        await registry.start(BERLIN)
        await settle()
        assert registry.status(BERLIN).on_hold
        registry.driver.fails = DriverError(Reason.LAUNCH_FAILED, "no answer")
        registry.slots.release(OUTAGE)  # what is under way already when it begins
        await settle()
        status = registry.status(BERLIN)
        assert (status.state, status.error_count, status.next_retry_in) == (State.ERROR, 0, None), "it uses up nothing"
        registry.driver.fails = None
        ready(registry.driver)
        registry.release()
        await until(lambda: registry.status(BERLIN).is_connected)


@virtual
async def test_l14_a_stop_between_the_scan_and_connected_strands_nobody(tmp_path):
    driver = FakeDriver()
    async with running(tmp_path / "db", driver) as registry:
        await registry.add(BERLIN, name="", owner=1)
        await registry.add(BONN, name="", owner=1)
        for number in (BERLIN, BONN):
            await registry.start(number)
        await settle()
        driver.sessions[0].report(Authenticated(BERLIN))
        await settle()
    driver.linked.add(BERLIN)
    ready(driver)
    async with running(tmp_path / "db", driver) as registry:
        await until(lambda: registry.status(BERLIN).is_connected)
        assert registry.status(BONN).reason is Reason.NOT_LINKED


@virtual
async def test_l14_what_cannot_be_looked_at_is_tried(tmp_path, monkeypatch):
    driver = FakeDriver()
    async with running(tmp_path / "db", driver) as registry:
        await registry.add(BERLIN, name="", owner=1)
        await registry.start(BERLIN)
        await settle()

    async def hang(_):
        await asyncio.Event().wait()

    monkeypatch.setattr(driver, "has_session", hang)
    ready(driver)
    async with running(tmp_path / "db", driver) as registry:
        await until(lambda: registry.status(BERLIN).is_connected)


@virtual
async def test_l14_since_counters_and_causes_are_the_account_s_not_the_process_s(tmp_path):
    driver = FakeDriver()
    driver.fails = DriverError(Reason.LAUNCH_FAILED, "no")
    async with running(tmp_path / "db", driver) as registry:
        for number in (BERLIN, BONN):
            await registry.add(number, name="", owner=1)
        await registry.suspend(BONN)
        await registry.start(BERLIN)
        await until(lambda: registry.status(BERLIN).error_count == 3)
        suspended = registry.status(BONN).since
        counted = registry.status(BERLIN)
    driver.hangs, driver.fails = True, None
    driver.linked.add(BERLIN)
    await pass_time(86400)
    async with running(tmp_path / "db", driver) as registry:
        status = registry.status(BONN)
        assert (status.state, status.since) == (State.SUSPENDED, suspended)
        assert [t for t in registry.told if isinstance(t, Transition) and t.number == BONN and not t.within_state] == []
        rows = await registry.rows("SELECT to_state FROM transitions WHERE number = ?", (BONN,))
        assert [row[0] for row in rows] == ["SUSPENDED"], "a restart is no transition"
        again = registry.status(BERLIN)
        assert (again.reconnect_attempts, again.error_count) == (counted.reconnect_attempts, counted.error_count)


@virtual
async def test_k4_a_confirmed_number_is_kept(tmp_path):
    driver, nearly, stored = FakeDriver(), BERLIN[:4] + "9" + BERLIN[4:], []
    driver.script = lambda session: session.report(Ready(nearly))

    def absorb(transitions):
        stored.extend(transitions)
        return Changes()

    async with running(tmp_path / "db", driver, absorb=absorb) as registry:
        await registry.add(BERLIN, name="", owner=1)
        await registry.start(BERLIN)
        await until(lambda: registry.status(BERLIN).is_connected)
        status = registry.status(BERLIN)
        assert (status.unconfirmed, status.verified, status.remedy) == (nearly, False, Remedy.CONFIRM)
        assert await registry.confirm_number(BERLIN, nearly, same=True)
        assert registry.status(BERLIN).verified
        assert not await registry.confirm_number(BERLIN, nearly, same=True)
    async with running(tmp_path / "db", driver) as registry:
        await until(lambda: registry.status(BERLIN).is_connected)
        assert registry.status(BERLIN).verified


@virtual
async def test_what_is_planned_waits_while_another_account_tries_out_a_new_build(tmp_path):
    async with running(tmp_path / "db") as registry:
        ready(registry.driver)
        await registry.add(BERLIN, name="", owner=1)
        await registry.start(BERLIN)
        await until(lambda: registry.status(BERLIN).is_connected)
        registry.may_plan = lambda number: number != BERLIN
        assert not registry.recycle(BERLIN, "memory")
        await settle()
        assert registry.status(BERLIN).is_connected
        registry.may_plan = lambda _: True
        assert registry.recycle(BERLIN, "memory")
        await settle()
        assert registry.driver.sessions[0].closed


@virtual
async def test_what_is_over_and_a_confirmed_number_are_stored_though_no_state_changes(tmp_path):
    driver, nearly, stored = FakeDriver(), BERLIN[:4] + "9" + BERLIN[4:], []
    driver.script = lambda session: session.report(Ready(nearly))

    def absorb(transitions):
        stored.extend(transitions)
        return Changes()

    async with running(tmp_path / "db", driver, absorb=absorb) as registry:
        await registry.add(BERLIN, name="", owner=1)
        await registry.start(BERLIN)
        await until(lambda: registry.status(BERLIN).is_connected)
        await pass_time(1)
        stored.clear()
        await registry.confirm_number(BERLIN, nearly, same=True)
        await pass_time(1)
        assert [each.over for each in stored] == [(Reason.CONFIRM_NUMBER,)]
        rows = await registry.rows("SELECT alias FROM accounts")
        assert [row[0] for row in rows] == [nearly], "a kill from now on forgets it not"


@virtual
async def test_linking_gives_up_a_session_that_is_out_of_reach_and_nothing_else_does(tmp_path):
    driver = FakeDriver()
    driver.fails = DriverError(Reason.ARCHIVE_OUTDATED, "host b had it")
    async with running(tmp_path / "db", driver) as registry:
        await registry.add(BERLIN, name="", owner=1)
        await registry.start(BERLIN, link=True)
        await until(lambda: registry.status(BERLIN).reason is Reason.ARCHIVE_OUTDATED, within=5)
        await registry.start(BERLIN)
        await until(
            lambda: driver.openings == 2 and registry.status(BERLIN).reason is Reason.ARCHIVE_OUTDATED, within=5
        )
        assert driver.discarded == []

        driver.fails = None
        await registry.start(BERLIN, link=True)

        assert driver.discarded == [BERLIN]
        assert not registry.status(BERLIN).linked


@virtual
async def test_a_browser_that_could_not_be_opened_again_is_not_recycled(tmp_path):
    driver = FakeDriver()
    ready(driver)
    async with running(tmp_path / "db", driver) as registry:
        await registry.add(BERLIN, name="", owner=1)
        await registry.start(BERLIN)
        await until(lambda: registry.status(BERLIN).is_connected, within=5)
        registry.slots.hold("no archives")
        assert not registry.recycle(BERLIN, "it is time")
        registry.slots.release("no archives")

        assert registry.recycle(BERLIN, "it is time")
