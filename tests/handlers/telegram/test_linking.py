"""Linking as a line: one code open for each person, the others wait, and each begins by itself."""

import asyncio
import itertools

from controller.accounts.model import Stage
from controller.accounts.reasons import Reason, State
from controller.registry import Account
from controller.tasks import Tasks
from handlers.telegram.actions import open_ahead
from sandbox.telegram import TelegramStandIn
from storage.database import Database
from tests.handlers.conftest import Rig, running_rig
from tests.handlers.fakes import ADMIN, BERLIN, OPERATOR, PARIS, SECOND_ADMIN, STRANGER, FakeAccounts, FakeMessages
from tests.handlers.telegram.test_people import let_in
from tests.virtual_time import wall_clock
from tests.waiting import until

ROME, MADRID = "+390612345678", "+34612345678"


def started(rig: Rig) -> list[str]:
    return [call[1] for call in rig.accounts.calls if call[0] == "start"]


def rests(rig: Rig, number: str) -> bool:
    """Whether an account was closed, of which no person has said that it should be."""
    return rig.accounts.status(number).reason is Reason.NOT_LINKED


def send_contact(rig: Rig, number: str, name: str) -> None:
    """Share a contact from the phone book: Telegram leaves the + out, and phone books keep what is in them."""
    chat = {"id": ADMIN, "type": "private", "first_name": "Ada"}
    message = {
        "message_id": next(_MESSAGES), "date": int(wall_clock().timestamp()), "chat": chat, "contact": {
            "phone_number": number, "first_name": name,
        }, "from": {"id": ADMIN, "is_bot": False, "first_name": "Ada"},
    }  # fmt: skip
    rig.client.push_update("message", message)


_MESSAGES = itertools.count(90_001)


async def in_line(rig: Rig) -> dict:
    await rig.say(ADMIN, f"/link {BERLIN} Support Berlin")
    await until(lambda: started(rig) == [BERLIN], "the first begins")
    await rig.say(ADMIN, f"/link {PARIS} Paris")
    await rig.say(ADMIN, f"/link {ROME} Rome")
    await until(lambda: started(rig) == [BERLIN, PARIS, ROME], "the browsers of the others are opened ahead")
    return await rig.seen(ADMIN, lambda m: "1 of 3" in m["text"] and "Rome" in m["text"])


async def test_one_is_open_the_others_wait_and_the_next_begins_when_one_is_linked(rig: Rig):
    told = await in_line(rig)
    assert [button["text"] for row in told["buttons"] for button in row] == ["Skip", "Stop"]
    rig.accounts.show_code()
    photo = await rig.seen(ADMIN, lambda m: bool(m["photo"]))
    assert "1 of 3" in photo["text"]
    assert [button["text"] for row in photo["buttons"] for button in row] == ["New code", "Skip", "Stop"]
    rig.accounts.hide_code()
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    await rig.seen(ADMIN, lambda m: "2 of 3" in m["text"])
    rig.accounts.move(PARIS, State.DISCONNECTED, Reason.QR_EXPIRED)
    await rig.seen(ADMIN, lambda m: "3 of 3" in m["text"])
    rig.accounts.move(ROME, State.CONNECTED, Reason.LINKED)
    over = await rig.seen(ADMIN, lambda m: "last one in your queue" in m["text"])
    assert "nobody scanned: Paris" in over["text"]


def photos(rig: Rig) -> list[str]:
    return [m["text"] for m in rig.client.from_bot(ADMIN) if m["photo"] and not m["deleted"]]


