"""Cards: one silent message for each account and chat, edited in place; many accounts share messages."""

import asyncio

from controller.accounts.model import Stage
from controller.accounts.reasons import Reason, State
from controller.registry import Account
from handlers.chat.messages import Place
from handlers.telegram.ui.cards import OWN_MESSAGE
from sandbox.telegram import TelegramStandIn
from storage.database import Database, StorageError
from tests.handlers.conftest import Rig, running_rig
from tests.handlers.fakes import ADMIN, BERLIN, OPERATOR, PARIS, FakeAccounts, FakeMessages
from tests.waiting import until


async def greet(rig: Rig, user: int = ADMIN) -> None:
    await rig.answer(user, "/help", "Switchboard")


def sent(rig: Rig) -> int:
    return len([r for r in rig.client.requests("sendMessage", "editMessageText") if r.outcome == "ok"])


async def test_a_card_is_one_silent_message_that_is_edited(rig: Rig):
    await greet(rig)
    rig.accounts.put(linked=True)
    rig.accounts.move(BERLIN, State.CONNECTING, Reason.ASKED, stage=Stage.LAUNCHING)
    first = await rig.seen(ADMIN, lambda m: "Connecting: starting" in m["text"])
    assert first["silent"]
    rig.accounts.move(BERLIN, State.CONNECTING, Reason.ASKED, stage=Stage.AWAITING_SCAN)
    await rig.seen(ADMIN, lambda m: "waiting for the code to be scanned" in m["text"])
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    card = await rig.seen(ADMIN, lambda m: "Connected since" in m["text"])
    assert card["message_id"] == first["message_id"]
    rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.CONNECTION_LOST, retry_in=4)
    card = await rig.seen(ADMIN, lambda m: "Connecting since" in m["text"])
    assert "its connection to WhatsApp was lost" in card["text"]
    assert "Next try in a few seconds" in card["text"]


async def test_only_the_newest_text_is_sent(rig: Rig):
    await greet(rig)
    rig.accounts.put(linked=True)
    for _ in range(20):
        rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.CONNECTION_LOST, retry_in=4)
        rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    await rig.seen(ADMIN, lambda m: "Connected since" in m["text"])
    card = [r for r in rig.client.requests("sendMessage", "editMessageText") if "since" in r.parameters["text"]]
    assert len(card) == 1


async def test_a_new_card_waits_while_a_code_is_open_in_its_chat(rig: Rig):
    await greet(rig)
    rig.accounts.put()
    rig.accounts.put(PARIS, "Paris", linked=True, state=State.CONNECTED, reason=Reason.LINKED)
    rig.accounts.move(BERLIN, State.CONNECTING, Reason.ASKED, stage=Stage.AWAITING_SCAN)
    rig.accounts.show_code()
    photo = await rig.seen(ADMIN, lambda m: bool(m["photo"]))
    rig.accounts.move(PARIS, State.DISCONNECTED, Reason.CONNECTION_LOST, retry_in=60)
    await asyncio.sleep(20)
    below = [m["text"] for m in rig.client.from_bot(ADMIN) if m["message_id"] > photo["message_id"]]
    assert below == [], "it would push the code out of sight"
    rig.accounts.hide_code()
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    await rig.seen(ADMIN, lambda m: "Paris" in m["text"] and "Connecting since" in m["text"])


async def test_a_card_goes_to_the_accounts_operator(rig: Rig):
    await greet(rig)
    await greet(rig, OPERATOR)
    rig.accounts.put(owner=OPERATOR)
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    await rig.seen(OPERATOR, lambda m: "Connected since" in m["text"])
    assert not any("Connected since" in text for text in rig.bot_texts(ADMIN))


async def test_a_card_is_shown_although_nothing_can_be_stored(rig: Rig, monkeypatch):
    await greet(rig)
    rig.accounts.put(linked=True)
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    first = await rig.seen(ADMIN, lambda m: "Connected since" in m["text"])

    async def refuse(*_: object, **__: object) -> None:
        raise StorageError("switchboard.sqlite: disk I/O error", transient=True)

    for name in ("upsert", "delete"):
        monkeypatch.setattr(rig.messages, name, refuse)
    await rig.answer(ADMIN, "/reconnect Support Berlin", "It was connected already")
    await rig.seen(ADMIN, lambda m: m["message_id"] > first["message_id"] and "Connected since" in m["text"])
    await until(lambda: rig.client.message(ADMIN, first["message_id"])["deleted"], "the card above is gone")
    rig.accounts.move(BERLIN, State.SUSPENDED, Reason.SUSPENDED_BY_OPERATOR)
    await rig.seen(ADMIN, lambda m: "Paused since" in m["text"])


async def test_a_card_that_was_deleted_comes_back(rig: Rig):
    await greet(rig)
    rig.accounts.put()
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    card = await rig.seen(ADMIN, lambda m: "Connected since" in m["text"])
    rig.client.delete(ADMIN, card["message_id"])
    rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.STALE)
    again = await rig.seen(ADMIN, lambda m: "Needs you since" in m["text"])
    assert again["message_id"] != card["message_id"]


