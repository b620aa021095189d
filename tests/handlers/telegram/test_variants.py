"""Updates, answers and refusals as nobody expects them: after each of them people are still heard and answered."""

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from controller.accounts.reasons import Reason, State
from handlers.texts import status as status_text
from sandbox.telegram import TelegramStandIn
from storage.database import Database
from tests.handlers.conftest import Rig, running_rig
from tests.handlers.fakes import ADMIN, BERLIN, PARIS, STRANGER, FakeAccounts
from tests.virtual_time import wall_clock
from tests.waiting import until

RTL, LONG = "\u202e<b>&amp;</i>\u2066", "x" * 65_536
USER = {"id": ADMIN, "is_bot": False, "first_name": "Ada"}
CHAT = {"id": ADMIN, "type": "private", "first_name": "Ada"}


def body(**more: Any) -> dict[str, Any]:
    return {"message_id": 900, "date": 1_800_000_000, "chat": CHAT, "from": USER, "text": "/status"} | more


def without(name: str, **more: Any) -> dict[str, Any]:
    return {key: value for key, value in body(**more).items() if key != name}


PRESS = {"id": "1", "from": USER, "chat_instance": "1", "data": "1:x:"}
UPDATES: dict[str, tuple[str, Any]] = {
    "a kind of tomorrow": ("holographic_message", body()),
    "nothing at all": ("message", None),
    "a list": ("message", []),
    "no date": ("message", without("date")),
    "no sender": ("message", without("from")),
    "no chat": ("message", without("chat")),
    "an enormous id": ("message", body(message_id=2**70)),
    "an enormous chat": ("message", body(chat=CHAT | {"id": 2**70})),
    "a chat of an unknown type": ("message", body(chat=CHAT | {"type": "hologram"})),
    "a date in 9999": ("message", body(date=253_402_300_799)),
    "a negative date": ("message", body(date=-1)),
    "a contact without a number": ("message", without("text", contact={"first_name": "Bo"})),
    "a contact whose number is empty": ("message", without("text", contact={"first_name": "Bo", "phone_number": ""})),
    "a name with bidi and HTML": ("message", body(**{"from": USER | {"first_name": RTL, "last_name": RTL}})),
    "64 KB of text": ("message", body(text=f"/link {LONG}")),
    "64 KB of name": ("message", body(text="/status", **{"from": USER | {"first_name": LONG}})),
    "a NUL and lone surrogates": ("message", body(text="/status \x00\ud800")),
    "a command only": ("message", body(text="/")),
    "a command to another bot": ("message", body(text="/status@OtherBot")),
    "a forwarded command": (
        "message", body(forward_origin={"type": "hidden_user", "sender_user_name": "x", "date": 1}),
    ),
    "a press without data": ("callback_query", {key: value for key, value in PRESS.items() if key != "data"}),
    "a press without a message": ("callback_query", PRESS),
    "a press on a message too old to see": (
        "callback_query", PRESS | {"message": {"chat": CHAT, "message_id": 1, "date": 0}},
    ),
    "a stranger's press without a message": ("callback_query", PRESS | {"from": USER | {"id": STRANGER}}),
    "a group that became the same": ("message", without("text", migrate_to_chat_id=ADMIN)),
    "a member of a status of tomorrow": (
        "my_chat_member",
        {"chat": CHAT, "from": USER, "date": 1, "old_chat_member": {"user": USER, "status": "member"},
         "new_chat_member": {"user": USER, "status": "hologram"}},
    ),
    "a post of a channel without a text": (
        "channel_post", {"message_id": 1, "date": 1, "chat": {"id": -1001, "type": "channel", "title": "c"}},
    ),
}  # fmt: skip


async def hears(rig: Rig, place: int) -> None:
    """Ask something that has not been asked, and get its answer."""
    await rig.answer(ADMIN, f"/status nobody{place}", f"nobody{place}")


async def test_an_update_of_any_shape_leaves_the_bot_hearing(rig: Rig, caplog: pytest.LogCaptureFixture):
    rig.accounts.put(owner=ADMIN)
    await rig.answer(ADMIN, "/help", "Switchboard")
    for place, (name, (kind, value)) in enumerate(UPDATES.items()):
        rig.client.push_update(kind, value) if value is not None else rig.telegram.world.updates.push_raw(kind, None)
        try:
            await hears(rig, place)
        except TimeoutError:
            raise AssertionError(f"deaf after {name}") from None
    assert rig.accounts.calls == [], "none of them was to change anything"
    assert not [record for record in caplog.records if record.exc_info and record.levelname == "ERROR"]