async def test_a_code_that_is_there_before_its_turn_is_shown_when_the_one_before_is_scanned(rig: Rig):
    await in_line(rig)
    rig.accounts.show_code(PARIS)
    rig.accounts.show_code(BERLIN)
    await rig.seen(ADMIN, lambda m: bool(m["photo"]))
    assert ["1 of 3" in text for text in photos(rig)] == [True], "one open code for each person"
    rig.accounts.hide_code(BERLIN)
    rig.accounts.move(BERLIN, State.CONNECTING, Reason.ASKED, stage=Stage.PAIRING)
    photo = await rig.seen(ADMIN, lambda m: bool(m["photo"]) and "2 of 3" in m["text"])
    assert "Paris" in photo["text"]
    assert started(rig) == [BERLIN, PARIS, ROME], "nothing is begun again"
    await rig.seen(ADMIN, lambda m: "2 of 3" in m["text"] and "scanned, loading its chats: Support Berlin" in m["text"])
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    await rig.seen(ADMIN, lambda m: "2 of 3" in m["text"] and "✅ linked: Support Berlin" in m["text"])
    rig.accounts.hide_code(PARIS)
    for number in (PARIS, ROME):
        rig.accounts.move(number, State.CONNECTING, Reason.ASKED, stage=Stage.SYNCING)
    over = await rig.seen(ADMIN, lambda m: "last one in your queue" in m["text"])
    assert "scanned, loading its chats: Paris, Rome" in over["text"]
    rig.accounts.move(ROME, State.SUSPENDED, Reason.EXHAUSTED)
    rig.accounts.move(PARIS, State.CONNECTED, Reason.LINKED)
    over = await rig.seen(ADMIN, lambda m: "linked: Support Berlin, Paris" in m["text"])
    assert "last one in your queue" in over["text"]
    assert "scanned" not in over["text"]


def cards(rig: Rig, name: str) -> list[dict]:
    told = [m for m in rig.client.from_bot(ADMIN) if not m["photo"] and not m["deleted"]]
    return [m for m in told if f" {name} ·" in m["text"].split("\n")[0] and " of " not in m["text"]]


async def test_a_card_does_not_push_its_own_code_out_of_sight(rig: Rig):
    await in_line(rig)
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    await rig.seen(ADMIN, lambda m: "2 of 3" in m["text"])
    rig.accounts.move(PARIS, State.CONNECTING, Reason.ASKED, stage=Stage.AWAITING_SCAN)
    rig.accounts.show_code(PARIS)
    await rig.seen(ADMIN, lambda m: bool(m["photo"]) and "Paris" in m["text"])
    await asyncio.sleep(20)
    assert cards(rig, "Paris") == []
    rig.accounts.hide_code(PARIS)
    rig.accounts.move(PARIS, State.CONNECTING, Reason.ASKED, stage=Stage.SYNCING)
    await until(lambda: bool(cards(rig, "Paris")), "the card comes")
    (card,) = cards(rig, "Paris")
    assert "Connecting: loading its chats" in card["text"]
    assert card["silent"]


async def test_the_card_of_the_one_before_does_not_push_the_open_code_out_of_sight(rig: Rig):
    await in_line(rig)
    rig.accounts.show_code(BERLIN)
    await rig.seen(ADMIN, lambda m: bool(m["photo"]))
    rig.accounts.show_code(PARIS)
    rig.accounts.hide_code(BERLIN)
    for number in (PARIS, ROME):
        rig.accounts.move(number, State.CONNECTING, Reason.ASKED, stage=Stage.AWAITING_SCAN)
    rig.accounts.move(BERLIN, State.CONNECTING, Reason.ASKED, stage=Stage.PAIRING)
    photo = await rig.seen(ADMIN, lambda m: bool(m["photo"]) and "2 of 3" in m["text"])
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    await asyncio.sleep(30)
    below = [
        m["text"] for m in rig.client.from_bot(ADMIN) if m["message_id"] > photo["message_id"] and not m["deleted"]
    ]
    assert below == []
    rig.accounts.hide_code(PARIS)
    rig.accounts.move(PARIS, State.CONNECTED, Reason.LINKED)
    for name in ("Support Berlin", "Paris"):
        await until(lambda name=name: "Connected since" in str(cards(rig, name)), "no code is open any more")


async def test_those_whose_turn_never_came_get_no_cards_when_the_queue_is_stopped(rig: Rig):
    told = await in_line(rig)
    await rig.press(told, "Stop")
    await rig.seen(ADMIN, lambda m: "Stopped" in m["text"])
    await until(lambda: rests(rig, ROME), "what was opened ahead is closed")
    await asyncio.sleep(20)
    assert cards(rig, "Paris") + cards(rig, "Rome") == []
    assert cards(rig, "Support Berlin")


