"""Telegram by a proxy, and a proxy that cannot be used: one clear line."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from handlers.chat.errors import ChatError
from handlers.telegram.connection import ProxyError, TelegramConnection

USER, PASSWORD = "ada", "hunter2"


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


@asynccontextmanager
async def proxy(kind: str) -> AsyncIterator[tuple[str, list[str]]]:
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
        try:
            await (http if kind == "http" else socks)(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
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
