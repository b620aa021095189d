"""The stand-in's remote control, its page over HTTP, and its command line."""

import argparse
import asyncio
import re
import socket
import ssl
import sys
from pathlib import Path

import pytest
from aiohttp import ClientConnectionError, ClientSession

from sandbox.whatsapp import TABLE, Options, SwitchError, Timings, WhatsAppStandIn, cli
from tests.sandbox.whatsapp.fake_page import FakePage, linked

NUMBER = "+4915112345678"


async def test_each_action_over_http(whatsapp, http):
    profile = await linked(whatsapp, NUMBER)
    async with FakePage(whatsapp, profile) as page:
        await page.log_in()
        for path, body, heard in (
            ("message", {"number": NUMBER, "from": "+4915187654321", "body": "Hello"}, "message"),
            ("state", {"number": NUMBER, "state": "PROXYBLOCK"}, "stream-error"),
            ("conflict", {"number": NUMBER}, "stream-error"),
            ("reload", {"number": NUMBER, "post_logout": True}, "order"),
            ("crash", {}, "order"),
            ("hang", {"number": NUMBER}, "order"),
            ("leave", {"number": NUMBER}, "order"),
            ("silence", {"number": NUMBER, "on": False}, None),
            ("network", {"number": NUMBER, "lost": False}, None),
            ("passkey", {"number": NUMBER, "action": "forget"}, None),
            ("logout", {"number": NUMBER}, "logout"),
        ):
            async with http.post(f"/phone/{path}", json=body) as response:
                assert response.status == 200, (path, await response.text())
            if heard:
                await page.hear(heard)
    async with http.get("/phone/devices") as response:
        assert await response.json() == []


async def test_scan_and_codes_over_http(whatsapp, http):
    async with FakePage(whatsapp) as page:
        ref = (await page.hear("ref"))["ref"]
        qr = page.profile.qr(ref)
        await page.say("drawn", qr=qr)
        await page.say("ping", id=1)
        await page.hear("pong")
        async with http.get("/phone/codes") as response:
            (code,) = await response.json()
        assert (code["page"], code["qr"], code["ref"]) == ("fake", qr, ref)
        assert 0 < code["ends_in"] <= whatsapp.options.timings.first_ref
        async with http.post("/phone/scan", json={"qr": qr, "as": "+49 151 1234-5678"}) as response:
            device = await response.json()
        assert (device["number"], device["device_id"], device["wid"]) == (NUMBER, 1, "4915112345678:1@c.us")


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("scan", {"qr": "2@dead,a,b,c,1", "as": NUMBER}, 404, "dead or was never shown"),
        ("scan", {"qr": "nonsense", "as": NUMBER}, 400, "five parts"),
        ("scan", {"qr": "2@dead,a,b,c,1", "as": "12"}, 400, "no phone number"),
        ("scan", {"qr": "2@dead,a,b,c,1"}, 400, "'as' is missing"),
        ("logout", {"number": NUMBER}, 404, "no device is linked"),
        ("logout", {"nummer": NUMBER}, 400, "unknown argument 'nummer'; there are number"),
        ("logout", {"number": 4915112345678}, 400, "number is text"),
        ("state", {"state": "ASLEEP"}, 400, "no state 'ASLEEP'"),
        ("reload", {}, 404, "no open page"),
        ("silence", {"on": "yes"}, 400, "on is true or false"),
        ("network", {"number": NUMBER, "how": "softly"}, 400, "quiet or reset"),
        ("passkey", {"number": NUMBER, "action": "eat"}, 400, "require, forget or approve"),
        ("turn-next", {"number": NUMBER, "name": "dance", "value": "on"}, 400, "no switch of single pages"),
        ("turn-next", {"number": NUMBER, "name": "instead", "value": "file"}, 400, "no switch of single pages"),
        ("turn-next", {"number": NUMBER, "name": "ban", "value": "5"}, 400, "no switch of single pages"),
        ("turn-next", {"number": NUMBER, "name": "dialog", "value": "news"}, 400, "dialog is one of"),
        ("dance", {}, 404, "POST /phone/dance: Not Found"),
    ],
)
async def test_what_cannot_be_done_is_one_clear_line(http, path, body, status, text):
    async with http.post(f"/phone/{path}", json=body) as response:
        assert response.status == status
        error = (await response.json())["error"]
    assert text in error
    assert "\n" not in error


@pytest.mark.parametrize("body", ["{", "[]", "3"])
async def test_a_body_that_is_no_object_is_refused(http, body):
    async with http.post("/phone/logout", data=body) as response:
        assert response.status == 400
        assert (await response.json())["error"] == "the body is to be a JSON object"


