"""Databases left by earlier commits are migrated by today's code, and nothing in them is lost.

Each `tests/storage/golden/COMMIT.sql` was made by that commit's own code; `make_COMMIT.py` beside it is how.
"""

import sqlite3
from pathlib import Path

import pytest

from controller.accounts.model import Wanted
from controller.accounts.reasons import Reason, State
from storage.accounts import AccountRecords
from storage.database import open_database
from storage.incidents import IncidentRecords
from storage.messages import MessageStore
from tests.handlers.conftest import QUICK, running_rig
from tests.handlers.fakes import ADMIN, SECOND_ADMIN, FakeAccounts

GOLDEN = Path(__file__).parents[2] / "storage" / "golden"
NUMBERS = [f"+49151123{at:05}" for at in range(40)]


@pytest.fixture
def path(tmp_path):
    """The database of 5bb7d17."""
    path = tmp_path / "switchboard.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript((GOLDEN / "5bb7d17.sql").read_text("utf-8"))
    connection.close()
    return path


@pytest.fixture
async def database(path):
    async with open_database(path) as opened:
        yield opened


async def test_accounts_in_every_state_come_back(database):
    accounts = await AccountRecords(database).accounts()
    assert [(each.number, each.state, each.reason, each.wanted) for each in accounts] == [
        (NUMBERS[0], State.IDLE, Reason.ASKED, Wanted.IDLE),
        (NUMBERS[1], State.CONNECTING, Reason.RETRY, Wanted.CONNECTED),
        (NUMBERS[2], State.CONNECTED, Reason.LINKED, Wanted.SUSPENDED),
        (NUMBERS[3], State.DISCONNECTED, Reason.LOGGED_OUT, Wanted.IDLE),
        (NUMBERS[4], State.ERROR, Reason.PAGE_UNKNOWN, Wanted.CONNECTED),
        (NUMBERS[5], State.SUSPENDED, Reason.BANNED, Wanted.SUSPENDED),
    ]
    assert len(await AccountRecords(database).history(NUMBERS[5], 10)) == 1


async def test_what_was_owed_is_an_incident_that_nobody_was_told_of(database):
    records = IncidentRecords(database)
    by_chat = {
        chat: [each for each in await records.incidents() if each.chat == chat] for chat in (ADMIN, SECOND_ADMIN)
    }
    for incidents in by_chat.values():
        untold = [{entry.number for entry in each.open_entries} for each in incidents if each.told_at is None]
        assert untold == [{NUMBERS[28], NUMBERS[29]}, {NUMBERS[26]}, {NUMBERS[30]}], "under way, held back, owed"
        grouped = next(each for each in incidents if each.entries[0].number == NUMBERS[22])
        assert [entry.number for entry in grouped.entries] == NUMBERS[22:26]
        assert grouped.told_at is not None
        assert grouped.parts[0].message
        acknowledged = next(each for each in incidents if any(e.number == NUMBERS[21] for e in each.entries))
        assert "Ada is on it" in acknowledged.acknowledged_by
    assert [each.parts[0].sending for each in by_chat[ADMIN] if each.told_at is None and each.parts] == [True]
    notes = await records.notes()
    assert sorted((each.chat, each.has_picture) for each in notes) == [
        (ADMIN, False), (ADMIN, True), (SECOND_ADMIN, False), (SECOND_ADMIN, True),
    ]  # fmt: skip
    (picture, *_) = [each for each in notes if each.has_picture]
    assert (await records.picture(picture.id) or b"").startswith(b"\x89PNG")


async def test_silences_topics_and_chats_come_along(database):
    records = IncidentRecords(database)
    (silence,) = await records.silences(FakeAccounts().clock())
    assert (silence.chat, silence.numbers, silence.name) == (None, frozenset(NUMBERS[26:28]), "Ada")
    assert await records.moved() == {-4000000001: -1001000000002}
    assert await records.topics(-1001000000001) == {NUMBERS[10]: 2}
    assert await records.gone() == {4004}
    assert len(await MessageStore(database).references("card")) == 18


async def test_alerts_of_the_earlier_program_go_out_and_end(telegram, database):
    accounts = FakeAccounts()
    for at in range(40):
        accounts.put(NUMBERS[at], f"Account {at:02}", linked=True)
    for admin in (ADMIN, SECOND_ADMIN):  # a chat that is not there is left alone for ten minutes
        telegram.client.world.private_chat(admin)
    async with running_rig(telegram, database, MessageStore(database), accounts, alert_policy=QUICK) as rig:
        for admin in (ADMIN, SECOND_ADMIN):
            await rig.seen(admin, lambda m: "Account 28" in m["text"] and "Account 29" in m["text"])
            await rig.seen(admin, lambda m: "Account 30" in m["text"] and "🚨" in m["text"])
            await rig.seen(admin, lambda m: m["text"] == "A note that is owed.")
            await rig.seen(admin, lambda m: m["photo"] is not None)
            assert not any("Account 26" in text and "🚨" in text for text in rig.bot_texts(admin)), "held back"
        for at in (22, 23, 24, 25):
            accounts.move(NUMBERS[at], State.CONNECTED, Reason.LINKED)
        await rig.seen(ADMIN, lambda m: "4 accounts connected by" in m["text"])
        (silence,) = rig.service.alerts.silences.active()
        await rig.service.alerts.silences.end(silence.id)
        for admin in (ADMIN, SECOND_ADMIN):
            await rig.seen(admin, lambda m: "Account 26" in m["text"] and "🚨" in m["text"])
            assert not any("Account 27" in text and "🚨" in text for text in rig.bot_texts(admin)), (
                "over in the silence"
            )


async def test_rows_of_garbage_cost_one_warning_each_and_nothing_else(path, telegram, caplog):
    connection = sqlite3.connect(path)
    connection.execute("UPDATE incidents SET body = 'garbage' WHERE id = (SELECT min(id) FROM incidents)")
    connection.execute("INSERT INTO incidents VALUES (1, 1001, '[]')")
    connection.execute(
        "INSERT INTO outbox (chat, kind, number, body, at, due_at) VALUES (1001, 'smell', '', '', '', '')"
    )
    connection.execute(
        "INSERT INTO outbox (chat, kind, number, body, at, due_at) SELECT 1001, 'alert', '+4915112300035',"
        ' \'{"reason": "tide_tables"}\', at, at FROM outbox LIMIT 1'
    )
    connection.commit()
    connection.close()
    async with open_database(path) as database:
        migrated = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
        assert len([line for line in migrated if "Incident" in line and "left out" in line]) == 2
        assert len([line for line in migrated if "unknown kind" in line]) == 1
        async with database.transaction() as connection:
            await connection.execute(
                "UPDATE incidents SET opened_at = 'long ago' WHERE id = (SELECT max(id) FROM incidents)"
            )
        records = IncidentRecords(database)
        for _ in range(2):
            found = [entry for each in await records.incidents() for entry in each.entries]
        assert [entry.reason for entry in found if entry.number == NUMBERS[35]] == [Reason.UNKNOWN]
        assert len([each for each in caplog.records if "tide_tables" in each.getMessage()]) == 1
        accounts = FakeAccounts()
        accounts.put(NUMBERS[35], "Account 35")
        telegram.client.world.private_chat(ADMIN)  # before the first try: a chat that is gone rests for minutes
        async with running_rig(telegram, database, MessageStore(database), accounts) as rig:
            alert = await rig.seen(ADMIN, lambda m: "Account 35" in m["text"])
            assert "omething unexpected happened" in alert["text"]
