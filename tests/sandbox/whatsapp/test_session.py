"""What the server does with a page's socket, without a browser."""

import asyncio
import json

import pytest

from sandbox.whatsapp import Options, PhoneError, Timings, WhatsAppStandIn
from tests.sandbox.whatsapp.fake_page import FakePage, Profile, linked
from tests.virtual_time import virtual
from tests.waiting import until

NUMBER = "+4915112345678"
OTHER = "+4915187654321"


@virtual
async def test_six_codes_live_as_long_as_they_say_and_then_none_is_left():
    timings = Timings(first_ref=0.3, next_ref=0.1)
    loop = asyncio.get_running_loop()
    async with WhatsAppStandIn(Options(timings=timings)) as whatsapp, FakePage(whatsapp) as page:
        came = []
        for _ in range(6):
            frame = await page.hear("ref")
            came.append((loop.time(), frame["ref"], frame["life"]))
        await page.hear("refs-over")
        over = loop.time()
        assert [life for _, _, life in came] == [0.3, 0.1, 0.1, 0.1, 0.1, 0.1]
        assert len({ref for _, ref, _ in came}) == 6
        assert came[1][0] - came[0][0] == pytest.approx(0.3)
        assert over - came[5][0] == pytest.approx(0.1)
        for _, ref, _ in came:
            with pytest.raises(PhoneError, match="dead") as error:
                whatsapp.phones.scan(page.profile.qr(ref), NUMBER)
            assert error.value.status == 404


async def test_only_the_newest_code_can_be_scanned():
    async with WhatsAppStandIn(Options(timings=Timings(first_ref=0.1))) as whatsapp, FakePage(whatsapp) as page:
        first = (await page.hear("ref"))["ref"]
        second = (await page.hear("ref"))["ref"]
        with pytest.raises(PhoneError, match="dead"):
            whatsapp.phones.scan(page.profile.qr(first), NUMBER)
        assert whatsapp.phones.scan(page.profile.qr(second), NUMBER)["number"] == NUMBER
        with pytest.raises(PhoneError, match="dead"):
            whatsapp.phones.scan(page.profile.qr(second), OTHER)


@pytest.mark.parametrize(
    "dress",
    [
        lambda qr: f"https://wa.me/settings/linked_devices#{qr}",
        lambda qr: f"{qr},https://faq.whatsapp.com/r/ld",
        lambda qr: qr.rpartition(",")[0],
    ],
    ids=["prefix", "suffix", "four parts"],
)
async def test_a_code_is_known_in_each_of_its_forms(whatsapp, dress):
    async with FakePage(whatsapp) as page:
        qr = page.profile.qr((await page.hear("ref"))["ref"])
        assert whatsapp.phones.scan(dress(qr), NUMBER)["number"] == NUMBER


async def test_a_code_with_the_keys_of_another_page_links_nobody(whatsapp):
    async with FakePage(whatsapp) as page:
        ref = (await page.hear("ref"))["ref"]
        with pytest.raises(PhoneError, match="keys"):
            whatsapp.phones.scan(Profile().qr(ref), NUMBER)
        assert whatsapp.phones.devices() == []


async def test_a_saved_session_is_known_by_both_of_its_keys(whatsapp):
    profile = await linked(whatsapp, NUMBER)
    async with FakePage(whatsapp, profile) as page:
        assert (await page.log_in())["wid"] == profile.wid == "4915112345678:1@c.us"

    for half in ("noise", "identity"):
        forged = Profile()
        forged.noise, forged.identity, forged.wid = profile.noise, profile.identity, profile.wid
        public = profile.public()
        setattr(forged, half, getattr(Profile(), half))
        forged.public = lambda public=public: public
        async with FakePage(whatsapp, forged) as page:
            assert await page.log_in() == {"type": "failure", "reason": 401}
        profile = await linked(whatsapp, NUMBER)


async def test_unknown_keys_are_refused(whatsapp):
    stranger = Profile()
    stranger.wid = "4915112345678:1@c.us"
    async with FakePage(whatsapp, stranger) as page:
        assert await page.log_in() == {"type": "failure", "reason": 401}


async def test_a_second_page_with_the_same_keys_puts_the_first_into_conflict(whatsapp):
    profile = await linked(whatsapp, NUMBER)
    async with FakePage(whatsapp, profile, "one") as first:
        await first.log_in()
        async with FakePage(whatsapp, profile, "two") as second:
            await second.log_in()
            assert (await first.hear("stream-error"))["state"] == "CONFLICT"


async def test_two_devices_of_a_number_live_side_by_side(whatsapp):
    one, two = await linked(whatsapp, NUMBER), await linked(whatsapp, NUMBER)
    async with FakePage(whatsapp, one, "one") as first, FakePage(whatsapp, two, "two") as second:
        await first.log_in()
        await second.log_in()
        assert [device["device_id"] for device in whatsapp.phones.devices()] == [1, 2]
        assert await first.is_silent()
        assert whatsapp.phones.logout(NUMBER) == {"number": NUMBER, "logged_out": 2}
        assert (await first.hear("logout"))["reason"] == (await second.hear("logout"))["reason"] == "primary_initiated"
    async with FakePage(whatsapp, one) as page:
        assert await page.log_in() == {"type": "failure", "reason": 401}


async def test_silence_answers_nothing_and_keeps_the_socket(whatsapp):
    profile = await linked(whatsapp, NUMBER)
    async with FakePage(whatsapp, profile) as page:
        await page.log_in()
        whatsapp.phones.silence(NUMBER)
        await page.say("ping", id=1)
        await page.say("query-exists", id=2, wid="4915112345678@c.us")
        assert await page.is_silent()
        whatsapp.phones.silence(NUMBER, on=False)
        await page.say("ping", id=3)
        assert (await page.hear("pong"))["id"] == 3
        assert whatsapp.phones.devices()[0]["queries"] == 1


