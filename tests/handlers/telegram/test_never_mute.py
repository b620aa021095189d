"""Whoever asks is answered, whatever Telegram refuses, wherever the bot may not write, however they ask."""

import asyncio
from typing import Any

import pytest

from controller.accounts.reasons import Reason, State
from handlers.telegram.ui.qr import Band, draw_waiting
from handlers.texts import answers
from storage.people import PeopleRecords
from tests.handlers.conftest import Rig, running_rig
from tests.handlers.fakes import ADMIN, BERLIN, OPERATOR, PARIS, SECOND_ADMIN, STRANGER
from tests.handlers.telegram.test_people import knock, let_in
from tests.waiting import until

UNKNOWN = "Bad Request: MESSAGE_TOO_PURPLE"
MARKUP = 'Bad Request: can\'t parse entities: Unsupported start tag "x" at byte offset 0'
TOO_LONG = "Bad Request: MESSAGE_TOO_LONG"


def group_of(rig: Rig, *people: int, **how: Any) -> int:
    return int(rig.client.add_group("Ops", list(people), supergroup=True, **how)["id"])


def message(rig: Rig, **more: Any) -> dict[str, Any]:
    chat, user = {"id": ADMIN, "type": "private", "first_name": "Ada"}, rig.telegram.world.user(ADMIN).to_json()
    return {"message_id": 900, "date": int(rig.telegram.world.now()), "chat": chat, "from": user} | more


# --- what Telegram does with an answer --------------------------------------------------------------------------------


@pytest.mark.parametrize("description", [UNKNOWN, MARKUP, TOO_LONG])
async def test_an_answer_that_is_refused_once_comes_otherwise(rig: Rig, description: str):
    await rig.answer(ADMIN, "/help", "Switchboard")
    rig.client.fail("400", count=1, method="sendMessage", description=description)
    await rig.answer(ADMIN, "/status nobody", "No account is called")


async def test_an_answer_that_is_refused_for_good_is_told_to_have_failed(rig: Rig):
    await rig.answer(ADMIN, "/help", "Switchboard")
    rig.client.fail("400", method="sendMessage", text="No account", description=UNKNOWN)
    await rig.answer(ADMIN, "/status nobody", "Telegram did not take my answer")


async def test_an_answer_that_telegram_accepts_without_saying_what_became_of_it_comes_again(rig: Rig):
    await rig.answer(ADMIN, "/help", "Switchboard")
    rig.client.fail("portal", count=1, method="sendMessage", raw='{"ok":true,"result":true}')
    await rig.answer(ADMIN, "/status nobody", "No account is called")


async def test_a_card_that_is_refused_once_is_shown_and_one_that_is_refused_for_good_is_told(rig: Rig):
    rig.accounts.put(state=State.SUSPENDED, reason=Reason.SUSPENDED_BY_OPERATOR, linked=True)
    await rig.answer(ADMIN, "/help", "Switchboard")
    rig.client.fail("400", count=1, method="sendMessage", description=UNKNOWN)
    await rig.answer(ADMIN, "/reconnect Support Berlin", "Connecting")
    rig.client.fail("400", method="sendMessage", text="Support Berlin", description=UNKNOWN)
    await rig.answer(ADMIN, "/suspend Support Berlin", "/status shows how")
    assert ("suspend", BERLIN) in rig.accounts.calls


async def test_what_is_shown_above_the_chat_survives_a_failure(rig: Rig):
    rig.accounts.put(state=State.SUSPENDED, reason=Reason.EXHAUSTED, owner=ADMIN)
    group = group_of(rig, ADMIN, OPERATOR)
    detail = await rig.answer(ADMIN, "/status Support Berlin", "Attempts", group)
    rig.client.fail("502", count=2, method="answerCallbackQuery")
    assert (await rig.press(detail, "Reconnect", OPERATOR) or {}).get("text") == answers.NOT_YOURS


async def test_what_could_not_be_shown_above_the_chat_in_time_is_a_message(rig: Rig):
    rig.accounts.put(state=State.SUSPENDED, reason=Reason.EXHAUSTED, owner=ADMIN)
    await rig.answer(OPERATOR, "/help", "Switchboard")
    group = group_of(rig, ADMIN, OPERATOR)
    detail = await rig.answer(ADMIN, "/status Support Berlin", "Attempts", group)
    rule = rig.client.fail("500", method="getUpdates")
    data = next(b["data"] for row in detail["buttons"] for b in row if b["text"] == "Reconnect")
    await rig.client.press(detail["message_id"], data, user_id=OPERATOR, chat_id=group)
    await asyncio.sleep(45)
    rig.client.heal(rule.number)
    await rig.seen(OPERATOR, lambda m: answers.NOT_YOURS in m["text"])


