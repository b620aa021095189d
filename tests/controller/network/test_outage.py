"""L13 in virtual time: an outage of WhatsApp is one incident, not counted against accounts, and ends in turn."""

import asyncio

import pytest

from controller.accounts.notices import Notice
from controller.accounts.policy import Policy
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Authenticated, Ended, Heard, Ready
from controller.manager import utc_now
from controller.network.outage import MOST_WITHIN, OutageWatch
from controller.network.reach import Reach, UnknownRouteError, UntrustedError
from controller.registry import Account, Registry
from controller.troubles import Trouble
from tests.controller.fakes import FakeDriver, FakeSession
from tests.virtual_time import pass_time, until, virtual

NUMBERS = [f"+49151123{number:05}" for number in range(40)]


class Store:
    def __init__(self):
        self.rows: list[Account] = []

    async def accounts(self):
        return self.rows

    async def add_account(self, account):
        self.rows.append(account)

    async def set_wanted(self, number, wanted): ...
    async def rename(self, number, name): ...
    async def change_owner(self, number, owner): ...
    async def remove_account(self, number): ...


class FakeTroubles:
    def __init__(self):
        self.said: list[tuple[str, str]] = []
        self.standing: set[str] = set()

    async def raise_trouble(self, reason, detail=""):
        self.said.append((reason, detail))
        self.standing.add(reason)

    async def clear_trouble(self, reason):
        if reason in self.standing:  # an end is reported only after a loss was
            self.standing.remove(reason)
            self.said.append((reason, "over"))


class World:
    """A registry of accounts on a fake driver, and a WhatsApp that can go away."""

    def __init__(self, *, answers: bool = True, ask: bool = True):
        self.away = False
        self.answers = answers
        self.notices: list[Notice] = []
        self.driver = FakeDriver()
        self.driver.script = self.open
        self.told = FakeTroubles()
        self.registry = Registry(
            Store(), driver=self.driver, policy=Policy(), listener=self.hear, launch_slots=2, clock=utc_now
        )
        self.fleet = OutageWatch(self.registry, self.told, self.reach if ask else None)
        self.task = asyncio.create_task(self.fleet.run())

    def hear(self, notice: Notice) -> None:
        self.notices.append(notice)
        self.fleet.note(notice)

    def open(self, session: FakeSession) -> None:
        if self.away:
            session.report(Ended(Reason.CONNECTION_LOST))
        else:
            session.report(Authenticated(session.opening.account))
            session.report(Ready(session.opening.account))

    async def reach(self) -> None:
        if self.away or not self.answers:
            raise ConnectionRefusedError

    async def connect(self, numbers: list[str]) -> None:
        for number in numbers:
            await self.registry.add(number, name="", owner=1)
            await self.registry.start(number)
        await until(lambda: self.connected() == len(numbers))

    def connected(self) -> int:
        return sum(self.registry.status(account.number).is_connected for account in self.registry.accounts())

    def lose(self, numbers: list[str]) -> None:
        for session in list(self.driver.sessions):
            if session.opening.account in numbers and not session.closed:
                session.report(Ended(Reason.CONNECTION_LOST))

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.registry.stop()


@virtual
async def test_an_outage_that_an_earlier_run_told_of_ends_once_whatsapp_answers():
    world = World(answers=False)
    world.told.standing.add(Trouble.UNREACHABLE)
    await pass_time(600)
    assert world.told.said == []
    world.answers = True
    await pass_time(90)
    assert world.told.said == [(Trouble.UNREACHABLE, "over")]
    await world.end()


@virtual
async def test_where_the_host_cannot_be_asked_an_account_that_connects_ends_what_an_earlier_run_told_of():
    world = World(ask=False)
    world.told.standing.add(Trouble.UNREACHABLE)
    await pass_time(600)
    assert world.told.said == [], "nobody knows"
    await world.connect(NUMBERS[:1])
    await pass_time(10)
    assert world.told.said == [(Trouble.UNREACHABLE, "over")]
    await world.end()


