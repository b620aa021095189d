"""What transitions owe to whom, decided before they are stored, and the same again if they must be stored again."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.accounts.notices import Transition
from controller.accounts.reasons import Reason, State
from handlers.alerts.incidents import Kind
from handlers.alerts.owed import Owing
from handlers.alerts.recipients import Recipients
from handlers.chat.people import People
from tests.handlers.fakes import ADMIN, BERLIN, OPERATOR, SECOND_ADMIN, FakeAccounts


class World:
    def __init__(self, alert_chat: int | None = None):
        self.accounts = FakeAccounts()
        self.accounts.put(owner=OPERATOR, linked=True)
        self.owing = Owing(self.accounts, Recipients(People((ADMIN, SECOND_ADMIN), (OPERATOR,)), alert_chat))
        self.last: Transition | None = None

    def move(self, state: State, reason: Reason, alert: Reason | None = None, **more) -> Transition:
        moved = replace(self.accounts.move(BERLIN, state, reason, alert=alert), **more)
        if self.last is not None:
            moved = replace(moved, at=max(moved.at, self.last.at + timedelta(seconds=1)))
        self.last = moved
        return moved

    def log_out(self, **more) -> Transition:
        return self.move(State.DISCONNECTED, Reason.LOGGED_OUT, Reason.LOGGED_OUT, **more)

    def connect(self) -> Transition:
        return self.move(State.CONNECTED, Reason.LINKED)


@pytest.fixture
def world():
    return World()


def kinds(owed) -> list[str]:
    return [one.kind for one in owed]


def test_an_alert_goes_to_admins_and_the_accounts_operator(world):
    assert [one.chat for one in world.owing.plan(world.log_out())] == [ADMIN, SECOND_ADMIN, OPERATOR]


def test_an_alert_chat_takes_the_place_of_the_admins():
    world = World(alert_chat=-5)
    assert [one.chat for one in world.owing.plan(world.log_out())] == [-5, OPERATOR]


def test_nothing_is_owed_for_what_sounds_no_alert(world):
    assert world.owing.plan(world.move(State.DISCONNECTED, Reason.CONNECTION_LOST)) == []
    assert world.owing.plan(world.connect()) == []


def test_recovery_is_owed_once_and_only_where_trouble_was_told(world):
    world.owing.plan(world.log_out())
    assert set(kinds(world.owing.plan(world.connect()))) == {Kind.OVER}
    assert world.owing.plan(world.connect()) == []


def test_what_could_not_be_stored_is_planned_again_the_same(world):
    lost, back, lost_again, back_again = world.log_out(), world.connect(), world.log_out(), world.connect()
    batch = (lost, back, lost_again, back_again)
    first = [kinds(world.owing.plan(each)) for each in batch]
    assert [kinds(world.owing.plan(each)) for each in batch] == first
    assert all(first)


def test_an_operators_suspend_closes_what_was_told(world):
    world.owing.plan(world.log_out())
    owed = world.owing.plan(world.move(State.SUSPENDED, Reason.SUSPENDED_BY_OPERATOR))
    assert set(kinds(owed)) == {Kind.HANDLED}


def test_a_picture_is_owed_beside_its_alert(world):
    owed = world.owing.plan(world.move(State.ERROR, Reason.PAGE_UNKNOWN, Reason.PAGE_UNKNOWN, picture=b"PNG"))
    assert [one.picture for one in owed if one.kind == Kind.PICTURE] == [b"PNG"] * 3


def test_a_ban_tells_when_it_ends(world):
    banned = world.move(State.SUSPENDED, Reason.BANNED, Reason.BANNED)
    owed = world.owing.plan(replace(banned, block_ends_at=banned.at + timedelta(hours=1)))
    assert "The block ends at" in owed[0].body


def test_trouble_of_an_earlier_run_ends_too(world):
    world.owing.told.add(BERLIN)
    assert set(kinds(world.owing.plan(world.connect()))) == {Kind.OVER}
