"""QR codes: one photo for each linking, in the private chat of who asked, edited in place, gone when of no more use."""

import asyncio
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from PIL import Image, ImageFilter

from controller.accounts.model import Stage
from controller.accounts.notices import CodeHidden, CodeShown
from controller.accounts.reasons import Reason, State
from controller.tasks import Tasks
from handlers.alerts.incidents.recipients import Recipients
from handlers.chat.errors import TooManyError
from handlers.chat.people import People
from handlers.chat.send_queue import SendQueue
from handlers.telegram.ui.codes import Codes
from handlers.telegram.ui.link_queues import LinkQueues
from handlers.telegram.ui.qr import Band, _plain, draw
from handlers.texts import status
from sandbox.telegram import TelegramStandIn
from storage.database import Database
from tests.handlers.alerts.storms import now, rigged
from tests.handlers.conftest import Rig, running_rig
from tests.handlers.fakes import (
    ADMIN,
    BERLIN,
    OPERATOR,
    PARIS,
    SECOND_ADMIN,
    STRANGER,
    FakeAccounts,
    FakeMessages,
    code,
)
from tests.virtual_time import pass_time, virtual, virtual_loop
from tests.waiting import until


def decoded(picture: bytes) -> str:
    found = zxingcpp.read_barcode(Image.open(io.BytesIO(picture)))
    assert found is not None
    return found.text


def photos(rig: Rig, user: int) -> list[dict]:
    return [m for m in rig.client.from_bot(user) if m["photo"] and not m["deleted"]] if rig.knows(user) else []


async def linking(rig: Rig, user: int = ADMIN, chat: int | None = None) -> None:
    await rig.say(user, f"/link {BERLIN} Support Berlin", chat)
    await rig.seen(chat or user, lambda m: "Support Berlin" in m["text"])


async def test_one_photo_is_sent_edited_and_taken_away(rig: Rig):
    await linking(rig)
    rig.accounts.show_code(shown=code("a"))
    first = await rig.seen(ADMIN, lambda m: bool(m["photo"]))
    assert decoded(rig.client.picture(first)) == code("a").text
    assert first["protected"]
    assert "Support Berlin" in first["text"]
    assert "Good for about" in first["text"]
    rig.accounts.show_code(shown=code("b"))
    second = await rig.seen(ADMIN, lambda m: bool(m["photo"]) and m["edited"])
    assert second["message_id"] == first["message_id"]
    assert decoded(rig.client.picture(second)) == code("b").text
    rig.accounts.hide_code()
    await rig.client.wait_for(lambda: not photos(rig, ADMIN))
    await until(lambda: ("code", BERLIN, ADMIN) not in rig.messages.rows, "the reference is forgotten")


async def test_the_newest_code_wins(rig: Rig):
    await linking(rig)
    for mark in "abcdef":
        rig.accounts.show_code(shown=code(mark))
    await rig.client.wait_for(
        lambda: [decoded(rig.client.picture(m)) for m in photos(rig, ADMIN)] == [code("f").text], 5
    )
    rig.accounts.show_code(shown=code("g"))
    rig.accounts.hide_code()
    await rig.client.wait_for(lambda: not photos(rig, ADMIN))


async def test_a_code_that_was_hidden_before_it_was_sent_never_comes(rig: Rig):
    await linking(rig)
    rig.accounts.show_code()
    rig.accounts.hide_code()
    await rig.answer(ADMIN, "/help", "Switchboard")
    assert rig.client.requests("sendPhoto") == []


async def test_asked_in_a_group_it_is_sent_privately(rig: Rig):
    group = rig.client.add_group("Ops", [ADMIN, SECOND_ADMIN])["id"]
    await rig.say(ADMIN, "/start")
    await linking(rig, chat=group)
    await rig.seen(group, lambda m: "it comes to you privately" in m["text"])
    rig.accounts.show_code()
    await rig.seen(ADMIN, lambda m: bool(m["photo"]))
    assert photos(rig, group) == []


async def test_who_cannot_be_written_to_privately_is_told_so_in_the_group(rig: Rig):
    group = rig.client.add_group("Ops", [ADMIN, SECOND_ADMIN])["id"]
    await linking(rig, chat=group)
    rig.accounts.show_code()
    await rig.seen(group, lambda m: "cannot write to you privately" in m["text"])


