"""An alert says that it is over within seconds, whatever else its chat is busy with: it would contradict the card."""

import asyncio
import random
from pathlib import Path

import pytest

from controller.accounts.model import Stage
from controller.accounts.reasons import Reason, State
from tests.handlers.alerts.storms import now, numbers, refused, rigged
from tests.handlers.conftest import Rig
from tests.handlers.fakes import ADMIN, BERLIN
from tests.virtual_time import run_virtual, until

SOON = 6.0
"""Seconds: five, and the time that sending takes."""
STAGES = (Stage.LAUNCHING, Stage.READING, Stage.SYNCING, Stage.QUEUED)


async def keep_busy(rig: Rig, by_chance: random.Random) -> None:
    """Let accounts that somebody has asked for change their state all the time, and people ask."""
    those = numbers(6)
    for number in those:
        rig.accounts.put(number, f"Account {number[-4:]}", linked=True)
        await rig.say(ADMIN, f"/reconnect {number}")
    while True:
        number = by_chance.choice(those)
        rig.accounts.move(number, State.CONNECTING, Reason.RETRY, stage=by_chance.choice(STAGES))
        if by_chance.random() < 0.1:
            await rig.say(ADMIN, f"/status nobody{by_chance.random()}")
        await asyncio.sleep(by_chance.random())


@pytest.mark.parametrize("seed", range(2))
def test_an_alert_s_end_is_shown_within_seconds_in_a_busy_chat(tmp_path: Path, seed: int):
    async def main() -> None:
        by_chance = random.Random(seed)
        async with rigged(tmp_path) as rig:
            rig.accounts.put(owner=ADMIN, linked=True)
            busy = asyncio.create_task(keep_busy(rig, by_chance))
            await asyncio.sleep(20)
            rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.CONFLICT, alert=Reason.CONFLICT)
            alert = await rig.seen(ADMIN, lambda m: "🚨 Support Berlin" in m["text"])
            await asyncio.sleep(5 + 10 * by_chance.random())
            began = now()
            rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
            await until(lambda: "🚨" not in rig.client.message(ADMIN, alert["message_id"])["text"])
            assert now() - began <= SOON
            assert refused(rig) == 0
            assert not busy.done(), busy.exception()
            busy.cancel()

    run_virtual(main())


def test_the_end_of_what_comes_again_and_again_is_shown_as_soon(tmp_path: Path):
    async def main() -> None:
        async with rigged(tmp_path) as rig:
            rig.accounts.put(owner=ADMIN, linked=True)
            for _ in range(7):
                rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.CONFLICT, alert=Reason.CONFLICT)
                await asyncio.sleep(40)
                rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
                await asyncio.sleep(SOON)
                texts = rig.bot_texts(ADMIN)
                assert not [text for text in texts if "🚨" in text], texts
                await asyncio.sleep(10)

    run_virtual(main())
