"""The stand-in for web.whatsapp.com: serves the page, its socket and the control interface, on loopback only.

    async with WhatsAppStandIn(Options(timings=Timings().scaled(20))) as wa:
        await page.goto(wa.url)
        wa.phones.scan(code, "+4915112345678")

The page's behaviour is in its scripts (page/), the server's in session.py.
"""

import asyncio
import json
import secrets
import socket
import ssl
from asyncio.trsock import TransportSocket
from collections import Counter
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Self

import qrcode
import trustme
from aiohttp import WSCloseCode, web

from sandbox.loopback import guard
from sandbox.whatsapp import control, heavy
from sandbox.whatsapp.devices import Devices
from sandbox.whatsapp.options import Options
from sandbox.whatsapp.phones import Phones
from sandbox.whatsapp.session import Hub, PageSession
from sandbox.whatsapp.switches import LIVE, Switches, Value

HOST = "127.0.0.1"
REAL_HOST = "web.whatsapp.com"
NOWHERE = "https://web.whatsapp.invalid/"  # a name that can never resolve (RFC 2606)
PAGE = resources.files("sandbox.whatsapp") / "page"
BUNDLE = (
    "base.js", "store.js", "wire.js", "models.js", "account.js", "socket.js", "linking.js", "surface.js", "trouble.js",
    "hoard.js", "hostile.js",
)  # fmt: skip
KINDS = {".js": "text/javascript", ".css": "text/css"}
LONGEST_QR = 1000
SHUTDOWN_DEADLINE = 2.0
GOODBYE_TURNS = 5  # loop iterations: a close is detected in the first, TLS finishes a few later


PORTAL = """<!doctype html><title>Guest network</title><h1>Welcome to our guest network</h1>
<form><label>Room <input></label><label>Password <input type=password></label><button>Log in</button></form>"""


