"""Twelve /link at once, in virtual time and within the limits: codes stay alive, answers and alerts come soon."""

import asyncio
from pathlib import Path

from controller.accounts.model import Stage
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Code
from tests.e2e.harness import decode
from tests.handlers.alerts.storms import connected, now, numbers, refused, rigged
from tests.handlers.conftest import Rig
from tests.handlers.fakes import ADMIN
from tests.virtual_time import run_virtual

SOON, DEAD = 5.0, 8.0
LIVES = 20.0
"""Seconds that a code lives, as on the real page after the first."""


async def renew_codes(rig: Rig, ends: dict[str, float]) -> None:
    """Let every page that is open show a new code as the one before ends, as WhatsApp's do."""
    for turn in range(6):
        for number in [n for n, status in rig.accounts.statuses.items() if status.state is State.CONNECTING]:
            if rig.accounts.status(number).stage is Stage.QUEUED:
                rig.accounts.move(number, State.CONNECTING, Reason.ASKED, stage=Stage.AWAITING_SCAN)
            text = f"2@{number},{turn}"
            ends[text] = now() + LIVES
            rig.accounts.show_code(number, Code(text, LIVES), LIVES)
        await asyncio.sleep(LIVES)


async def watch_codes(rig: Rig, ends: dict[str, float], late: list[float]) -> None:
    """Note how long codes are seen after their end, and that there is never more than one."""
    read: dict[bytes, str] = {}
    while True:
        photos = [m for m in rig.client.from_bot(ADMIN) if m["photo"] and not m["deleted"]]
        assert len(photos) <= 1, "one open code for each person"
        for message in photos:
            picture = rig.client.picture(message)
            if picture not in read:
                read[picture] = decode(picture)
            late.append(now() - ends[read[picture]])
        await asyncio.sleep(0.5)


def test_no_code_is_dead_for_long_and_nothing_else_waits_for_them(tmp_path: Path):
    async def main() -> None:
        async with rigged(tmp_path) as rig:
            (lost,) = connected(rig, 1)
            ends: dict[str, float] = {}
            late: list[float] = []
            for number in numbers(13)[1:]:
                await rig.say(ADMIN, f"/link {number} Account {number[-2:]}")
            await asyncio.sleep(1)
            page = asyncio.create_task(renew_codes(rig, ends))
            seen = asyncio.create_task(watch_codes(rig, ends, late))
            asked = now()
            await rig.answer(ADMIN, "/status", "13 accounts")
            assert now() - asked <= SOON
            began = now()
            rig.accounts.move(lost, State.DISCONNECTED, Reason.LOGGED_OUT, alert=Reason.LOGGED_OUT)
            await rig.seen(ADMIN, lambda m: "🚨" in m["text"])
            assert now() - began <= SOON
            for _ in range(3):
                await asyncio.sleep(25)
                asked = now()
                await rig.answer(ADMIN, "/status", "13 accounts")
                assert now() - asked <= SOON
            assert late, "a code was seen"
            assert max(late) <= DEAD
            assert refused(rig) == 0
            assert not seen.done(), seen.exception()
            seen.cancel()
            page.cancel()

    run_virtual(main())
