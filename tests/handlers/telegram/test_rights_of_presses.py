"""In a group, a topic and a channel everybody sees the same buttons: who may not press one is told so in one line.

Every button under an alert, an account's details and its card is pressed by every role, through the real handlers.
"""

from typing import Any

import pytest

from controller.accounts.reasons import Reason, Remedy, State
from controller.incidents import DutyOverride, Roster
from handlers.chat.destination import Destination
from handlers.texts import answers
from handlers.texts import people as people_text
from storage.duty import DutyRecords
from storage.people import PeopleRecords
from tests.handlers.conftest import Rig, running_rig
from tests.handlers.fakes import ADMIN, OPERATOR, SECOND_ADMIN, STRANGER
from tests.virtual_time import wall_clock
from tests.waiting import until

OTHER, VIEWER = 2002, 3002
EVERYBODY = (ADMIN, SECOND_ADMIN, OPERATOR, OTHER, VIEWER, STRANGER)
LOST: dict[str, tuple[State, Reason, dict[str, Any]]] = {
    "logged out": (State.DISCONNECTED, Reason.LOGGED_OUT, {}),
    "exhausted": (State.SUSPENDED, Reason.EXHAUSTED, {}),
    "opened elsewhere": (State.DISCONNECTED, Reason.CONFLICT, {}),
    "number in question": (
        State.CONNECTED, Reason.CONFIRM_NUMBER, {"unconfirmed": "+4915112345670", "remedies": (Remedy.CONFIRM,)}
    ),
    "dialog": (State.CONNECTED, Reason.DIALOG, {"dialog": "What’s new", "remedies": (Remedy.CONTINUE,)}),
}  # fmt: skip
FOR_ALL = {"Acknowledge", "Silence 1 h", "Silence 8 h", "History", "All accounts"}
REFUSALS = {answers.NOT_YOURS, people_text.ONLY_VIEWER, answers.ONLY_ADMINS}


def may(user: int, label: str) -> bool:
    """Return whether a person may press a button about the operator's account."""
    if user in {ADMIN, OPERATOR} or (user == OTHER and label == "All accounts"):  # which lists the presser's own
        return True
    return user == VIEWER and label in {"Acknowledge", "History", "All accounts"}


def labels(message: dict[str, Any]) -> list[str]:
    return [button["text"] for row in message["buttons"] for button in row]


def told(rig: Rig, chat: int) -> list[tuple[int, str]]:
    return [(m["message_id"], m["text"]) for m in rig.client.from_bot(chat)]


async def press_all(rig: Rig, message: dict[str, Any], skip: set[str]) -> None:
    """Let everybody who may not press each button, and check what they are told; then the operator."""
    chat = message["chat_id"]
    for label in [label for label in labels(message) if label not in skip]:
        for user in (OTHER, VIEWER, STRANGER):
            if may(user, label):
                continue
            before = (told(rig, chat), list(rig.accounts.calls), list(rig.records.audited))
            answer = await rig.press(message, label, user)
            assert answer is not None, f"{user} pressed {label}, and it spins"
            if user == STRANGER:
                assert not answer["text"]
            else:
                assert answer["text"] in REFUSALS, f"{user} pressed {label}: {answer['text']}"
                assert "\n" not in answer["text"] and len(answer["text"]) <= 200
            assert (told(rig, chat), rig.accounts.calls, rig.records.audited) == before, f"{user}: {label}"
    if skip:
        return
    answer = await rig.press(message, "Acknowledge" if "Acknowledge" in labels(message) else "History", VIEWER)
    assert (answer or {}).get("text") not in REFUSALS


