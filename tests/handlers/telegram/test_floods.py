"""One person's flood, in virtual time and within Telegram's limits: it slows their own chat, and nobody else's."""

import asyncio
from pathlib import Path

from controller.accounts.reasons import Reason, State
from handlers.chat.send_queue import MOST_ANSWERS
from tests.handlers.alerts.storms import connected, now, refused, rigged
from tests.handlers.fakes import ADMIN, SECOND_ADMIN
from tests.virtual_time import run_virtual

SOON = 5.0


def test_a_thousand_presses_of_one_person_delay_no_alert_and_nobody_elses_answer(tmp_path: Path):
    async def main() -> None:
        async with rigged(tmp_path) as rig:
            (number,) = connected(rig, 1)
            shown = await rig.answer(ADMIN, "/status", "1 account")
            refresh = next(b["data"] for row in shown["buttons"] for b in row if "Refresh" in b["text"])
            before = len(rig.client.requests("editMessageText"))
            for _ in range(1000):
                await rig.client.press(shown["message_id"], refresh, user_id=ADMIN, chat_id=ADMIN)
            asked = now()
            await rig.answer(SECOND_ADMIN, "/status", "1 account")
            assert now() - asked <= SOON
            lost = now()
            rig.accounts.move(number, State.DISCONNECTED, Reason.LOGGED_OUT, alert=Reason.LOGGED_OUT)
            await rig.seen(ADMIN, lambda m: "🚨" in m["text"])
            assert now() - lost <= SOON
            await asyncio.sleep(120)
            assert len(rig.client.requests("editMessageText")) - before <= 100, "equal refreshes merge"
            assert refused(rig) == 0

    run_virtual(main())


def test_two_hundred_questions_of_one_person_are_bounded_and_the_newest_is_answered(tmp_path: Path):
    async def main() -> None:
        async with rigged(tmp_path) as rig:
            connected(rig, 1)
            await rig.answer(ADMIN, "/help", "Switchboard")
            before = len(rig.client.requests("sendMessage"))
            for _ in range(200):
                await rig.say(ADMIN, "/status")
            asked = now()
            await rig.answer(SECOND_ADMIN, "/status", "1 account")
            assert now() - asked <= SOON
            asked = now()
            await rig.answer(ADMIN, "/alerts", "Nothing needs you")
            assert now() - asked <= 2 * MOST_ANSWERS
            await asyncio.sleep(120)
            assert len(rig.client.requests("sendMessage")) - before <= MOST_ANSWERS + 20
            assert refused(rig) == 0

    run_virtual(main())