async def test_the_card_of_one_that_waits_says_so_until_its_turn_comes(rig: Rig, monkeypatch):
    monkeypatch.setattr(open_ahead, "MOST", 0)
    await rig.answer(ADMIN, "/help", "Switchboard")
    rig.accounts.put(PARIS, "Paris", owner=ADMIN)
    rig.accounts.move(PARIS, State.DISCONNECTED, Reason.LOGGED_OUT)
    card = await rig.seen(ADMIN, lambda m: "Paris" in m["text"] and "Link again sends a new code" in m["text"])
    await rig.say(ADMIN, f"/link {BERLIN} Support Berlin")
    await until(lambda: started(rig) == [BERLIN], "the first begins")
    await rig.say(ADMIN, f"/link {PARIS}")

    def now() -> dict:
        return rig.client.message(ADMIN, card["message_id"])

    await until(lambda: "In line to be linked" in now()["text"], "the card says that it waits")
    assert "/link" not in now()["text"] and now()["buttons"] == []
    await rig.answer(ADMIN, "/status Paris", "In line to be linked")
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    await rig.seen(ADMIN, lambda m: "🟡 Paris" in m["text"])
    assert not any("In line to be linked" in text for text in rig.bot_texts(ADMIN) if "Attempts" not in text)


async def test_the_card_of_one_that_waits_shows_what_befalls_it_meanwhile(rig: Rig, monkeypatch):
    monkeypatch.setattr(open_ahead, "MOST", 0)
    await rig.answer(ADMIN, "/help", "Switchboard")
    rig.accounts.put(PARIS, "Paris", owner=ADMIN)
    rig.accounts.move(PARIS, State.DISCONNECTED, Reason.LOGGED_OUT)
    await rig.seen(ADMIN, lambda m: "🔴 Paris" in m["text"])
    await rig.say(ADMIN, f"/link {BERLIN} Support Berlin")
    await until(lambda: started(rig) == [BERLIN], "the first begins")
    await rig.say(ADMIN, f"/link {PARIS}")
    await rig.seen(ADMIN, lambda m: "🔴 Paris" in m["text"] and "In line to be linked" in m["text"])
    rig.accounts.move(PARIS, State.SUSPENDED, Reason.SUSPENDED_BY_OPERATOR)
    await rig.seen(ADMIN, lambda m: "⏸ Paris" in m["text"] and "In line to be linked" in m["text"])


async def test_the_card_of_one_that_waits_does_not_flicker_while_it_is_opened_ahead(rig: Rig):
    await rig.answer(ADMIN, "/help", "Switchboard")
    rig.accounts.put(PARIS, "Paris", owner=ADMIN)
    rig.accounts.move(PARIS, State.DISCONNECTED, Reason.LOGGED_OUT)
    card = await rig.seen(ADMIN, lambda m: "🔴 Paris" in m["text"])
    await rig.say(ADMIN, f"/link {BERLIN} Support Berlin")
    await until(lambda: started(rig) == [BERLIN], "the first begins")
    await rig.say(ADMIN, f"/link {PARIS}")
    await until(lambda: started(rig) == [BERLIN, PARIS], "its browser is opened ahead")
    await rig.seen(ADMIN, lambda m: m["message_id"] == card["message_id"] and "In line to be linked" in m["text"])
    edits = len([each for each in rig.client.requests("editMessageText") if "Paris" in str(each.parameters)])
    for stage in (Stage.LAUNCHING, Stage.AWAITING_SCAN, Stage.READING, Stage.AWAITING_SCAN):
        rig.accounts.move(PARIS, State.CONNECTING, Reason.ASKED, stage=stage)
        await asyncio.sleep(5)
    assert len([each for each in rig.client.requests("editMessageText") if "Paris" in str(each.parameters)]) == edits
    rig.accounts.move(PARIS, State.DISCONNECTED, Reason.NOT_LINKED)
    await rig.seen(ADMIN, lambda m: m["message_id"] == card["message_id"] and "🔴 Paris" in m["text"])


async def test_what_was_opened_ahead_is_closed_if_it_waits_no_more(rig: Rig):
    told = await in_line(rig)
    await rig.press(told, "Stop")
    for number in (PARIS, ROME):
        await until(lambda n=number: rests(rig, n), "it is closed")
    await until(lambda: rig.accounts.status(BERLIN).state is State.SUSPENDED, "the person has stopped it")
    listed = await rig.answer(ADMIN, "/status", "3 accounts")
    assert sum("Paused" in line for line in listed["text"].splitlines()) == 1
    assert sum("it has not been linked yet" in line for line in listed["text"].splitlines()) == 2