@virtual
async def test_an_outage_uses_up_neither_attempts_nor_errors_and_ends_in_turn():
    world = World()
    await world.connect(NUMBERS)
    await pass_time(120)
    world.away = True
    world.lose(NUMBERS)
    await until(lambda: world.fleet.is_outage, within=10)
    opened = world.driver.openings
    used = [world.registry.status(number).reconnect_attempts for number in NUMBERS]
    await pass_time(3 * 3600)
    assert world.driver.openings <= opened + 2, "launches under way may end, no other begins"
    for number, before in zip(NUMBERS, used, strict=True):
        status = world.registry.status(number)
        assert status.reconnect_attempts <= before <= 2
        assert status.error_count == 0
        assert status.state is not State.SUSPENDED
    assert [detail for reason, detail in world.told.said if reason == Trouble.UNREACHABLE][
        -1
    ] == "40 accounts are waiting"
    world.away = False
    await until(lambda: world.connected() == len(NUMBERS), within=120)
    assert world.driver.most_at_once <= 2
    assert world.told.said[-1] == (Trouble.UNREACHABLE, "over")
    assert sum(detail == "over" for _, detail in world.told.said) == 1
    await world.end()


@virtual
async def test_most_accounts_lost_within_moments_are_held_although_the_host_answers():
    world = World(ask=False)
    await world.connect(NUMBERS[:10])
    await pass_time(120)
    world.lose(NUMBERS[:6])
    await until(lambda: bool(world.told.said), within=MOST_WITHIN)
    await until(lambda: world.connected() == 10, within=60)
    await until(lambda: world.told.said[-1] == (Trouble.UNREACHABLE, "over"), within=60)
    await world.end()


@virtual
async def test_accounts_that_are_back_are_not_lost():
    world = World(ask=False)
    await world.connect(NUMBERS[:6])
    await pass_time(120)
    for number in NUMBERS[:6]:
        world.lose([number])
        await pass_time(5.3)  # it looks again after 5 s, and forgets after 30
        assert world.connected() == 6
    assert world.told.said == []
    await world.end()


@virtual
@pytest.mark.parametrize("reason", [Reason.SESSION_CLOSED, Reason.UNRESPONSIVE])
async def test_the_death_of_what_all_browsers_share_is_no_word_about_whatsapp(reason):
    world = World()
    await world.connect(NUMBERS[:6])
    await pass_time(120)
    for session in world.driver.sessions:
        session.report(Ended(reason, "Playwright's driver process ended"))
    await until(lambda: world.connected() == 6, within=10)
    await pass_time(60)
    assert world.told.said == []
    await world.end()


@virtual
async def test_one_lost_account_holds_nobody():
    world = World()
    await world.connect(NUMBERS[:10])
    await pass_time(120)
    world.lose(NUMBERS[:1])
    await pass_time(60)
    assert world.told.said == []
    assert world.connected() == 10
    await world.end()


@virtual
async def test_a_probe_that_never_answered_is_not_believed_against_connected_accounts():
    world = World(answers=False)
    await world.connect(NUMBERS[:3])
    await pass_time(120)
    world.lose(NUMBERS[:1])
    await pass_time(60)
    assert world.told.said == []
    await world.end()


@virtual
async def test_a_probe_that_never_answers_holds_accounts_only_so_long():
    world = World(answers=False)
    world.away = True
    await world.registry.add(NUMBERS[0], name="", owner=1)
    await world.registry.start(NUMBERS[0])
    await until(lambda: world.fleet.is_outage, within=30)
    world.away = False
    await until(lambda: world.connected() == 1, within=1200)
    await world.end()


@virtual
async def test_a_probe_that_connected_accounts_belie_holds_the_others_for_a_minute():
    world = World()
    await world.connect(NUMBERS[:10])
    await pass_time(120)
    world.answers = False
    world.lose(NUMBERS[:1])
    await until(lambda: world.fleet.is_outage, within=30)
    await until(lambda: world.connected() == 10, within=100)  # they hear from their server each minute
    assert world.told.said == []
    world.lose(NUMBERS[:1])
    await pass_time(60)
    assert world.connected() == 10, "it is not believed again, until it has answered"
    world.answers = True
    world.lose(NUMBERS[1:2])
    await pass_time(60)
    world.answers = False
    world.lose(NUMBERS[2:3])
    await until(lambda: world.fleet.is_outage, within=30)
    await world.end()


