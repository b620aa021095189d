"""A new build of the page meets one account first; planned actions of the others wait for its verdict."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from controller.accounts.model import Stage
from controller.accounts.notices import BuildLoaded, Transition
from controller.accounts.reasons import Reason, State
from controller.troubles import Trouble
from storage.database import open_database
from storage.page_loads import PageLoads
from switchboard.builds import BuildWatch
from tests.virtual_time import EPOCH, pass_time, settle, virtual

A, B = "+491511234567", "+4915112345999"


class FakeTroubles:
    def __init__(self):
        self.said = []
        self.standing = set()

    async def raise_trouble(self, reason, detail=""):
        self.said.append((reason, detail))
        self.standing.add(reason)

    async def clear_trouble(self, reason):
        if reason in self.standing:  # an end is reported only after a loss was
            self.standing.remove(reason)
            self.said.append((reason, None))


class World:
    """A watch that knows build 1, and accounts that load and move."""

    def __init__(self):
        self.told = FakeTroubles()
        self.watch = BuildWatch(self.told, known=["1"])

    def load(self, number, build, missing=()):
        self.watch.note(BuildLoaded(number, EPOCH, build, frozenset(), frozenset(missing)))

    def move(self, number, state, reason=Reason.CONNECTION_LOST, *, cause=None, stage=None):
        before = State.CONNECTING
        self.watch.note(Transition(number, EPOCH, before, state, stage, reason, cause, "", 0, 10, 0, linked=True))

    def may(self):
        return self.watch.may_plan(A), self.watch.may_plan(B)


@virtual
async def test_what_is_planned_for_others_waits_until_the_first_has_been_connected_for_five_minutes():
    here = World()
    here.load(A, "1")
    assert here.may() == (True, True)
    here.load(A, "2")
    assert here.may() == (True, False)
    here.move(A, State.CONNECTED, Reason.LINKED)
    await pass_time(299)
    assert here.may() == (True, False)
    await pass_time(2)
    assert here.may() == (True, True)
    here.load(B, "2")
    assert here.may() == (True, True)
    assert here.told.said == []
    await here.watch.stop()


@virtual
async def test_what_an_earlier_run_held_back_is_not_held_after_a_restart():
    here = World()
    here.told.standing.add(Trouble.NEW_BUILD)
    running = asyncio.create_task(here.watch.run())
    await settle()
    assert here.may() == (True, True)
    assert here.told.said == [(Trouble.NEW_BUILD, None)]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@virtual
async def test_a_build_that_fails_is_told_once_with_what_it_lacks_and_waits_for_a_person():
    here = World()
    here.load(A, "2", missing=["stream", "chat list"])
    here.move(A, State.ERROR, Reason.DEADLINE)
    await settle()
    assert here.told.said == [(Trouble.NEW_BUILD, "2, first met by •••4567; not found in it: chat list, stream")]
    assert (here.may(), here.watch.failed) == ((False, False), ("2",))
    here.load(A, "2", missing=["stream"])
    here.move(A, State.ERROR, Reason.DEADLINE)
    await pass_time(86400)
    assert len(here.told.said) == 1
    assert here.watch.go_on()
    await settle()
    assert here.told.said[1:] == [(Trouble.NEW_BUILD, None)]
    assert here.may() == (True, True)
    assert not here.watch.go_on()
    await here.watch.stop()


@virtual
async def test_a_build_that_is_known_late_is_proven_from_then_on():
    here = World()
    here.move(A, State.CONNECTED, Reason.LINKED)
    here.load(A, "2")  # some builds tell their version some seconds after they are ready
    await pass_time(299)
    assert here.may() == (True, False)
    await pass_time(2)
    assert here.may() == (True, True)
    await here.watch.stop()


@virtual
async def test_two_builds_that_fail_are_told_together():
    here = World()
    here.load(A, "2", missing=["stream"])
    here.load(B, "3")
    assert here.may() == (False, False), "each waits for the other"
    here.move(A, State.ERROR, Reason.DEADLINE)
    here.move(B, State.ERROR, Reason.PAGE_UNKNOWN)
    await settle()
    one, other = "2, first met by •••4567; not found in it: stream", "3, first met by •••5999"
    assert here.told.said == [(Trouble.NEW_BUILD, one), (Trouble.NEW_BUILD, f"{one}; {other}")]
    assert here.watch.go_on()
    await settle()
    assert here.told.said[2:] == [(Trouble.NEW_BUILD, None)]
    assert here.may() == (True, True)
    await here.watch.stop()


@virtual
async def test_a_build_that_fails_while_the_others_go_back_to_the_old_one_is_told_once():
    here = World()
    for build in ("2", "1", "2", "1", "2"):
        here.load(A, build)
        here.load(B, "1")
        here.move(B, State.CONNECTED, Reason.LINKED)
        assert here.may() == (True, build == "1")
        here.move(A, State.DISCONNECTED, Reason.CONNECTION_LOST)
    here.load(A, "2")
    here.move(A, State.ERROR, Reason.DEADLINE)
    await settle()
    assert len(here.told.said) == 1
    await here.watch.stop()


@virtual
async def test_a_build_that_has_failed_is_not_proven_by_the_same_account_s_staying_connected_later():
    here = World()
    here.load(A, "2")
    here.move(A, State.ERROR, Reason.DEADLINE)
    here.load(A, "2")
    here.move(A, State.CONNECTED, Reason.LINKED)
    await pass_time(86400)
    assert (here.may(), here.watch.failed) == ((False, False), ("2",))
    await here.watch.stop()


@virtual
async def test_a_build_that_is_left_for_another_one_is_not_proven_by_the_time_on_that():
    here = World()
    here.load(A, "2")
    here.move(A, State.CONNECTED, Reason.LINKED)
    await pass_time(200)
    here.load(A, "1")  # the page reloads itself, and gets the old one
    await pass_time(200)
    assert here.may() == (True, True)
    here.load(B, "2")
    assert here.may() == (False, True)
    await here.watch.stop()


@virtual
async def test_a_page_that_breaks_before_its_five_minutes_has_failed_too():
    here = World()
    here.load(A, "2")
    here.move(A, State.CONNECTED, Reason.LINKED)
    await pass_time(200)
    here.move(A, State.DISCONNECTED, Reason.UNRESPONSIVE)
    await pass_time(200)
    assert here.watch.failed == ("2",)
    await here.watch.stop()


@pytest.mark.parametrize(
    "reason",
    [
        Reason.CONNECTION_LOST, Reason.STALE, Reason.LAUNCH_FAILED, Reason.LOGGED_OUT, Reason.ACCOUNT_LOCKED,
        Reason.BANNED, Reason.CONFLICT, Reason.QR_EXPIRED, Reason.WRONG_NUMBER, Reason.SYNC_FAILED,
        Reason.SCREEN_LOCKED, Reason.RECYCLED, Reason.SHUTDOWN, Reason.SUSPENDED_BY_OPERATOR, Reason.PROFILE_IN_USE,
    ],
)  # fmt: skip
@virtual
async def test_what_the_network_the_phone_or_a_person_ends_shows_nothing_of_a_build(reason):
    here = World()
    for _ in range(3):
        here.load(A, "2")
        here.move(A, State.CONNECTED, Reason.LINKED)
        await pass_time(200)
        assert here.may() == (True, False)
        here.move(A, State.DISCONNECTED, reason)
        assert (here.may(), here.watch.failed) == ((True, True), ())
    here.load(A, "2")
    here.move(A, State.CONNECTED, Reason.LINKED)
    await pass_time(299)
    assert here.may() == (True, False), "its minutes begin anew"
    await pass_time(2)
    assert (here.may(), here.told.said) == ((True, True), [])
    await here.watch.stop()


@virtual
async def test_a_breaker_that_opens_is_judged_by_what_ended_the_attempt():
    here = World()
    here.load(A, "2")
    here.move(A, State.SUSPENDED, Reason.EXHAUSTED, cause=Reason.CONNECTION_LOST)
    assert here.watch.failed == ()
    here.load(A, "2")
    here.move(A, State.SUSPENDED, Reason.BREAKER_OPEN, cause=Reason.PAGE_UNKNOWN)
    assert here.watch.failed == ("2",)
    await here.watch.stop()


@virtual
async def test_a_browser_that_dies_twice_on_the_same_new_build_has_failed():
    here = World()
    here.load(A, "2")
    here.move(A, State.DISCONNECTED, Reason.SESSION_CLOSED)
    assert here.watch.failed == (), "the kernel or a person may have ended it"
    here.load(B, "2")
    here.move(B, State.DISCONNECTED, Reason.SESSION_CLOSED)
    assert here.watch.failed == ("2",)
    await here.watch.stop()


@pytest.mark.parametrize(("stage", "failed"), [(Stage.PASSKEY, ()), (Stage.DIALOG, ()), (Stage.SYNCING, ("2",))])
@virtual
async def test_a_stage_that_waits_for_a_person_and_runs_out_shows_nothing(stage, failed):
    here = World()
    here.load(A, "2")
    here.move(A, State.CONNECTING, Reason.RELOADED, stage=stage)
    here.move(A, State.ERROR, Reason.DEADLINE)
    assert here.watch.failed == failed
    await here.watch.stop()


@virtual
async def test_minutes_in_which_a_passkey_is_waited_for_prove_nothing():
    here = World()
    here.load(A, "2")
    here.move(A, State.CONNECTED, Reason.LINKED)
    await pass_time(200)
    here.move(A, State.CONNECTING, Reason.PASSKEY, stage=Stage.PASSKEY)
    await pass_time(300)
    assert here.may() == (True, False)
    here.move(A, State.CONNECTED, Reason.LINKED)
    await pass_time(301)
    assert here.may() == (True, True)
    await here.watch.stop()


@virtual
async def test_who_is_closed_by_a_person_has_shown_nothing_and_the_next_one_tries():
    here = World()
    here.load(A, "2")
    here.move(A, State.SUSPENDED, Reason.SUSPENDED_BY_OPERATOR)
    await settle()
    assert (here.may(), here.told.said) == ((True, True), [])
    here.load(B, "2")
    assert here.may() == (False, True)
    await here.watch.stop()


@virtual
async def test_the_very_first_build_is_compared_with_nothing():
    here = World()
    here.watch = BuildWatch(here.told)
    here.load(A, "7")
    assert here.may() == (True, True)
    here.load(B, "")
    here.load(B, "8")
    assert here.may() == (False, True)
    await here.watch.stop()


@asynccontextmanager
async def started(path, told):
    """A watch of a program that has started on its database, and then ends."""
    async with open_database(path) as database:
        here, loads = World(), PageLoads(database)
        here.told = told
        here.watch = BuildWatch(told, store=loads, clock=lambda: EPOCH)
        await here.watch.load()
        yield here, loads
        await here.watch.stop()


async def test_a_restart_takes_up_what_is_known_and_the_first_build_after_it_is_tried_out(tmp_path):
    path, told = tmp_path / "db", FakeTroubles()
    async with started(path, told) as (here, _):
        here.load(A, "1")
        assert here.may() == (True, True), "the very first: there is nothing to compare it with"
    async with started(path, told) as (here, _):
        here.load(A, "1")
        assert here.may() == (True, True)
        here.load(A, "2", missing=["stream"])
        assert here.may() == (True, False)
        here.move(A, State.ERROR, Reason.DEADLINE)
    assert len(told.said) == 1
    async with started(path, told) as (here, _):
        assert (here.watch.failed, here.may()) == (("2",), (False, False)), "a restart is no person's word"
        assert here.watch.go_on()
    assert told.said[1:] == [(Trouble.NEW_BUILD, None)]
    async with started(path, told) as (here, loads):
        here.load(B, "2")
        assert here.may() == (True, True)
        assert [each.build for each in await loads.loads(A)] == ["2", "1", "1"]


async def test_a_database_that_cannot_be_read_or_written_keeps_nothing_from_going_on(caplog):
    class Broken:
        async def builds(self):
            raise OSError("locked")

        async def record(self, loaded):
            raise OSError("read-only")

        async def judge(self, build, **verdict):
            raise OSError("read-only")

    here = World()
    here.watch = BuildWatch(here.told, known=["1"], store=Broken())
    await here.watch.load()
    here.load(A, "2")
    assert here.may() == (True, False)
    await here.watch.stop()
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records if record.levelname == "ERROR"] == [
        "locked",
        "read-only",
    ]
