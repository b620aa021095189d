"""A request's life: what comes late is asked about, equal questions are answered once, and no crash loses a command."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

import pytest

from controller.accounts.reasons import Reason, State
from handlers.chat.button_codes import CONFIRM_SECONDS
from handlers.telegram.connection import TelegramConnection
from sandbox.telegram import TelegramStandIn
from storage.database import Database, open_database
from tests.handlers.conftest import Rig, running_rig
from tests.handlers.fakes import ADMIN, BERLIN, STRANGER, FakeAccounts, FakeMessages
from tests.virtual_time import wall_clock
from tests.waiting import until


@asynccontextmanager
async def away(rig: Rig, seconds: float = 1.5) -> AsyncIterator[None]:
    """Keep the bot from polling for a while, in which people write."""
    rule = rig.client.fail("500", method="getUpdates")
    yield
    await asyncio.sleep(seconds)
    rig.client.heal(rule.number)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr("handlers.telegram.polling.RETRY_FIRST", 0.05)
    monkeypatch.setattr("handlers.telegram.polling.RETRY_LONGEST", 0.1)


@pytest.fixture
def soon_late(monkeypatch) -> None:
    monkeypatch.setattr("handlers.telegram.intake.FRESH_FOR", timedelta(seconds=0.8))


@pytest.mark.usefixtures("soon_late")
async def test_a_change_that_comes_late_is_asked_about(rig: Rig):
    rig.accounts.put()
    await rig.answer(ADMIN, "/help", "Switchboard")
    async with away(rig):
        await rig.say(ADMIN, "/suspend Support Berlin")
    question = await rig.seen(ADMIN, lambda m: "This came late" in m["text"])
    assert "/suspend Support Berlin" in question["text"]
    assert rig.accounts.calls == []
    await rig.press(question, "Do it now")
    await rig.seen(ADMIN, lambda m: m["message_id"] == question["message_id"] and "Paused since" in m["text"])
    assert rig.accounts.calls == [("suspend", BERLIN)]


@pytest.mark.usefixtures("soon_late")
async def test_a_late_change_can_be_left(rig: Rig):
    rig.accounts.put()
    await rig.answer(ADMIN, "/help", "Switchboard")
    async with away(rig):
        await rig.say(ADMIN, "/suspend Support Berlin")
    question = await rig.seen(ADMIN, lambda m: "This came late" in m["text"])
    await rig.press(question, "Leave it")
    await rig.seen(ADMIN, lambda m: "Left as it is" in m["text"])
    assert rig.accounts.calls == []


@pytest.mark.usefixtures("soon_late")
async def test_a_press_that_comes_late_is_asked_about_too(rig: Rig):
    rig.accounts.put(state=State.SUSPENDED, reason=Reason.EXHAUSTED)
    detail = await rig.answer(ADMIN, "/status Support Berlin", "Attempts")
    data = next(b["data"] for b in detail["buttons"][0] if b["text"] == "Reconnect")
    await asyncio.sleep(1.1)  # the message's own age is no proof; Telegram counts it in whole seconds
    async with away(rig):
        await rig.client.press(detail["message_id"], data, user_id=ADMIN)
    question = await rig.seen(ADMIN, lambda m: "This came late" in m["text"])
    assert "Reconnect for Support Berlin" in question["text"]
    assert rig.accounts.calls == []
    await rig.press(question, "Do it now")
    await until(lambda: rig.accounts.calls == [("start", BERLIN, False)], "it is done")


async def test_durations_run_from_the_message(rig: Rig):
    rig.accounts.put()
    await rig.answer(ADMIN, "/help", "Switchboard")
    async with away(rig, 2.5):
        await rig.say(ADMIN, "/silence all 1m")
    await rig.seen(ADMIN, lambda m: "no alerts until" in m["text"])
    (silence,) = rig.service.alerts.silences.active()
    left = (silence.until - rig.accounts.clock()).total_seconds()
    assert 50 < left < 58.5


@pytest.mark.usefixtures("soon_late")
async def test_a_silence_that_is_over_by_now_is_not_begun(rig: Rig, monkeypatch):
    monkeypatch.setattr("handlers.telegram.intake.FRESH_FOR", timedelta(hours=1))
    rig.accounts.put()
    await rig.answer(ADMIN, "/help", "Switchboard")
    monkeypatch.setattr("handlers.telegram.actions.alert_actions.parse_duration", lambda _: timedelta(seconds=0.5))
    async with away(rig, 2.5):
        await rig.say(ADMIN, "/silence all 1m")
    await rig.seen(ADMIN, lambda m: "would be over by now" in m["text"])
    assert rig.service.alerts.silences.active() == []


async def test_equal_questions_are_answered_once(rig: Rig):
    await rig.answer(ADMIN, "/help", "Switchboard")
    async with away(rig, 0.5):
        for _ in range(12):
            await rig.say(ADMIN, "/status")
        await rig.say(ADMIN, "/help")
    await until(lambda: sum("Switchboard" in text for text in rig.bot_texts(ADMIN)) == 2, "the help")
    assert sum("no account yet; " not in text and "no account yet" in text for text in rig.bot_texts(ADMIN)) <= 2


async def test_nothing_that_people_send_is_met_with_silence(rig: Rig):
    await rig.answer(ADMIN, "/help", "Switchboard")
    rig.accounts.put(owner=ADMIN)
    user = rig.telegram.world.user(ADMIN).to_json()
    chat = {"id": ADMIN, "type": "private", "first_name": "Ada"}
    body: dict[str, Any] = {"message_id": 900, "date": int(rig.telegram.world.now()), "chat": chat, "from": user}
    photo = {"photo": [{"file_id": "a", "file_unique_id": "b", "width": 1, "height": 1}]}
    rig.telegram.world.updates.push("message", body | photo)
    await rig.seen(ADMIN, lambda m: "I understand commands" in m["text"])
    group = rig.client.add_group("Ops", [ADMIN])["id"]
    anonymous = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
    body = {"message_id": 901, "date": int(rig.telegram.world.now()), "chat": {"id": group, "type": "supergroup",
            "title": "Ops"}, "from": anonymous, "sender_chat": {"id": group, "type": "supergroup", "title": "Ops"},
            "text": "/status"}  # fmt: skip
    rig.telegram.world.updates.push("message", body)
    await rig.seen(group, lambda m: "Remain anonymous" in m["text"])


def update_of(rig: Rig, chat: dict[str, Any], user: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"message_id": 902, "date": int(rig.telegram.world.now()), "chat": chat, "from": user} | more


async def test_who_writes_as_a_channel_gets_one_hint_a_minute_and_a_post_of_the_group_s_channel_none(rig: Rig):
    rig.accounts.put(state=State.CONNECTED, reason=Reason.LINKED)
    group = rig.client.add_group("Ops", [ADMIN], supergroup=True)["id"]
    chat, news = ({"id": n, "type": t, "title": "Ops"} for n, t in ((group, "supergroup"), (-100777, "channel")))
    bot = {"id": 136817688, "is_bot": True, "first_name": "Channel", "username": "Channel_Bot"}
    telegram_itself = {"id": 777000, "is_bot": False, "first_name": "Telegram"}
    rig.client.push_update(
        "message", update_of(rig, chat, telegram_itself, sender_chat=news, is_automatic_forward=True, text="/status")
    )
    for _ in range(5):
        rig.client.push_update("message", update_of(rig, chat, bot, sender_chat=news, text="/suspend Support Berlin"))
    await rig.seen(group, lambda m: "write as the group, or as a channel" in m["text"])
    await rig.answer(ADMIN, "/help", "Switchboard")
    assert len(rig.bot_texts(group)) == 1
    assert rig.accounts.calls == []


async def test_a_forwarded_command_is_asked_about_and_a_forwarded_contact_is_a_number(rig: Rig):
    await rig.answer(ADMIN, "/help", "Switchboard")
    rig.accounts.put(state=State.CONNECTED, reason=Reason.LINKED)
    chat, user = {"id": ADMIN, "type": "private", "first_name": "Ada"}, rig.telegram.world.user(ADMIN).to_json()
    origin = {"type": "user", "date": 1, "sender_user": {"id": STRANGER, "is_bot": False, "first_name": "Eve"}}
    forward = update_of(rig, chat, user, forward_origin=origin)
    rig.client.push_update("message", forward | {"text": "/suspend Support Berlin"})
    question = await rig.seen(ADMIN, lambda m: "You forwarded this: /suspend Support Berlin" in m["text"])
    assert rig.accounts.calls == []
    await rig.press(question, "Do it now")
    await until(lambda: ("suspend", BERLIN) in rig.accounts.calls, "it is done once agreed")
    rig.client.push_update("message", forward | {"text": "/status nobody"})
    await rig.seen(ADMIN, lambda m: "No account is called" in m["text"])
    contact = {"first_name": "Shop", "phone_number": "4915112340000"}
    rig.client.push_update("message", forward | {"contact": contact})
    await until(lambda: "+4915112340000" in rig.accounts.to_link, "it is linked")


async def test_a_command_that_was_edited_is_not_obeyed_and_not_met_with_silence(rig: Rig):
    await rig.answer(ADMIN, "/help", "Switchboard")
    rig.accounts.put(state=State.CONNECTED, reason=Reason.LINKED)
    chat, user = {"id": ADMIN, "type": "private", "first_name": "Ada"}, rig.telegram.world.user(ADMIN).to_json()
    stranger = {"id": STRANGER, "is_bot": False, "first_name": "Eve"}
    for who in (stranger, user, user):
        edited = update_of(rig, chat | {"id": who["id"]}, who, edit_date=1, text="/suspend Support Berlin")
        rig.client.push_update("edited_message", edited)
    await rig.seen(ADMIN, lambda m: "I do not follow edits" in m["text"])
    await rig.answer(ADMIN, "/status nobody", "nobody")
    assert rig.accounts.calls == []
    assert sum("edits" in text for text in rig.bot_texts(ADMIN)) == 1


@pytest.mark.parametrize("kind", ["drop", "lost"])
async def test_an_answer_whose_connection_breaks_is_given(rig: Rig, kind: str):
    await rig.answer(ADMIN, "/help", "Switchboard")
    rig.client.fail(kind, count=1, method="sendMessage")
    await rig.answer(ADMIN, "/status nobody", "No account is called")
    await asyncio.sleep(30)
    assert 1 <= sum("No account is called" in text for text in rig.bot_texts(ADMIN)) <= 2


async def test_an_answer_follows_a_group_that_moves_while_it_waits(rig: Rig):
    group = rig.client.add_group("Ops", [ADMIN])["id"]
    await rig.answer(ADMIN, "/status nobody1", "nobody1", group)
    rule = rig.client.fail("500", chat_id=group, method="sendMessage")
    await rig.say(ADMIN, "/status nobody2", group)
    await asyncio.sleep(1)
    new = rig.client.migrate(group)["id"]
    rig.client.heal(rule.number)
    await rig.seen(new, lambda m: "nobody2" in m["text"])


async def test_a_deleted_account_without_a_name_is_stored_like_any_other(rig: Rig, caplog):
    chat, user = {"id": ADMIN, "type": "private", "first_name": ""}, {"id": ADMIN, "is_bot": False, "first_name": ""}
    rig.client.push_update("message", update_of(rig, chat, user, text="/status nobody"))
    await rig.answer(ADMIN, "/help", "Switchboard")
    assert not [each for each in caplog.records if "could not be stored" in each.getMessage()]


async def test_a_strangers_press_stops_spinning_and_does_nothing(rig: Rig):
    group = rig.client.add_group("Ops", [ADMIN, STRANGER])["id"]
    rig.accounts.put(state=State.DISCONNECTED, reason=Reason.CONNECTION_LOST)
    detail = await rig.answer(ADMIN, "/status Support Berlin", "Attempts", chat=group)
    shown = await rig.press(detail, "Reconnect", user=STRANGER)
    assert shown is not None
    assert rig.accounts.calls == []


# --- a crash at any moment --------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process is not there any more."""