# --- where the bot may not write --------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["rights", "status"])
async def test_who_asks_where_the_bot_may_not_write_is_answered_privately(rig: Rig, how: str):
    rig.accounts.put(state=State.SUSPENDED, reason=Reason.SUSPENDED_BY_OPERATOR, linked=True)
    group = group_of(rig, ADMIN)
    await rig.answer(ADMIN, "/help", "Switchboard")
    await rig.answer(ADMIN, "/status nobody", "nobody", group)
    if how == "rights":
        rig.client.set_missing_rights(group, {"can_send_messages"})
        await rig.say(ADMIN, "/status nobody2", chat=group)
        await rig.seen(ADMIN, lambda m: "nobody2" in m["text"])
        await rig.say(ADMIN, "/reconnect Support Berlin", chat=group)
    else:
        rig.accounts.takes = 5.0
        await rig.say(ADMIN, "/reconnect Support Berlin", chat=group)
        await asyncio.sleep(1)
        rig.client.set_bot_status(group, "kicked")
    await rig.seen(ADMIN, lambda m: "Support Berlin" in m["text"] and "Connecting" in m["text"])


async def test_a_question_of_a_button_comes_privately_where_the_bot_may_not_write(rig: Rig):
    rig.accounts.put(state=State.CONNECTED, reason=Reason.LINKED)
    group = group_of(rig, ADMIN)
    await rig.answer(ADMIN, "/help", "Switchboard")
    detail = await rig.answer(ADMIN, "/status Support Berlin", "Attempts", group)
    rig.client.set_missing_rights(group, {"can_send_messages"})
    assert (await rig.press(detail, "Suspend") or {})["text"] == answers.ANSWERED_PRIVATELY
    await rig.press(await rig.seen(ADMIN, lambda m: "60 s to answer" in m["text"]), "Yes")
    await until(lambda: ("suspend", BERLIN) in rig.accounts.calls, "it is done")


@pytest.mark.parametrize("description", ["TOPIC_CLOSED", "message thread not found", "SLOWMODE_WAIT_30", UNKNOWN])
async def test_an_answer_that_a_group_refuses_for_good_comes_privately(rig: Rig, description: str):
    group = group_of(rig, ADMIN)
    await rig.answer(ADMIN, "/help", "Switchboard")
    rig.client.fail("400", chat_id=group, description=description)
    await rig.say(ADMIN, "/status nobody", chat=group)
    await rig.seen(ADMIN, lambda m: "No account is called" in m["text"])


@pytest.mark.parametrize(
    "description", ["Forbidden: bot was kicked from the supergroup chat", "CHAT_WRITE_FORBIDDEN", "TOPIC_CLOSED"]
)
async def test_an_answer_that_cannot_be_edited_into_a_group_comes_privately(rig: Rig, description: str):
    rig.accounts.put(state=State.CONNECTED, reason=Reason.LINKED)
    group = group_of(rig, ADMIN)
    await rig.answer(ADMIN, "/help", "Switchboard")
    detail = await rig.answer(ADMIN, "/status Support Berlin", "Attempts", group)
    rig.client.fail("403" if "kicked" in description else "400", chat_id=group, description=description)
    assert (await rig.press(detail, "History") or {})["text"] == answers.ANSWERED_PRIVATELY
    await rig.seen(ADMIN, lambda m: "Nothing has happened" in m["text"])


async def test_a_card_that_a_group_does_not_take_is_shown_privately_and_follows_there(rig: Rig):
    rig.accounts.put(state=State.SUSPENDED, reason=Reason.EXHAUSTED, owner=OPERATOR)
    group = group_of(rig, ADMIN)
    await rig.answer(ADMIN, "/help", "Switchboard")
    detail = await rig.answer(ADMIN, "/status Support Berlin", "Attempts", group)
    rig.client.fail("400", chat_id=group, description="Bad Request: CHAT_WRITE_FORBIDDEN")
    assert (await rig.press(detail, "Reconnect") or {})["text"] == answers.ANSWERED_PRIVATELY
    card = await rig.seen(ADMIN, lambda m: "Support Berlin" in m["text"] and "Connecting" in m["text"])
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    await rig.seen(ADMIN, lambda m: m["message_id"] == card["message_id"] and "Connected since" in m["text"])
    assert not any("Connecting" in text for text in rig.bot_texts(ADMIN))


