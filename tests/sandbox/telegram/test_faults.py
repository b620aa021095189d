"""Injected failures: each kind, what it leaves alone, and how it ends."""

import asyncio

import aiohttp
import pytest

from sandbox.telegram import TelegramStandIn
from sandbox.telegram.faults import Fault, Faults
from tests.sandbox.telegram.conftest import Caller, HandClock

USER = 42


@pytest.fixture(autouse=True)
async def started(tg: TelegramStandIn) -> None:
    await tg.client.send(USER, "/start")


async def test_the_next_calls_are_refused_and_then_no_more(tg: TelegramStandIn, call: Caller):
    tg.client.fail("429", count=2, retry_after=7)
    for _ in range(2):
        answer = await call("sendMessage", chat_id=USER, text="x")
        assert (answer["error_code"], answer["parameters"]) == (429, {"retry_after": 7})
    assert (await call("sendMessage", chat_id=USER, text="x"))["ok"] is True
    assert len(tg.client.from_bot(USER)) == 1


async def test_a_rule_for_some_seconds(tg: TelegramStandIn, call: Caller, clock: HandClock):
    tg.client.fail(502, seconds=30)
    assert (await call("getMe"))["description"] == "Bad Gateway"
    clock.pass_by(30)
    assert (await call("getMe"))["ok"] is True


async def test_rules_for_one_method_or_chat_spare_the_others(tg: TelegramStandIn, call: Caller):
    await tg.client.send(USER + 1, "/start")
    tg.client.fail(500, method="sendPhoto")
    tg.client.fail(403, chat_id=USER + 1, description="Forbidden: bot was blocked by the user")
    assert (await call("sendMessage", chat_id=USER, text="x"))["ok"] is True
    assert (await call("sendMessage", chat_id=USER + 1, text="x"))["error_code"] == 403
    assert (await call("sendPhoto", chat_id=USER, photo="x"))["error_code"] == 500


async def test_a_counting_rule_is_not_used_up_by_polling(tg: TelegramStandIn, call: Caller):
    tg.client.fail(500, count=1)
    assert (await call("getUpdates"))["ok"] is True
    assert (await call("getMe"))["error_code"] == 500


@pytest.mark.parametrize(("kind", "delivered"), [("drop", 0), ("lost", 1)])
async def test_dropped_before_and_after_the_call(tg: TelegramStandIn, call: Caller, kind: str, delivered: int):
    tg.client.fail(kind, count=1)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await call("sendMessage", chat_id=USER, text="x")
    assert len(tg.client.from_bot(USER)) == delivered
    record = tg.client.requests("sendMessage")[0]
    assert (record.fault, record.outcome) == (kind, "dropped")


@pytest.mark.parametrize("delivered", [False, True])
async def test_a_hanging_call_hangs_until_the_rule_goes(tg: TelegramStandIn, call: Caller, delivered: bool):
    tg.client.fail("hang", count=1, delivered=delivered)
    hanging = asyncio.create_task(call("sendMessage", chat_id=USER, text="x"))  # type: ignore[arg-type]
    await tg.client.wait_for(lambda: tg.client.requests("sendMessage"))
    assert (await call("getMe"))["ok"] is True
    assert not hanging.done()
    tg.client.heal()
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await asyncio.wait_for(hanging, 45)
    assert len(tg.client.from_bot(USER)) == delivered


async def test_a_status_after_the_call_was_done(tg: TelegramStandIn, call: Caller):
    tg.client.fail(504, count=1, delivered=True)
    assert (await call("sendMessage", chat_id=USER, text="x"))["error_code"] == 504
    assert len(tg.client.from_bot(USER)) == 1


@pytest.mark.parametrize(
    ("kind", "description"),
    [
        ("401", "Unauthorized"),
        ("409", "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"),
    ],
)
async def test_an_outage_ends_the_poll_that_waits(tg: TelegramStandIn, call: Caller, kind: str, description: str):
    await call("getUpdates", offset=-1)
    tg.world.updates.drop()
    poll = asyncio.create_task(call("getUpdates", timeout=20))  # type: ignore[arg-type]
    await tg.client.wait_for(lambda: tg.world.updates.polling)
    tg.client.fail(kind, seconds=60)
    assert (await asyncio.wait_for(poll, 45))["description"] == description


async def test_a_gateways_own_page_is_html(tg: TelegramStandIn, http: aiohttp.ClientSession):
    tg.client.fail(502, count=1, html=True)
    async with http.get(f"{tg.url}/bot{tg.token}/getMe") as answer:
        assert (answer.status, answer.content_type) == (502, "text/html")


def test_rules_that_make_no_sense():
    faults = Faults()
    with pytest.raises(ValueError, match="unknown kind"):
        faults.add(Fault("explode"), 0.0)
    with pytest.raises(ValueError, match="no failure"):
        faults.add(Fault("200"), 0.0)


def test_the_first_rule_that_matches_wins():
    faults = Faults()
    faults.add(Fault("500", count=1), 0.0)
    faults.add(Fault("403"), 0.0)
    kinds = [fault.kind for fault in (faults.take("sendmessage", USER, 0.0) for _ in range(2)) if fault]
    assert kinds == ["500", "403"]
