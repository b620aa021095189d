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
from tests.waiting import until

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


def test_codes_that_are_scanned_at_once_follow_each_other_as_fast_as_the_chat_takes_them(tmp_path: Path):
    async def main() -> None:
        async with rigged(tmp_path) as rig:
            rig.accounts.statuses.clear()
            wanted, shown = numbers(8), []
            await rig.say(ADMIN, "/link " + "\n".join(wanted))
            for number in wanted:
                await until(lambda n=number: _is_open(rig, n), f"{number} is open")
                rig.accounts.show_code(number, Code(f"2@{number}", LIVES), LIVES)
                await rig.seen(ADMIN, lambda m, n=number: bool(m["photo"]) and n[-4:] in m["text"])
                shown.append(now())
                rig.accounts.hide_code(number)
                rig.accounts.move(number, State.CONNECTING, Reason.ASKED, stage=Stage.SYNCING)
            assert shown[-1] - shown[0] <= 10, [round(each - shown[0], 1) for each in shown]
            for number in wanted:
                rig.accounts.move(number, State.CONNECTED, Reason.LINKED)
            await until(lambda: all(_says_connected(rig, number) for number in wanted), "every card is in the chat")
            assert refused(rig) == 0

    run_virtual(main())


def _says_connected(rig: Rig, number: str) -> bool:
    return any(
        number[-4:] in line and "Connected" in m["text"]
        for m in rig.client.from_bot(ADMIN)
        if not m["deleted"]
        for line in m["text"].splitlines()
    )


def _is_open(rig: Rig, number: str) -> bool:
    return number in rig.accounts.statuses and rig.accounts.status(number).state is State.CONNECTING
