"""Telegram by a proxy, and a proxy that cannot be used: one clear line."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
import telegram

from handlers.chat.errors import ChatError, NotSentError, OutcomeUnknownError
from handlers.chat.messages import Place, Text
from handlers.telegram.client import CALL_DEADLINE
from handlers.telegram.connection import POLL_DEADLINE, ProxyError, TelegramConnection

USER, PASSWORD = "ada", "hunter2"
_OPEN: set[asyncio.StreamWriter] = set()
"""Clients of the proxy that is there."""
TELEGRAM_S_BOT = telegram.User(1, "Switchboard", is_bot=True)


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


@asynccontextmanager
async def proxy(kind: str, port: int = 0) -> AsyncIterator[tuple[str, list[str]]]:
    """A proxy on this machine that asks for a password; yields its address and the clients it admitted."""
    passed: list[str] = []

    async def socks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        methods = await reader.readexactly((await reader.readexactly(2))[1])
        if 2 not in methods:
            writer.write(b"\x05\xff")
            writer.close()
            return
        writer.write(b"\x05\x02")
        user = (await reader.readexactly((await reader.readexactly(2))[1])).decode()
        password = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        good = (user, password) == (USER, PASSWORD)
        writer.write(b"\x01\x00" if good else b"\x01\x01")
        if not good:
            writer.close()
            return
        address = await reader.readexactly(4)
        host = (
            (await reader.readexactly((await reader.readexactly(1))[0])).decode()
            if address[3] == 3
            else ".".join(str(part) for part in await reader.readexactly(4))
        )
        port = int.from_bytes(await reader.readexactly(2), "big")
        there, to = await asyncio.open_connection(host, port)
        writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        passed.append(f"{host}:{port}")
        await asyncio.gather(pipe(reader, to), pipe(there, writer))

    async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        wanted = base64.b64encode(f"{USER}:{PASSWORD}".encode())
        if b"proxy-authorization: basic " + wanted.lower() not in head.lower():
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            writer.close()
            return
        method, url, rest = head.split(b" ", 2)
        parts = urlsplit(url.decode())
        there, to = await asyncio.open_connection(parts.hostname, parts.port)
        passed.append(f"{parts.hostname}:{parts.port}")
        to.write(b" ".join([method, parts.path.encode(), rest.replace(b"keep-alive", b"close")]))
        await asyncio.gather(pipe(reader, to), pipe(there, writer))

    serving: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        _OPEN.add(writer)
        try:
            await (http if kind == "http" else socks)(reader, writer)
        finally:
            _OPEN.discard(writer)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"{kind}://{USER}:{PASSWORD}@127.0.0.1:{port}", passed
    await asyncio.wait({task for task in serving if task is not None}, timeout=5)
    await asyncio.sleep(0.05)  # closed transports end in the loop's next turns


@pytest.mark.parametrize("kind", ["http", "socks5"])
async def test_calls_and_polls_go_by_the_proxy(telegram, kind):
    async with proxy(kind) as (address, passed):
        connection = TelegramConnection(telegram.token, telegram.url, address)
        await connection.open()
        await telegram.client.send(1001, "/start")
        assert (await connection.poll(None))[0]["message"]["text"] == "/start"
        await connection.close()
        assert set(passed) == {telegram.url.removeprefix("http://")}
        assert len(passed) >= 2


async def test_a_proxy_that_dies_during_a_poll_and_comes_back_is_an_outage_that_ends(telegram):
    async with proxy("http") as (address, _):
        port = urlsplit(address).port
        connection = TelegramConnection(telegram.token, telegram.url, address)
        await connection.open()
        poll = asyncio.create_task(connection.poll(None))
        await asyncio.sleep(1)
        assert not poll.done()
        for writer in list(_OPEN):
            writer.transport.abort()
    with pytest.raises(ChatError):
        await asyncio.wait_for(poll, POLL_DEADLINE + 10)
    with pytest.raises(NotSentError, match=r"^the connection is refused$"):
        await connection.client.send(Place(1001), Text("x"))
    async with proxy("http", port):
        await telegram.client.send(1001, "/start")
        assert (await connection.poll(None))[0]["message"]["text"] == "/start"
        assert await connection.client.send(Place(1001), Text("x"))
        await connection.close()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ODD: dict[str, tuple[bytes, bytes]] = {
    "nothing": (b"", b""),
    "half a head": (b"HTTP/1.1 200 O", b""),
    "a head, and then nothing": (HEAD + b"Content-Length: 900\r\n\r\n", b""),
    "half a body, and then nothing": (HEAD + b'Content-Length: 900\r\n\r\n{"ok": true, "res', b""),
    "a byte every few seconds": (HEAD + b"Content-Length: 900\r\n\r\n", b" "),
    "a body that is no gzip": (HEAD + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", b""),
    "chunks that are none": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n", b""),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", b""),
    "a way to a login": (b"HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\nContent-Length: 0\r\n\r\n", b""),
    "letters of no alphabet": (HEAD + b'Content-Length: 16\r\n\r\n{"ok": "\xff\xfe\xfd"}  ', b""),
    "a number without end": (HEAD + b"Content-Length: 5000\r\n\r\n" + b"[" * 5000, b""),
}
"""What comes at once in Telegram's place, and what then drips."""


@pytest.mark.parametrize("name", ODD)
async def test_whatever_answers_in_telegram_s_place_ends_in_time_and_is_an_outage(telegram, name):
    at_once, drips = ODD[name]
    serving: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(at_once)
            while not reader.at_eof():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(4):
                        await reader.read(65_536)
                writer.write(drips)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    connection = TelegramConnection(telegram.token, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    connection.bot._bot_user = TELEGRAM_S_BOT
    for call in (connection.client.send(Place(1001), Text("x")), connection.poll(None)):
        began = asyncio.get_running_loop().time()
        with pytest.raises((OutcomeUnknownError, NotSentError)) as error:
            await call
        assert asyncio.get_running_loop().time() - began <= CALL_DEADLINE + 1
        assert telegram.token not in str(error.value)
    await connection.close()
    server.close()
    await asyncio.wait({each for each in serving if each is not None}, timeout=60)
    await asyncio.sleep(0.05)  # closed transports end in the loop's next turns


async def test_a_wrong_password_is_an_outage_and_no_traceback(telegram):
    async with proxy("http") as (address, passed):  # by SOCKS the library leaves a socket to the garbage collector
        connection = TelegramConnection(telegram.token, telegram.url, address.replace(PASSWORD, "wrong"))
        with pytest.raises(ChatError) as error:
            await connection.open()
        await connection.close()
        assert "wrong" not in str(error.value).replace("went wrong", "")
        assert passed == []


@pytest.mark.parametrize("address", ["socks4://a:hunter2@b:1", "ftp://a:hunter2@b"])
async def test_a_proxy_that_cannot_be_used_is_one_line_without_its_password(telegram, address, monkeypatch):
    with pytest.raises(ProxyError, match=r"^TELEGRAM_PROXY: takes .*$") as error:
        TelegramConnection(telegram.token, telegram.url, address)
    assert "hunter2" not in str(error.value)
    monkeypatch.setenv("ALL_PROXY", address)
    with pytest.raises(ProxyError, match=r"^The proxy in the environment .*$"):
        TelegramConnection(telegram.token, telegram.url)