async def test_the_second_operator_is_told_who_is_at_it(rig: Rig):
    await rig.say(SECOND_ADMIN, "/start")
    await linking(rig)
    rig.accounts.show_code()
    await rig.seen(ADMIN, lambda m: bool(m["photo"]))
    await rig.answer(SECOND_ADMIN, f"/link {BERLIN}", "Ada is linking Support Berlin")
    assert [call for call in rig.accounts.calls if call[0] == "start"] == [("start", BERLIN, False)]
    assert photos(rig, SECOND_ADMIN) == []


async def test_a_photo_that_the_person_deleted_is_sent_anew_with_the_next_code(rig: Rig):
    await linking(rig)
    rig.accounts.show_code(shown=code("a"))
    first = await rig.seen(ADMIN, lambda m: bool(m["photo"]))
    rig.client.delete(ADMIN, first["message_id"])
    rig.accounts.show_code(shown=code("b"))
    again = await rig.seen(ADMIN, lambda m: bool(m["photo"]) and m["message_id"] != first["message_id"])
    assert decoded(rig.client.picture(again)) == code("b").text


async def test_the_next_start_takes_away_what_a_crash_left(telegram: TelegramStandIn, database: Database):
    messages = FakeMessages()
    async with running_rig(telegram, database, messages) as rig:
        await linking(rig)
        rig.accounts.show_code()
        await rig.seen(ADMIN, lambda m: bool(m["photo"]))
        await until(lambda: ("code", BERLIN, ADMIN) in messages.rows, "the reference is kept")
        left = dict(messages.rows)
        rig.service._codes.hide_all = lambda: None  # a crash takes nothing away
    messages.rows.update(left)
    async with running_rig(telegram, database, messages) as rig:
        await rig.client.wait_for(lambda: not photos(rig, ADMIN))


@pytest.mark.parametrize(("state", "told"), [("not linked", 1), ("linked", 0), ("in a queue", 0), ("removed", 0)])
async def test_a_code_that_a_crash_took_is_reported_once_with_a_way_to_a_new_one(
    telegram: TelegramStandIn, database: Database, state: str, told: int
):
    messages, accounts = FakeMessages(), FakeAccounts()
    await telegram.client.send(ADMIN, "/start")
    await messages.upsert("code", BERLIN, chat=ADMIN, topic=None, message=999, shown="")
    if state == "in a queue":
        await messages.upsert("line", str(ADMIN), chat=ADMIN, topic=None, message=998, shown=f"{PARIS},{BERLIN}")
    if state != "removed":
        accounts.put(
            owner=ADMIN,
            state=State.DISCONNECTED,
            reason=Reason.NOT_LINKED,
            linked=state == "linked",
            is_connected=False,
        )
    async with running_rig(telegram, database, messages, accounts) as rig:
        await until(lambda: ("code", BERLIN, ADMIN) not in messages.rows, "the reference is forgotten")
        await rig.answer(ADMIN, "/help", "Switchboard")
        if told:
            said = await rig.seen(ADMIN, lambda m: "the code of Support Berlin" in m["text"])
            assert "restarted" in said["text"]
            await rig.press(said, "Link again")
            await until(lambda: ("start", BERLIN, False) in accounts.calls, "it begins anew")
        if state == "in a queue":
            await rig.seen(ADMIN, lambda m: "restarted" in m["text"])
        assert sum("the code of Support Berlin" in text for text in rig.bot_texts(ADMIN)) == told


async def test_a_picture_goes_at_its_codes_end_also_where_the_next_waits_for_its_turn(rig: Rig):
    await linking(rig)
    rig.accounts.show_code(shown=code("a"))
    await rig.seen(ADMIN, lambda m: bool(m["photo"]))
    pause = rig.client.fail("429", count=1, method="editMessageMedia", retry_after=20)
    rig.accounts.show_code(shown=code("b"))
    await until(lambda: pause.hits, "the pause begins")
    rig.accounts.hide_code()
    await rig.client.wait_for(lambda: not photos(rig, ADMIN))
    await until(lambda: ("code", BERLIN, ADMIN) not in rig.messages.rows, "the reference is forgotten")


