"""The page's server: its files, a way to both stand-ins, and the camera.

What lives here: routes on loopback and who may use them. What never does: state; all of it is in the stand-ins.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web

from sandbox.loopback import refusal
from sandbox.people.cast import GROUP, PEOPLE, PHONES, introduce
from sandbox.people.scanning import NoCodeError, read_code

HOST = "127.0.0.1"
PAGE = Path(__file__).parent / "page"
DEADLINE = aiohttp.ClientTimeout(total=30)
ENDLESS = aiohttp.ClientTimeout(total=None, sock_connect=5)
SECURITY = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
# What the page may ask of each stand-in: the people's side only, never the bot's.
DOORS = {"telegram": ("client/",), "whatsapp": ("phone/", "switches")}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class PeoplePage:
    """The page as a server on loopback, for `async with`; `url` is what to open.

    `telegram` and `whatsapp` are the stand-ins' base URLs. Raises OSError where the port is taken and
    aiohttp.ClientError where Telegram's stand-in does not answer.
    """

    def __init__(self, telegram: str, whatsapp: str, *, port: int = 0) -> None:
        self._bases = {"telegram": telegram.rstrip("/"), "whatsapp": whatsapp.rstrip("/")}
        self._port = port
        self._group = 0
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The page's address, once started."""
        return f"http://{HOST}:{self._port}/"

    async def start(self) -> None:
        """Introduce the cast to Telegram's stand-in and listen."""
        self._session = aiohttp.ClientSession(timeout=DEADLINE)
        app = web.Application(middlewares=[_guard])
        app.router.add_get("/", self._index)
        app.router.add_static("/page", PAGE)
        app.router.add_get("/cast", self._cast)
        app.router.add_post("/scan", self._scan)
        app.router.add_route("*", "/{door:telegram|whatsapp}/{path:.+}", self._through)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.5)
        try:
            self._group = await introduce(self._session, self._bases["telegram"])
            await self._runner.setup()
            await web.TCPSite(self._runner, HOST, self._port).start()
        except BaseException:
            await self.stop()
            raise
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening and let every connection go."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _index(self, _: web.Request) -> web.StreamResponse:
        return web.FileResponse(PAGE / "index.html")

    async def _cast(self, _: web.Request) -> web.Response:
        return web.json_response({"people": PEOPLE, "group": {"id": self._group, "title": GROUP}, "phones": PHONES})

    async def _scan(self, request: web.Request) -> web.Response:
        """Hold a phone in front of a chat: `{"chat_id", "message_id", "as"}`; the picture is really decoded."""
        body = await request.json()
        base = self._bases["telegram"]
        async with self._client.get(f"{base}/client/messages", params={"chat_id": str(body["chat_id"])}) as answer:
            messages = (await answer.json()).get("messages", [])
        photo = next((m["photo"] for m in messages if m["message_id"] == body["message_id"]), None)
        if photo is None:
            return _refused(404, "the picture is gone")
        async with self._client.get(base + photo["url"]) as answer:
            picture = await answer.read()
        try:
            code = await asyncio.to_thread(read_code, picture)
        except NoCodeError as error:
            return _refused(422, str(error))
        async with self._client.post(
            f"{self._bases['whatsapp']}/phone/scan", json={"qr": code, "as": body["as"]}
        ) as answer:
            return web.json_response(await answer.json(), status=answer.status)

    async def _through(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on to a stand-in and its answer back, streams as they come."""
        door, path = request.match_info["door"], request.match_info["path"]
        if not path.startswith(DOORS[door]):
            return _refused(404, "there is no such door")
        async with self._client.request(
            request.method,
            f"{self._bases[door]}/{path}",
            params=request.query,
            data=await request.read(),
            headers={"Content-Type": request.content_type},
            timeout=ENDLESS if path == "client/events" else DEADLINE,
        ) as answer:
            response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            return response

    @property
    def _client(self) -> aiohttp.ClientSession:
        assert self._session is not None, "the page was not started"
        return self._session


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Serve this page only: no other site's scripts, no other name for this host; errors are one line."""
    if (why := refusal(request)) is not None:
        return _refused(403, why)
    try:
        response = await handler(request)
    except (KeyError, ValueError) as error:
        return _refused(400, f"the request is not understood: {error}")
    except (aiohttp.ClientConnectionError, TimeoutError):
        return _refused(502, "the stand-in does not answer")
    if not response.prepared:
        response.headers.update(SECURITY)
    return response


def _refused(status: int, error: str) -> web.Response:
    answer: dict[str, Any] = {"error": error}
    return web.json_response(answer, status=status)
