"""Alerts of an earlier run end if their cause is gone; if it persists, they stay and are not raised again."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from controller.accounts.reasons import Reason, State
from tests.handlers.alerts.test_alerts import greet
from tests.handlers.conftest import running_rig
from tests.handlers.fakes import ADMIN, BERLIN, FakeAccounts, FakeMessages
from tests.virtual_time import wall_clock

ASIDE = (Reason.DIALOG, Reason.CONFIRM_NUMBER, Reason.FLAPPING, Reason.WATCHED_IN_PART)


async def told(telegram, database, messages, reason):
    """An earlier run that alerted about something other than the account's state."""
    async with running_rig(telegram, database, messages) as rig:
        await greet(rig, ADMIN)
        rig.accounts.put(linked=True)
        rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
        rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED, alert=reason)
        await rig.seen(ADMIN, lambda m: "🚨 Support Berlin" in m["text"])
        await rig.service.alerts.drain(5)


def is_open(rig) -> bool:
    return bool(rig.service.alerts.handling.open_incidents(ADMIN))


@pytest.mark.parametrize("reason", ASIDE)
async def test_what_the_page_does_not_show_any_more_is_over(telegram, database, reason):
    messages, accounts = FakeMessages(), FakeAccounts()
    await told(telegram, database, messages, reason)
    async with running_rig(telegram, database, messages, accounts) as rig:
        accounts.put(linked=True, state=State.CONNECTING)
        await asyncio.sleep(600)
        assert is_open(rig), "it is not known before it is connected"
        accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
        accounts.statuses[BERLIN] = replace(accounts.statuses[BERLIN], uptime=4000.0)
        await asyncio.sleep(60)
        assert not is_open(rig)
        await rig.seen(ADMIN, lambda m: "✅ Support Berlin" in m["text"] and "connected at" not in m["text"])


@pytest.mark.parametrize("reason", ASIDE)
async def test_what_is_still_so_stands_and_has_come_once(telegram, database, reason):
    messages, accounts = FakeMessages(), FakeAccounts()
    await told(telegram, database, messages, reason)
    async with running_rig(telegram, database, messages, accounts) as rig:
        accounts.put(linked=True)
        accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
        accounts.move(BERLIN, State.CONNECTED, Reason.LINKED, alert=reason)
        accounts.statuses[BERLIN] = replace(
            accounts.statuses[BERLIN], uptime=900.0, dialog="Read me", unconfirmed="+4915112345679", partial="conn"
        )
        await asyncio.sleep(600)
        (incident,) = rig.service.alerts.handling.open_incidents(ADMIN)
        assert [entry.times for entry in incident.entries] == [1]


async def test_an_account_at_rest_asks_nothing(telegram, database):
    messages, accounts = FakeMessages(), FakeAccounts()
    await told(telegram, database, messages, Reason.CONFIRM_NUMBER)
    async with running_rig(telegram, database, messages, accounts) as rig:
        accounts.put(linked=True, state=State.SUSPENDED, reason=Reason.EXHAUSTED)
        await asyncio.sleep(300)
        assert not is_open(rig), "a button would do nothing, and it would sound every four hours"


async def test_an_account_that_is_not_there_any_more_needs_nobody(telegram, database):
    messages = FakeMessages()
    async with running_rig(telegram, database, messages) as rig:
        await greet(rig, ADMIN)
        rig.accounts.put(linked=True)
        rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.LOGGED_OUT, alert=Reason.LOGGED_OUT)
        await rig.seen(ADMIN, lambda m: "🚨" in m["text"])
    async with running_rig(telegram, database, messages) as rig:
        await asyncio.sleep(300)
        assert not is_open(rig)


async def test_a_clock_that_is_set_back_meanwhile_delays_nothing(telegram, database):
    messages, ahead = FakeMessages(), timedelta(0)
    await told(telegram, database, messages, Reason.CONFIRM_NUMBER)
    accounts = FakeAccounts(lambda: wall_clock() + ahead)
    async with running_rig(telegram, database, messages, accounts) as rig:
        accounts.put(linked=True, state=State.SUSPENDED, reason=Reason.EXHAUSTED)
        await asyncio.sleep(10)
        ahead = timedelta(hours=-1)
        await asyncio.sleep(300)
        assert not is_open(rig)


async def test_no_account_is_called_removed_before_the_accounts_are_loaded(telegram, database):
    messages = FakeMessages()
    await told(telegram, database, messages, Reason.FLAPPING)

    class Late(FakeAccounts):
        """Accounts that are loaded after the alerts, as at every start."""

        loaded = False

        def account(self, number):
            return super().account(number if self.loaded else "")

    accounts = Late()
    accounts.put(linked=True, state=State.CONNECTING)

    async def slow_load(service):
        await asyncio.sleep(30)
        accounts.loaded = True
        await service.run()

    async with running_rig(telegram, database, messages, accounts, run=slow_load) as rig:
        await asyncio.sleep(120)
        assert not [
            m for m in rig.client.from_bot(ADMIN) if any("Removed account" in t["text"] for t in [m, *m["history"]])
        ]