class Fuse:
    """Lets a number of steps happen, and then none: each externally visible step passes here before and after."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    @property
    def blown(self) -> bool:
        return self.left <= 0

    def step(self) -> None:
        if self.blown:
            raise Killed
        self.left -= 1
        if self.blown:
            raise Killed


class FusedDatabase:
    """The database of a process that may be killed at any transaction, before or after its commit."""

    def __init__(self, database: Any, fuse: Fuse) -> None:
        self._database, self._fuse = database, fuse

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        self._fuse.step()
        async with self._database.transaction() as connection:
            yield connection
        self._fuse.step()

    async def rows(self, *arguments: Any) -> Any:
        self._fuse.step()
        return await self._database.rows(*arguments)


class FusedAccounts(FakeAccounts):
    """Accounts that obey a process that may be killed."""

    fuse: Fuse | None = None

    async def suspend(self, number: str) -> bool:
        if self.fuse is not None:
            self.fuse.step()
        done = await super().suspend(number)
        if self.fuse is not None:
            self.fuse.step()
        return done


def fused(connection: TelegramConnection, fuse: Fuse) -> None:
    perform = connection.client.perform

    async def killable(call: Any, **options: Any) -> Any:
        is_poll = call.__qualname__.endswith("_get_updates")
        try:
            if fuse.blown or not is_poll:
                fuse.step()
        except Killed:
            call.close()
            raise
        result = await perform(call, **options)
        if fuse.blown or not is_poll:
            fuse.step()
        return result

    connection.client.perform = killable  # type: ignore[method-assign]


async def lives_through(telegram: Any, path: Any, steps: int, ask: Any) -> tuple[bool, FusedAccounts, Rig]:
    """Send a request, kill the process after a number of steps, restart it, and wait until it is idle.

    Returns whether the process was killed.
    """
    accounts, messages, fuse = FusedAccounts(), FakeMessages(), Fuse(10**9)
    accounts.put(owner=ADMIN, state=State.DISCONNECTED, reason=Reason.CONNECTION_LOST)
    async with open_database(path) as database:
        with suppress(BaseExceptionGroup, Killed):
            async with running_rig(
                telegram, FusedDatabase(database, fuse), messages, accounts,  # type: ignore[arg-type]
                prepare=lambda connection: fused(connection, fuse),
            ) as rig:  # fmt: skip
                await rig.answer(ADMIN, "/help", "Switchboard")
                await until(lambda: rig.service._bot._intake.idle, "it is quiet")
                fuse.left, accounts.fuse = steps, fuse
                await ask(rig)
                await until(lambda: fuse.blown or rig.service._bot._intake.idle, "it is done or killed")
                killed, fuse.left = fuse.blown, 0
        accounts.fuse = None
        async with running_rig(telegram, database, messages, accounts) as rig:
            await until(lambda: telegram.world.updates.polling, "it polls again")
            await until(lambda: rig.service._bot._intake.idle and not rig.service._tasks._running, "it is quiet")
            return killed, accounts, rig


@pytest.mark.parametrize("steps", range(1, 24))
async def test_a_command_is_carried_out_once_or_answered_for_whenever_the_process_is_killed(telegram, tmp_path, steps):
    async def ask(rig: Rig) -> None:
        await rig.say(ADMIN, "/suspend Support Berlin")

    killed, accounts, rig = await lives_through(telegram, tmp_path / "killed.sqlite", steps, ask)
    texts = rig.bot_texts(ADMIN)
    done = any("Paused since" in text for text in texts)
    asked = any("I was stopped while I was doing this" in text for text in texts)
    assert accounts.calls.count(("suspend", BERLIN)) <= 1
    assert done or asked, texts
    if not accounts.calls:
        assert asked
    if not killed:
        assert done
        assert not asked


@pytest.mark.parametrize("steps", range(1, 24, 2))
async def test_a_confirmed_press_is_carried_out_once_or_answered_for(telegram, tmp_path, steps):
    async def ask(rig: Rig) -> None:
        fuse, rig.accounts.fuse = rig.accounts.fuse, None  # type: ignore[attr-defined]
        left, fuse.left = fuse.left, 10**9
        detail = await rig.answer(ADMIN, "/status Support Berlin", "Attempts")
        await rig.press(detail, "Suspend")
        question = await rig.seen(ADMIN, lambda m: "60 s to answer" in m["text"])
        await until(lambda: rig.service._bot._intake.idle, "it is quiet")
        fuse.left, rig.accounts.fuse = left, fuse  # type: ignore[attr-defined]
        data = question["buttons"][0][0]["data"]
        await rig.client.press(question["message_id"], data, user_id=ADMIN, chat_id=ADMIN)

    _, accounts, rig = await lives_through(telegram, tmp_path / "killed.sqlite", steps, ask)
    texts = rig.bot_texts(ADMIN)
    assert accounts.calls.count(("suspend", BERLIN)) <= 1
    done = any("Paused since" in text for text in texts)
    assert done or any("I was stopped while I was doing this" in text for text in texts), texts


async def test_a_question_that_a_crash_cut_short_is_answered_after_it(telegram, tmp_path):
    async def ask(rig: Rig) -> None:
        await rig.say(ADMIN, "/status")

    for steps in range(1, 8):
        _, _, rig = await lives_through(telegram, tmp_path / f"{steps}.sqlite", steps, ask)
        assert any("1 account" in text for text in rig.bot_texts(ADMIN))
        assert not any("I was stopped" in text for text in rig.bot_texts(ADMIN))


# --- a host whose clock is wrong --------------------------------------------------------------------------------------


class WrongClock:
    """The host's clock, so far ahead of the true time."""

    def __init__(self, ahead: timedelta) -> None:
        self.ahead = ahead

    def __call__(self) -> datetime:
        return wall_clock() + self.ahead