async def test_an_alert_about_one_that_was_opened_ahead_in_vain_still_stands(rig: Rig):
    await rig.answer(ADMIN, "/help", "Switchboard")
    rig.accounts.put(PARIS, "Paris", owner=ADMIN)
    rig.accounts.move(PARIS, State.DISCONNECTED, Reason.LOGGED_OUT, alert=Reason.LOGGED_OUT)
    alert = await rig.seen(ADMIN, lambda m: "🚨" in m["text"] and "Paris" in m["text"])
    told = await in_line(rig)
    await rig.press(told, "Stop")
    await until(lambda: rests(rig, PARIS), "it is closed")
    await asyncio.sleep(20)
    assert "🚨" in rig.client.message(ADMIN, alert["message_id"])["text"], "nobody has linked it"


async def test_only_the_next_few_are_opened_ahead_and_not_for_long(rig: Rig, monkeypatch):
    monkeypatch.setattr(open_ahead, "SECONDS", 0.3)
    numbers = [f"+4915112345{n:03}" for n in range(4 + open_ahead.MOST)]
    await rig.say(ADMIN, "/link " + "\n".join(numbers))
    first = numbers[: 1 + open_ahead.MOST]
    await until(lambda: sorted(started(rig)) == first, "the first and the next few")
    await until(lambda: all(rests(rig, n) for n in first[1:]), "they are closed again")
    assert rig.accounts.status(numbers[0]).state is State.CONNECTING
    rig.accounts.move(numbers[0], State.CONNECTED, Reason.LINKED)
    await until(lambda: rig.accounts.status(numbers[1]).state is State.CONNECTING, "it begins when its turn has come")
    assert started(rig).count(numbers[1]) == 2


async def test_a_closing_in_progress_does_not_end_the_turn_that_comes_meanwhile(rig: Rig, monkeypatch):
    monkeypatch.setattr(open_ahead, "SECONDS", 0.3)
    rig.accounts.may_suspend.clear()
    await rig.say(ADMIN, f"/link {BERLIN}\n{PARIS}")
    await until(lambda: ("stop linking", PARIS) in rig.accounts.calls, "it is closed again, which takes a while")
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    await rig.seen(ADMIN, lambda m: "2 of 2" in m["text"])
    rig.accounts.may_suspend.set()
    await until(lambda: started(rig).count(PARIS) == 2, "it is opened anew for its turn")
    await until(lambda: rig.accounts.status(PARIS).state is State.CONNECTING, "it begins when its turn has come")


async def test_an_account_that_returns_to_the_queue_is_opened_after_its_closing():
    accounts, tasks = FakeAccounts(), Tasks()
    accounts.put(ROME)
    accounts.may_suspend.clear()
    ahead = open_ahead.OpenAhead(accounts, tasks)
    ahead.follow([ROME])
    await until(lambda: accounts.status(ROME).state is State.CONNECTING, "it is opened ahead")
    ahead.give_up(ROME)
    await until(lambda: ("stop linking", ROME) in accounts.calls, "its closing begins")
    ahead.follow([ROME])
    accounts.may_suspend.set()
    assert await ahead.take(ROME)
    await tasks.drain(60)
    assert accounts.status(ROME).state is State.CONNECTING
    await tasks.stop()


async def test_a_retry_is_not_the_end_of_a_turn(rig: Rig):
    await in_line(rig)
    rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.QR_EXPIRED, retry_in=1)
    rig.accounts.move(BERLIN, State.CONNECTING, Reason.RETRY, stage=Stage.QUEUED)
    await rig.answer(ADMIN, "/help", "Switchboard")
    assert not [text for text in rig.bot_texts(ADMIN) if "2 of 3" in text]


async def test_skip_closes_the_open_one_and_the_next_begins(rig: Rig):
    told = await in_line(rig)
    await rig.press(told, "Skip")
    await rig.seen(ADMIN, lambda m: "2 of 3" in m["text"])
    assert rig.accounts.status(BERLIN).state is State.SUSPENDED
    assert (ADMIN, "skip", BERLIN, "the next one begins") in rig.records.audited


async def test_stop_ends_the_whole_line_and_says_who_was_left(rig: Rig):
    told = await in_line(rig)
    await rig.press(told, "Stop")
    over = await rig.seen(ADMIN, lambda m: "Stopped" in m["text"])
    assert "Paris" in over["text"]
    assert "Rome" in over["text"]
    assert f"To go on, send /link {BERLIN}, {PARIS}" in over["text"]
    assert rig.accounts.status(BERLIN).state is State.SUSPENDED
    answer = await rig.press(told | {"buttons": told["buttons"]}, "Stop") if over["buttons"] else None
    assert answer is None