async def test_a_button_whose_answer_can_be_written_nowhere_says_so_itself(rig: Rig):
    rig.accounts.put(state=State.CONNECTED, reason=Reason.LINKED, owner=OPERATOR)
    group = group_of(rig, ADMIN, OPERATOR)
    detail = await rig.answer(OPERATOR, "/status Support Berlin", "Attempts", group)
    rig.client.set_missing_rights(group, {"can_send_messages"})
    assert (await rig.press(detail, "Suspend", OPERATOR) or {})["text"] == answers.NOWHERE_TO_ANSWER


async def test_a_group_that_takes_no_pictures_still_takes_alerts(telegram, database):
    group = telegram.client.add_group("Ops", [ADMIN], supergroup=True)["id"]
    async with running_rig(telegram, database, alert_chat=group) as rig:
        await rig.answer(ADMIN, "/help", "Switchboard")
        rig.client.set_missing_rights(group, {"can_send_photos"})
        rig.accounts.put()
        png = draw_waiting(Band("x", "y", "z"))
        rig.accounts.move(BERLIN, State.ERROR, Reason.PAGE_UNKNOWN, alert=Reason.PAGE_UNKNOWN, picture=png, retry_in=60)
        await rig.seen(group, lambda m: "🚨" in m["text"] and "page that I do not know" in m["text"])
        await rig.seen(group, lambda m: "may not send photos" in m["text"])
        await asyncio.sleep(3600)
        assert not any("I cannot write to chat" in text for text in rig.bot_texts(ADMIN))


# --- however it is asked ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["/Start", "/START", "/start@SwitchboardBot", "/start abc"])
async def test_a_stranger_learns_their_id_however_they_begin(rig: Rig, word: str):
    word = word.replace("SwitchboardBot", rig.telegram.world.bot.username or "")
    await rig.say(STRANGER, word)
    await rig.seen(STRANGER, lambda m: f"Your Telegram id is {STRANGER}" in m["text"])


async def test_a_command_for_another_bot_in_our_own_chat_is_not_met_with_silence(rig: Rig):
    rig.accounts.put(state=State.CONNECTED, reason=Reason.LINKED)
    await rig.answer(ADMIN, "/help", "Switchboard")
    told = await rig.answer(ADMIN, "/suspend@OldName_bot Support Berlin", "OldName_bot")
    assert f"@{rig.telegram.world.bot.username}" in told["text"]
    assert rig.accounts.calls == []


async def test_in_a_group_a_mistyped_command_that_names_the_bot_is_answered(rig: Rig):
    group = group_of(rig, ADMIN)
    name = rig.telegram.world.bot.username
    await rig.answer(ADMIN, f"/statsu@{name}", "Did you mean /status?", group)
    await rig.answer(ADMIN, f"@{name} status", "Did you mean /status?", group)
    await rig.answer(ADMIN, f"@{name} what is up", "I understand commands", group)
    before = len(rig.bot_texts(group))
    await rig.say(ADMIN, "/statsu", chat=group)
    await rig.answer(ADMIN, "/help", "Switchboard")
    assert len(rig.bot_texts(group)) == before, "it may be another bot's"


@pytest.mark.parametrize(
    ("edited", "hinted"),
    [("/status", True), ("/STATUS Shop", True), ("/statsu", False), ("/status@other_bot", False), ("status", False)],
)
async def test_a_command_that_is_edited_in_a_group_gets_a_hint(rig: Rig, edited: str, hinted: bool):
    group = group_of(rig, ADMIN)
    await rig.answer(ADMIN, "/help", "Switchboard")
    chat = rig.client.chat(group).to_json()
    rig.client.push_update("edited_message", message(rig, chat=chat, text=edited, edit_date=1))
    await rig.answer(ADMIN, "/status nobody", "No account is called")
    await asyncio.sleep(5)
    assert any(answers.EDITED in text for text in rig.bot_texts(group)) is hinted


async def test_an_album_gets_one_hint(rig: Rig):
    await rig.answer(ADMIN, "/help", "Switchboard")
    photo = {"photo": [{"file_id": "a", "file_unique_id": "b", "width": 1, "height": 1}], "media_group_id": "7"}
    rig.client.fail("500", count=1, method="getUpdates")
    for place in range(10):
        rig.client.push_update("message", message(rig, **photo) | {"message_id": 900 + place})
    await rig.seen(ADMIN, lambda m: "I understand commands" in m["text"])
    await asyncio.sleep(30)
    assert sum("I understand commands" in text for text in rig.bot_texts(ADMIN)) == 1


