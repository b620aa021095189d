"""Alerts that Telegram rejects, or nobody acknowledges: the fallback channel and the list, in virtual time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from controller.accounts.reasons import Reason, State
from controller.incidents import DutyOverride, Roster, Target
from controller.troubles import Trouble
from handlers.alerts.escalation.escalator import EscalationPolicy
from handlers.alerts.incidents.book import Kind
from handlers.alerts.incidents.policy import AlertPolicy
from sandbox.telegram import TelegramStandIn
from storage.database import StorageError, open_database
from storage.duty import DutyRecords
from tests.handlers.conftest import Rig, running_rig
from tests.handlers.fakes import ADMIN, BERLIN, OPERATOR, PARIS, SECOND_ADMIN, UNLIMITED, FakeAccounts
from tests.virtual_time import pass_time, until, virtual, virtual_loop


@dataclass
class Outside:
    """A fallback channel that accepts everything, unless it is set to refuse."""

    sent: list[tuple[str, str]] = field(default_factory=list)
    takes: bool = True
    tries: int = 0

    @property
    def names(self) -> list[str]:
        return ["1 (mailto)"]

    async def send(self, title: str, text: str) -> dict[str, bool]:
        self.tries += 1
        if self.takes:
            self.sent.append((title, text))
        return {"1 (mailto)": self.takes}


@asynccontextmanager
async def rigged(
    folder: Path, outside: Outside | None = None, *, roster: Roster | None = None, **escalation: Any
) -> AsyncIterator[Rig]:
    loop = virtual_loop()
    async with (
        open_database(folder / "switchboard.sqlite") as database,
        TelegramStandIn(now=lambda: loop.clock().timestamp()) as telegram,
    ):
        for user, name in ((ADMIN, "Ada"), (SECOND_ADMIN, "Bob"), (OPERATOR, "Olga")):
            telegram.client.add_user(user, name)
            telegram.client.world.private_chat(user)
        if roster is not None:
            await DutyRecords(database).save(roster)
        options = {"escalation": EscalationPolicy(outside, **escalation), "alert_policy": AlertPolicy()}
        accounts = FakeAccounts(loop.clock)
        async with running_rig(telegram, database, None, accounts, limits=UNLIMITED, **options) as rig:
            await pass_time(30)
            yield rig


def lose(rig: Rig, number: str = BERLIN, reason: Reason = Reason.LOGGED_OUT, name: str = "Support Berlin") -> None:
    rig.accounts.put(number, name)
    rig.accounts.move(number, State.DISCONNECTED, reason, alert=reason)


def alerts(rig: Rig, chat: int) -> list[dict[str, Any]]:
    texts = ("🚨", "⏰")
    return [
        m
        for m in rig.client.messages(chat, deleted=True)
        if m["from"]["is_bot"] and m["text"].startswith(texts) and not m["deleted"]
    ]


def sounding(rig: Rig, chat: int) -> int:
    return sum(not m["silent"] for m in alerts(rig, chat))


# --- the fallback channel ---------------------------------------------------------------------------------------------


@virtual
async def test_what_telegram_takes_goes_nowhere_else(tmp_path):
    outside = Outside()
    async with rigged(tmp_path, outside, escalate_after=timedelta(0)) as rig:
        lose(rig)
        await pass_time(3600)
        assert alerts(rig, ADMIN)
        assert outside.sent == []


@virtual
async def test_while_telegram_is_away_it_goes_out_once_and_the_chat_tells_so_afterwards(tmp_path):
    outside = Outside()
    async with rigged(tmp_path, outside) as rig:
        rig.client.fail("drop", method="sendMessage")
        lose(rig)
        lose(rig, PARIS, name="Sales Paris")
        await pass_time(179)
        assert outside.sent == []
        await pass_time(1.5)
        ((title, text),) = outside.sent
        assert title == "Switchboard: 2 accounts need you"
        assert "Support Berlin, Sales Paris: logged out by its phone or by WhatsApp" in text
        assert "Telegram has not taken it for 3 min" in text
        await pass_time(3600)
        assert len(outside.sent) == 1

        rig.client.heal()
        await until(lambda: bool(alerts(rig, ADMIN)), 120)
        assert "📨 Sent by 1 (mailto), " in alerts(rig, ADMIN)[0]["text"]


@virtual
async def test_that_nobody_is_heard_leaves_too(tmp_path):
    outside = Outside()
    async with rigged(tmp_path, outside) as rig:
        rig.client.fail("drop")
        await pass_time(400)
        assert [title for title, _ in outside.sent] == ["Switchboard: I cannot hear you"]
        rig.client.heal()


@virtual
async def test_a_wall_clock_that_stands_still_does_not_keep_it_from_leaving(tmp_path):
    outside = Outside()
    async with rigged(tmp_path, outside) as rig:
        stood_at = virtual_loop().clock()
        rig.accounts.clock = rig.service.alerts._escalator._clock = lambda: stood_at
        rig.client.fail("drop", method="sendMessage")
        lose(rig)
        await pass_time(179)
        assert outside.sent == []
        await pass_time(7)
        assert len(outside.sent) == 1
        await pass_time(600)
        assert len(outside.sent) == 1


@virtual
async def test_with_both_ways_down_the_chat_gets_it_when_it_is_back_and_nothing_follows_outside(tmp_path):
    outside = Outside(takes=False)
    async with rigged(tmp_path, outside, escalate_after=timedelta(0)) as rig:
        rig.client.fail("drop", method="sendMessage")
        lose(rig)
        await pass_time(900)
        assert outside.tries >= 3
        assert rig.service.unsent(), "nobody was told"
        rig.client.heal()
        await until(lambda: sounding(rig, ADMIN) == 1, 120)
        assert not rig.service.unsent()
        outside.takes = True
        await pass_time(3600)
        assert outside.sent == []


@virtual
async def test_an_escalation_that_never_comes_is_never_looked_for(tmp_path, monkeypatch):
    looks: list[float] = []
    monkeypatch.setattr(
        "handlers.alerts.escalation.steps.open_troubles", lambda *_: looks.append(virtual_loop().time()) or []
    )
    async with rigged(tmp_path, escalate_after=timedelta(0)):
        looks.clear()
        await pass_time(600)
        assert looks == [], "nor by a fallback channel that is not there"


@virtual
async def test_what_nobody_took_is_tried_on_and_marked_when_somebody_did(tmp_path):
    outside = Outside(takes=False)
    async with rigged(tmp_path, outside) as rig:
        rig.client.fail("drop", method="sendMessage")
        lose(rig)
        await pass_time(900)
        assert 3 <= outside.tries <= 10
        outside.takes = True
        await pass_time(301)
        await pass_time(900)
        assert len(outside.sent) == 1


@virtual
async def test_the_mark_outlives_the_process(tmp_path):
    outside, again = Outside(), Outside()
    async with rigged(tmp_path, outside) as rig:
        rig.client.fail("drop", method="sendMessage")
        lose(rig)
        await pass_time(300)
        assert len(outside.sent) == 1
        rig.client.heal()
    async with rigged(tmp_path, again) as rig:
        rig.client.fail("drop", method="sendMessage")
        await pass_time(900)
        assert again.sent == []


@virtual
async def test_what_an_earlier_run_left_is_telegrams_first(tmp_path):
    outside, again = Outside(takes=False), Outside()
    async with rigged(tmp_path, outside) as rig:
        rig.client.fail("drop", method="sendMessage")
        lose(rig)
        await pass_time(600)
    async with rigged(tmp_path, again) as rig:
        assert alerts(rig, ADMIN)
        await pass_time(600)
        assert again.sent == []


@virtual
async def test_what_cannot_be_stored_leaves_too_when_telegram_is_away(tmp_path):
    outside = Outside()
    async with rigged(tmp_path, outside) as rig:
        rig.client.fail("drop", method="sendMessage")

        async def fail(_: object) -> None:
            raise StorageError("full", transient=True)

        rig.incidents.save = fail  # type: ignore[method-assign]
        await rig.service.alerts.announcer.trouble(Kind.ALERT, Trouble.DATABASE, "the disk is full")
        await pass_time(100)
        assert outside.sent == []
        await pass_time(100)
        assert len(outside.sent) == 1
        assert "the disk is full" in outside.sent[0][1]


@virtual
async def test_what_cannot_be_stored_and_telegram_takes_stays_there(tmp_path):
    outside = Outside()
    async with rigged(tmp_path, outside) as rig:

        async def fail(_: object) -> None:
            raise StorageError("full", transient=True)

        rig.incidents.save = fail  # type: ignore[method-assign]
        await rig.service.alerts.announcer.trouble(Kind.ALERT, Trouble.DATABASE, "the disk is full")
        await pass_time(600)
        assert outside.sent == []
        assert sounding(rig, ADMIN) == 1


# --- the list ---------------------------------------------------------------------------------------------------------


@virtual
async def test_nobody_acknowledges_and_the_next_is_called_then_everybody_outside(tmp_path):
    outside = Outside()
    roster = Roster(targets=(Target(SECOND_ADMIN, "Bob"), Target(OPERATOR, "Olga")))
    async with rigged(tmp_path, outside, roster=roster) as rig:
        lose(rig)
        await pass_time(60)
        assert (sounding(rig, SECOND_ADMIN), sounding(rig, OPERATOR)) == (1, 0)
        await pass_time(870)
        assert sounding(rig, SECOND_ADMIN) == 2, "Bob is called again, by himself"
        assert "⏫ Nobody acknowledged it: Bob was called" in alerts(rig, ADMIN)[0]["text"]
        await pass_time(910)
        assert sounding(rig, OPERATOR) == 1
        assert outside.sent == []
        await pass_time(910)
        assert len(outside.sent) == 1
        assert "nobody acknowledged it there" in outside.sent[0][1]
        await pass_time(9000)
        assert len(outside.sent) == 1
        assert (sounding(rig, SECOND_ADMIN), sounding(rig, OPERATOR)) == (2, 1)


@virtual
async def test_an_acknowledgement_in_any_chat_ends_the_escalation(tmp_path):
    outside = Outside()
    async with rigged(tmp_path, outside, roster=Roster(targets=(Target(OPERATOR, "Olga"),))) as rig:
        lose(rig)
        await pass_time(60)
        await rig.press(alerts(rig, SECOND_ADMIN)[0], "Acknowledge", SECOND_ADMIN)
        await pass_time(3600)
        assert sounding(rig, OPERATOR) == 0
        assert outside.sent == []


# --- duty -------------------------------------------------------------------------------------------------------------


def on_duty(user: int, name: str) -> Roster:
    return Roster(DutyOverride(user, name, virtual_loop().clock() + timedelta(days=9)))


@virtual
async def test_who_is_on_duty_hears_it_and_the_others_read_it_until_it_is_escalated(tmp_path):
    async with rigged(tmp_path, roster=on_duty(OPERATOR, "Olga")) as rig:
        lose(rig)
        await pass_time(60)
        assert [sounding(rig, chat) for chat in (OPERATOR, ADMIN, SECOND_ADMIN)] == [1, 0, 0]
        assert "📟 Olga is on duty" in alerts(rig, ADMIN)[0]["text"]
        await pass_time(900)
        assert [sounding(rig, chat) for chat in (OPERATOR, ADMIN, SECOND_ADMIN)] == [1, 1, 1]
        await pass_time(3600)
        assert [sounding(rig, chat) for chat in (OPERATOR, ADMIN, SECOND_ADMIN)] == [1, 1, 1]


@virtual
async def test_where_who_is_on_duty_cannot_be_reached_the_others_hear_it(tmp_path):
    async with rigged(tmp_path, roster=on_duty(OPERATOR, "Olga")) as rig:
        rig.client.block(OPERATOR)
        lose(rig)
        await pass_time(60)
        assert (
            len([r for r in rig.client.requests("sendMessage") if str(r.parameters["chat_id"]) == str(OPERATOR)]) <= 3
        ), "left alone"
        assert sounding(rig, ADMIN) >= 1, "the one that nobody else got"
        lose(rig, PARIS, name="Sales Paris")
        await pass_time(60)
        assert sounding(rig, SECOND_ADMIN) >= 2, "and those that follow"


@virtual
async def test_everybody_hears_of_a_change_of_duty(tmp_path):
    soon = virtual_loop().clock() + timedelta(minutes=10)
    async with rigged(tmp_path, roster=Roster(DutyOverride(ADMIN, "Ada", soon))) as rig:
        await pass_time(900)
        for chat in (ADMIN, SECOND_ADMIN):
            assert any("Nobody is on duty now" in text for text in rig.bot_texts(chat))


@virtual
async def test_where_there_is_nobody_to_call_nothing_is_stored(tmp_path):
    async with rigged(tmp_path) as rig:
        lose(rig)
        await pass_time(3600)
        (entry,) = rig.service.alerts.handling.open_incidents(ADMIN)[0].open_entries
        assert (entry.escalated, sounding(rig, ADMIN)) == (0, 1)