async def test_a_picture_goes_also_where_another_accounts_waits_in_its_chat(rig: Rig):
    await linking(rig)
    rig.accounts.show_code()
    await rig.seen(ADMIN, lambda m: bool(m["photo"]))
    pause = rig.client.fail("429", count=1, method="sendPhoto", retry_after=20)
    rig.accounts.put(PARIS, owner=ADMIN)
    rig.accounts.show_code(PARIS)
    await until(lambda: pause.hits, "the pause begins")
    rig.accounts.hide_code()
    await rig.client.wait_for(lambda: not photos(rig, ADMIN))
    rig.accounts.hide_code(PARIS)  # so that the end of the test does not wait for the pause either


async def test_a_picture_that_is_under_way_as_its_code_ends_is_taken_away(rig: Rig):
    await linking(rig)
    slow = rig.client.fail("slow", count=1, method="sendPhoto", delay=1.0)
    rig.accounts.show_code()
    await until(lambda: slow.hits, "it is under way")
    rig.accounts.hide_code()
    await until(lambda: rig.client.requests("deleteMessage"), "it is taken away")
    await rig.client.wait_for(lambda: not photos(rig, ADMIN))
    await until(lambda: ("code", BERLIN, ADMIN) not in rig.messages.rows, "the reference is forgotten")


@virtual
async def test_a_code_that_ended_as_telegram_asked_to_wait_waits_no_more():
    class Slow:
        async def send_picture(self, *args: Any, **how: Any) -> int:
            await asyncio.sleep(1)
            raise TooManyError(30)

    accounts, recipients = FakeAccounts(virtual_loop().clock), Recipients(People([ADMIN]))
    accounts.put(owner=ADMIN)
    tasks, queue = Tasks(), SendQueue(Slow())  # type: ignore[arg-type]
    messages, link_queues = FakeMessages(), LinkQueues()
    codes = Codes(
        queue,
        tasks,
        accounts=accounts,
        recipients=recipients,
        messages=messages,
        link_queues=link_queues,
        clock=accounts.clock,
    )
    now = accounts.clock()
    codes.show(CodeShown(BERLIN, code(), None, now + timedelta(seconds=60)))
    await pass_time(0.5)
    codes.hide(CodeHidden(BERLIN))
    await pass_time(1)
    assert await tasks.drain(0)


async def test_a_code_that_comes_after_one_that_waited_in_vain_is_shown(rig: Rig):
    await linking(rig)
    pause = rig.client.fail("429", count=1, method="sendPhoto", retry_after=1)
    rig.accounts.show_code(shown=code("a"))
    await until(lambda: pause.hits, "the pause begins")
    rig.accounts.hide_code()
    rig.accounts.show_code(shown=code("b"))
    photo = await rig.seen(ADMIN, lambda m: bool(m["photo"]))
    assert decoded(rig.client.picture(photo)) == code("b").text
    assert len(photos(rig, ADMIN)) == 1


async def test_a_new_code_is_not_forgotten_with_one_that_a_crash_left(telegram: TelegramStandIn, database: Database):
    messages = FakeMessages()
    await telegram.client.send(ADMIN, "/start")
    left = 999
    await messages.upsert("code", BERLIN, chat=ADMIN, topic=None, message=left, shown="")
    telegram.client.fail("slow", count=1, method="deleteMessage", delay=2.0)
    async with running_rig(telegram, database, messages) as rig:
        await rig.seen(ADMIN, lambda m: "Switchboard" in m["text"])
        rig.accounts.put(owner=ADMIN)
        rig.accounts.show_code()
        photo = await rig.seen(ADMIN, lambda m: bool(m["photo"]))
        await until(lambda: messages.rows["code", BERLIN, ADMIN].message == photo["message_id"], "it is kept")
        await until(lambda: rig.client.requests("deleteMessage")[0].outcome != "pending", "the old one is taken away")
        await rig.answer(ADMIN, "/status", "1 account")
        assert messages.rows["code", BERLIN, ADMIN].message == photo["message_id"]


async def test_a_code_that_cannot_be_deleted_is_blanked(rig: Rig):
    await linking(rig)
    rig.accounts.show_code()
    photo = await rig.seen(ADMIN, lambda m: bool(m["photo"]))
    rig.client.fail("400", method="deleteMessage", description="Bad Request: message can't be deleted for everyone")
    rig.accounts.hide_code()
    await rig.seen(ADMIN, lambda m: m["text"] == status.CODE_VOID)
    blanked = rig.client.message(ADMIN, photo["message_id"])
    assert zxingcpp.read_barcode(Image.open(io.BytesIO(rig.client.picture(blanked)))) is None
    await until(lambda: ("code", BERLIN, ADMIN) not in rig.messages.rows, "the reference is forgotten")


