"""What each lane is guaranteed under any load: with arrivals in virtual time, through the real queue.

A promise is about the first of a line: how long it waits for others once those before it in its own lane have been
sent. Telegram is a list of what was sent when.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.chat.messages import Lane
from handlers.chat.rate_limits import Limits, RateLimits
from handlers.chat.send_queue import SendQueue
from handlers.chat.turns import TABLE, Turns
from sandbox.telegram.budgets import Budgets as TelegramBudgets
from sandbox.telegram.budgets import Limits as TelegramLimits
from tests.virtual_time import run_virtual, virtual, virtual_loop

PRIVATE = {Lane.ALERTS: 5.0, Lane.ANSWERS: 5.0, Lane.QR: 8.0, Lane.UPDATES: 16.0, Lane.CARDS: 16.0}
"""Seconds that the first of a line waits at most in a private chat."""
IN_GROUP = {Lane.ALERTS: 5.0, Lane.ANSWERS: 40.0, Lane.QR: 40.0, Lane.UPDATES: 125.0, Lane.CARDS: 125.0}
"""In a group, also in an unbroken flood of all lanes: but for alerts it is a bound, not a promise of soon."""
SOON = 0.5


@dataclass
class Sent:
    """Takes what is sent. asked, at: by chat and lane, when each message came and when it went."""

    asked: dict[tuple[int, Lane], list[float]] = field(default_factory=lambda: defaultdict(list))
    at: dict[tuple[int, Lane], list[float]] = field(default_factory=lambda: defaultdict(list))

    def waits(self, chat: int, lane: Lane) -> list[float]:
        """Return for each message how long it was the first of its line."""
        asked, at = self.asked[chat, lane], self.at[chat, lane]
        before = [0.0, *at]
        return [went - max(came, last) for came, went, last in zip(asked, at, before, strict=False)]


async def play(arrivals: list[tuple[float, int, Lane]], takes: float = 0.0) -> Sent:
    """Let messages arrive: (seconds since the one before, chat, lane)."""
    sent, theirs = Sent(), TelegramBudgets(TelegramLimits())
    queue = SendQueue(None, RateLimits())  # type: ignore[arg-type]
    tasks = []
    loop = virtual_loop()

    async def send(chat: int, lane: Lane) -> None:
        assert theirs.charge(chat, loop.time()) == 0, "Telegram would refuse it"
        sent.at[chat, lane].append(loop.time())
        await asyncio.sleep(takes)

    for pause, chat, lane in arrivals:
        await asyncio.sleep(pause)
        sent.asked[chat, lane].append(loop.time())
        say = lambda _, chat=chat, lane=lane: send(chat, lane)
        tasks.append(asyncio.create_task(queue.deliver(lane, chat, say)))
    await asyncio.gather(*tasks)
    assert queue._chats == {}
    return sent


# A flood of one lane or several, and some messages of others among it: what starves whom if a share is missing.
floods = st.lists(st.sampled_from(Lane), min_size=1, max_size=5, unique=True)
mixed = st.lists(st.tuples(st.sampled_from([0.0, 0.0, 0.1, 1.0, 7.0]), st.sampled_from(Lane)), min_size=1, max_size=60)


def limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.chat.send_queue.MOST_ANSWERS", 10**6)


@pytest.fixture(autouse=True, scope="module")
def _all_answers():
    with pytest.MonkeyPatch.context() as monkeypatch:
        limited(monkeypatch)
        yield


ANY_MACHINE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""How fast examples are drawn says something about the machine alone."""


@settings(ANY_MACHINE, max_examples=60)
@given(flood=floods, count=st.integers(5, 40), then=mixed)
def test_in_a_private_chat_no_lane_waits_longer_than_is_promised_whatever_the_load(flood, count, then):
    chat = 7
    arrivals = [(0.0, chat, lane) for _ in range(count) for lane in flood]
    sent = run_virtual(play(arrivals + [(pause, chat, lane) for pause, lane in then]))
    for lane, bound in PRIVATE.items():
        assert max(sent.waits(chat, lane), default=0) <= bound, lane.name


@settings(ANY_MACHINE, max_examples=40)
@given(flood=floods, count=st.integers(5, 25), then=mixed)
def test_in_a_group_an_alert_waits_no_longer_than_five_seconds_whatever_the_load(flood, count, then):
    chat = -7
    arrivals = [(0.0, chat, lane) for _ in range(count) for lane in flood]
    sent = run_virtual(play(arrivals + [(pause, chat, lane) for pause, lane in then]))
    for lane, bound in IN_GROUP.items():
        assert max(sent.waits(chat, lane), default=0) <= bound, lane.name


