"""WhatsApp itself goes down and comes back: one incident in the chat, nothing counted against the accounts (L13).

The five minutes until it is reported are a setting, short here; that they are five is in `test_choices`, and what a
chat receives in a shorter outage in `test_troubles`.
"""

import time

import pytest

from tests.e2e.harness import NUMBER, world

pytestmark = [pytest.mark.e2e, pytest.mark.chromium]

TOLD_AFTER = 4.0


@pytest.mark.timeout(300)
async def test_an_outage_of_whatsapp_is_told_once_after_its_time_and_mends_itself(tmp_path):
    async with (
        world(tmp_path, speed=30) as here,
        here.program(UNREACHABLE_AFTER_SECONDS=str(TOLD_AFTER)) as program,
    ):
        await here.link()
        heard = {m["message_id"] for m in here.chat() if not m["silent"]}

        began = time.monotonic()
        here.whatsapp.switches.set("dns_gone", True)
        alert = await here.until(lambda: here.says("🚨", "WhatsApp cannot be reached", "1 account is waiting"))
        assert time.monotonic() - began >= TOLD_AFTER
        assert not alert["silent"]
        assert here.newest_state() != "CONNECTED"

        connected_before = len(here.transitions())
        here.whatsapp.switches.set("dns_gone", False)
        await here.until_connected(after=connected_before)
        over = await here.until(lambda: here.says("WhatsApp can be reached again, after"))
        assert over["message_id"] == alert["message_id"], "an end is an edit of its alert"
        new = [m["text"] for m in here.chat() if not m["silent"] and m["message_id"] not in heard]
        assert len(new) == 1, "one sound in all"
        assert "Circuit breaker" not in program.text
        reasons = here.rows("SELECT reason FROM transitions WHERE number = ?", NUMBER)
        assert not {"exhausted", "breaker_open"} & {reason for (reason,) in reasons}
