"""A picture that must not be visible any longer, in a chat that cooperates or does not."""

from collections.abc import AsyncIterator

import pytest
from telegram import Bot
from telegram.request import HTTPXRequest

from handlers.chat.errors import OutcomeUnknownError
from handlers.chat.messages import Lane, Place, Text
from handlers.chat.send_queue import SendQueue
from handlers.chat.withdraw import Withdrawal, blank_lost_pictures, withdraw_picture
from handlers.telegram.client import TelegramClient
from handlers.telegram.ui.qr import draw
from sandbox.telegram import TelegramStandIn
from tests.handlers.fakes import ADMIN

TOO_OLD = "Bad Request: message can't be deleted for everyone"
VOID = Text("This code is void.")


@pytest.fixture
async def client(telegram: TelegramStandIn) -> AsyncIterator[TelegramClient]:
    await telegram.client.send(ADMIN, "/start")
    requests = (HTTPXRequest(), HTTPXRequest())
    yield TelegramClient(
        Bot(telegram.token, f"{telegram.url}/bot", request=requests[0], get_updates_request=requests[1])
    )
    for request in requests:
        await request.shutdown()


async def code(client: TelegramClient) -> int:
    return await client.send_picture(Place(ADMIN), draw("2@secret"), Text("A code"))


async def test_it_is_deleted(telegram, client):
    message = await code(client)
    assert await withdraw_picture(SendQueue(client), Lane.QR, ADMIN, message, VOID) is Withdrawal.DELETED
    assert telegram.client.message(ADMIN, message)["deleted"]
    assert await withdraw_picture(SendQueue(client), Lane.QR, ADMIN, message, VOID) is Withdrawal.DELETED


async def test_what_is_too_old_to_be_deleted_is_blanked(telegram, client):
    message = await code(client)
    shown = telegram.client.picture(telegram.client.message(ADMIN, message))
    telegram.client.fail("400", method="deleteMessage", description=TOO_OLD)
    assert await withdraw_picture(SendQueue(client), Lane.QR, ADMIN, message, VOID) is Withdrawal.BLANKED
    now = telegram.client.message(ADMIN, message)
    assert now["text"] == VOID.html
    assert telegram.client.picture(now) != shown
    assert now["buttons"] == []


async def test_where_nothing_helps_the_caller_learns_that_it_is_still_there(telegram, client):
    message = await code(client)
    telegram.client.fail("400", method="deleteMessage", description=TOO_OLD)
    telegram.client.fail("400", method="editMessageMedia", description="Bad Request: MESSAGE_TOO_PURPLE")
    assert await withdraw_picture(SendQueue(client), Lane.QR, ADMIN, message, VOID) is Withdrawal.LEFT
    telegram.client.heal()
    telegram.client.fail("403", method="deleteMessage", description="Forbidden: bot was blocked by the user")
    assert await withdraw_picture(SendQueue(client), Lane.QR, ADMIN, message, VOID) is Withdrawal.LEFT


async def test_what_somebody_deleted_meanwhile_is_deleted(telegram, client):
    message = await code(client)
    telegram.client.fail("400", method="deleteMessage", description=TOO_OLD)
    telegram.client.delete(ADMIN, message)
    assert await withdraw_picture(SendQueue(client), Lane.QR, ADMIN, message, VOID) is Withdrawal.DELETED


async def test_a_picture_whose_answer_was_lost_is_found_and_blanked_and_nothing_else_is(telegram, client):
    before = await client.send(Place(ADMIN), Text("The code comes"))
    telegram.client.fail("lost", count=1, method="sendPhoto")
    with pytest.raises(OutcomeUnknownError):
        await code(client)
    other = await client.send(Place(ADMIN), Text("An alert"))
    theirs = (await telegram.client.send(ADMIN, "/status"))["message_id"]
    known = await code(client)
    assert await blank_lost_pictures(SendQueue(client), Lane.QR, ADMIN, known, VOID) == 1
    shown = {m["message_id"]: m["text"] for m in telegram.client.messages(ADMIN)}
    assert [shown[each] for each in (before, other, theirs, known)] == [
        "The code comes",
        "An alert",
        "/status",
        "A code",
    ]
    assert list(shown.values()).count(VOID.html) == 1


async def test_what_an_earlier_run_sent_is_left_alone(telegram, client):
    earlier = await code(client)
    client._sent.clear()
    known = await code(client)
    assert await blank_lost_pictures(SendQueue(client), Lane.QR, ADMIN, known, VOID) == 0
    assert telegram.client.message(ADMIN, earlier)["text"] == "A code"


async def test_a_chat_is_looked_up_by_its_id_or_name(telegram, client):
    private = await client.find_chat(ADMIN)
    assert (private.chat, private.private, private.forum) == (ADMIN, True, False)
    forum = telegram.client.add_group("Ops", [ADMIN], forum=True)["id"]
    telegram.client.chat(forum).username = "our_team"
    found = await client.find_chat("@our_team")
    assert (found.chat, found.title, found.forum) == (forum, "Ops", True)
    assert found.may_write