@asynccontextmanager
async def rig_on(clock: WrongClock, telegram: TelegramStandIn, database: Database) -> AsyncIterator[Rig]:
    async with running_rig(telegram, database, accounts=FakeAccounts(clock)) as rig:
        rig.accounts.put()
        yield rig


@pytest.mark.parametrize("hours", [1, -1])
async def test_what_people_send_now_is_not_late_on_a_host_whose_clock_is_wrong(telegram, database, hours):
    clock = WrongClock(timedelta(hours=hours))
    async with rig_on(clock, telegram, database) as rig:
        await rig.say(ADMIN, "/suspend Support Berlin")
        await until(lambda: rig.accounts.calls == [("suspend", BERLIN)], "it is done")


async def test_what_was_sent_before_a_start_is_as_old_as_telegram_says(telegram, database):
    await telegram.client.send(ADMIN, "/suspend Support Berlin")
    await asyncio.sleep(200)
    async with rig_on(WrongClock(timedelta(hours=-1)), telegram, database) as rig:
        await rig.seen(ADMIN, lambda m: "This came late, 3 min after you sent it" in m["text"])
        assert rig.accounts.calls == []


async def test_a_first_command_is_not_late_on_a_host_that_is_an_hour_ahead(telegram, database):
    await telegram.client.send(ADMIN, "/suspend Support Berlin")
    async with rig_on(WrongClock(timedelta(hours=1)), telegram, database) as rig:
        await until(lambda: rig.accounts.calls == [("suspend", BERLIN)], "it is done")