CONTENTS: dict[str, Any] = {
    "story": {"chat": {"id": 1, "type": "private", "first_name": "x"}, "id": 1},
    "checklist": {"title": "x", "tasks": [{"id": 1, "text": "y"}]},
    "giveaway": {"chats": [], "winners_selection_date": 1, "winner_count": 1},
    "location": {"latitude": 1.0, "longitude": 2.0},
    "dice": {"emoji": "🎲", "value": 3},
    "a_kind_of_2027": {"some": "thing"},
}  # fmt: skip


@pytest.mark.parametrize("kind", CONTENTS)
async def test_what_is_no_text_gets_a_hint_also_if_it_is_new(rig: Rig, kind: str):
    await rig.answer(ADMIN, "/help", "Switchboard")
    rig.client.push_update("message", message(rig, **{kind: CONTENTS[kind]}))
    await rig.seen(ADMIN, lambda m: "I understand commands" in m["text"])


@pytest.mark.parametrize(
    "service", [{"pinned_message": None}, {"message_auto_delete_timer_changed": {"message_auto_delete_time": 60}}]
)
async def test_what_telegram_itself_writes_gets_none(rig: Rig, service: dict[str, Any]):
    asked = await rig.answer(ADMIN, "/help", "Switchboard")
    if "pinned_message" in service:
        service = {"pinned_message": message(rig, text="x", message_id=asked["message_id"])}
    rig.client.push_update("message", message(rig, **service))
    await rig.answer(ADMIN, "/status nobody", "nobody")
    assert not any("I understand commands" in text for text in rig.bot_texts(ADMIN))


@pytest.mark.parametrize(
    "typed",
    ["＋４９１５１１２３４５６７８", "+٤٩١٥١١٢٣٤٥٦٧٨", "+49\u00a01511\u202f2345678", "wa.me/4915112345678",
     "+49 (0) 1511 2345678", "https://api.whatsapp.com/send?phone=4915112345678", "tel:+4915112345678",
     "\u202a+49 1511 2345678\u202c"],
)  # fmt: skip
async def test_a_number_is_taken_as_phones_write_it(rig: Rig, typed: str):
    await rig.say(ADMIN, f"/link {typed}")
    await until(lambda: rig.accounts.to_link == [BERLIN], f"{typed} is linked")


TYPED = {
    "/status\u200b": "1 account", "\u202a/status\u202c": "1 account", "/status!": "1 account",
    "/status@{bot}.": "1 account",
    "/status, Support Berlin": "Attempts", "/status «Support Berlin»": "Attempts",
    "/status Support Berlin.": "Attempts",
    "status?": "Did you mean /status", "／status": "Did you mean /status", "\\status": "Did you mean /status",
    "/silence Support Berlin 2h.": "no alerts until 14:00", "/silence all 2 hours!": "no alerts until 14:00",
}  # fmt: skip


@pytest.mark.parametrize("typed", TYPED)
async def test_a_command_is_understood_with_what_keyboards_and_sentences_put_around_it(rig: Rig, typed: str):
    rig.accounts.put(state=State.CONNECTED, reason=Reason.LINKED)
    await rig.answer(ADMIN, "/help", "Switchboard")
    await rig.answer(ADMIN, typed.replace("{bot}", rig.telegram.world.bot.username or ""), TYPED[typed])


async def test_an_account_s_own_punctuation_is_part_of_its_name(rig: Rig):
    rig.accounts.put(BERLIN, "Shop Inc.", state=State.CONNECTED, reason=Reason.LINKED)
    rig.accounts.put(PARIS, "Shop Inc", state=State.CONNECTED, reason=Reason.LINKED)
    await rig.answer(ADMIN, "/status Shop Inc.", "+49 1511 2345678")
    await rig.answer(ADMIN, "/status Shop Inc", "+33 6 12 34 56 78")


@pytest.mark.parametrize(("caption", "hint"), [("/suspend all", answers.CAPTION), ("look", "I understand commands")])
async def test_a_command_below_a_picture_is_not_obeyed_and_its_sender_learns_why(rig: Rig, caption: str, hint: str):
    await rig.answer(ADMIN, "/help", "Switchboard")
    photo = [{"file_id": "a", "file_unique_id": "b", "width": 1, "height": 1}]
    group = group_of(rig, ADMIN)
    for chat in (ADMIN, group):
        there = rig.client.chat(chat).to_json()
        rig.client.push_update("message", message(rig, chat=there, photo=photo, caption=caption))
    await rig.seen(ADMIN, lambda m: hint in m["text"])
    await rig.answer(ADMIN, "/status nobody", "nobody")
    assert (answers.CAPTION in rig.bot_texts(group)) is caption.startswith("/"), "the rest is between people"


