"""The page's server: its files, proxies to both stand-ins, control of the product's process, and the camera.

Contents: routes on loopback and their access control. Not here: state; all of it is in the stand-ins,
except the timeline, which is made by polling them.
"""

import asyncio
import contextlib
import json
import mimetypes
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import aiohttp
from aiohttp import web

from sandbox.loopback import refusal
from sandbox.people.cast import GROUP, PEOPLE, PHONES, introduce
from sandbox.people.scanning import NoCodeError, read_code
from sandbox.people.timeline import Timeline, act_of

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
# What the page may request from each stand-in: the people's side only, never the bot's.
DOORS = {"telegram": ("client/",), "whatsapp": ("phone/", "switches")}
PASSED_ON = {"Content-Type", "Last-Event-ID"}
LOOK_SECONDS = 0.5
CODES_KEPT = 500
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Program(Protocol):
    """The product's process, as far as the page controls it."""

    def state(self) -> dict[str, Any]:
        """Return running, since (seconds since 1970), exit_code and the last output lines."""

    async def start(self) -> None:
        """Start it, unless it is running."""

    async def stop(self) -> None:
        """Ask it to exit, and wait."""

    async def kill(self) -> None:
        """Kill it, like kill -9."""


class PeoplePage:
    """The page's server on loopback, an async context manager; `url` is the address to open.

    `telegram` and `whatsapp` are the stand-ins' base URLs; `program` is the product, if we run it. Raises OSError
    if the port is taken and aiohttp.ClientError if the Telegram stand-in does not answer.
    """

    def __init__(self, telegram: str, whatsapp: str, *, port: int = 0, program: Program | None = None) -> None:
        self._bases = {"telegram": telegram.rstrip("/"), "whatsapp": whatsapp.rstrip("/")}
        self._port = port
        self._group = 0
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None
        self._program = program
        self._timeline = Timeline(time.time)
        self._devices: list[dict[str, Any]] | None = None  # as last seen; None while the stand-in is down
        self._looking: asyncio.Task[None] | None = None
        self._codes: dict[str, bool] = {}  # picture → whether a camera reads a code in it

    @property
    def url(self) -> str:
        """The page's address, once started."""
        return f"http://{HOST}:{self._port}/"

    async def start(self) -> None:
        """Register the cast with the Telegram stand-in and listen."""
        self._session = aiohttp.ClientSession(timeout=DEADLINE)
        app = web.Application(middlewares=[_guard])
        app.router.add_get("/", self._index)
        app.router.add_get("/page/{file}", self._file)
        app.router.add_get("/cast", self._cast)
        app.router.add_post("/scan", self._scan)
        app.router.add_get("/code/{picture}", self._code)
        app.router.add_get("/phones", self._phones)
        app.router.add_get("/program", self._show_program)
        app.router.add_post("/program", self._run_program)
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
        self._looking = asyncio.create_task(self._look(), name="looking at the phones")

    async def stop(self) -> None:
        """Stop listening and close all connections."""
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking
            self._looking = None
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

    async def _index(self, _: web.Request) -> web.Response:
        return _page_file("index.html")

    async def _file(self, request: web.Request) -> web.Response:
        return _page_file(request.match_info["file"])

    async def _cast(self, _: web.Request) -> web.Response:
        return web.json_response({"people": PEOPLE, "group": {"id": self._group, "title": GROUP}, "phones": PHONES})

    async def _scan(self, request: web.Request) -> web.Response:
        """Scan a code in a chat with a phone: `{"chat_id", "message_id", "as"}`; the picture is really decoded."""
        body = await request.json()
        params = {"chat_id": str(body["chat_id"])}
        async with self._client.get(f"{self._bases['telegram']}/client/messages", params=params) as answer:
            messages = (await answer.json()).get("messages", [])
        photo = next((m["photo"] for m in messages if m["message_id"] == body["message_id"]), None)
        if photo is None:
            return _refused(404, "the picture is gone")
        try:
            code = await asyncio.to_thread(read_code, await self._picture(photo["url"]))
        except NoCodeError as error:
            return _refused(422, str(error))
        async with self._client.post(
            f"{self._bases['whatsapp']}/phone/scan", json={"qr": code, "as": body["as"]}
        ) as answer:
            found = await answer.json()
            self._timeline.did("You scanned a code" + ("" if answer.ok else f": {found.get('error')}"), body["as"])
            return web.json_response(found, status=answer.status)

    async def _code(self, request: web.Request) -> web.Response:
        """Answer whether a camera reads a code in a Telegram picture, without revealing its content."""
        name = request.match_info["picture"]
        if name not in self._codes:
            while len(self._codes) >= CODES_KEPT:
                del self._codes[next(iter(self._codes))]
            try:
                await asyncio.to_thread(read_code, await self._picture(f"/client/files/{name}"))
                self._codes[name] = True
            except (NoCodeError, OSError):  # OSError: not a picture
                self._codes[name] = False
        return web.json_response({"code": self._codes[name]})

    async def _picture(self, path: str) -> bytes:
        async with self._client.get(self._bases["telegram"] + path) as answer:
            if not answer.ok:
                raise NoCodeError("the picture is gone")
            return await answer.read()

    async def _phones(self, request: web.Request) -> web.Response:
        """Return the linked devices and the events since `?after=`, a number that is valid within one `run`."""
        after = request.query.get("after", "0")
        same = request.query.get("run") == self._timeline.run and after.isdigit()
        return web.json_response(
            {
                "devices": self._devices or [],
                "reachable": self._devices is not None,
                "run": self._timeline.run,
                "timeline": self._timeline.since(int(after) if same else 0),
            }
        )

    async def _look(self) -> None:
        """Poll the phones; their stand-in sends no events."""
        while True:
            try:
                async with self._client.get(f"{self._bases['whatsapp']}/phone/devices") as answer:
                    self._devices = await answer.json()
                self._timeline.look(self._devices or [])
            except (aiohttp.ClientError, TimeoutError, ValueError):
                self._devices = None
            await asyncio.sleep(LOOK_SECONDS)

    async def _show_program(self, _: web.Request) -> web.Response:
        state = self._program.state() if self._program else {}
        return web.json_response({"ours": self._program is not None, **state})

    async def _run_program(self, request: web.Request) -> web.Response:
        """Start, stop or kill the product: `{"action": "start" | "stop" | "kill"}`."""
        action = (await request.json())["action"]
        if self._program is None:
            return _refused(409, "the bot was not started by this sandbox")
        acts = {"start": self._program.start, "stop": self._program.stop, "kill": self._program.kill}
        if action not in acts:
            return _refused(400, f"action is {', '.join(acts)}, not {action!r}")
        self._timeline.did(
            {"start": "You started the bot", "stop": "You stopped the bot"}.get(action, "You killed the bot")
        )
        await acts[action]()
        return await self._show_program(request)

    async def _through(self, request: web.Request) -> web.StreamResponse:
        """Proxy a request to a stand-in and its answer back, streaming."""
        door, path = request.match_info["door"], request.match_info["path"]
        if not path.startswith(DOORS[door]):
            return _refused(404, "there is no such door")
        sent = await request.read()
        async with self._client.request(
            request.method,
            f"{self._bases[door]}/{path}",
            params=request.query,
            data=sent,
            headers={name: value for name, value in request.headers.items() if name in PASSED_ON},
            timeout=ENDLESS if path == "client/events" else DEADLINE,
        ) as answer:
            response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
            if request.method == "POST" and door == "whatsapp" and answer.ok:
                self._note(path, sent)
            await response.prepare(request)
            try:
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
            except aiohttp.ClientPayloadError:  # the stand-in broke off, so this answer does too
                if request.transport is not None:
                    request.transport.abort()
            return response

    def _note(self, path: str, sent: bytes) -> None:
        """Record on the timeline what somebody just did to a phone."""
        body = json.loads(sent or b"{}")
        if isinstance(body, dict) and (text := act_of(path, body)) is not None:
            number = body.get("number")
            self._timeline.did(text, str(number) if number else None)

    @property
    def _client(self) -> aiohttp.ClientSession:
        assert self._session is not None, "the page was not started"
        return self._session


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Serve this page only: no other site's scripts, no other host name. Errors are one line."""
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


def _page_file(name: str) -> web.Response:
    """Return one of the page's files, read whole: a cancelled FileResponse would leave its file open."""
    path = PAGE / name
    if not path.is_file():
        raise web.HTTPNotFound
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return web.Response(body=path.read_bytes(), content_type=kind, charset="utf-8" if "text" in kind else None)