async def test_the_switches_over_http(whatsapp, http):
    async with http.get("/switches") as response:
        rows = await response.json()
    assert [row["name"] for row in rows] == [row.name for row in TABLE]
    assert all(row["help"] and row["value"] == row["default"] for row in rows)
    async with http.post("/switches", json={"name": "slow_load", "value": 2.5}) as response:
        assert await response.json() == {"slow_load": 2.5}
    async with http.post("/switches", json={"debug_never": True, "unknown_build": "all"}) as response:
        assert response.status == 200
    assert whatsapp.switches.number("slow_load") == 2.5
    assert whatsapp.switches.flag("debug_never")
    assert whatsapp.switches.choice("unknown_build") == "all"
    async with http.post("/switches", json={"reset": True}):
        assert all(value == row.default for row, value in whatsapp.switches)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"typo": True}, "no switch 'typo'"),
        ({"iframes": "perhaps"}, "iframes is on or off"),
        ({"slow_load": -1}, "slow_load is a number from 0 on"),
        ({"slow_load": True}, "slow_load is a number from 0 on"),
        ({"refresh_qr": "gone"}, "refresh_qr is one of cmd, launch, both, button"),
    ],
)
async def test_a_wrong_switch_is_refused_by_name(http, given, text):
    async with http.post("/switches", json=given) as response:
        assert response.status == 400
        assert text in (await response.json())["error"]
    with pytest.raises(SwitchError, match=text):
        WhatsAppStandIn(Options(switches=given))


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "web.whatsapp.com"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:8080"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
@pytest.mark.parametrize("path", ["/phone/devices", "/phone/codes", "/switches"])
async def test_no_page_of_another_origin_may_control_it(http, path, headers):
    for method in ("GET", "POST", "OPTIONS"):
        async with http.request(method, path, headers=headers) as response:
            assert response.status == 403
            assert "Access-Control-Allow-Origin" not in response.headers
    async with http.get("/", headers=headers) as response:
        assert response.status == 200, "the page itself is for any browser, under any name"
        assert "Access-Control-Allow-Origin" not in response.headers
    async with http.get(path) as response:
        assert response.status == 200, "a program sends no origin"


async def test_the_page_is_guarded_by_a_fresh_nonce(whatsapp, http):
    nonces = []
    for _ in range(2):
        async with http.get("/?post_logout=1") as response:
            policy, html = response.headers["Content-Security-Policy"], await response.text()
        nonce = re.search(r"script-src 'nonce-([^']+)'", policy)[1]
        assert html.count(f'nonce="{nonce}"') == html.count("<script") == 2
        nonces.append(nonce)
    assert nonces[0] != nonces[1]
    whatsapp.switches.set("no_csp", value=True)
    async with http.get("/") as response:
        assert "Content-Security-Policy" not in response.headers


async def test_http_errors_and_a_name_that_is_gone(whatsapp, http):
    whatsapp.switches.set("http_error", 500)
    async with http.get("/") as response:
        assert response.status == 500
    whatsapp.switches.set("dns_gone", value=True)
    headers = {"Sec-Fetch-Mode": "navigate"}
    async with http.get("/", headers=headers, allow_redirects=False) as response:
        assert response.headers["Location"] == "https://web.whatsapp.invalid/"
    with pytest.raises(ClientConnectionError):
        await http.get("/")
    async with http.post("/switches", json={"reset": True}) as response:
        assert response.status == 200
    async with http.get("/") as response:
        assert response.status == 200


async def test_unknown_files_are_not_served(http):
    for path in ("/assets/options.py", "/assets/..%2foptions.py", "/assets/nothing.js", "/nothing"):
        async with http.get(path) as response:
            assert response.status == 404, path


async def test_tls_serves_the_real_hosts_name():
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    async with WhatsAppStandIn(Options(tls=True)) as whatsapp, ClientSession() as session:
        assert whatsapp.url.startswith("https://127.0.0.1:")
        async with session.get(whatsapp.url, ssl=trusting, server_hostname="web.whatsapp.com") as response:
            assert response.status == 200


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    return parser.parse_args(words)


async def command(*words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


async def test_the_command_serves_until_it_is_told_to_stop():
    process = await command("whatsapp", "--port", "0", "--speed", "50", "--http-error", "500", "--debug-never")
    async with asyncio.timeout(45):
        line = (await process.stdout.readline()).decode()
        url = re.search(r"http://127\.0\.0\.1:\d+/", line)[0]
        async with ClientSession() as session, session.get(url) as response:
            assert response.status == 500
        process.terminate()
        out, err = await process.communicate()
    assert (process.returncode, out, err) == (0, b"", b"")


async def test_a_busy_port_is_one_clear_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process = await command("whatsapp", "--port", port)
        async with asyncio.timeout(45):
            out, err = await process.communicate()
    assert (process.returncode, err) == (1, b"")
    assert out.decode() == f"error: 127.0.0.1:{port} cannot be used: Address already in use\n"


def test_speed_shortens_waits_and_leaves_limits_and_what_is_given_alone():
    options = cli._options(arguments("--speed", "10", "--first-ref", "3", "--sync", "2", "--passkey", "--ban", "60"))
    timings = options.timings
    assert (timings.first_ref, timings.sync, timings.load_cold) == (3.0, 2.0, 0.5)
    assert (timings.next_ref, timings.ping_timeout) == (Timings().next_ref, Timings().ping_timeout)
    assert options.switches == {"passkey": True, "ban": "60"}
    assert cli._options(arguments()).timings == Timings()


def test_the_documentation_names_each_switch():
    text = (Path(__file__).parents[3] / "docs" / "stand-ins-whatsapp.md").read_text()
    assert [row.name for row in TABLE if f"`{row.name}`" not in text] == []