async def test_a_lost_network_keeps_the_same_device_out_until_it_is_back(whatsapp):
    profile = await linked(whatsapp, NUMBER)
    async with FakePage(whatsapp, profile) as page:
        await page.log_in()
        whatsapp.phones.network(NUMBER, how="reset")
        async with asyncio.timeout(45):
            assert (await page.socket.receive()).type.name in {"CLOSED", "CLOSING", "ERROR"}
    async with FakePage(whatsapp, profile) as page:
        challenge = await page.hear("challenge")
        await page.say("answer", signature=profile.answer(challenge))
        assert await page.is_silent()
    whatsapp.phones.network(NUMBER, lost=False)
    async with FakePage(whatsapp, profile) as page:
        assert (await page.log_in())["type"] == "success"


async def test_messages_wait_for_a_device_that_is_away(whatsapp):
    profile = await linked(whatsapp, NUMBER)
    sent = whatsapp.phones.message(NUMBER, "first", OTHER)
    async with FakePage(whatsapp, profile) as page:
        await page.log_in()
        waited = await page.hear("message")
        assert (waited["id"], waited["body"], waited["remote"]) == (sent["id"], "first", "4915187654321@c.us")
        await until(lambda: whatsapp.phones.devices()[0]["online"], "online")
        whatsapp.phones.message(NUMBER, "second", OTHER)
        assert (await page.hear("message"))["body"] == "second"
        await page.say("ping", id=1)
        assert (await page.hear("pong"))["id"] == 1
    async with FakePage(whatsapp, profile) as page:
        await page.log_in()
        await page.say("ping", id=2)
        async with asyncio.timeout(45):
            assert (await page.socket.receive_json())["type"] == "pong"


async def test_a_ban_says_how_many_seconds_are_left(whatsapp):
    profile = await linked(whatsapp, NUMBER)
    whatsapp.switches.set("ban", 3600)
    async with FakePage(whatsapp, profile) as page:
        assert await page.log_in() == {"type": "failure", "reason": 402, "code": 101, "expire": 3600}
    whatsapp.switches.set("ban", 0)
    async with FakePage(whatsapp, profile) as page:
        assert (await page.log_in())["type"] == "success"


async def test_a_refused_restore_revokes_the_device(whatsapp):
    profile = await linked(whatsapp, NUMBER)
    whatsapp.switches.set("refuse_restore", value=True)
    async with FakePage(whatsapp, profile) as page:
        assert await page.log_in() == {"type": "failure", "reason": 401}
    assert whatsapp.phones.devices() == []


async def test_an_outdated_build_is_told_so(whatsapp):
    whatsapp.switches.set("outdated", value=True)
    async with FakePage(whatsapp) as page:
        assert (await page.hear("failure"))["reason"] == 405


async def test_a_passkey_stands_between_scan_and_link(whatsapp):
    whatsapp.phones.passkey(NUMBER)
    async with FakePage(whatsapp) as page:
        answer = whatsapp.phones.scan(page.profile.qr((await page.hear("ref"))["ref"]), NUMBER)
        assert answer["says"] == "Continue on WhatsApp Web"
        asked = await page.hear("passkey")
        assert asked["rpId"] == "whatsapp.com"
        assert asked["timeout"] == whatsapp.options.timings.passkey_life
        assert whatsapp.phones.devices() == []
        whatsapp.phones.passkey(NUMBER, "approve")
        await page.hear("pair-success")
        assert [device["number"] for device in whatsapp.phones.devices()] == [NUMBER]
        with pytest.raises(PhoneError, match="no page waits"):
            whatsapp.phones.passkey(NUMBER, "approve")


async def test_a_pairing_code_links_the_number_it_was_made_for(whatsapp):
    async with FakePage(whatsapp) as page:
        await page.hear("ref")
        await page.say("link-code", id=1, phone="4915112345678")
        code = (await page.hear("result"))["code"]
        for number, typed in ((OTHER, code), (NUMBER, "AAAAAAAA")):
            with pytest.raises(PhoneError, match="pairing code"):
                whatsapp.phones.link_code(number, typed)
        whatsapp.phones.link_code(NUMBER, f"{code[:4]}-{code[4:]}".lower())
        await page.hear("pair-success")


async def test_devices_outlive_the_stand_in_in_its_state_file(tmp_path):
    options = Options(timings=Timings().scaled(50), state_file=tmp_path / "devices.json")
    async with WhatsAppStandIn(options) as whatsapp:
        profile = await linked(whatsapp, NUMBER)
    assert "seen" not in json.loads(options.state_file.read_text())["devices"][0]
    async with WhatsAppStandIn(options) as whatsapp, FakePage(whatsapp, profile) as page:
        assert (await page.log_in())["wid"] == profile.wid
        await linked(whatsapp, NUMBER)
        assert [device["device_id"] for device in whatsapp.phones.devices()] == [1, 2]


async def test_nothing_is_left_running_when_it_stops():
    before = asyncio.all_tasks()
    async with WhatsAppStandIn(Options(timings=Timings().scaled(50))) as whatsapp:
        page = await FakePage(whatsapp).__aenter__()
        await page.hear("ref")
    assert whatsapp.hub.pages == {}
    await page.__aexit__()
    assert {task for task in asyncio.all_tasks() - before if "sandbox" in repr(task)} == set()
