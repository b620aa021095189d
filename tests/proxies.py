"""Small proxies for tests, HTTP (CONNECT and absolute URLs) and SOCKS5, each with or without a password."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class Proxy:
    """A running proxy. seen: the targets `host:port` it connected to; refused: how many requests it refused."""

    def __init__(self, port: int, scheme: str, login: str = "") -> None:
        self.port, self.scheme = port, scheme
        self.wanted = login
        """The `user:password` it requires, or nothing. It can be changed while the proxy runs."""
        self.seen: list[str] = []
        self.refused = 0
        self.status: bytes | None = None
        """The status it answers instead, e.g. b"502 Bad Gateway"."""

    def url(self, login: str = "") -> str:
        return f"{self.scheme}://{login}{'@' if login else ''}127.0.0.1:{self.port}"


@asynccontextmanager
async def http_proxy(login: str = "", port: int = 0) -> AsyncIterator[Proxy]:
    """Run an HTTP proxy. login: `user:password`, or nothing. port: 0 for a free one, or that of an earlier proxy."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *headers = head.split("\r\n")
        method, target, _ = line.split(" ", 2)
        given = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in headers)}
        if proxy.status is not None:
            writer.write(b"HTTP/1.1 " + proxy.status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        wanted = f"Basic {base64.b64encode(proxy.wanted.encode()).decode()}"
        if proxy.wanted and given.get("proxy-authorization") != wanted:
            proxy.refused += 1
            writer.write(
                b'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\n'
                b"Content-Length: 0\r\nConnection: close\r\n\r\n"
            )
            return
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            first = b""
        else:
            parts = urlsplit(target)
            host, port = parts.hostname or "", str(parts.port or 80)
            kept = [each for each in headers if each and not each.lower().startswith(("proxy-", "connection:"))]
            path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
            first = "\r\n".join([f"{method} {path} HTTP/1.1", *kept, "Connection: close", "", ""]).encode("latin-1")
        proxy.seen.append(f"{host}:{port}")
        back = await asyncio.open_connection(host.strip("[]"), int(port))
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back[1].write(first)
        await _join(reader, writer, *back)

    async with _serving(serve, port) as taken:
        proxy = Proxy(taken, "http", login)
        yield proxy


@asynccontextmanager
async def socks_proxy(login: str = "") -> AsyncIterator[Proxy]:
    """Run a SOCKS5 proxy. login: `user:password`, or nothing."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        methods = await reader.readexactly((await reader.readexactly(2))[1])
        way = 2 if login else 0
        if way not in methods:
            proxy.refused += 1
            writer.write(b"\x05\xff")
            return
        writer.write(bytes([5, way]))
        if login:
            await reader.readexactly(1)
            user = await reader.readexactly((await reader.readexactly(1))[0])
            password = await reader.readexactly((await reader.readexactly(1))[0])
            good = f"{user.decode()}:{password.decode()}" == login
            writer.write(b"\x01" + (b"\x00" if good else b"\x01"))
            if not good:
                proxy.refused += 1
                return
        kind = (await reader.readexactly(4))[3]
        if kind == 1:
            host = ".".join(str(part) for part in await reader.readexactly(4))
        else:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        port = int.from_bytes(await reader.readexactly(2), "big")
        proxy.seen.append(f"{host}:{port}")
        back = await asyncio.open_connection(host, port)
        writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        await _join(reader, writer, *back)

    async with _serving(serve) as port:
        proxy = Proxy(port, "socks5")
        yield proxy


@asynccontextmanager
async def _serving(serve, port: int = 0) -> AsyncIterator[int]:
    running: set[asyncio.Task[None]] = set()

    async def guarded(reader, writer) -> None:
        running.add(asyncio.current_task())
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await serve(reader, writer)
            await writer.drain()
        writer.close()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()

    server = await asyncio.start_server(guarded, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _join(reader, writer, back_reader, back_writer) -> None:
    async def pour(source, sink) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        sink.close()

    try:
        await asyncio.gather(pour(reader, back_writer), pour(back_reader, writer))
    finally:
        for each in (writer, back_writer):
            each.close()
            with contextlib.suppress(OSError):
                await each.wait_closed()