@virtual
async def test_in_a_group_that_alerts_flood_for_a_quarter_of_an_hour_no_lane_is_left_out():
    arrivals = [(0.0, -7, lane) for _ in range(40) for lane in Lane] + [(1.0, -7, Lane.ALERTS)] * 300
    sent = await play(arrivals)
    for lane, bound in IN_GROUP.items():
        assert max(sent.waits(-7, lane)) <= bound, lane.name


@settings(ANY_MACHINE, max_examples=30)
@given(then=mixed, floods=st.integers(50, 150))
def test_what_one_chat_sends_slows_no_other(then, floods):
    flood, other = 7, 8
    arrivals = [(0.0, flood, lane) for _ in range(floods) for lane in (Lane.ANSWERS, Lane.UPDATES)]
    sent = run_virtual(play(arrivals + [(pause, other, lane) for pause, lane in then]))
    alone = run_virtual(play([(pause, other, lane) for pause, lane in then]))
    for lane in Lane:
        assert sent.waits(other, lane) == pytest.approx(alone.waits(other, lane), abs=SOON)


@virtual
async def test_where_the_budget_over_all_chats_is_short_an_alert_still_goes_soon():
    arrivals = [(0.0, chat, lane) for chat in range(1, 300) for lane in (Lane.CARDS, Lane.ANSWERS, Lane.UPDATES)]
    arrivals += [(0.5, 1000, Lane.ALERTS), (0.0, 5, Lane.ALERTS), (0.0, 1001, Lane.QR)]
    sent = await play(arrivals)
    assert sent.waits(1000, Lane.ALERTS)[0] <= 1
    assert sent.waits(5, Lane.ALERTS)[0] <= 5
    assert sent.waits(1001, Lane.QR)[0] <= 1
    went = sorted(at for each in sent.at.values() for at in each)
    assert all(sum(at <= other < at + 1 for other in went) <= 30 for at in went), "the budget over all is counted"


@virtual
async def test_where_the_budget_over_all_chats_is_short_no_chat_and_no_lane_is_left_out():
    arrivals = [(0.0, chat, lane) for _ in range(4) for chat in range(1, 100) for lane in (Lane.ANSWERS, Lane.CARDS)]
    sent = await play(arrivals)
    first_answers = [sent.at[chat, Lane.ANSWERS][0] for chat in range(1, 100)]
    first_cards = [sent.at[chat, Lane.CARDS][0] for chat in range(1, 100)]
    assert max(first_answers) <= 8
    assert max(first_cards) <= 25


@virtual
async def test_a_slow_network_changes_nothing_of_it():
    arrivals = [(0.0, 7, lane) for _ in range(20) for lane in Lane]
    sent = await play(arrivals, takes=0.9)
    for lane, bound in PRIVATE.items():
        assert max(sent.waits(7, lane)) <= bound


@virtual
async def test_a_thousand_answers_do_not_delay_the_alert_that_comes_among_them():
    arrivals = [(0.0, 7, Lane.ANSWERS)] * 1000 + [(3.0, 7, Lane.ALERTS)] * 10
    sent = await play(arrivals)
    assert max(sent.waits(7, Lane.ALERTS)) <= 5


@virtual
async def test_codes_come_before_what_only_says_that_they_have_come():
    sent = await play([(0.0, 7, lane) for _ in range(8) for lane in (Lane.ALERTS, Lane.QR)])
    before_the_last_code = [at for at in sent.at[7, Lane.ALERTS] if at < sent.at[7, Lane.QR][-1]]
    assert len(before_the_last_code) <= 5, "each code waited for an alert"


def test_each_lane_has_its_turn_as_often_as_its_promise_needs():
    turn = 1 / Limits().per_second
    for lane, bound in PRIVATE.items():
        places = [at for at, owner in enumerate(TABLE * 2) if owner is lane]
        longest = max(after - before for before, after in pairwise(places))
        assert longest * turn <= bound


@settings(ANY_MACHINE)
@given(st.lists(st.sets(st.sampled_from(Lane), min_size=1), max_size=100))
def test_a_turn_is_its_owners_where_that_has_something(waiting):
    turns = Turns()
    for ready in waiting:
        chosen = turns.choose(ready)
        assert chosen in ready
        assert chosen is turns.owner or turns.owner not in ready
        turns.take(chosen)


@settings(ANY_MACHINE)
@given(st.lists(st.sets(st.sampled_from(Lane), min_size=1), min_size=30, max_size=100), st.sampled_from(Lane))
def test_without_a_table_who_is_ready_waits_for_each_other_lane_once(waiting, always):
    turns, waited = Turns(table=()), 0
    for ready in waiting:
        chosen = turns.choose(ready | {always})
        turns.take(chosen)
        waited = 0 if chosen is always else waited + 1
        assert waited < len(Lane)
