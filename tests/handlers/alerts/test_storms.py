"""Storms in virtual time: many accounts, hours without Telegram, and what the people in a chat get of it.

The Bot API stand-in and the bot talk HTTP on one loop whose clock jumps; the stand-in answers 429 as Telegram would.
"""

import asyncio
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controller.accounts.reasons import Reason, State
from tests.handlers.alerts.storms import connected, from_bot, lost_together, now, refused, rigged, sounds
from tests.handlers.conftest import Rig
from tests.handlers.fakes import ADMIN, SECOND_ADMIN
from tests.virtual_time import run_virtual

HOUR = 3600.0


def storm(test: Callable[..., Any]) -> Callable[..., None]:
    """Run a test in virtual time, with a rig whose stand-in keeps Telegram's limits."""

    @functools.wraps(test)
    def run(tmp_path: Path, **given: Any) -> None:
        async def main() -> None:
            async with rigged(tmp_path) as rig:
                await test(rig, **given)

        run_virtual(main())

    del run.__wrapped__
    return run


@pytest.mark.parametrize("count", [200, 1000])
def test_accounts_lost_together_and_back_after_three_minutes(tmp_path: Path, count: int):
    figures = run_virtual(lost_together(tmp_path, count))
    assert 1 <= figures.sounding <= 5
    assert figures.first_after <= 2
    assert figures.refused == 0
    assert figures.recovery_told
    if count == 200:
        assert figures.true_after <= 60


@storm
async def test_ten_minutes_of_quiet_send_nothing(rig: Rig):
    connected(rig, 20)
    await asyncio.sleep(120)
    before = len(rig.client.requests("sendMessage", "editMessageText", "sendPhoto", "editMessageMedia"))
    await asyncio.sleep(600)
    assert len(rig.client.requests("sendMessage", "editMessageText", "sendPhoto", "editMessageMedia")) == before


@storm
async def test_a_flapping_account_sounds_three_times_at_most(rig: Rig):
    (number,) = connected(rig, 1)
    await asyncio.sleep(30)
    began = now()
    while now() - began < HOUR:
        rig.accounts.move(number, State.SUSPENDED, Reason.BREAKER_OPEN, alert=Reason.BREAKER_OPEN)
        await asyncio.sleep(10)
        rig.accounts.move(number, State.CONNECTED, Reason.LINKED)
        await asyncio.sleep(10)
    assert 1 <= len(sounds(rig, ADMIN, began)) <= 3
    assert refused(rig) == 0


@storm
async def test_an_unacknowledged_critical_alert_sounds_again(rig: Rig):
    (number,) = connected(rig, 1)
    rig.accounts.move(number, State.DISCONNECTED, Reason.LOGGED_OUT, alert=Reason.LOGGED_OUT)
    await asyncio.sleep(4.5 * HOUR)
    reminders = [m for m in sounds(rig, ADMIN) if "Still open after 4 h, and nobody is on it" in m["text"]]
    assert len(reminders) == 1
    (alert,) = [m for m in from_bot(rig, SECOND_ADMIN) if "logged out" in m["text"] and not m["reply_to"]]
    await rig.press(alert, "Acknowledge", SECOND_ADMIN)
    await asyncio.sleep(60)
    assert not any("Still open" in text for text in rig.bot_texts(ADMIN)), "it is past"
    await asyncio.sleep(4.5 * HOUR)
    assert len([m for m in sounds(rig, ADMIN) if "Still open" in m["text"]]) == 1


@pytest.mark.parametrize("fault", ["429", "500", "hang", "drop"])
def test_two_hours_without_telegram_lose_nothing(tmp_path: Path, fault: str):
    async def main() -> None:
        async with rigged(tmp_path) as rig:
            those = connected(rig, 60)
            await asyncio.sleep(120)
            began = now()
            options = {"retry_after": 30} if fault == "429" else {}
            rig.client.fail(fault, seconds=2 * HOUR, **options)
            under_way = []
            for number in those:
                rig.accounts.move(number, State.SUSPENDED, Reason.EXHAUSTED, alert=Reason.EXHAUSTED)
                await asyncio.sleep(60)
                under_way.append(len(asyncio.all_tasks()))
            assert max(under_way[30:]) <= max(under_way[:30]) + 2, "what waits must not pile up in memory"
            for number in those[:30]:
                rig.accounts.move(number, State.CONNECTED, Reason.LINKED)
            await asyncio.sleep(2 * HOUR - (now() - began))
            rig.client.heal()
            await asyncio.sleep(90)
            told = "\n".join(m["text"] for m in from_bot(rig, ADMIN) if not m["silent"])
            assert all(f"Account {number[-4:]}" in told for number in those)
            assert len(sounds(rig, ADMIN, began)) <= 2
            await rig.answer(ADMIN, "/status", "60 accounts")

    run_virtual(main())


@storm
async def test_commands_are_answered_first_in_a_storm(rig: Rig):
    those = connected(rig, 200)
    await asyncio.sleep(120)
    for number in those:
        rig.accounts.move(number, State.SUSPENDED, Reason.EXHAUSTED, alert=Reason.EXHAUSTED)
    await asyncio.sleep(1)
    asked = now()
    await rig.say(ADMIN, "/help")
    await rig.seen(ADMIN, lambda m: "Switchboard" in m["text"])
    assert now() - asked <= 5
    assert refused(rig) == 0


@storm
async def test_a_pause_that_telegram_asks_for_is_kept_in_that_chat_alone(rig: Rig):
    (number,) = connected(rig, 1)
    await asyncio.sleep(30)
    rig.client.fail("429", chat_id=ADMIN, retry_after=60, count=1)
    began = now()
    rig.accounts.move(number, State.DISCONNECTED, Reason.LOGGED_OUT, alert=Reason.LOGGED_OUT)
    await asyncio.sleep(10)
    assert any("logged out" in m["text"] for m in from_bot(rig, SECOND_ADMIN))
    assert len([r for r in rig.client.requests() if r.error_code == 429]) == 1
    await asyncio.sleep(65)
    assert any("logged out" in m["text"] for m in sounds(rig, ADMIN, began))