async def test_a_code_that_can_be_neither_deleted_nor_blanked_is_called_void(rig: Rig):
    await linking(rig)
    rig.accounts.show_code()
    photo = await rig.seen(ADMIN, lambda m: bool(m["photo"]))
    rig.client.fail("400", method="deleteMessage", description="Bad Request: message can't be deleted for everyone")
    rig.client.fail("400", method="editMessageMedia", description="Bad Request: MESSAGE_TOO_PURPLE")
    rig.accounts.hide_code()
    told = await rig.seen(ADMIN, lambda m: m["text"] == status.CODE_LEFT)
    assert told["reply_to"] == photo["message_id"]


async def test_a_code_whose_answer_was_lost_is_not_left_in_the_chat(rig: Rig):
    await linking(rig)
    rig.client.fail("lost", count=1, method="sendPhoto")
    rig.accounts.show_code()
    await rig.seen(ADMIN, lambda m: m["text"] == status.CODE_VOID)
    shown = [m for m in photos(rig, ADMIN) if m["text"] != status.CODE_VOID]
    assert [decoded(rig.client.picture(m)) for m in shown] == [code().text]


async def test_a_code_whose_answer_is_always_lost_comes_a_few_times(rig: Rig):
    await linking(rig)
    rig.client.fail("lost", method="sendPhoto")
    rig.accounts.show_code()
    await asyncio.sleep(55)
    assert 2 <= len(photos(rig, ADMIN)) <= 4
    rig.client.heal()
    rig.accounts.show_code(shown=code("b"))
    await rig.seen(ADMIN, lambda m: bool(m["photo"]) and decoded(rig.client.picture(m)) == code("b").text)
    await asyncio.sleep(5)
    shown = [m for m in photos(rig, ADMIN) if m["text"] != status.CODE_VOID]
    assert [decoded(rig.client.picture(m)) for m in shown] == [code("b").text]


async def test_codes_are_taken_away_at_the_stop(telegram: TelegramStandIn, database: Database):
    async with running_rig(telegram, database) as rig:
        await linking(rig)
        rig.accounts.show_code()
        await rig.seen(ADMIN, lambda m: bool(m["photo"]))
    assert photos(rig, ADMIN) == []


async def test_an_account_whose_asker_is_not_known_shows_its_code_to_its_operator(rig: Rig):
    await rig.say(OPERATOR, "/start")
    await rig.seen(OPERATOR, lambda m: True)
    rig.accounts.put(owner=OPERATOR)
    rig.accounts.show_code()
    await rig.seen(OPERATOR, lambda m: bool(m["photo"]))


async def test_a_code_is_not_in_any_log_or_store(rig: Rig, caplog):
    caplog.set_level("DEBUG")
    await linking(rig)
    rig.accounts.show_code()
    await rig.seen(ADMIN, lambda m: bool(m["photo"]))
    rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.QR_EXPIRED)
    rig.accounts.hide_code()
    await rig.client.wait_for(lambda: not photos(rig, ADMIN))
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("switchboard")]
    assert not any(code().text[:20] in line or rig.telegram.token in line for line in ours)
    assert not any(code().text[:20] in repr(row) for row in rig.messages.rows.values())


@virtual
async def test_from_the_page_to_the_request_nothing_waits_on_purpose(tmp_path: Path):
    async with rigged(tmp_path) as rig:
        await linking(rig)
        rig.accounts.show_code(shown=code("a"))
        await rig.seen(ADMIN, lambda m: bool(m["photo"]))
        await asyncio.sleep(20)
        began = now()
        rig.accounts.show_code(shown=code("b"))
        await until(lambda: rig.client.requests("editMessageMedia"), "the picture is edited")
        assert now() - began < 0.5, "drawing it takes no time of the virtual clock; a bench measures that"


def test_pictures_decode_also_after_a_messengers_compression():
    for mark in "aZ9+/":
        png = draw(code(mark).text)
        image = Image.open(io.BytesIO(png)).convert("RGB")
        assert image.width == image.height <= 800
        jpeg = io.BytesIO()
        image.save(jpeg, format="JPEG", quality=80)
        assert decoded(png) == decoded(jpeg.getvalue()) == code(mark).text


