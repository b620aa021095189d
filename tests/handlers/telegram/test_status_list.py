"""/status puts who needs somebody first, folds the rest, and has pages, filters and buttons."""

from typing import Any

import pytest

from controller.accounts.model import Stage
from controller.accounts.reasons import Reason, State
from controller.launch_slots import Bound, Launches, Room
from handlers.texts.overview import Need, need
from tests.handlers.conftest import Rig
from tests.handlers.fakes import ADMIN, FakeAccounts
from tests.waiting import until


def labels(message: dict[str, Any]) -> list[str]:
    return [button["text"] for row in message["buttons"] for button in row]


def fill(rig: Rig, healthy: int, bad: int, name: str = "Shop") -> None:
    for number in range(healthy):
        rig.accounts.put(
            f"+49151123{number:05}", f"{name} {number}", state=State.CONNECTED, reason=Reason.LINKED, is_connected=True
        )
    for number in range(bad):
        rig.accounts.put(f"+49151999{number:05}", f"Ill {number}", state=State.SUSPENDED, reason=Reason.EXHAUSTED)


async def test_who_needs_somebody_comes_first_and_the_healthy_are_a_line(rig: Rig):
    fill(rig, 13, 2)
    rig.accounts.put("+4915155500001", "Sleeping", state=State.SUSPENDED, reason=Reason.SUSPENDED_BY_OPERATOR)
    listed = await rig.answer(ADMIN, "/status", "16 accounts, 13 connected, 2 need you")
    assert "🟢 13 accounts connected" in listed["text"] and "⏸ 1 account paused" in listed["text"]
    assert "Shop 3" not in listed["text"]
    assert labels(listed) == ["🔴 Ill 0", "🔴 Ill 1", "Refresh", "Show all 16"]
    await rig.press(listed, "Show all 16")
    more = await rig.seen(ADMIN, lambda m: "Page 1 of 2" in m["text"])
    assert more["text"].index("Ill 1") < more["text"].index("Shop 0")
    await rig.press(more, "More")
    await rig.seen(ADMIN, lambda m: "Page 2 of 2" in m["text"] and "Sleeping" in m["text"])
    await rig.press(more, "Show less")
    await rig.seen(ADMIN, lambda m: "13 accounts connected" in m["text"])
    await rig.press(more, "Ill 1")
    await rig.seen(ADMIN, lambda m: m["message_id"] == listed["message_id"] and "Why: every attempt" in m["text"])


async def test_a_long_list_of_ill_ones_has_pages_and_hides_none(rig: Rig):
    fill(rig, 0, 100)
    listed = await rig.answer(ADMIN, "/status", "Page 1 of 7")
    seen: set[str] = set()
    for page in range(1, 8):
        shown = await rig.seen(ADMIN, lambda m, page=page: f"Page {page} of 7" in m["text"])
        seen |= {label.removeprefix("⏸ ") for label in labels(shown) if "Ill" in label}
        if page < 7:
            await rig.press(listed, "More")
    assert len(seen) == 100


async def test_only_the_bad_ones(rig: Rig):
    fill(rig, 12, 1)
    listed = await rig.answer(ADMIN, "/status bad", "Ill 0")
    assert "Shop" not in listed["text"]
    rig.accounts.move("+4915199900000", State.CONNECTED, Reason.LINKED)
    await rig.press(listed, "Refresh")
    await rig.seen(ADMIN, lambda m: "Nothing needs you: 13 connected." in m["text"])
    await rig.answer(ADMIN, "/status BAD", "Nothing needs you")


async def test_a_part_of_a_name_or_number(rig: Rig):
    fill(rig, 20, 1)
    rig.accounts.put("+33612345678", "Café <Paris>")
    listed = await rig.answer(ADMIN, "/status shop", "20 accounts for “shop”")
    await rig.press(listed, "More")
    await rig.seen(ADMIN, lambda m: "Page 2 of 2" in m["text"] and "for “shop”" in m["text"])
    await rig.answer(ADMIN, "/status café", "Attempts")
    await rig.answer(ADMIN, "/status +33 6 12", "Café <Paris>")
    await rig.answer(ADMIN, "/status 151123", "20 accounts for “151123”")
    await rig.answer(ADMIN, "/status <i>", "No account is called “<i>”")


async def test_a_few_are_all_shown(rig: Rig):
    fill(rig, 5, 1)
    listed = await rig.answer(ADMIN, "/status", "6 accounts")
    assert "Shop 4" in listed["text"] and labels(listed) == ["🔴 Ill 0", "Refresh"]


async def test_a_list_of_before_the_change_still_has_its_refresh(rig: Rig):
    fill(rig, 1, 0)
    listed = await rig.answer(ADMIN, "/status Shop 0", "Attempts")
    await rig.press(listed, "All accounts")
    await until(lambda: "1 account" in rig.client.message(ADMIN, listed["message_id"])["text"], "the list")


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"state": State.CONNECTED, "is_connected": True}, Need.HEALTHY),
        ({"state": State.CONNECTED, "is_connected": True, "dialog": "New terms"}, Need.PERSON),
        ({"state": State.CONNECTED, "is_connected": True, "unconfirmed": "+491"}, Need.PERSON),
        ({"state": State.SUSPENDED, "reason": Reason.SUSPENDED_BY_OPERATOR}, Need.PAUSED),
        ({"state": State.SUSPENDED, "reason": Reason.BREAKER_OPEN, "next_retry_in": 9.0}, Need.TROUBLE),
        ({"state": State.DISCONNECTED, "reason": Reason.LOGGED_OUT}, Need.PERSON),
        ({"state": State.DISCONNECTED, "reason": Reason.CONNECTION_LOST, "on_hold": True}, Need.TROUBLE),
        ({"state": State.CONNECTING, "stage": Stage.AWAITING_SCAN}, Need.PERSON),
        ({"state": State.CONNECTING, "stage": Stage.SYNCING}, Need.COMING),
        ({"state": State.CONNECTING, "reconnect_attempts": 2}, Need.TROUBLE),
        ({"state": State.DISCONNECTED, "reason": Reason.NOT_LINKED}, Need.PERSON),
        ({}, Need.OFF),
    ],
)
async def test_how_much_an_account_needs_somebody(given, what):
    accounts = FakeAccounts()
    account = accounts.put(**given)
    assert need(accounts.status(account.number)) is what


async def test_while_many_start_it_says_how_many_at_once_and_why_no_more(rig: Rig):
    fill(rig, 12, 0)
    listed = await rig.answer(ADMIN, "/status", "12 accounts")
    assert "starting" not in listed["text"]
    rig.accounts.launches = Launches(2, 4, 34, Room(2, 6, Bound.CPU), 4)
    listed = await rig.answer(ADMIN, "/status", "34 waiting")
    assert "6 browsers starting, 34 waiting (the processors are busy)" in listed["text"]
    rig.accounts.launches = Launches(4, 0, 3, Room(4), 4)
    await rig.answer(ADMIN, "/status all", "4 browsers starting, 3 waiting (at most 4 at once)")
    rig.accounts.launches = Launches(0, 0, 9, Room(4), 4, held=True)
    await rig.answer(ADMIN, "/status all", "0 browsers starting, 9 waiting (held back)")