@virtual
async def test_an_address_that_is_none_is_an_answer_that_does_not_come():
    world = World()
    world.reach = Reach("https://a..b:99999/")
    world.fleet = OutageWatch(world.registry, world.told, world.reach)
    watching = asyncio.create_task(world.fleet.run())
    await world.connect(NUMBERS[:1])
    world.lose(NUMBERS[:1])
    await pass_time(60)
    assert not watching.done()
    watching.cancel()
    await world.end()


@virtual
async def test_an_account_that_only_a_person_can_mend_tells_nothing_of_whatsapp():
    world = World()
    await world.connect(NUMBERS[:4])
    await pass_time(120)
    world.answers = False
    for session in world.driver.sessions:
        session.report(Ended(Reason.LOGGED_OUT))
    await pass_time(60)
    assert world.told.said == []
    await world.end()


@virtual
async def test_a_trial_that_fails_in_an_outage_is_tried_again_after_it():
    world = World()
    await world.connect(NUMBERS[:1])
    world.fleet.note(world.notices[-1])
    world.registry.hold()
    await pass_time(1)
    world.away = True
    world.lose(NUMBERS[:1])
    await pass_time(600)
    status = world.registry.status(NUMBERS[0])
    assert (status.state, status.on_hold, status.next_retry_in) == (State.DISCONNECTED, True, None)
    world.away = False
    world.registry.release()
    await until(lambda: world.connected() == 1, within=10)
    await world.end()


@virtual
async def test_an_outage_that_is_over_is_no_sign_of_another():
    world = World()
    await world.connect(NUMBERS[:20])
    await pass_time(120)
    world.away = True
    world.lose(NUMBERS[:12])
    await until(lambda: world.fleet.is_outage, within=10)
    await pass_time(4)
    world.lose(NUMBERS[12:])  # some notice it later
    await pass_time(4)
    world.away = False
    world.driver.opening_takes = 2
    await until(lambda: not world.fleet.is_outage, within=30)
    await pass_time(10)
    world.lose(
        [status.number for status in world.registry.accounts() if world.registry.status(status.number).is_connected][:3]
    )
    await until(lambda: world.connected() == 20, within=120)
    assert [detail for _, detail in world.told.said].count("over") == 1
    await world.end()


@virtual
async def test_a_probe_alone_alarms_nobody_while_most_accounts_hear_from_their_server():
    world = World()
    await world.connect(NUMBERS[:10])
    await pass_time(120)
    world.answers = False
    world.lose(NUMBERS[:1])
    await until(lambda: world.fleet.is_outage, within=30)
    await pass_time(30)
    world.driver.sessions[5].report(Heard())
    await until(lambda: world.connected() == 10, within=30)
    assert world.told.said == []
    await world.end()


@virtual
async def test_a_certificate_that_browsers_refuse_too_is_an_outage_and_its_cause_is_told():
    world = World()
    refused = "could not load the page: its certificate is not trusted (net::ERR_CERT_AUTHORITY_INVALID)"
    wrong: list[Exception] = [UntrustedError("its certificate is not trusted")]

    async def reach() -> None:
        if wrong:
            raise wrong[0]

    world.fleet._reach = reach
    await world.connect(NUMBERS[:2])
    await pass_time(120)
    assert world.told.said == [], "browsers trust it: they have roots of their own"
    world.away = True
    world.lose(NUMBERS[:2])
    world.driver.script = lambda session: session.report(Ended(Reason.LAUNCH_FAILED, refused))
    await until(lambda: world.told.said, within=120)
    assert world.told.said == [(Trouble.UNREACHABLE, "its certificate is not trusted, 2 accounts are waiting")]
    await pass_time(600)
    assert {world.registry.status(number).state for number in NUMBERS[:2]} <= {State.DISCONNECTED, State.ERROR}
    world.driver.script, world.away = world.open, False
    wrong.clear()
    await until(lambda: world.connected() == 2, within=60)
    assert world.told.said[-1] == (Trouble.UNREACHABLE, "over")
    await world.end()


@virtual
async def test_a_way_that_only_browsers_know_holds_nobody():
    world = World()

    async def reach() -> None:
        raise UnknownRouteError("the environment's proxy")

    world.fleet._reach = reach
    await world.connect(NUMBERS[:2])
    world.away = True
    world.lose(NUMBERS[:2])
    await pass_time(60)
    assert not world.fleet.is_outage
    world.away = False
    await until(lambda: world.connected() == 2, within=60)
    assert world.told.said == []
    await world.end()
