"""The send queue: whose turn comes when, and what is retried. Virtual time; Telegram is a list of calls."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from handlers.chat.errors import (
    FAILURES,
    CallFailedError,
    ChatGoneError,
    NotSentError,
    OutcomeUnknownError,
    SupersededError,
    TooManyError,
    UnknownRefusalError,
)
from handlers.chat.messages import Lane
from handlers.chat.rate_limits import Limits, RateLimits
from handlers.chat.send_queue import MOST_ANSWERS, SendQueue
from tests.virtual_time import pass_time, settle, until, virtual, virtual_loop

CHAT, OTHER = 1, 2


class Said:
    """Replaces `handlers.telegram.client.TelegramClient`: records what is sent when, and fails on demand."""

    def __init__(self) -> None:
        self.log: list[tuple[float, str]] = []
        self.fails: list[Exception] = []
        self.takes = 0.0
        self.poison = ""
        """What is answered with 500 each time, while others are said."""
        self.polls = 0
        """Calls performed of another kind."""
        self.tried = 0

    async def say(self, what: str) -> str:
        await asyncio.sleep(self.takes)
        if self.fails:
            raise self.fails.pop(0)
        if self.poison and what.startswith(self.poison):
            self.tried += 1
            raise CallFailedError("500", self.polls + len(self.log), len(self.log))
        self.log.append((virtual_loop().time(), what))
        return what

    @property
    def words(self) -> list[str]:
        return [what for _, what in self.log]


def office(**limits: Any) -> tuple[SendQueue, Said]:
    said = Said()
    return SendQueue(said, RateLimits(Limits(**limits))), said  # type: ignore[arg-type]


def words(what: str) -> Callable[[Any], Awaitable[str]]:
    return lambda chat: chat.say(what)


def begin(post: SendQueue, lane: Lane, what: str, chat: int = CHAT, **how: Any) -> "asyncio.Task[str]":
    return asyncio.create_task(post.deliver(lane, chat, words(what), **how))


@virtual
async def test_what_is_urgent_goes_soon_and_a_lane_keeps_its_order():
    post, said = office()
    tasks = [begin(post, Lane.CARDS, f"card {n}") for n in range(4)]
    tasks += [begin(post, Lane.ALERTS, f"alert {n}") for n in range(3)]
    tasks += [begin(post, Lane.ANSWERS, "answer"), begin(post, Lane.QR, "code")]
    await pass_time(120)
    await asyncio.gather(*tasks)
    assert said.words.index("alert 0") <= 2
    assert said.words.index("answer") <= 4
    assert said.words[-2:] == ["card 2", "card 3"]
    assert [what for what in said.words if "alert" in what] == ["alert 0", "alert 1", "alert 2"]
    assert [what for what in said.words if "card" in what] == ["card 0", "card 1", "card 2", "card 3"]


@virtual
async def test_what_was_superseded_while_it_waited_is_never_said():
    post, said = office()
    newest = ["old"]
    await asyncio.gather(*[post.deliver(Lane.CARDS, CHAT, words("before")) for _ in range(2)])
    task = asyncio.create_task(post.deliver(Lane.CARDS, CHAT, lambda chat: chat.say(newest[0])))
    await asyncio.sleep(0)
    newest[0] = "new"
    await task
    assert said.words[-1] == "new"


@virtual
async def test_a_pause_is_kept_by_that_chat_alone_and_nothing_is_lost():
    post, said = office()
    said.fails = [TooManyError(30)]
    first, second = begin(post, Lane.ALERTS, "first"), begin(post, Lane.ALERTS, "second")
    await pass_time(1)
    assert await begin(post, Lane.CARDS, "elsewhere", OTHER) == "elsewhere"
    await asyncio.gather(first, second)
    assert [what for at, what in said.log if at >= 30] == ["first", "second"]


@virtual
async def test_while_telegram_is_away_one_tries_for_all():
    post, _said = office()
    attempts = 0

    async def away(_: Any) -> None:
        nonlocal attempts
        attempts += 1
        if virtual_loop().time() < 3600:
            raise NotSentError("away")

    tasks = [asyncio.create_task(post.deliver(Lane.ALERTS, chat, away)) for chat in range(100)]
    await pass_time(3599)
    assert not post.reachable
    assert attempts <= 100 + 3600 / 30 + 10
    await pass_time(60)
    await asyncio.gather(*tasks)
    assert post.reachable


@virtual
async def test_what_fails_alone_lets_others_pass_and_counts_as_rejected_in_the_end():
    post, said = office()
    await begin(post, Lane.ANSWERS, "first")
    said.poison = "poison"
    poison = begin(post, Lane.ANSWERS, "poison")
    began = virtual_loop().time()
    for n in range(FAILURES + 2):
        said.polls += 1  # which brings the question
        post.service_responded()
        await begin(post, Lane.ANSWERS, f"answer {n}")
        await begin(post, Lane.CARDS, f"card {n}", OTHER)
        await asyncio.sleep(30)
    with pytest.raises(UnknownRefusalError):
        await poison
    at = {what: when for when, what in said.log}
    assert all(at[f"{what} {n}"] - began - 30 * n < 6 for n in range(FAILURES + 2) for what in ("answer", "card"))


@virtual
async def test_what_fails_while_nothing_like_it_passes_is_tried_until_it_is_taken():
    post, said = office()
    said.poison = " "
    task = begin(post, Lane.ALERTS, " alert")
    for _ in range(200):
        said.polls += 1
        await asyncio.sleep(25)
    assert not task.done()
    assert said.tried < 300, "it is tried at a pace"
    said.poison = ""
    await pass_time(60)
    assert await task == " alert"


@virtual
async def test_in_an_outage_a_lane_keeps_its_order():
    post, said = office()
    said.poison = "answer"
    tasks = [begin(post, Lane.ANSWERS, f"answer {n}") for n in range(4)]
    await pass_time(300)
    said.poison = ""
    await pass_time(60)
    await asyncio.gather(*tasks)
    assert said.words == [f"answer {n}" for n in range(4)]


@virtual
async def test_a_pause_after_an_edit_holds_up_no_alert_and_one_after_an_alert_does():
    post, said = office()
    said.fails = [TooManyError(200)]
    card = begin(post, Lane.CARDS, "card")
    await settle()
    began = virtual_loop().time()
    await begin(post, Lane.ALERTS, "alert 0")
    assert virtual_loop().time() - began < 5
    said.fails = [TooManyError(100)]
    await begin(post, Lane.ALERTS, "alert 1")
    assert 100 <= virtual_loop().time() - began < 110
    await card
    assert 200 <= virtual_loop().time() - began < 210


@virtual
async def test_what_may_have_been_said_is_said_again_only_where_that_is_wanted():
    post, said = office()
    said.fails = [OutcomeUnknownError("no answer")]
    with pytest.raises(OutcomeUnknownError):
        await begin(post, Lane.ALERTS, "once")
    said.fails = [OutcomeUnknownError("no answer")]
    assert await begin(post, Lane.ALERTS, "again", repeat=True) == "again"


@virtual
async def test_a_chat_that_is_gone_holds_up_nobody():
    post, said = office()
    said.fails = [ChatGoneError("blocked")]
    with pytest.raises(ChatGoneError):
        await begin(post, Lane.ALERTS, "gone")
    assert await begin(post, Lane.ALERTS, "there", OTHER) == "there"


@virtual
async def test_a_slow_lane_does_not_hold_up_the_others():
    post, said = office()
    said.takes = 20
    slow = begin(post, Lane.CARDS, "slow card")
    await pass_time(0.1)
    said.takes = 0
    assert await begin(post, Lane.ANSWERS, "answer") == "answer"
    assert virtual_loop().time() < 5
    await slow


@virtual
async def test_a_deletion_costs_no_budget():
    post, _said = office()
    tasks = [begin(post, Lane.ALERTS, "alert") for _ in range(30)]
    await pass_time(5)
    assert await begin(post, Lane.QR, "delete", free=True) == "delete"
    assert virtual_loop().time() < 6
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@virtual
async def test_a_deletion_that_was_told_to_wait_waits():
    post, said = office()
    said.fails = [TooManyError(3), TooManyError(3)]
    await begin(post, Lane.QR, "delete", free=True)
    assert said.log == [(6, "delete")]


@virtual
async def test_a_deletion_overtakes_what_waits_for_the_end_of_a_pause():
    post, said = office()
    said.fails = [TooManyError(30)]
    edit = begin(post, Lane.QR, "edit")
    await pass_time(1)
    assert await begin(post, Lane.QR, "delete", free=True) == "delete"
    assert virtual_loop().time() < 2
    await edit
    assert [what for at, what in said.log if at >= 30] == ["edit"]


@virtual
async def test_a_deletion_does_not_wait_for_a_slow_lane():
    post, said = office()
    said.takes = 20
    slow = begin(post, Lane.QR, "slow picture")
    await pass_time(0.1)
    said.takes = 0
    assert await begin(post, Lane.QR, "delete", free=True) == "delete"
    assert virtual_loop().time() < 5
    await slow


@virtual
async def test_deletions_go_one_by_one():
    post, said = office()
    said.takes = 1
    await asyncio.gather(*[begin(post, Lane.QR, f"delete {n}", free=True) for n in range(3)])
    assert said.log == [(1, "delete 0"), (2, "delete 1"), (3, "delete 2")]


@virtual
async def test_who_is_cancelled_while_waiting_gives_the_turn_on_and_nothing_is_left():
    post, _said = office()
    tasks = [begin(post, Lane.ALERTS, f"{n}") for n in range(10)]
    await pass_time(0.1)
    for task in tasks[:9]:
        task.cancel()
    await asyncio.gather(*tasks[:9], return_exceptions=True)
    assert await tasks[9] == "9"
    await pass_time(1)
    assert post._chats == {}
    assert post._under_way == 0


# --- merging and bounds -----------------------------------------------------------------------------------------------


@virtual
async def test_calls_with_one_key_are_made_once_as_the_newest_wants_it():
    post, said = office()
    await asyncio.gather(*[begin(post, Lane.ANSWERS, "before") for _ in range(2)])
    same = [begin(post, Lane.UPDATES, f"edit {n}", key=7) for n in range(1000)]
    other = begin(post, Lane.UPDATES, "other", key=8)
    assert set(await asyncio.gather(*same)) == {"edit 999"}
    await other
    assert said.words[2:] == ["edit 999", "other"]
    assert post._jobs == {}


@virtual
async def test_a_merged_call_goes_on_in_the_more_urgent_lane():
    post, said = office()
    tasks = [begin(post, Lane.CARDS, f"card {n}") for n in range(10)]
    await pass_time(0.1)
    same = [begin(post, Lane.CARDS, "old", key=7), begin(post, Lane.ANSWERS, "new", key=7)]
    assert await asyncio.gather(*same) == ["new", "new"]
    assert virtual_loop().time() < 3
    await asyncio.gather(*tasks)
    assert said.words.count("new") == 1


@virtual
async def test_who_is_cancelled_hands_a_merged_call_over():
    post, said = office()
    await asyncio.gather(*[begin(post, Lane.ANSWERS, "before") for _ in range(2)])
    same = [begin(post, Lane.ANSWERS, f"{n}", key=7) for n in range(4)]
    await asyncio.sleep(0)
    same[0].cancel()
    await asyncio.sleep(0)
    same[3].cancel()
    await asyncio.gather(same[0], same[3], return_exceptions=True)
    assert await same[1] == await same[2]
    assert len(said.words) == 3
    assert post._jobs == {}
    assert post._chats == {}


@virtual
async def test_all_who_were_merged_learn_that_it_failed():
    post, said = office()
    await asyncio.gather(*[begin(post, Lane.ANSWERS, "before") for _ in range(2)])
    said.fails = [ChatGoneError("blocked")]
    outcomes = await asyncio.gather(*[begin(post, Lane.ANSWERS, "x", key=7) for _ in range(3)], return_exceptions=True)
    assert [type(each) for each in outcomes] == [ChatGoneError] * 3


@virtual
async def test_a_call_that_is_under_way_is_merged_with_nothing():
    post, said = office()
    said.takes = 5
    first = begin(post, Lane.ANSWERS, "first", key=7)
    await pass_time(1)
    second = begin(post, Lane.ANSWERS, "second", key=7)
    assert await asyncio.gather(first, second) == ["first", "second"]


@virtual
async def test_of_too_many_answers_the_oldest_are_dropped_and_the_newest_are_given():
    post, said = office()
    tasks = [begin(post, Lane.ANSWERS, f"{n}") for n in range(200)]
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    dropped = [each for each in outcomes if isinstance(each, SupersededError)]
    assert len(said.words) + len(dropped) == 200
    assert len(said.words) <= MOST_ANSWERS + 2
    assert said.words[-1] == "199"
    alerts = [begin(post, Lane.ALERTS, f"{n}") for n in range(50)]
    await asyncio.gather(*alerts)  # pending messages are never dropped


@virtual
async def test_it_is_known_when_all_that_is_queued_waits_for_budgets():
    post, said = office(per_second=0.1)
    assert not post.waits_for_budgets, "nothing waits"
    tasks = [begin(post, Lane.CARDS, f"card {n}") for n in range(6)]
    assert not post.waits_for_budgets, "they are on their way"
    await until(lambda: len(said.log) == 2)
    await pass_time(3)
    assert post.waits_for_budgets
    said.takes = 0.5
    tasks.append(begin(post, Lane.ANSWERS, "elsewhere", OTHER))
    await settle()
    assert not post.waits_for_budgets, "one is under way"
    await asyncio.gather(*tasks)
    assert not post.waits_for_budgets
