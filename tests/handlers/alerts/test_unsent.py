"""Which alerts count as undelivered: never those held back, over, or delivered somewhere."""

import asyncio
import contextlib

import pytest

from controller.accounts.reasons import Reason, State
from controller.troubles import Trouble
from handlers.alerts.escalation.escalator import EscalationPolicy
from tests.handlers.alerts.storms import connected, now, rigged
from tests.handlers.fakes import ADMIN, SECOND_ADMIN
from tests.virtual_time import run_virtual


def lose(rig, number):
    rig.accounts.move(number, State.DISCONNECTED, Reason.LOGGED_OUT, alert=Reason.LOGGED_OUT)


def age(rig):
    """Seconds for which the oldest waits; None where nothing does."""
    waiting = rig.service.unsent()
    return now() - min(waiting).timestamp() if waiting else None


async def passing(rig, seconds):
    """Pass time as in the program, which queries it every 15 s."""
    for _ in range(int(seconds / 15)):
        await asyncio.sleep(15)
        age(rig)


def test_what_telegram_does_not_take_waits_from_its_beginning_until_one_chat_has_it(tmp_path):
    async def main():
        async with rigged(tmp_path) as rig:
            (number,) = connected(rig, 1)
            await passing(rig, 60)
            assert age(rig) is None
            rig.client.fail("500", method="sendMessage", chat_id=ADMIN)
            rig.client.fail("500", method="sendMessage", chat_id=SECOND_ADMIN)
            lose(rig, number)
            await passing(rig, 300)
            assert age(rig) == pytest.approx(300, abs=2)
            rig.client.heal()
            await passing(rig, 90)
            assert age(rig) is None

    run_virtual(main())


def test_told_in_one_chat_it_is_told(tmp_path):
    async def main():
        async with rigged(tmp_path) as rig:
            (number,) = connected(rig, 1)
            await passing(rig, 60)
            rig.client.fail("403", description="Forbidden: bot was blocked by the user", chat_id=SECOND_ADMIN)
            lose(rig, number)
            await passing(rig, 60)
            assert age(rig) is None

    run_virtual(main())


def test_what_a_silence_holds_back_waits_from_its_end(tmp_path):
    async def main():
        async with rigged(tmp_path) as rig:
            one, other = connected(rig, 2)
            await passing(rig, 60)
            await rig.answer(ADMIN, "/silence all 30m moving house", "no alerts until")
            for number in (one, other):
                lose(rig, number)
            await passing(rig, 600)
            rig.accounts.move(other, State.CONNECTED, Reason.LINKED)
            await passing(rig, 1140)
            assert age(rig) is None, "held back, or over before anybody was told"
            rig.client.fail("500", method="sendMessage")
            await passing(rig, 210)
            assert 100 <= age(rig) <= 180

    run_virtual(main())


def test_whatsapp_out_of_reach_is_nobodys_business_before_its_time(tmp_path):
    async def main():
        async with rigged(tmp_path) as rig:
            await rig.service.raise_trouble(Trouble.UNREACHABLE, "40 accounts are waiting")
            await passing(rig, 290)
            assert age(rig) is None

    run_virtual(main())


def test_what_went_out_by_the_fallback_is_told(tmp_path):
    class Way:
        names = ("1 (json)",)

        async def send(self, title, text):
            return {"1 (json)": True}

    async def main():
        async with rigged(tmp_path, escalation=EscalationPolicy(Way())) as rig:
            (number,) = connected(rig, 1)
            await passing(rig, 60)
            rig.client.fail("500", method="sendMessage")
            lose(rig, number)
            await passing(rig, 150)
            assert age(rig) == pytest.approx(150, abs=2)
            await passing(rig, 60)
            assert age(rig) is None

    run_virtual(main())


def test_that_nobody_escalates_any_more_is_seen(tmp_path):
    async def main():
        async with rigged(tmp_path) as rig:
            await rig.service.look_at_alerts()
            escalating = rig.service.alerts._escalating
            escalating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await escalating
            with pytest.raises(RuntimeError, match="escalates"):
                await rig.service.look_at_alerts()

    run_virtual(main())
