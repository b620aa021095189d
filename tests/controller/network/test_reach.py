"""WhatsApp's host is probed over the browsers' network path, and any status it returns counts as an answer."""

import asyncio
import contextlib
import gc
import os
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
import trustme

from controller.network.proxy import Proxy, parse_proxy
from controller.network.reach import Reach, UnknownRouteError, UntrustedError, browsers_proxy
from tests.proxies import http_proxy, socks_proxy

LOGIN = "ada:h@n:ter 2"
GIVEN = "ada:h%40n%3Ater%202"


CA = trustme.CA()


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def trusted(monkeypatch, tmp_path):
    CA.cert_pem.write_to_path(tmp_path / "roots.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))


@asynccontextmanager
async def host(answer=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", *, secure=False, certificate=None):
    context = None
    if secure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (certificate or CA.issue_cert("127.0.0.1")).configure_cert(context)

    async def reply(reader, writer):
        await reader.readline()
        writer.write(answer)
        await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async with await asyncio.start_server(reply, "127.0.0.1", 0, ssl=context) as server:
        yield f"{'https' if secure else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.mark.parametrize(
    "status", ["200 OK", "301 Moved", "403 Forbidden", "404 No", "429 Slow", "500 Oh", "501 No HEAD"]
)
@pytest.mark.parametrize("secure", [False, True])
async def test_any_status_is_an_answer(status, secure):
    async with host(f"HTTP/1.1 {status}\r\nLocation: /\r\nContent-Length: 0\r\n\r\n".encode(), secure=secure) as url:
        await Reach(url)()


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 502 Bad Gateway\r\n\r\n", b"HTTP/1.1 503 No\r\n\r\n", b"HTTP/1.1 504 No\r\n\r\n", b"", b"hello\r\n"],
)
async def test_no_host_behind_is_no_answer(answer):
    async with host(answer) as url:
        with pytest.raises(OSError):
            await Reach(url)()


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        (lambda: trustme.CA().issue_cert("127.0.0.1"), "its certificate is not trusted"),
        (lambda: CA.issue_cert("127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=UTC)), "clock right"),
        (lambda: CA.issue_cert("web.whatsapp.com"), "its certificate is another host's"),
    ],
)
async def test_a_host_with_a_wrong_certificate_is_one_that_browsers_may_not_trust(certificate, words):
    async with host(secure=True, certificate=certificate()) as url:
        with pytest.raises(UntrustedError, match=words):
            await Reach(url)()


async def test_a_network_that_wants_a_log_in_is_no_answer():
    async with host(b"HTTP/1.1 511 Network Authentication Required\r\nContent-Length: 0\r\n\r\n") as url:
        with pytest.raises(ConnectionError, match="log in first"):
            await Reach(url)()


async def test_why_nobody_answers_is_told_in_words(unused_tcp_port):
    with pytest.raises(ConnectionError, match=r"the host name is not known \(DNS\)"):
        await Reach("http://whatsapp.invalid/")()
    with pytest.raises(ConnectionError, match="the connection is refused"):
        await Reach(f"http://127.0.0.1:{unused_tcp_port}/")()
    with pytest.raises(ConnectionError, match="the connection is refused"):
        await Reach(f"http://localhost:{unused_tcp_port}/")()  # by both protocols
    async with host() as url:
        with pytest.raises(ConnectionError, match="does not speak TLS"):
            await Reach(url.replace("http:", "https:"))()


@pytest.mark.parametrize("name", ["all_proxy", "https_proxy"])
async def test_a_proxy_of_the_environment_that_only_browsers_know_is_their_own_way(monkeypatch, name):
    monkeypatch.setenv(name, "socks4://127.0.0.1:9")
    with pytest.raises(UnknownRouteError):
        await Reach("https://whatsapp.invalid/")()