class WhatsAppStandIn:
    """One stand-in; an async context manager. `url` is the page's address while running."""

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self.switches = Switches(self.options.switches)
        self.devices = Devices(self.options.state_file)
        self.hub = Hub(self.options, self.switches, self.devices)
        self.phones = Phones(self.hub)
        self.port = self.options.port
        self.asked: Counter[str] = Counter()
        """How often each kind of a heavy page's assets was requested: `picture`, `font`, `code`."""
        self._stack = AsyncExitStack()
        self._sockets: set[TransportSocket] = set()
        self.switches.watch(self._switched)

    @property
    def url(self) -> str:
        """Return the page's address."""
        return f"{'https' if self.options.tls else 'http'}://{HOST}:{self.port}/"

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[guard(*control.PATHS), self._network, control.errors])
        app.add_routes(control.routes(self.phones, self.switches))
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/assets/{name}", self._asset),
                web.get("/qr", self._qr),
                web.get("/frame", self._frame),
                web.get("/favicon.ico", _no_content),
                web.get("/sw.js", self._worker),
                web.get("/ws/chat", self._socket),
                web.get("/ws/sink", _sink),
                web.get("/no-content", _no_content),
                web.get("/late", _late),
                *heavy.routes(self.options.heavy, self.asked),
            ]
        )
        app.on_shutdown.append(self._hang_up)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_DEADLINE)
        await runner.setup()
        self._stack.push_async_callback(self._stop, runner)
        try:
            site = web.TCPSite(runner, HOST, self.port, ssl_context=_certificate() if self.options.tls else None)
            await site.start()
        except BaseException:
            await self._stack.aclose()
            raise
        self.port = runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _stop(self, runner: web.AppRunner) -> None:
        """Stop serving; do not wait for a browser that never answers a TLS close."""
        if runner.server is not None:  # includes connections without any request
            idle = (each.transport for each in runner.server.connections if each.transport)
            self._sockets.update(transport.get_extra_info("socket") for transport in idle)
        await runner.cleanup()
        for each in self._open_sockets():
            with suppress(OSError):  # the other end closed first
                each.shutdown(socket.SHUT_RDWR)
        for _ in range(GOODBYE_TURNS):
            await asyncio.sleep(0)  # lets the loop detect the end of each connection and close it

    def _open_sockets(self) -> set[TransportSocket]:
        self._sockets = {each for each in self._sockets if each.fileno() >= 0}
        return self._sockets

    # ---- the page

    async def _page(self, request: web.Request) -> web.StreamResponse:
        if self.switches.flag("only_browsers") and "Sec-Fetch-Mode" not in request.headers:
            return web.Response(status=403, text="403: this is no browser.\n")
        if request.method == "HEAD" and (status := int(self.switches.number("head_status"))):
            return web.Response(status=status)
        if status := int(self.switches.number("http_error")):
            return web.Response(status=status, text=f"{status}: this server is not well.\n")
        if (instead := self.switches.choice("instead")) != "off":
            return self._instead(instead, request)
        nonce = secrets.token_urlsafe(16)
        html = (PAGE / "index.html").read_text().replace("{{nonce}}", nonce).replace("{{config}}", self._config())
        if self.switches.choice("unknown_build") == "all":
            html = html.replace("data-testid=", "data-tid=").replace("wa_web_initial_startup", "startup")
        response = web.Response(text=html, content_type="text/html", headers={"Cache-Control": "no-store"})
        is_hostile = self.switches.choice("hostile") != "off"  # such a page sets no CSP against its own attacks
        if not is_hostile and not self.switches.flag("no_csp"):
            response.headers["Content-Security-Policy"] = (
                f"default-src 'self'; script-src 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'; "
                "img-src 'self' data: blob:; connect-src 'self' ws: wss:; frame-src 'self'; object-src 'none'; "
                "worker-src 'self'"
            )
        return response

    def _instead(self, what: str, request: web.Request) -> web.StreamResponse:
        """Answer as something between the browser and WhatsApp does."""
        if what == "redirects":
            raise web.HTTPFound(f"/?{int(request.query_string or 0) + 1}")
        if what == "elsewhere":
            raise web.HTTPFound(f"http://localhost:{self.port}/frame")
        if what == "file":
            headers = {"Content-Disposition": "attachment; filename=page.bin"}
            return web.Response(body=b"page", content_type="application/octet-stream", headers=headers)
        return web.Response(text=PORTAL if what == "portal" else "", content_type="text/html")

    def _config(self) -> str:
        config = {
            "version": f"2.3000.{int(build)}" if (build := self.switches.number("build")) else self.options.version,
            "timings": asdict(self.options.timings),
            "switches": {row.name: value for row, value in self.switches},
            "of_numbers": {number.removeprefix("+"): met for number, met in self.hub.next_pages.items()},
            "bundle": BUNDLE if self.options.heavy is None else (*BUNDLE, "heavy.js", heavy.BULK),
            "listened": self.options.listened,
            "heavy": None if self.options.heavy is None else asdict(self.options.heavy),
        }
        return json.dumps(config).replace("<", "\\u003c")

    async def _asset(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name == heavy.BULK and self.options.heavy is not None:
            self.asked["code"] += 1
            text = heavy.bulk(self.options.heavy.code)
            return web.Response(text=text, content_type="text/javascript", headers=heavy.KEPT)
        kind = KINDS.get(Path(name).suffix)
        if kind is None or not (PAGE / name).is_file():
            raise web.HTTPNotFound
        return web.Response(text=(PAGE / name).read_text(), content_type=kind)

    async def _worker(self, _: web.Request) -> web.StreamResponse:
        """Return the stale worker's script; 404 without the switch, so that an installed one stays."""
        if not self.switches.flag("stale_worker"):
            raise web.HTTPNotFound
        return web.Response(text=(PAGE / "worker.js").read_text(), content_type="text/javascript")

    async def _qr(self, request: web.Request) -> web.StreamResponse:
        """Return the modules of a QR code as rows of 0 and 1, so that the page needs no encoder."""
        text = request.query.get("text", "")
        if not 0 < len(text) <= LONGEST_QR:
            raise web.HTTPBadRequest
        code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_L, border=0)
        code.add_data(text)
        code.make(fit=True)
        return web.json_response(["".join("1" if dark else "0" for dark in row) for row in code.get_matrix()])

    async def _frame(self, _: web.Request) -> web.StreamResponse:
        return web.Response(text="<!doctype html><title>frame</title>", content_type="text/html")

    # ---- its socket

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if self.switches.flag("opening_forever"):
            raise web.HTTPServiceUnavailable
        channel = web.WebSocketResponse()
        await channel.prepare(request)

        def reset() -> None:
            if request.transport is not None:
                request.transport.abort()

        await PageSession(self.hub, request.query.get("page") or secrets.token_hex(4), channel, reset).run()
        return channel

    async def _hang_up(self, _: web.Application) -> None:
        for page in list(self.hub.pages.values()):
            async with asyncio.timeout(SHUTDOWN_DEADLINE):
                await page.hang_up(WSCloseCode.GOING_AWAY)

    # ---- the network in between

    @web.middleware
    async def _network(self, request: web.Request, handler: control.Handler) -> web.StreamResponse:
        """Be unreachable for the page if the switch says so, never for the control interface."""
        if request.transport is not None:
            self._open_sockets().add(request.transport.get_extra_info("socket"))
        controlled = request.path.startswith(control.PATHS)
        if controlled or not self.switches.flag("dns_gone"):
            return await handler(request)
        if request.headers.get("Sec-Fetch-Mode") == "navigate":  # the browser fails with ERR_NAME_NOT_RESOLVED
            raise web.HTTPFound(NOWHERE)
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=503)

    def _switched(self, name: str, value: Value) -> None:
        """Apply a changed switch to open pages."""
        for page in list(self.hub.pages.values()):
            if name in {"opening_forever", "dns_gone"} and value:
                page.reset()
            elif name == "memory_growth":
                page.order("leak", megabytes=value)
            elif name in LIVE:
                page.turn(name, value)
            elif name == "outdated" and value:
                page.stream_error("DEPRECATED_VERSION")
            elif name == "ban" and value and page.device:
                page.ban(float(value))


async def _no_content(_: web.Request) -> web.StreamResponse:
    return web.Response(status=204)


async def _late(request: web.Request) -> web.StreamResponse:
    """Answer after so many seconds, for a page that stands still until then."""
    await asyncio.sleep(float(request.query.get("seconds", "0")))
    return web.Response(status=204)


class _Sink(asyncio.Protocol):
    """Takes whatever a socket sends and looks at nothing, which costs least. before: the connection's own protocol."""

    def __init__(self, before: asyncio.BaseProtocol) -> None:
        self._before = before
        self.gone = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()
        self._before.connection_lost(exc)


async def _sink(request: web.Request) -> web.StreamResponse:
    channel = web.WebSocketResponse()
    await channel.prepare(request)
    if (transport := request.transport) is not None:
        sink = _Sink(transport.get_protocol())
        transport.set_protocol(sink)
        await sink.gone.wait()
    return channel


def _certificate() -> ssl.SSLContext:
    """Make a certificate for the real host's name; clients must ignore its issuer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert(REAL_HOST, "localhost", HOST).configure_cert(context)
    return context