def refusal(status: int, description: str, **parameters: Any) -> dict[str, Any]:
    raw: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    return {"kind": str(status), "raw": json.dumps(raw | ({"parameters": parameters} if parameters else {}))}


ANSWERS: dict[str, dict[str, Any]] = {
    "429 without retry_after": refusal(429, "Too Many Requests"),
    "429 of a float": refusal(429, "Too Many Requests: retry after 1", retry_after=0.5),
    "429 of a text": refusal(429, "Too Many Requests: retry after 1", retry_after="1"),
    "429 of a negative": refusal(429, "Too Many Requests: retry after -1", retry_after=-1),
    "429 of null": refusal(429, "Too Many Requests", retry_after=None),
    "a refusal that came as 200": {"kind": "portal", "raw": '{"ok": false, "error_code": 500, "description": "Oops"}'},
    "half an answer": {"kind": "portal", "raw": '{"ok": true, "resu'},
    "an empty answer": {"kind": "portal", "raw": ""},
    "null": {"kind": "portal", "raw": "null"},
    "a list": {"kind": "portal", "raw": "[]"},
    "a result of another type": {"kind": "portal", "raw": '{"ok": true, "result": "yes"}'},
    "502 as HTML": {"kind": "502", "html": True},
    "502 without a body": {"kind": "502", "raw": ""},
    "418 in JSON": refusal(418, "I'm a teapot"),
    "409 for a message": refusal(409, "Conflict: something"),
    "migration to nowhere": refusal(400, "Bad Request: group chat was upgraded", migrate_to_chat_id="soon"),
}


@pytest.mark.parametrize("method", ["sendMessage", "getUpdates", "editMessageText"])
async def test_an_answer_of_any_shape_leaves_the_bot_hearing_and_its_alert_is_told(rig: Rig, method: str, monkeypatch):
    monkeypatch.setattr("handlers.telegram.polling.RETRY_FIRST", 0.05)
    monkeypatch.setattr("handlers.telegram.polling.RETRY_LONGEST", 0.1)
    rig.accounts.put(owner=ADMIN)
    await rig.answer(ADMIN, "/help", "Switchboard")
    for place, (name, rule) in enumerate(ANSWERS.items()):
        rig.client.fail(**rule, method=method, count=1)
        if method == "editMessageText":
            rig.accounts.move(BERLIN, State.CONNECTED if place % 2 else State.DISCONNECTED, Reason.CONNECTION_LOST)
        try:
            await rig.say(ADMIN, f"/status nobody{place}")
            await asyncio.sleep(0)
            await rig.say(ADMIN, f"/status another{place}")
            await rig.seen(
                ADMIN, lambda m, place=place: f"another{place}" in m["text"] or f"nobody{place}" in m["text"]
            )
        except TimeoutError:
            raise AssertionError(f"mute or deaf after {name}") from None
    rig.client.heal()
    rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.LOGGED_OUT, alert=Reason.LOGGED_OUT)
    await rig.seen(ADMIN, lambda m: "🚨 Support Berlin" in m["text"])
    await hears(rig, 999)


async def test_lists_of_names_that_are_long_in_telegram_s_units_arrive_whole(rig: Rig):
    """An emoji family is one sign for the eye and eleven of Telegram's units: all are counted as Telegram counts."""
    await rig.answer(ADMIN, "/help", "Switchboard")
    name = "👨‍👩‍👧‍👦" * 5
    numbers = [f"+4915112345{place:03}" for place in range(60)]
    for number in numbers:
        rig.accounts.put(number, f"{name} {number[-3:]}", owner=ADMIN)
    for number in numbers:
        rig.accounts.move(number, State.DISCONNECTED, Reason.LOGGED_OUT, alert=Reason.LOGGED_OUT)

    def shown(part: str, begins: str) -> bool:
        texts = "\n".join(m["text"] for m in rig.client.from_bot(ADMIN) if not m["deleted"] and part in m["text"])
        return texts.count(begins) == len(numbers)

    await rig.client.wait_for(lambda: shown("Needs you", f"🔴 {name[:11]}") or None)  # five cards, and two shared ones
    await rig.client.wait_for(lambda: shown("🚨", f"{name} ") or None)
    await rig.say(ADMIN, "/status all")
    await rig.client.wait_for(lambda: shown("Needs you (", f"🔴 {name} ") or None)
    assert not [r for r in rig.client.requests() if "too long" in str(r.outcome).lower().replace("_", " ")]