async def test_nobody_waits_for_another_person_s_line(rig: Rig):
    await rig.say(OPERATOR, "/start")
    await in_line(rig)
    await rig.say(OPERATOR, "/link +34612345678 Madrid")
    await until(lambda: started(rig)[3:] == ["+34612345678"], "the other person's begins at once")
    await rig.say(OPERATOR, "/link +34612345679 Bilbao")
    await rig.seen(OPERATOR, lambda m: "1 of 2" in m["text"])


async def test_several_numbers_in_one_message_are_one_answer(rig: Rig):
    told = await rig.answer(ADMIN, f"/link {BERLIN} Support Berlin\n{PARIS}, Paris\n+49 12 Short\n{BERLIN}", "1 of 2")
    assert "too short" in told["text"]
    assert "Paris" in told["text"]
    await until(lambda: started(rig) == [BERLIN, PARIS], "the first begins, the next is opened ahead")
    assert [each.name for each in rig.accounts.accounts()] == ["Support Berlin", "Paris"]
    assert sum("too short" in text for text in rig.bot_texts(ADMIN)) == 1


async def test_several_numbers_of_which_none_can_be_linked_begin_nothing(rig: Rig):
    await rig.answer(ADMIN, "/link 12\n13", "none that I can link")
    assert rig.accounts.calls == []


async def test_new_code_begins_anew_in_the_same_message(rig: Rig):
    await rig.say(ADMIN, f"/link {BERLIN} Support Berlin")
    await until(lambda: started(rig) == [BERLIN], "it begins")
    rig.accounts.show_code()
    photo = await rig.seen(ADMIN, lambda m: bool(m["photo"]))
    await rig.press(photo, "New code")
    await until(lambda: started(rig) == [BERLIN, BERLIN], "it begins anew")
    rig.accounts.show_code()
    await until(lambda: rig.client.requests("editMessageMedia"), "it is renewed in place")
    assert len(rig.client.requests("sendPhoto")) == 1


async def test_new_code_keeps_its_turn_while_the_browser_is_still_closing(rig: Rig):
    await in_line(rig)
    rig.accounts.show_code()
    photo = await rig.seen(ADMIN, lambda m: bool(m["photo"]))
    rig.accounts.closes_slowly = True
    await rig.press(photo, "New code")
    await until(lambda: started(rig)[3:] == [BERLIN], "it is to begin anew")
    await rig.answer(ADMIN, "/alerts", "silenced")  # by then the press has been carried out
    rig.accounts.closed(BERLIN)
    rig.accounts.show_code()
    await until(lambda: rig.client.requests("editMessageMedia"), "its code is renewed in place")
    assert started(rig)[3:] == [BERLIN]
    assert not any("skipped" in text for text in rig.bot_texts(ADMIN))


async def test_an_account_that_is_linked_waits_in_no_line(rig: Rig):
    await in_line(rig)
    rig.accounts.put("+34612345678", "Madrid", linked=True, state=State.SUSPENDED)
    assert isinstance(rig.accounts.account("+34612345678"), Account)
    await rig.say(ADMIN, "/reconnect Madrid")
    await until(lambda: started(rig)[3:] == ["+34612345678"], "it begins at once")


async def test_one_that_is_linked_while_it_waits_leaves_the_line(rig: Rig):
    await in_line(rig)
    rig.accounts.move(PARIS, State.CONNECTED, Reason.LINKED)
    await rig.seen(ADMIN, lambda m: "1 of 2" in m["text"] and "linked: Paris" in m["text"])
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    await rig.seen(ADMIN, lambda m: "2 of 2: " in m["text"] and "Rome" in m["text"])


async def test_one_that_is_removed_while_it_waits_leaves_the_line(rig: Rig):
    await in_line(rig)
    question = await rig.answer(ADMIN, f"/remove {PARIS}", "Remove")
    await rig.press(question, "Yes")
    await rig.seen(ADMIN, lambda m: "1 of 2" in m["text"] and "Paris" not in m["text"])


async def test_a_number_in_somebody_else_s_line_is_told_among_several(rig: Rig):
    await in_line(rig)
    await rig.answer(SECOND_ADMIN, f"/link {PARIS}\n{MADRID} Madrid", "Ada has Paris")
    await until(lambda: started(rig)[3:] == [MADRID], "the other one begins")
    await rig.answer(SECOND_ADMIN, f"/link {ROME}", "Ada has Rome")
    assert started(rig)[3:] == [MADRID]


