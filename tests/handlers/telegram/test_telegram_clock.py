"""Telegram's time by its responses: whatever the host's clock says or does, a command's age is known."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from handlers.telegram.telegram_clock import TelegramClock

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class World:
    """A host whose clock is set at will, and Telegram, whose time passes."""

    def __init__(self) -> None:
        self.passed, self.host_ahead = 0.0, timedelta(0)
        self.clock = TelegramClock(lambda: self.true + self.host_ahead, lambda: 5000 + self.passed)

    @property
    def true(self) -> datetime:
        return NOON + timedelta(seconds=self.passed)

    def answer(self, ahead: timedelta = timedelta(0)) -> None:
        self.clock.read(format_datetime(self.true + ahead, usegmt=True))

    @property
    def error(self) -> float:
        return (self.clock() - self.true).total_seconds()


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=-1), timedelta(days=-20000), timedelta(0)])
def test_the_host_s_clock_is_of_no_account(ahead):
    world = World()
    world.host_ahead = ahead
    world.answer()
    world.passed += 300
    assert abs(world.error) < 1


def test_a_jump_between_two_responses_moves_nothing():
    world = World()
    world.answer()
    for jump in (1, -1):
        world.host_ahead = timedelta(hours=jump)
        world.passed += 30
        assert abs(world.error) < 1


def test_without_any_date_the_host_s_clock_counts():
    world = World()
    world.host_ahead = timedelta(hours=1)
    world.clock.read(None)
    assert world.error == 3600


@pytest.mark.parametrize(
    "date",
    ["", "yesterday", "0", "Thu, 01 Jan 1970 00:00:00 GMT", "Thu, 99 Foo 2026 99:99:99 GMT", "\x00", "Mon, 1 Mar",
     "Fri, 31 Dec 9999 23:59:59 -2300", "Sun, 01 Mar 99999 12:00:00 GMT", "Sun, 01 Mar 2026 12:00:00 +9999"],
)  # fmt: skip
def test_a_date_that_is_none_changes_nothing(date):
    world = World()
    world.host_ahead = timedelta(hours=1)
    world.clock.read(date)
    assert world.error == 3600
    world.answer()
    world.clock.read(date)
    assert abs(world.error) < 1


def test_a_date_without_a_zone_and_one_with_another_are_read():
    world = World()
    world.clock.read("Sun, 01 Mar 2026 12:00:00 -0000")
    assert abs(world.error) < 1
    world.clock.read("Sun, 01 Mar 2026 13:00:00 +0100")
    assert abs(world.error) < 1


def test_a_response_read_long_after_it_was_made_makes_nothing_younger():
    world = World()
    world.answer()
    world.passed += 3 * 3600  # suspended, with a response in the socket
    world.answer(ahead=timedelta(hours=-3))
    assert abs(world.error) < 1


def test_a_time_on_which_the_steady_clock_stood_still_is_made_up_for_at_once():
    world = World()
    world.answer()
    world.answer(ahead=timedelta(hours=3))
    assert abs(world.error - 3 * 3600) < 1


def test_one_absurd_date_in_the_future_is_forgotten_as_the_others_disagree():
    world = World()
    world.answer()
    world.answer(ahead=timedelta(days=400))
    for _ in range(2):
        world.answer()
        assert world.error > 86400, "asked about, rather than done"
        world.passed += 6
    world.answer()
    assert abs(world.error) < 1


def test_doubts_that_are_not_repeated_are_no_doubts():
    world = World()
    world.answer()
    for _ in range(10):
        world.answer(ahead=timedelta(hours=-1))
        world.answer()
        world.passed += 30
    assert abs(world.error) < 1


@pytest.mark.parametrize("host", [timedelta(days=3650), timedelta(0), timedelta(days=-3650)])
def test_what_both_clocks_confirm_is_the_earlier_of_both(host):
    world = World()
    world.host_ahead = host
    assert world.clock.confirmed() is None
    world.answer()
    assert world.clock.confirmed() == world.true + min(host, timedelta(0))
    world.answer(timedelta(days=3650))
    assert world.clock.confirmed() == world.true + min(host, timedelta(days=3650))
