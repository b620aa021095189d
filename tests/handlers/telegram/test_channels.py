"""A channel: alerts come there and their buttons work; a command in it is never obeyed, and answered with a hint."""

from typing import Any

import pytest

from controller.accounts.reasons import Reason, State
from tests.handlers.conftest import Rig, running_rig
from tests.handlers.fakes import ADMIN, BERLIN, SECOND_ADMIN, STRANGER


@pytest.fixture
def channel(telegram) -> int:
    return telegram.client.add_channel("Ops alerts", [ADMIN, SECOND_ADMIN, STRANGER])["id"]


async def test_a_command_in_a_channel_is_not_obeyed_and_not_met_with_silence(rig: Rig, channel: int):
    rig.accounts.put(state=State.CONNECTED, reason=Reason.LINKED)
    await rig.answer(ADMIN, "/suspend Support Berlin", "no commands in a channel", chat=channel)
    await rig.say(ADMIN, "/here", chat=channel)
    await rig.say(ADMIN, "the van is late", chat=channel)
    await rig.say(ADMIN, "/status@another_bot", chat=channel)
    await rig.answer(ADMIN, "/help", "Switchboard")
    assert rig.accounts.calls == []
    assert len(rig.bot_texts(channel)) == 1, "a minute's one line, whoever writes"


async def test_alerts_in_a_channel_come_and_their_buttons_work(telegram, database, channel: int):
    async with running_rig(telegram, database, alert_chat=channel) as rig:
        await rig.answer(ADMIN, "/help", "Switchboard")
        rig.accounts.put()
        rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.LOGGED_OUT, alert=Reason.LOGGED_OUT)
        alert: dict[str, Any] = await rig.seen(channel, lambda m: "🚨 Support Berlin" in m["text"])
        await rig.press(alert, "Acknowledge", user=STRANGER)
        now = rig.client.message(channel, alert["message_id"])
        assert "👤" not in now["text"], "whoever reads the channel may press, and only people with a role count"
        await rig.press(alert, "Acknowledge", user=SECOND_ADMIN)
        await rig.seen(channel, lambda m: "👤" in m["text"])