async def test_without_telegram_s_time_the_host_s_counts(telegram, database):
    telegram.date_ahead = None
    await telegram.client.send(ADMIN, "/suspend Support Berlin")
    async with rig_on(WrongClock(timedelta(hours=1)), telegram, database) as rig:
        await rig.seen(ADMIN, lambda m: "This came late" in m["text"])


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_jump_neither_ends_a_question_nor_keeps_it_open(telegram, database, hours):
    clock = WrongClock(timedelta(0))
    async with rig_on(clock, telegram, database) as rig:
        for seconds, done in ((5, True), (CONFIRM_SECONDS + 5, False)):
            rig.accounts.calls.clear()
            question = await rig.answer(ADMIN, "/remove Support Berlin", "?")
            clock.ahead += timedelta(hours=hours)
            await asyncio.sleep(seconds)
            data = question["buttons"][0][0]["data"]
            await rig.client.press(question["message_id"], data, user_id=ADMIN, stale=True)
            await asyncio.sleep(2)
            assert bool(rig.accounts.calls) is done
            if done:
                rig.accounts.put()


@pytest.mark.parametrize(("ahead", "jump"), [(1, 0), (-1, 0), (0, 3), (0, -3)])
async def test_a_silence_lasts_as_long_as_asked_for_whatever_the_host_s_clock_says(telegram, database, ahead, jump):
    clock = WrongClock(timedelta(hours=ahead))
    async with rig_on(clock, telegram, database) as rig:
        await rig.answer(ADMIN, "/silence all 30m", "no alerts until 12:30")
        clock.ahead += timedelta(hours=jump)
        rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.LOGGED_OUT, alert=Reason.LOGGED_OUT)
        await asyncio.sleep(29 * 60)
        assert not any("🚨" in text for text in rig.bot_texts(ADMIN))
        await asyncio.sleep(3 * 60)
        assert any("🚨 Support Berlin" in text for text in rig.bot_texts(ADMIN))


@pytest.mark.parametrize("hours", [6, -6])
async def test_who_is_on_duty_follows_people_s_clocks_and_not_the_host_s(telegram, database, hours):
    clock = WrongClock(timedelta(hours=hours))
    async with rig_on(clock, telegram, database) as rig:
        await rig.answer(ADMIN, "/duty plan daily 11:00-13:00 me", "Ada is on duty")
        clock.ahead = timedelta(hours=-hours)
        await rig.answer(ADMIN, "/duty", "Ada is on duty")
        await rig.answer(ADMIN, "/duty me until 14:00", "until 14:00")
