"""The pages of the field (K1 to K13, and a hostile one) at once, each with another account: what the chats say is so.

The whole program between both stand-ins. Each page alone, in many more variants, is in `tests/controller`, and with the
default durations in `tests/chaos/field.py`; docs/stand-ins-whatsapp.md has the table.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.chaos.durations import QUICK_PINGS, SHORT
from tests.chaos.faults import STRANGER
from tests.chaos.stage import Account, Stage, stage

pytestmark = [pytest.mark.e2e, pytest.mark.chromium]

PATIENCE = 90.0
SYNC_LASTS = 8
SETTINGS = SHORT | {"SYNC_TIMEOUT_SECONDS": "6", "DIALOGS": "ask"}
UNSAID = ("an operator", "cannot be reached", "took too long", "every attempt", "something unexpected")
"""Nobody paused or closed anything, the host was there all the time, and whatever moved was waited for."""


class Field:
    """What people see on the stage, and what they do."""

    def __init__(self, here: Stage) -> None:
        self.here = here
        self.phones, self.client = here.here.phones, here.here.client

    def texts(self, account: Account | None = None) -> list[str]:
        """Every version of every message of the alert chat, or of the account's own operator's."""
        chat = self.here.alert_chat if account is None else account.operator
        return [str(version["text"]) for m in self.client.from_bot(chat) for version in (*m["history"], m)]

    def reasons(self, account: Account, after: int = 0) -> list[str]:
        return [each.reason for each in self.here.log(account, after)]

    def documents(self, account: Account) -> int:
        """How many documents of its page have been read so far."""
        ((count,),) = self.here.here.rows("SELECT count(*) FROM page_loads WHERE number = ?", account.number)
        return int(count)

    async def until(self, met: Callable[[], Any], what: str) -> Any:
        return await self.here.until(met, what, PATIENCE)

    async def alerted(self, account: Account, words: str) -> None:
        """Wait for an alert with these words about the account."""
        said = lambda: any(account.name in text and words in text.lower() for text in self.texts())
        await self.until(said, f"an alert about {account.name}: {words}")

    async def shown(self, account: Account, words: str) -> None:
        """Wait for these words on the account's card."""
        await self.until(lambda: any(words in text for text in self.texts(account)), f"{account.name}'s card: {words}")

    async def connected(self, account: Account, after: int) -> None:
        """Wait until it has become CONNECTED; the phone that answers for it may have another number."""
        new = lambda: [each.state for each in self.here.log(account, after)][-1:] == ["CONNECTED"]
        await self.until(new, f"{account.name} connected")

    async def press(self, account: Account, label: str) -> None:
        """Press a button in the chat of the account's operator."""

        def offered() -> int | None:
            for message in reversed(self.client.from_bot(account.operator)):
                if label in [button["text"] for row in message["buttons"] or [] for button in row]:
                    return int(message["message_id"])
            return None

        message = await self.until(offered, f"a button {label!r} for {account.name}")
        await self.client.press_text(message, label, chat_id=account.operator, user_id=account.operator)


@pytest.mark.timeout(300)
async def test_each_account_on_another_page_of_the_field_at_once(tmp_path):
    async with stage(
        tmp_path, accounts=4, unlinked=2, settings=SETTINGS, pings=QUICK_PINGS, patience=5, calm=0
    ) as here:
        field = Field(here)
        berlin, paris, rome, oslo = here.accounts
        nearly = f"{rome.number[:6]}0{rome.number[6:]}"
        here.here.whatsapp.switches.set("head_status", 501)  # K9: the host, to whatever is no browser
        here.here.whatsapp.switches.set("only_browsers", value=True)
        for number, pages in {
            berlin.number: {"reload_once": "2", "never_synced": "on"},  # K1, K6
            paris.number: {"dialog": "whats_new_blocks", "slow_sync": str(SYNC_LASTS)},  # K7, then K5
            nearly: {"passkey_at": "connected"},  # K10, of a number that may be the account's (K4)
            STRANGER: {"lid_only": "on", "logout_fails": "throws"},  # K3, K4
        }.items():
            for name, value in pages.items():
                field.phones.turn_next(name, value, number)

        # Whatever was connected is lost at once, while two are linked, each by another phone than its own.
        marks, read = {each: here.mark(each) for each in here.accounts}, field.documents(berlin)
        for each in (berlin, paris):
            here.browser(each).kill()
        for each in (rome, oslo):
            await here.says(each, f"/link {each.number} {each.name}")
        await asyncio.gather(
            here.scan(rome, as_=nearly, within=PATIENCE), here.scan(oslo, as_=STRANGER, within=PATIENCE)
        )
        await asyncio.gather(
            field.until(lambda: field.documents(berlin) > read + 1, "Berlin's page reloads itself"),
            field.alerted(paris, "a dialog covers its page"),
            field.alerted(rome, "is this the right number?"),
            field.alerted(rome, "whatsapp asks for a passkey"),
            field.shown(oslo, "Number not verified"),
        )
        field.phones.turn_next("lid_only", "off", STRANGER)
        field.phones.reload(STRANGER)  # its next document tells the number
        await field.alerted(oslo, "a wrong phone was linked, and may still be")
        assert here.state(rome) == "CONNECTING", "the passkey is waited for"
        assert [each["number"] for each in field.phones.devices()].count(STRANGER) == 1, "it is still linked, as told"
        await asyncio.gather(field.press(paris, "Continue"), field.press(rome, "It is the same account"))
        field.phones.passkey(nearly, "approve")
        await asyncio.gather(*(field.connected(each, marks[each]) for each in (berlin, paris, rome)))
        for each in (berlin, paris, rome):
            assert set(field.reasons(each, marks[each])) <= {"session_closed", "retry", "reloaded", "asked", "linked"}

        # A second trouble for each, at once.
        marks = {each: here.mark(each) for each in here.accounts}
        field.phones.turn("stream", "DISCONNECTED", number=berlin.number)  # K2
        field.phones.logout(paris.number, "3")  # K11
        for harm in ("popups", "console", "forged"):
            field.phones.harm(harm, number=nearly)
        field.phones.turn("brief_sight", "CONFLICT", number=nearly)  # K12
        await asyncio.gather(
            field.until(lambda: "connection_lost" in field.reasons(berlin, marks[berlin]), "Berlin's loss is known"),
            field.alerted(paris, "logged out, since the account is locked on its phone"),
        )
        await field.connected(berlin, marks[berlin])
        assert field.reasons(rome, marks[rome]) == [], "neither a glimpse nor what a page tries ends anything"
        assert field.reasons(oslo, marks[oslo]) == [], "what another page does is nothing to it"
        said = [text for chat in (None, *here.accounts) for text in field.texts(chat)]
        assert not [text for text in said if any(words in text for words in UNSAID)]  # K13
        assert not [text for text in field.texts() if berlin.name in text], "what mends itself needs nobody"