# --- several at once --------------------------------------------------------------------------------------------------


async def test_of_two_admins_who_let_somebody_in_at_once_one_decides(rig: Rig, monkeypatch):
    await rig.answer(SECOND_ADMIN, "/help", "Switchboard")
    word = await knock(rig)
    theirs = await rig.seen(SECOND_ADMIN, lambda m: "wrote to me" in m["text"])
    save = PeopleRecords.save

    async def slowly(*args: Any, **more: Any) -> None:
        await asyncio.sleep(1)
        await save(*args, **more)

    monkeypatch.setattr(PeopleRecords, "save", slowly)
    await asyncio.gather(rig.press(word, "as operator"), rig.press(theirs, "as viewer", SECOND_ADMIN))
    await asyncio.sleep(10)
    welcomes = [text for text in rig.bot_texts(STRANGER) if "made you" in text]
    assert len(welcomes) == 1
    assert len([row for row in rig.records.audited if row[1] == "let in"]) == 1


async def test_of_two_admins_who_remove_somebody_at_once_both_learn_it(rig: Rig):
    await rig.answer(SECOND_ADMIN, "/help", "Switchboard")
    await let_in(rig, "operator")
    questions = []
    for admin in (ADMIN, SECOND_ADMIN):
        await rig.press(await rig.answer(admin, f"/people {STRANGER}", "Let in by"), "Remove", admin)
        questions.append(await rig.seen(admin, lambda m: "60 s to answer" in m["text"]))
    await asyncio.gather(*(rig.press(q, "Yes", who) for q, who in zip(questions, (ADMIN, SECOND_ADMIN), strict=True)))
    for admin, question in zip((ADMIN, SECOND_ADMIN), questions, strict=True):
        at = question["message_id"]
        told = await rig.seen(admin, lambda m, at=at: m["message_id"] == at and "60 s to answer" not in m["text"])
        assert "was removed by" in told["text"] or "not let in any more" in told["text"]
    assert len([row for row in rig.records.audited if row[1] == "remove person"]) == 1


async def test_an_admin_who_removes_themself_is_told_and_gets_nothing_more(rig: Rig):
    await let_in(rig, "operator")
    await rig.press(await rig.answer(ADMIN, f"/people {STRANGER}", "Let in by"), "Make admin")
    await rig.press(await rig.seen(ADMIN, lambda m: "who may do everything" in m["text"]), "Yes")
    await rig.seen(STRANGER, lambda m: "an admin here" in m["text"])
    mine = await rig.answer(STRANGER, f"/people {STRANGER}", "Let in by")
    await rig.press(mine, "Remove", STRANGER)
    await rig.press(await rig.seen(STRANGER, lambda m: "60 s to answer" in m["text"]), "Yes", STRANGER)
    await rig.seen(STRANGER, lambda m: "was removed by Eve" in m["text"])
    before = len(rig.bot_texts(STRANGER))
    await rig.say(STRANGER, "/people")
    await rig.answer(ADMIN, "/people", "3 people")
    assert len(rig.bot_texts(STRANGER)) == before


async def test_who_is_demoted_between_a_question_and_its_yes_changes_nothing(rig: Rig):
    await let_in(rig, "operator")
    rig.accounts.put(owner=STRANGER, state=State.CONNECTED, reason=Reason.LINKED)
    await rig.press(await rig.answer(STRANGER, "/status Support Berlin", "Attempts"), "Suspend", STRANGER)
    question = await rig.seen(STRANGER, lambda m: "to answer" in m["text"])
    await rig.answer(ADMIN, f"/people {STRANGER} viewer", "is a viewer now")
    assert "You are a viewer" in (await rig.press(question, "Yes", STRANGER) or {})["text"]
    assert rig.accounts.calls == []


