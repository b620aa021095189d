"""Makes the database that commit 5bb7d17 leaves behind: `PYTHONPATH=CHECKOUT python make_5bb7d17.py > 5bb7d17.sql`.

It runs that commit's own code over HTTP against its own stand-in: accounts in every state, incidents that were told,
acknowledged, grouped, untold and under way, what a silence holds back, a picture and a note that are owed, topics, a
group that moved, a chat that is gone, cards. Only moments of the far future are set by hand, so that silences last
whenever it is read.
"""

import asyncio
import sqlite3
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from controller.link import Wanted
from controller.persistence import Memory
from controller.reasons import Reason, State
from handlers.pictures import draw
from storage.chats import Chats

from controller.registry import Account
from sandbox.telegram import TelegramStandIn
from storage.accounts import Accounts
from storage.database import open_database
from tests.handlers.conftest import running_rig
from tests.handlers.fakes import ADMIN, OPERATOR, SECOND_ADMIN, FakeAccounts

NUMBERS = [f"+49151123{at:05}" for at in range(40)]
STATES = {
    State.IDLE: Reason.ASKED,
    State.CONNECTING: Reason.RETRY,
    State.CONNECTED: Reason.LINKED,
    State.DISCONNECTED: Reason.LOGGED_OUT,
    State.ERROR: Reason.PAGE_UNKNOWN,
    State.SUSPENDED: Reason.BANNED,
}


async def people(telegram):
    for user, name in ((ADMIN, "Ada"), (SECOND_ADMIN, "Bob"), (OPERATOR, "Olga")):
        telegram.client.add_user(user, name)
        telegram.client.world.private_chat(user)


async def stored_accounts(database, accounts):
    memory = Memory(database, Accounts(database))
    for at, (state, reason) in enumerate(STATES.items()):
        await memory.add_account(Account(NUMBERS[at], f"State {state}", ADMIN, Wanted.CONNECTED))
        accounts.put(NUMBERS[at], f"State {state}")
        moved = accounts.move(NUMBERS[at], state, reason, detail="a detail")
        await memory.record([replace(moved, linked=state is not State.IDLE, within_state=False, errors=at)])
        await memory.want(NUMBERS[at], [Wanted.IDLE, Wanted.CONNECTED, Wanted.SUSPENDED][at % 3])


def lose(rig, at, reason=Reason.LOGGED_OUT, **more):
    rig.accounts.put(NUMBERS[at], f"Account {at:02}", linked=True)
    rig.accounts.move(NUMBERS[at], State.DISCONNECTED, reason, alert=reason, **more)


async def main(path):
    async with TelegramStandIn() as telegram, open_database(path) as database:
        await people(telegram)
        accounts, cards = FakeAccounts(), Chats(database)
        forum = telegram.client.add_group("Forum", [ADMIN], forum=True)["id"]
        async with running_rig(telegram, database, cards, accounts, alert_chat=forum) as rig:
            await rig.answer(ADMIN, "/help", "Switchboard")
            await asyncio.sleep(1)
            lose(rig, 10)
            await rig.seen(forum, lambda m: "Account 10" in m["text"])
        group = telegram.client.add_group("Ops", [ADMIN])["id"]
        async with running_rig(telegram, database, cards, accounts, alert_chat=group) as rig:
            lose(rig, 11)
            await rig.seen(group, lambda m: "Account 11" in m["text"])
            to = rig.client.migrate(group)["id"]
            lose(rig, 12)
            await rig.seen(to, lambda m: "Account 12" in m["text"])
            await rig.seen(to, lambda m: "set that to" in m["text"])
        async with running_rig(telegram, database, cards, accounts) as rig:
            await stored_accounts(database, accounts)
            await rig.answer(ADMIN, "/help", "Switchboard")
            await rig.answer(SECOND_ADMIN, "/help", "Switchboard")
            lose(rig, 20)  # told
            await rig.seen(SECOND_ADMIN, lambda m: "Account 20" in m["text"])
            await asyncio.sleep(6)
            lose(rig, 21)  # acknowledged
            alert = await rig.seen(ADMIN, lambda m: "Account 21" in m["text"] and "🚨" in m["text"])
            await rig.seen(SECOND_ADMIN, lambda m: "Account 21" in m["text"])
            await rig.press(alert, "Acknowledge")
            await rig.seen(SECOND_ADMIN, lambda m: "is on it" in m["text"])
            await asyncio.sleep(6)
            for at in (22, 23, 24, 25):  # grouped
                lose(rig, at, Reason.EXHAUSTED)
            await rig.seen(ADMIN, lambda m: "4 accounts need you" in m["text"])
            await rig.seen(SECOND_ADMIN, lambda m: "4 accounts need you" in m["text"])
            await asyncio.sleep(6)
            await rig.answer(ADMIN, "/silence all 2h moving house", "no alerts until")
            lose(rig, 26)  # held back
            lose(rig, 27)  # held back and over
            rig.accounts.move(NUMBERS[27], State.CONNECTED, Reason.LINKED)
            await asyncio.sleep(1)
            async with database.transaction() as connection:  # the silence is about that account alone from here on
                await connection.execute(
                    "UPDATE silences SET numbers = ? || ',' || ?, until = '2100-01-01T00:00:00+00:00'",
                    (NUMBERS[26], NUMBERS[27]),
                )
                await connection.execute("UPDATE outbox SET due_at = '2100-01-01T00:00:00.000000+00:00' WHERE waited")
            await rig.desk._silencing.load()
            telegram.client.fail("hang", delivered=True, method="sendMessage", chat_id=ADMIN)
            telegram.client.fail("500", method="sendMessage", chat_id=SECOND_ADMIN)
            lose(rig, 28)  # under way to one, untold to the other
            await asyncio.sleep(3)
            lose(rig, 29, Reason.PAGE_UNKNOWN, picture=draw("a page"))  # owed, with a picture
            await asyncio.sleep(1)
            rig.running.cancel()
            for task in list(asyncio.all_tasks()):  # as a kill would: nothing more is said or settled
                if "alerts" in task.get_name() or "chat" in task.get_name():
                    task.cancel()
            told = []
            rig.accounts.tell = told.append
            lose(rig, 30)  # stored, and nobody has looked at it yet
            await rig.outbox.put([owed for each in told for owed in rig.desk.owed(each)])
            await rig.desk._tell_admins("A note that is owed.")
            await cards.keep("gone", "4004", chat=4004, topic=None, message=0, shown="")
            connection = sqlite3.connect(path)
            dump = "\n".join(connection.iterdump())
            connection.close()
    return dump


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(asyncio.run(main(Path(folder) / "db")) + "\nPRAGMA user_version = 3;\n")