@pytest.mark.parametrize("kind", ["group", "topic", "channel"])
async def test_who_may_not_press_a_button_is_told_so_and_nothing_happens(telegram, database, kind):
    client, topic = telegram.client, None
    for user in (OTHER, VIEWER, STRANGER):
        client.add_user(user, f"User {user}")
    for user in EVERYBODY:
        client.world.private_chat(user)  # who cannot be written to is told of in the chat, at any moment
    if kind == "channel":
        chat = client.add_channel("Ops", list(EVERYBODY))["id"]
    else:
        forum = kind == "topic"
        chat = client.add_group("Ops", list(EVERYBODY), supergroup=True, forum=forum)["id"]
        topic = client.open_topic(chat, "Alerts", ADMIN) if forum else None
    await PeopleRecords(database).save(VIEWER, "viewer", "Vera", added_by=ADMIN, at=wall_clock())
    options = {"alert_chat": Destination(chat, topic), "operators": (OPERATOR, OTHER)}
    async with running_rig(telegram, database, **options) as rig:
        await rig.answer(ADMIN, "/help", "Switchboard")
        for place, (name, (state, reason, more)) in enumerate(LOST.items()):
            number, skip = f"+4915112345{place:03}", FOR_ALL if place else set()
            rig.accounts.put(number, name, owner=OPERATOR)
            rig.accounts.move(number, state, reason, alert=reason)
            rig.accounts.put(number, name, owner=OPERATOR, state=state, reason=reason, **more)
            rig.service.alerts.account_changed(number)
            alert = await rig.seen(chat, lambda m, name=name: "🚨" in m["text"] and name in m["text"])
            await press_all(rig, alert, skip)
            if kind != "channel":
                await client.send(ADMIN, f"/status {number}", chat_id=chat, thread_id=topic)
                detail = await rig.seen(chat, lambda m, name=name: "Attempts" in m["text"] and name in m["text"])
                await press_all(rig, detail, skip)
            if kind == "topic" and place:
                break


async def test_who_may_start_none_of_several_is_told_so_and_who_may_starts_theirs(telegram, database):
    client = telegram.client
    client.add_user(OTHER, "Otto")
    group = client.add_group("Ops", [ADMIN, SECOND_ADMIN, OPERATOR, OTHER])["id"]
    async with running_rig(telegram, database, alert_chat=group, operators=(OPERATOR, OTHER)) as rig:
        await rig.answer(ADMIN, "/help", "Switchboard")
        for place in range(5):
            rig.accounts.put(f"+4915112345{place:03}", f"Shop {place}", owner=OPERATOR if place < 2 else ADMIN)
            rig.accounts.move(f"+4915112345{place:03}", State.SUSPENDED, Reason.EXHAUSTED, alert=Reason.EXHAUSTED)
        alert = await rig.seen(group, lambda m: "5 accounts need you" in m["text"])
        assert (await rig.press(alert, "Reconnect 5 accounts", OTHER) or {})["text"] == answers.NOT_YOURS
        await rig.press(alert, "Reconnect 5 accounts", OPERATOR)
        question = await rig.seen(group, lambda m: "Reconnect 2 accounts, one after" in m["text"])
        await rig.press(question, "Yes", OPERATOR)
        await until(lambda: len([c for c in rig.accounts.calls if c[0] == "start"]) == 2, "only theirs are started")


@pytest.mark.parametrize("user", [VIEWER, OTHER])
async def test_whoever_is_on_duty_without_the_right_to_act_has_no_such_button_and_is_told_who_can(
    telegram, database, user
):
    telegram.client.add_user(user, "Vera")
    telegram.client.world.private_chat(user)
    if user == VIEWER:
        await PeopleRecords(database).save(VIEWER, "viewer", "Vera", added_by=ADMIN, at=wall_clock())
    until_then = wall_clock().replace(year=wall_clock().year + 1)
    await DutyRecords(database).save(Roster(override=DutyOverride(user, "Vera", until_then)))
    async with running_rig(telegram, database, operators=(OPERATOR, OTHER)) as rig:
        await rig.answer(ADMIN, "/help", "Switchboard")
        rig.accounts.put(owner=OPERATOR)
        rig.accounts.move("+4915112345678", State.DISCONNECTED, Reason.LOGGED_OUT, alert=Reason.LOGGED_OUT)
        alert = await rig.seen(user, lambda m: "🚨" in m["text"])
        assert "Have its operator or an admin link it again" in alert["text"]
        silences = [] if user == VIEWER else ["Silence 1 h", "Silence 8 h"]
        assert labels(alert) == ["Acknowledge", *silences]
        for label in silences[:1]:
            assert (await rig.press(alert, label, user) or {}).get("text") not in REFUSALS
        assert "Thank you" in (await rig.press(alert, "Acknowledge", user) or {})["text"]
        assert "Link again" in labels(await rig.seen(ADMIN, lambda m: "🚨" in m["text"]))