async def test_of_two_who_acknowledge_at_once_one_is_on_it(telegram, database):
    group = telegram.client.add_group("Ops", [ADMIN, SECOND_ADMIN])["id"]
    async with running_rig(telegram, database, alert_chat=group) as rig:
        rig.accounts.put()
        await rig.answer(ADMIN, "/help", "Switchboard")
        rig.accounts.move(BERLIN, State.SUSPENDED, Reason.EXHAUSTED, alert=Reason.EXHAUSTED)
        alert = await rig.seen(group, lambda m: "🚨" in m["text"])
        shown = await asyncio.gather(rig.press(alert, "Acknowledge"), rig.press(alert, "Acknowledge", SECOND_ADMIN))
        assert sorted("on it already" in (each or {})["text"] for each in shown) == [False, True]


# --- Telegram that comes and goes -------------------------------------------------------------------------------------


async def test_a_token_that_is_refused_for_a_while_loses_nothing(rig: Rig):
    rig.accounts.put()
    await rig.answer(ADMIN, "/help", "Switchboard")
    rule = rig.client.fail("401", seconds=110)
    await rig.say(ADMIN, "/status nobody")
    rig.accounts.move(BERLIN, State.SUSPENDED, Reason.EXHAUSTED, alert=Reason.EXHAUSTED)
    await asyncio.sleep(100)
    assert not rig.running.done()
    rig.client.heal(rule.number)
    await rig.seen(ADMIN, lambda m: "🚨" in m["text"])
    await rig.seen(ADMIN, lambda m: "nobody" in m["text"] and "No account" in m["text"])


async def test_where_every_other_call_fails_all_is_told_once_and_soon(rig: Rig):
    rig.accounts.put()
    await rig.answer(ADMIN, "/help", "Switchboard")
    fails = iter(range(10**6))
    take = rig.telegram.world.faults.take

    def every_other(method: str, *args: Any) -> Any:
        if next(fails) % 2:
            rig.client.fail("502", count=1, method=method, html=True)
        return take(method, *args)

    rig.telegram.world.faults.take = every_other
    for place in range(10):
        await rig.answer(ADMIN, f"/status nobody{place}", f"nobody{place}")
    rig.accounts.move(BERLIN, State.SUSPENDED, Reason.EXHAUSTED, alert=Reason.EXHAUSTED)
    await rig.seen(ADMIN, lambda m: "🚨" in m["text"])
    await asyncio.sleep(120)
    assert sum("🚨" in m["text"] for m in rig.client.from_bot(ADMIN, deleted=True)) == 1
    assert sum("nobody3" in text for text in rig.bot_texts(ADMIN)) == 1


async def test_an_answer_into_a_topic_that_is_closed_or_gone_comes_in_general(rig: Rig):
    group = group_of(rig, ADMIN, forum=True, admin=False)
    await rig.answer(ADMIN, "/help", "Switchboard")
    for place, how in enumerate(("close", "delete")):
        topic = rig.client.open_topic(group, "Shop", ADMIN)
        await rig.client.send(ADMIN, f"/status nobody{place}", chat_id=group, thread_id=topic)
        rig.client.close_topic(group, topic) if how == "close" else rig.client.delete_topic(group, topic)
        await rig.seen(group, lambda m, place=place: f"nobody{place}" in m["text"])


async def test_a_button_under_a_message_of_a_group_that_moved_is_answered(rig: Rig):
    rig.accounts.put(state=State.SUSPENDED, reason=Reason.EXHAUSTED)
    group = rig.client.add_group("Ops", [ADMIN])["id"]
    detail = await rig.answer(ADMIN, "/status Support Berlin", "Attempts", group)
    data = next(b["data"] for row in detail["buttons"] for b in row if b["text"] == "History")
    new = rig.client.migrate(group)["id"]
    await rig.client.press(detail["message_id"], data, user_id=ADMIN, chat_id=group, stale=True)
    await rig.seen(new, lambda m: "Nothing has happened" in m["text"])


KINDS = (
    "edited_channel_post", "business_connection", "business_message", "edited_business_message",
    "deleted_business_messages", "message_reaction", "message_reaction_count", "inline_query", "chosen_inline_result",
    "shipping_query", "pre_checkout_query", "purchased_paid_media", "poll", "poll_answer", "chat_member",
    "chat_join_request", "chat_boost", "removed_chat_boost", "managed_bot",
)  # fmt: skip


async def test_updates_of_kinds_that_were_not_asked_for_change_nothing_and_alarm_nobody(rig: Rig):
    await rig.answer(ADMIN, "/help", "Switchboard")
    for kind in KINDS:
        rig.client.push_update(kind, {"id": "1"} | message(rig, text="/suspend all"))
    await rig.answer(ADMIN, "/status nobody", "nobody")
    assert not any("cannot read" in text for text in rig.bot_texts(ADMIN))
