"""No text suggests a command that its reader may not use: every role is walked through whatever it may say."""

import re

import pytest

from controller.accounts.reasons import Reason, State
from handlers.chat.people import Role
from handlers.telegram.commands.router import COMMANDS
from tests.handlers.conftest import Rig, running_rig
from tests.handlers.fakes import ADMIN, OPERATOR, PARIS

VIEWER = 1777
WORDS = (
    "hello", "+49 151 12345678", "/nonsense", "/help", "/help link", "/status", "/status bad", "/status all",
    "/status Support Berlin", "/status Sales Paris", "/status nobody", "/status 4444", "/alerts", "/silence", "/duty",
    "/escalate", "/loud", "/quiet", "/link", "/reconnect", "/suspend nobody", "/restore", "/rename", "/owner",
    "/remove nobody", "/people", "/audit", "/test", "/here", "/proxy", "/duty me until 18:00", "/feed", "/links",
)  # fmt: skip


def suggested(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w/])/([a-z]+)\b", text))


@pytest.mark.parametrize("accounts", [False, True], ids=["no account", "accounts"])
@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
async def test_no_text_suggests_what_its_reader_may_not_use(telegram, database, role, accounts):
    telegram.client.add_user(VIEWER, "Vera")
    reader = VIEWER if role is Role.VIEWER else OPERATOR
    async with running_rig(telegram, database) as rig:
        if role is Role.VIEWER:
            await rig.answer(ADMIN, f"/people {VIEWER} viewer", "viewer")
        if accounts:
            rig.accounts.put(owner=ADMIN)
            rig.accounts.put(PARIS, "Sales Paris", owner=OPERATOR, state=State.DISCONNECTED, reason=Reason.LOGGED_OUT)
        await said(rig, reader)
        theirs = {"start", *(row.name for row in COMMANDS if row.role <= role)}
        wrong = {text: names for text in rig.bot_texts(reader) if (names := suggested(text) - theirs)}
        wrong = {text: names for text, names in wrong.items() if not is_their_own_word(text)}
        assert wrong == {}


def is_their_own_word(text: str) -> bool:
    """Return whether a text quotes what a person typed."""
    return text.startswith("I do not know /") or " is for admins only." in text


async def said(rig: Rig, reader: int) -> None:
    for words in WORDS:
        before = len(rig.bot_texts(reader))
        await rig.say(reader, words)
        await rig.client.wait_for(lambda before=before: len(rig.bot_texts(reader)) > before, 20)