async def test_a_host_that_is_not_there_or_silent_is_no_answer(unused_tcp_port, monkeypatch):
    with pytest.raises(OSError):
        await Reach(f"http://127.0.0.1:{unused_tcp_port}/")()
    monkeypatch.setattr("controller.network.reach.REACH_DEADLINE", 0.1)

    async def silent(reader, writer):
        await reader.read()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        with pytest.raises(TimeoutError, match="no answer in"):
            await Reach(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("kind", [http_proxy, socks_proxy])
@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("login", ["", LOGIN])
async def test_it_is_asked_through_the_proxy(kind, secure, login):
    async with kind(login) as proxy, host(secure=secure) as url:
        await Reach(url, parse_proxy(proxy.url(GIVEN if login else "")))()
        assert proxy.seen == [url.split("/")[2]]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", [http_proxy, socks_proxy])
@pytest.mark.parametrize("secure", [False, True])
async def test_a_proxy_that_wants_a_password_is_told_in_words_and_without_it(kind, secure):
    async with kind(LOGIN) as proxy, host(secure=secure) as url:
        for given in ("", "ada:hunter2"):
            with pytest.raises(ConnectionError, match=r"^the proxy wants another user or password \(407\)$"):
                await Reach(url, parse_proxy(proxy.url(given)))()
        assert proxy.seen == []
        assert proxy.refused == 2
    gc.collect()  # the library leaves a connection that a SOCKS proxy refused to the garbage collector


async def test_a_proxy_in_trouble_is_no_answer():
    async with http_proxy() as proxy, host() as url:
        proxy.status = b"502 Bad Gateway"
        with pytest.raises(ConnectionError):
            await Reach(url, parse_proxy(proxy.url()))()


async def test_a_proxy_of_the_environment_is_the_browsers_way_but_not_to_this_machine(monkeypatch):
    async with http_proxy() as proxy, host() as url:
        monkeypatch.setenv("HTTP_PROXY", proxy.url())
        monkeypatch.setenv("http_proxy", proxy.url())
        await Reach(url)()
        assert proxy.seen == []
        with pytest.raises(OSError):
            await Reach("http://whatsapp.invalid:81/")()
        assert proxy.seen == ["whatsapp.invalid:81"]
        monkeypatch.setenv("no_proxy", "whatsapp.invalid")
        with pytest.raises(OSError):
            await Reach("http://whatsapp.invalid:82/")()
        assert len(proxy.seen) == 1


def test_the_arguments_of_the_browsers_go_before():
    ours = parse_proxy("http://a:1")
    assert browsers_proxy(ours, ["--lang=de"]) == ours
    assert browsers_proxy(ours, ["--proxy-server=b:2"]) == Proxy("http", "b", 2)
    assert browsers_proxy(None, ["--proxy-server=socks5://b:2"]) == Proxy("socks5", "b", 2)
    for argument in (
        "--proxy-pac-url=http://x/",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--proxy-server=http=a;https=b",
        "--no-proxy-server",
    ):
        with pytest.raises(UnknownRouteError):
            browsers_proxy(ours, [argument])


def test_an_address_is_taken_apart_and_its_password_is_not_shown():
    proxy = parse_proxy("https://ada:h%40nter2@[::1]")
    assert (proxy.scheme, proxy.host, proxy.port, proxy.user, proxy.password) == ("https", "::1", 443, "ada", "h@nter2")
    assert proxy.server == "https://[::1]:443"
    assert parse_proxy(proxy.url) == proxy
    assert "nter2" not in f"{proxy!r} {proxy.server}"


@pytest.mark.parametrize(
    "text",
    ["", "proxy:3128", "ftp://a:1", "http://", "http://a:99999", "http://a:0", "http://:pass@a:1", "http://a:1/x"],
)
def test_what_is_no_proxy_is_refused_without_showing_it(text):
    with pytest.raises(ValueError, match=r"it takes|takes http") as raised:
        parse_proxy(text)
    assert "pass@" not in str(raised.value)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad\r\n\r\n", b"", b"\x05", b"\x04\x5a", b"\x05\x00\x05\x00"])
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the library leaves the connection to the garbage collector
async def test_what_does_not_speak_socks_is_no_answer(answer):
    async def reply(reader, writer):
        await reader.read(8)
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(reply, "127.0.0.1", 0) as server:
        proxy = Proxy("socks5", "127.0.0.1", server.sockets[0].getsockname()[1])
        with pytest.raises(ConnectionError, match=r"the proxy does not speak SOCKS5|the proxy does not let us through"):
            await Reach("http://web.whatsapp.com/", proxy)()
    gc.collect()