async def test_what_is_older_than_two_days_can_still_be_pressed_and_is_left_nowhere_untrue(database: Database):
    """Telegram deletes nothing that is older than 48 h, and may not show us what a button is under."""
    days = timedelta(0)

    def clock() -> datetime:
        return wall_clock() + days

    async with TelegramStandIn(now=lambda: clock().timestamp()) as telegram:
        telegram.client.add_user(ADMIN, "Ada")
        async with running_rig(telegram, database, accounts=FakeAccounts(clock), admins=(ADMIN,)) as rig:
            await rig.answer(ADMIN, "/help", "Switchboard")
            rig.accounts.put(owner=ADMIN)
            rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.LOGGED_OUT, alert=Reason.LOGGED_OUT)
            alert = await rig.seen(ADMIN, lambda m: "🚨 Support Berlin" in m["text"])
            card = await rig.seen(ADMIN, lambda m: "🔴 Support Berlin" in m["text"])
            detail = await rig.answer(ADMIN, "/status Support Berlin", "Attempts")
            days = timedelta(days=3)
            await rig.answer(ADMIN, "/status nobody", "nobody")  # so that Telegram's time is known
            await rig.press(alert, "Acknowledge")
            await rig.seen(ADMIN, lambda m: m["message_id"] == alert["message_id"] and "👤 Ada" in m["text"])
            data = next(b["data"] for row in detail["buttons"] for b in row if b["text"] == "History")
            unseen = {"chat": CHAT, "message_id": detail["message_id"], "date": 0}
            rig.client.push_update("callback_query", PRESS | {"id": "77", "data": data, "message": unseen})
            await rig.seen(ADMIN, lambda m: "Nothing has happened" in m["text"])
            await rig.say(ADMIN, "/reconnect Support Berlin")
            await rig.seen(ADMIN, lambda m: "🟡 Support Berlin" in m["text"] and m["message_id"] > card["message_id"])
            old = lambda: rig.client.message(ADMIN, card["message_id"])
            await until(
                lambda: status_text.CARD_BELOW in old()["text"] and not old()["buttons"], "the old card is void"
            )


# --- accounts that are called alike -----------------------------------------------------------------------------------


async def test_of_two_accounts_with_one_name_the_later_gets_its_digits(rig: Rig):
    rig.accounts.put(name="Shop")
    rig.accounts.put("+4915112340001", "Other")
    await rig.say(ADMIN, f"/link {PARIS} SHOP")
    await until(lambda: PARIS in rig.accounts.known, "it is added")
    assert rig.accounts.account(PARIS).name == "SHOP …5678"
    await rig.say(ADMIN, f"/link {PARIS} Shop")
    await rig.answer(ADMIN, "/rename Other Shop", "Other is now called Shop …0001")
    await rig.answer(ADMIN, "/rename Shop Shop", "Shop is now called Shop ·")
    assert [each.name for each in rig.accounts.accounts()] == ["Shop", "Shop …0001", "Shop …5678"]


async def test_accounts_that_were_called_alike_before_can_be_told_apart_where_one_is_picked(rig: Rig):
    rig.accounts.put(name="Shop")
    rig.accounts.put("+4915112340001", "shop")
    asked = await rig.answer(ADMIN, "/suspend Shop", "Which one?")
    assert [row[0]["text"] for row in asked["buttons"][:-1]] == ["⚪ Shop …5678", "⚪ shop …0001"]


@pytest.mark.parametrize("command", ["/silence Sho 2h", "/rename Sho Store", "/proxy Sho off"])
async def test_what_may_be_meant_is_named_where_no_button_names_it(rig: Rig, command: str):
    rig.accounts.put(name="Shop A")
    rig.accounts.put("+4915112340001", "Shop B")
    told = await rig.answer(ADMIN, command, "Did you mean one of these?")
    assert "Shop A · +49 1511 2345678" in told["text"]
    assert "Shop B · +49 1511 2340001" in told["text"]
