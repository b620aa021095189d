"""/proxy from the chat: an account's own way, and a password that is in no chat, no row of the inbox and no audit."""

import asyncio
import sqlite3
from contextlib import closing

import pyrage
import pytest

from controller.accounts.reasons import Reason, State
from controller.network.proxy import parse_proxy
from handlers.chat.request import without_secrets
from storage.accounts import AccountRecords, ProxyRecords
from storage.database import StorageError
from tests.handlers.conftest import Rig, running_rig
from tests.handlers.fakes import ADMIN, BERLIN, OPERATOR, PARIS, FakeAccounts
from tests.waiting import until

PASSWORD = "hunter2-of-the-proxy"
ADDRESS = f"http://ada:{PASSWORD}@proxy.example:3128"


def everything(rig: Rig) -> str:
    """Everything stored, and everything in any chat."""
    with closing(sqlite3.connect(rig.database.path)) as connection:
        stored = "\n".join(connection.iterdump())
    said = [m["text"] for chat in rig.client.chats() for m in rig.client.messages(chat["id"]) if not m["deleted"]]
    return "\n".join([stored, *said, repr(rig.records.audited)])


def deleted(rig: Rig) -> bool:
    """Whether the admin's message is gone, and they were told so."""
    gone = not any(m["text"].startswith("/proxy") for m in rig.client.messages(ADMIN) if not m["deleted"])
    return gone and any("deleted your message" in text for text in rig.bot_texts(ADMIN))


async def put(rig: Rig, owner: int = ADMIN) -> None:
    """Add the account, stored too: a proxy is stored only for an account that is."""
    await AccountRecords(rig.database).add_account(rig.accounts.put(owner=owner))


async def test_an_account_gets_a_proxy_of_its_own_and_the_password_is_seen_nowhere(telegram, database, caplog):
    for room in ("controller", "handlers", "storage"):
        caplog.set_level("DEBUG", room)
    key = pyrage.x25519.Identity.generate()
    async with running_rig(telegram, database, identity=key, encrypts=True) as rig:
        await put(rig, OPERATOR)
        rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
        answer = await rig.answer(ADMIN, f"/proxy Support Berlin {ADDRESS}", "goes through http://proxy.example:3128")
        assert "being opened anew" in answer["text"]
        assert "stored encrypted" in answer["text"]
        assert deleted(rig)
        assert rig.proxies.find(BERLIN) == parse_proxy(ADDRESS)
        assert ("recycle", BERLIN, "it goes another way now") in rig.accounts.calls
        assert (ADMIN, "proxy", BERLIN, "set to http://proxy.example:3128") in rig.records.audited
        await rig.answer(ADMIN, "/proxy Support Berlin", "a proxy of its own")
        await rig.answer(ADMIN, "/proxy", "Support Berlin: http://proxy.example:3128")
        assert PASSWORD not in everything(rig)
        assert PASSWORD not in caplog.text
        await rig.answer(ADMIN, "/proxy Support Berlin off", "without a proxy, like all others, from now on; its")
        assert rig.proxies.find(BERLIN) is None
        assert await ProxyRecords(database).proxies() == []


async def test_without_a_key_the_password_is_stored_as_it_is_and_that_is_told(rig: Rig):
    await put(rig)
    answer = await rig.answer(ADMIN, f"/proxy Support Berlin {ADDRESS}", "from its next start on")
    assert "where PROFILE_KEY is set, it is encrypted" in answer["text"]
    assert [row.login for row in await ProxyRecords(rig.database).proxies()] == [f"ada:{PASSWORD}"]


async def test_a_proxy_that_does_not_let_through_is_not_taken_unless_one_insists(telegram, database):
    tried = []

    async def refuse(proxy):
        tried.append(proxy)
        raise ConnectionError("the proxy wants another user or password (407)")

    async with running_rig(telegram, database, try_proxy=refuse) as rig:
        await put(rig)
        answer = await rig.answer(ADMIN, f"/proxy Support Berlin {ADDRESS}", "cannot be reached through")
        assert "(407)" in answer["text"]
        assert (rig.proxies.find(BERLIN), tried) == (None, [parse_proxy(ADDRESS)])
        await rig.answer(ADMIN, f"/proxy Support Berlin {ADDRESS} anyway", "goes through http://proxy.example:3128")
        assert rig.proxies.find(BERLIN) == parse_proxy(ADDRESS)
        assert len(tried) == 1
        assert PASSWORD not in everything(rig).replace(f"ada:{PASSWORD}", "", 1)  # stored as it is: there is no key


async def test_an_account_that_is_removed_while_its_proxy_is_tried_leaves_no_password_behind(telegram, database):
    trying, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_):
        trying.set()
        await go_on.wait()

    async with running_rig(telegram, database, try_proxy=slow) as rig:
        await put(rig)
        asked = asyncio.create_task(rig.answer(ADMIN, f"/proxy Support Berlin {ADDRESS}", "not there any more"))
        await trying.wait()
        await AccountRecords(database).remove_account(BERLIN)
        del rig.accounts.known[BERLIN]
        assert deleted(rig), "before anything else is done"
        go_on.set()
        await asked
        assert rig.proxies.all() == {}
        assert PASSWORD not in everything(rig)