async def test_who_is_removed_has_no_line_any_more(rig: Rig):
    await let_in(rig, "operator")
    await rig.say(STRANGER, f"/link {BERLIN} Support Berlin\n{PARIS} Paris")
    await rig.seen(STRANGER, lambda m: "1 of 2" in m["text"])
    await rig.press(await rig.answer(ADMIN, "/people", "operator"), "Eve")
    await rig.press(await rig.seen(ADMIN, lambda m: "Let in by Ada" in m["text"]), "Remove")
    await rig.press(await rig.seen(ADMIN, lambda m: "60 s to answer" in m["text"]), "Yes")
    await rig.seen(STRANGER, lambda m: "not yours any more" in m["text"] and not m["buttons"])
    rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.QR_EXPIRED)
    await until(lambda: rests(rig, PARIS), "what was opened ahead is closed")


async def test_a_line_that_a_restart_cut_short_is_told_and_can_go_on(telegram: TelegramStandIn, database: Database):
    messages, accounts = FakeMessages(), FakeAccounts()
    async with running_rig(telegram, database, messages, accounts) as rig:
        told = await in_line(rig)
        await until(lambda: "Paris" in told["text"] and ("line", str(ADMIN), ADMIN) in messages.rows, "it is stored")
        row = messages.rows["line", str(ADMIN), ADMIN]
        assert row.shown.split(",") == [BERLIN, PARIS, ROME]
    async with running_rig(telegram, database, messages, accounts) as rig:
        broken = await rig.seen(ADMIN, lambda m: "I was restarted" in m["text"])
        assert broken["message_id"] == told["message_id"]
        assert f"/link {BERLIN}, {PARIS}, {ROME}" in broken["text"]
        assert broken["buttons"] == []
        await until(lambda: not [key for key in messages.rows if key[0] == "line"], "it is told once")
        await rig.say(ADMIN, f"/link {BERLIN}, {PARIS}, {ROME}")
        await rig.seen(ADMIN, lambda m: "1 of 3" in m["text"] and "Rome" in m["text"])


async def test_a_contact_card_is_a_link_and_a_comma_in_its_name_stays(rig: Rig):
    await rig.answer(ADMIN, "/help", "Switchboard")
    send_contact(rig, "4915112345678", "Berlin, Support")
    await until(lambda: started(rig) == [BERLIN], "it begins")
    assert rig.accounts.account(BERLIN).name == "Berlin, Support"
    send_contact(rig, "33612345678", "Paris")
    send_contact(rig, "+39 06 1234 5678", "Rome")
    await rig.seen(ADMIN, lambda m: "1 of 3" in m["text"] and "Rome" in m["text"])


async def test_what_was_never_linked_and_is_stopped_is_begun_anew_by_link(rig: Rig):
    await rig.say(ADMIN, f"/link {BERLIN} Support Berlin")
    await until(lambda: started(rig) == [BERLIN], "it begins")
    rig.accounts.show_code()
    photo = await rig.seen(ADMIN, lambda m: bool(m["photo"]))
    await rig.press(photo, "Stop")
    card = await rig.seen(ADMIN, lambda m: "Paused since" in m["text"])
    assert "Link again sends a new code" in card["text"]


async def test_a_line_goes_on_in_the_supergroup_that_its_group_becomes(rig: Rig):
    await rig.answer(ADMIN, "/help", "Switchboard")
    group = rig.client.add_group("Ops", [ADMIN, SECOND_ADMIN])["id"]
    numbers = [f"+4915112345{n:03}" for n in range(12)]
    await rig.say(ADMIN, "/link " + ", ".join(numbers), chat=group)
    await rig.seen(group, lambda m: "1 of 12" in m["text"])
    large = rig.client.migrate(group)["id"]
    await rig.seen(large, lambda m: "1 of 12" in m["text"])
    rig.accounts.move(numbers[0], State.CONNECTED, Reason.LINKED)
    told = await rig.seen(large, lambda m: "2 of 12" in m["text"])
    rig.accounts.show_code(numbers[1])
    await rig.seen(ADMIN, lambda m: bool(m["photo"]) and "2 of 12" in m["text"])
    await rig.press(told, "Stop")
    await rig.seen(large, lambda m: "Stopped" in m["text"])
    await until(lambda: not [row for row in rig.messages.rows if row[0] == "line"], "nothing of it is left")
