"""A chat in which Telegram demands silence for hours: it is tried now and then, told elsewhere, nothing is hidden."""

import asyncio

from controller.accounts.reasons import Reason, State
from tests.handlers.conftest import Rig
from tests.handlers.fakes import ADMIN, SECOND_ADMIN
from tests.virtual_time import virtual_loop

DAY = 86_400


async def test_a_chat_that_telegram_silences_for_a_day_is_tried_told_elsewhere_and_shown(rig: Rig):
    for admin in (ADMIN, SECOND_ADMIN):
        await rig.answer(admin, "/help", "Switchboard")
    rule = rig.client.fail("429", chat_id=ADMIN, retry_after=DAY)
    await rig.say(ADMIN, "/status nobody")
    told = await rig.seen(SECOND_ADMIN, lambda m: "lets me answer nobody" in m["text"])
    assert f"chat {ADMIN}, for another 1 d" in told["text"]
    listed = await rig.answer(SECOND_ADMIN, "/status", "no account yet")
    assert f"answer nobody in chat {ADMIN}" in listed["text"]
    refused = len(rig.client.requests("sendMessage"))
    await asyncio.sleep(3600)
    tries = len(rig.client.requests("sendMessage")) - refused
    assert 6 <= tries <= 13, "now and then, and no more"
    assert sum("lets me answer nobody" in text for text in rig.bot_texts(SECOND_ADMIN)) == 2, "once, and as asked"
    rig.client.heal(rule.number)
    late = await rig.client.wait_for(
        lambda: next((m for m in rig.client.from_bot(ADMIN) if "No account is called" in m["text"]), None), 400
    )
    assert "This answer is 1 h" in late["text"]
    await rig.answer(ADMIN, "/status nobody2", "nobody2")
    assert "answer nobody in chat" not in (await rig.answer(SECOND_ADMIN, "/status all", "no account yet"))["text"]


async def test_a_press_in_a_silenced_chat_says_so_above_it(rig: Rig):
    rig.accounts.put(state=State.SUSPENDED, reason=Reason.EXHAUSTED)
    detail = await rig.answer(ADMIN, "/status Support Berlin", "Attempts")
    rig.client.fail("429", chat_id=ADMIN, retry_after=DAY, method="editMessageText")
    await rig.press(detail, "History")
    await asyncio.sleep(1)
    toast = await rig.press(detail, "All accounts")
    assert "Telegram lets me write nothing here, for another 23 h" in (toast or {})["text"]


async def test_in_a_silenced_group_who_asks_is_answered_privately(rig: Rig):
    group = rig.client.add_group("Ops", [ADMIN])["id"]
    await rig.answer(ADMIN, "/help", "Switchboard")
    await rig.answer(ADMIN, "/status", "no account yet", group)
    rig.client.fail("429", chat_id=group, retry_after=DAY)
    await rig.say(ADMIN, "/status nobody", chat=group)
    await asyncio.sleep(1)
    await rig.say(ADMIN, "/status nobody2", chat=group)
    await rig.seen(ADMIN, lambda m: "nobody2" in m["text"])


async def test_a_short_silence_is_kept_and_not_told(rig: Rig):
    for admin in (ADMIN, SECOND_ADMIN):
        await rig.answer(admin, "/help", "Switchboard")
    rig.client.fail("429", chat_id=ADMIN, retry_after=200, count=1)
    began = virtual_loop().time()
    await rig.say(ADMIN, "/status nobody")
    await rig.client.wait_for(lambda: any("No account is called" in text for text in rig.bot_texts(ADMIN)) or None, 400)
    assert virtual_loop().time() - began >= 200
    assert not any("lets me answer" in text for text in rig.bot_texts(SECOND_ADMIN))
