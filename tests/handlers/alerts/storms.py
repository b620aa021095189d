"""Storms in virtual time: the rig, and figures about accounts that are lost and recover together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.accounts.reasons import Reason, State
from handlers.alerts.incidents.policy import AlertPolicy
from sandbox.telegram import Limits as TelegramLimits
from sandbox.telegram import TelegramStandIn
from storage.database import open_database
from tests.handlers.conftest import Rig, running_rig
from tests.handlers.fakes import ADMIN, SECOND_ADMIN, FakeAccounts
from tests.memory import put_empty_database
from tests.virtual_time import virtual_loop


@asynccontextmanager
async def rigged(folder: Path, **options: Any) -> AsyncIterator[Rig]:
    loop = virtual_loop()
    put_empty_database(path := folder / "switchboard.sqlite")
    async with (
        open_database(path) as database,
        TelegramStandIn(limits=TelegramLimits(), now=lambda: loop.clock().timestamp()) as telegram,
    ):
        for user, name in ((ADMIN, "Ada"), (SECOND_ADMIN, "Bob")):
            telegram.client.add_user(user, name)
            telegram.client.world.private_chat(user)
        accounts = FakeAccounts(options.pop("clock", loop.clock))
        async with running_rig(
            telegram, database, None, accounts, limits=None, **({"alert_policy": AlertPolicy()} | options)
        ) as rig:
            await asyncio.sleep(5)
            yield rig


def numbers(count: int) -> list[str]:
    return [f"+49151123{number:05}" for number in range(count)]


def connected(rig: Rig, count: int) -> list[str]:
    for number in numbers(count):
        rig.accounts.put(number, f"Account {number[-4:]}", linked=True)
        rig.accounts.move(number, State.CONNECTED, Reason.LINKED)
    return numbers(count)


def from_bot(rig: Rig, chat: int) -> list[dict[str, Any]]:
    return [m for m in rig.client.messages(chat, deleted=True) if m["from"]["is_bot"]]


def sounds(rig: Rig, chat: int, after: float = 0) -> list[dict[str, Any]]:
    return [m for m in from_bot(rig, chat) if not m["silent"] and m["date"] >= after]


def refused(rig: Rig) -> int:
    return len([r for r in rig.client.requests() if r.error_code == 429])


def cards_are_true(rig: Rig, chat: int, word: str, count: int) -> bool:
    texts = [m["text"] for m in from_bot(rig, chat) if not m["deleted"] and m["silent"]]
    return sum(text.count(f" {word}, since") + text.count(f"\n{word} since") for text in texts) == count


def now() -> float:
    return virtual_loop().clock().timestamp()


@dataclass(frozen=True)
class LostTogether:
    """What a chat's people heard. first_after, true_after: seconds after the loss, and after the recovery."""

    sounding: int
    first_after: float
    true_after: float
    refused: int
    recovery_told: bool


async def lost_together(folder: Path, count: int, away: float = 180.0) -> LostTogether:
    """Lose `count` accounts in the same second, reconnect them, and return what the chats saw; the worst of both."""
    async with rigged(folder) as rig:
        those = connected(rig, count)
        await asyncio.sleep(180)
        assert cards_are_true(rig, ADMIN, "Connected", count)
        began = now()
        for number in those:
            rig.accounts.move(number, State.SUSPENDED, Reason.EXHAUSTED, alert=Reason.EXHAUSTED)
        await asyncio.sleep(away)
        back = now()
        for number in those:
            rig.accounts.move(number, State.CONNECTED, Reason.LINKED)
        while not cards_are_true(rig, ADMIN, "Connected", count):
            await asyncio.sleep(1)
            assert now() - back < 600, "the cards never came true"
        true_after = now() - back
        await asyncio.sleep(120)
        heard = [sounds(rig, chat, began) for chat in (ADMIN, SECOND_ADMIN)]
        recovery = f"✅ {count} accounts connected by"
        return LostTogether(
            sounding=max(len(each) for each in heard),
            first_after=max(min(m["date"] for m in each) - began for each in heard),
            true_after=true_after,
            refused=refused(rig),
            recovery_told=all(any(recovery in m["text"] for m in from_bot(rig, c)) for c in (ADMIN, SECOND_ADMIN)),
        )