async def test_cards_outlive_a_restart_and_unchanged_ones_cost_nothing(telegram: TelegramStandIn, database: Database):
    messages, accounts = FakeMessages(), FakeAccounts()
    async with running_rig(telegram, database, messages, accounts) as rig:
        await greet(rig)
        accounts.put()
        accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
        card = await rig.seen(ADMIN, lambda m: "Connected since" in m["text"])
    async with running_rig(telegram, database, messages, accounts) as rig:
        before = sent(rig)
        rig.service._cards.refresh(BERLIN)
        await greet(rig)
        assert sent(rig) == before + 1  # the greeting alone
        accounts.move(BERLIN, State.SUSPENDED, Reason.SUSPENDED_BY_OPERATOR)
        again = await rig.seen(ADMIN, lambda m: "Paused since" in m["text"])
        assert again["message_id"] == card["message_id"]


async def test_many_accounts_share_messages(rig: Rig):
    await greet(rig)
    numbers = [f"+49151123{number:05}" for number in range(200)]
    for number in numbers:
        rig.accounts.put(number, f"Account {number[-3:]}")
        rig.accounts.move(number, State.CONNECTED, Reason.LINKED)
    await rig.seen(ADMIN, lambda m: "Account 199 Connected" in m["text"])
    cards = [text for text in rig.bot_texts(ADMIN) if "Account 1" in text or "Account 0" in text]
    assert len(cards) == OWN_MESSAGE + 4
    for number in numbers:
        rig.accounts.move(number, State.DISCONNECTED, Reason.CONNECTION_LOST)
    await rig.client.wait_for(lambda: sum(text.count("Needs you") for text in rig.bot_texts(ADMIN)) == 200, 10)
    assert len([text for text in rig.bot_texts(ADMIN) if "Account 1" in text or "Account 0" in text]) == OWN_MESSAGE + 4


async def test_what_shows_many_accounts_is_stored_in_one_write(telegram: TelegramStandIn, database: Database):
    messages, accounts = FakeMessages(), FakeAccounts()
    async with running_rig(telegram, database, messages, accounts) as rig:
        await greet(rig)
        numbers = [f"+49151123{number:05}" for number in range(60)]
        for number in numbers:
            accounts.put(number, f"Account {number[-3:]}")
            accounts.move(number, State.CONNECTED, Reason.LINKED)
        await until(lambda: len(messages.rows) == len(numbers), "all are stored")
        assert messages.writes <= sent(rig), "each card that is sent or edited costs one visit to the disk"


async def test_a_card_that_has_gone_leaves_its_room_to_another(rig: Rig):
    await greet(rig)
    for number in [f"+49151123{number:05}" for number in range(OWN_MESSAGE)]:
        rig.accounts.put(number, f"Account {number[-1:]}")
        rig.accounts.move(number, State.CONNECTED, Reason.LINKED)
        await rig.seen(ADMIN, lambda m, number=number: f"Account {number[-1:]}" in m["text"])
        rig.accounts.known[number] = Account(number, "Given away", OPERATOR)
        rig.service._cards.refresh(number)
    await until(lambda: not any("Account" in text for text in rig.bot_texts(ADMIN)), "all are somebody else's")
    rig.accounts.put()
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    await rig.seen(ADMIN, lambda m: "Support Berlin · " in m["text"] and "Connected since" in m["text"])


async def test_a_chat_that_was_blocked_for_a_while_shows_what_is_true(rig: Rig):
    await greet(rig)
    await greet(rig, OPERATOR)
    rig.accounts.put(owner=OPERATOR)
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    card = await rig.seen(OPERATOR, lambda m: "Connected since" in m["text"])
    rig.client.block(OPERATOR)
    rig.accounts.move(BERLIN, State.SUSPENDED, Reason.SUSPENDED_BY_OPERATOR)
    await until(lambda: OPERATOR in rig.service._cards._unwritable, "the refusal")
    rig.client.unblock(OPERATOR)
    rig.service._cards.came_back(ADMIN)
    rig.service._cards.came_back(OPERATOR)
    again = await rig.seen(OPERATOR, lambda m: "Paused since" in m["text"])
    assert again["message_id"] == card["message_id"]
    await until(lambda: not any(page.busy for page in rig.service._cards._pages[Place(OPERATOR)]), "all is said")
    rig.service._cards.came_back(OPERATOR)  # of a chat that can be written to nothing is done
    assert not any(page.busy for page in rig.service._cards._pages[Place(OPERATOR)])


async def test_a_blocked_chat_is_left_alone(rig: Rig):
    await greet(rig)
    await greet(rig, OPERATOR)
    rig.accounts.put(owner=OPERATOR)
    rig.client.block(OPERATOR)
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    await until(lambda: rig.client.requests("sendMessage")[-1].error_code == 403, "the refusal")
    await greet(rig)


async def test_cards_of_a_group_stand_in_the_supergroup_that_it_becomes(rig: Rig):
    await greet(rig)
    group = rig.client.add_group("Ops", [ADMIN])["id"]
    rig.accounts.put(linked=True, state=State.SUSPENDED, reason=Reason.EXHAUSTED)
    await rig.answer(ADMIN, "/reconnect Support Berlin", "Support Berlin", chat=group)
    await until(lambda: [row for row in rig.messages.rows if row[2] == group], "where it is was stored")
    large = rig.client.migrate(group)["id"]
    await rig.seen(large, lambda m: "Support Berlin" in m["text"])
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    card = await rig.seen(large, lambda m: "Connected since" in m["text"])
    rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.CONNECTION_LOST, retry_in=4)
    await rig.seen(large, lambda m: m["message_id"] == card["message_id"] and "Connecting since" in m["text"])
    await until(lambda: not [row for row in rig.messages.rows if row[2] == group], "the old one is forgotten")
    assert sum("Support Berlin" in m["text"] for m in rig.client.from_bot(large)) == 1