async def test_a_proxy_that_cannot_be_stored_changes_nothing_and_its_message_goes(rig: Rig, monkeypatch):
    await put(rig)

    async def refuse(*_, **__):
        raise StorageError("/srv/data/switchboard.sqlite: disk is full")

    monkeypatch.setattr(rig.proxies._store, "save_proxy", refuse)
    await rig.answer(ADMIN, f"/proxy Support Berlin {ADDRESS}", "Nothing was changed")
    assert deleted(rig)
    assert rig.proxies.all() == {}
    assert PASSWORD not in everything(rig)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("Support Berlin socks5://ada:pw@proxy:1080", "SOCKS5 without a password only"),
        ("Support Berlin proxy.example:3128:ada:pw", "takes http://"),
        ("Support Berlin ftp://ada:pw@proxy:1", "takes http://"),
        ("Nobody http://ada:pw@proxy:1", "Say which account"),
        ("Support Berlin http://ada:pw@proxy:1 at once", "Say which account"),
    ],
)
async def test_what_is_no_proxy_changes_nothing_and_its_message_goes(rig: Rig, words, part):
    await put(rig)
    await rig.answer(ADMIN, f"/proxy {words}", part)
    assert deleted(rig)
    assert rig.proxies.all() == {}
    assert ":pw" not in everything(rig)


async def test_it_is_for_admins_and_in_a_group_others_may_have_read_it(rig: Rig):
    await put(rig, OPERATOR)
    await rig.answer(OPERATOR, "/proxy Support Berlin off", "/proxy is for admins only")
    group = rig.client.add_group("Ops", [ADMIN], admin=False)
    await rig.answer(ADMIN, f"/proxy Support Berlin {ADDRESS}", "goes through", chat=group["id"])
    warning = await rig.seen(group["id"], lambda m: "delete it yourself" in m["text"])
    assert "Others in this group may have read it" in warning["text"]


async def test_a_request_taken_up_after_a_crash_knows_no_password(telegram, database):
    accounts = FakeAccounts()
    accounts.put(owner=ADMIN)
    async with running_rig(telegram, database, accounts=accounts) as rig:
        await rig.answer(ADMIN, "/help", "Switchboard")
        rig.service._bot._intake._dispatcher._perform = never  # it ends before it is carried out
        await rig.say(ADMIN, f"/proxy Support Berlin {ADDRESS}")
        await until(lambda: "/proxy Support Berlin …" in everything(rig), "the request is stored")
        assert PASSWORD not in "\n".join(rows(rig))
    async with running_rig(telegram, database, accounts=accounts) as rig:
        await rig.seen(ADMIN, lambda m: "send the command again" in m["text"])
        assert rig.proxies.all() == {}


async def never(request):
    pass


def rows(rig: Rig) -> list[str]:
    with closing(sqlite3.connect(rig.database.path)) as connection:
        return list(connection.iterdump())


async def test_an_account_that_is_removed_takes_its_proxy_with_it(rig: Rig):
    await put(rig)
    await rig.proxies.save(BERLIN, parse_proxy(ADDRESS))
    question = await rig.answer(ADMIN, "/remove Support Berlin", "for good?")
    await rig.press(question, "Yes, remove")
    await rig.seen(ADMIN, lambda m: "is removed" in m["text"])
    assert rig.proxies.all() == {}


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("/proxy Berlin http://a:b@c:1", "/proxy Berlin …"),
        ("/PROXY@our_bot Berlin c:1:a:b anyway", "/PROXY@our_bot Berlin … anyway"),
        ("/proxy Berlin off", "/proxy Berlin off"),
        ("/proxy", "/proxy"),
        ("/proxi Berlin socks5://a:b@/x@c:1", "/proxi Berlin socks5://…@c:1"),
        ("/link +49 151 1234 5678 Berlin: North", "/link +49 151 1234 5678 Berlin: North"),
        ("see https://example.org/a@b", "see https://…@b"),
    ],
)
def test_what_is_left_of_words(words, left):
    assert without_secrets(words) == left


async def test_an_account_without_one_goes_like_all_others(telegram, database):
    async with running_rig(telegram, database, common_proxy="http://common:1") as rig:
        await put(rig)
        rig.accounts.put(PARIS, "Sales Paris", owner=ADMIN)
        await rig.answer(ADMIN, "/proxy Sales Paris", "through http://common:1, like all others")
        await rig.answer(ADMIN, "/proxy", "All accounts go through http://common:1")


async def test_a_proxy_that_an_account_does_not_have_is_not_taken_away(rig: Rig):
    await put(rig)
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    text = (await rig.answer(ADMIN, "/proxy Support Berlin off", "Nothing was changed"))["text"]
    assert "goes without a proxy, like all others" in text
    assert not any(call[0] == "recycle" for call in rig.accounts.calls), "it stays connected"


async def test_a_proxy_of_an_account_that_is_not_there_says_so(rig: Rig):
    await put(rig)
    await rig.answer(ADMIN, "/proxy Berlin off", "Did you mean Support Berlin?")
    await rig.answer(ADMIN, "/proxy nobody http://proxy.example:3128", "No account is called “nobody”")