def test_a_band_says_whose_it_is_and_the_code_decodes_as_before_also_blurred():
    band = Band("Support Berlin", "…5678", "about 20 s left, until 14:03:20 UTC")
    for mark in "aZ9+/":
        png = draw(code(mark).text, band)
        image = Image.open(io.BytesIO(png)).convert("RGB")
        assert image.height > image.width
        jpeg = io.BytesIO()
        image.filter(ImageFilter.GaussianBlur(1.5)).save(jpeg, format="JPEG", quality=80)
        assert decoded(png) == decoded(jpeg.getvalue()) == code(mark).text


def test_a_name_that_ends_in_the_digits_is_not_followed_by_them_again():
    told_apart, plain = (draw(code().text, Band(name, "…5678", "until")) for name in ("Shop …5678", "Shop"))
    assert told_apart == plain


@pytest.mark.parametrize(
    ("name", "drawn"),
    [
        ("Shop 🏪 Hamburg", "Shop Hamburg"), ("👨‍👩‍👧 Familie", "Familie"), ("Café Ünal", "Cafe Unal"),
        ("Иван Shop", "… Shop"), ("مكتب 3", "… 3"), ("Иван", ""), ("🏪", ""), ("", ""),
    ],
)  # fmt: skip
def test_a_band_draws_what_the_font_has_of_a_name(name, drawn):
    assert _plain(name) == drawn


async def test_between_two_rounds_the_same_message_waits_without_a_code_and_without_a_sound(rig: Rig):
    await linking(rig)
    rig.accounts.show_code(shown=code("a"))
    first = await rig.seen(ADMIN, lambda m: bool(m["photo"]))
    rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.QR_EXPIRED, retry_in=1)
    rig.accounts.hide_code()
    waiting = await rig.seen(ADMIN, lambda m: bool(m["photo"]) and "on its way" in m["text"])
    assert zxingcpp.read_barcode(Image.open(io.BytesIO(rig.client.picture(waiting)))) is None
    rig.accounts.move(BERLIN, State.CONNECTING, Reason.RETRY, stage=Stage.LAUNCHING, attempts=1)
    rig.accounts.show_code(shown=code("b"))
    again = await rig.seen(ADMIN, lambda m: bool(m["photo"]) and "Good for" in m["text"])
    assert again["message_id"] == waiting["message_id"] == first["message_id"]
    assert len(rig.client.requests("sendPhoto")) == 1
    rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.QR_EXPIRED)
    rig.accounts.hide_code()
    await rig.client.wait_for(lambda: not photos(rig, ADMIN))


async def test_a_code_goes_to_nobody_who_is_an_operator_no_longer(rig: Rig):
    rig.accounts.put(owner=STRANGER)
    rig.accounts.show_code()
    await rig.answer(ADMIN, "/help", "Switchboard")
    assert rig.client.requests("sendPhoto") == []
    await rig.answer(OPERATOR, "/help", "Switchboard")
    rig.accounts.put(PARIS, owner=OPERATOR)
    rig.accounts.show_code(PARIS)
    await rig.seen(OPERATOR, lambda m: m["photo"])
    assert len(rig.client.requests("sendPhoto")) == 1


@pytest.mark.parametrize(
    "description",
    [
        "PHOTO_INVALID_DIMENSIONS",
        "Bad Request: IMAGE_PROCESS_FAILED",
        "Bad Request: PHOTO_TOO_MAUVE",
        "Bad Request: not enough rights to send photos to the chat",
    ],
)
async def test_a_picture_that_telegram_does_not_take_is_told_once_and_leaves_no_dead_code(rig: Rig, description: str):
    await linking(rig)
    rig.client.fail("400", description=description, method="sendPhoto", count=1)
    rig.accounts.show_code(shown=code("a"))
    await rig.seen(ADMIN, lambda m: "does not take the picture of Support Berlin" in m["text"])
    rig.accounts.show_code(shown=code("b"))
    await rig.seen(ADMIN, lambda m: bool(m["photo"]))
    rig.client.fail("400", description=description, method="editMessageMedia", count=1)
    rig.accounts.show_code(shown=code("c"))
    await rig.client.wait_for(lambda: not photos(rig, ADMIN))
    rig.accounts.show_code(shown=code("d"))
    shown = await rig.seen(ADMIN, lambda m: bool(m["photo"]))
    assert decoded(rig.client.picture(shown)) == code("d").text
    assert sum("does not take" in text for text in rig.bot_texts(ADMIN)) == 1
