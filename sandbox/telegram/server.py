"""The stand-in's server: HTTP in, JSON out, with faults applied on the way.

Contents: the Bot API's routes, the form of answers, the server's life cycle. Not here: methods and rules.
"""

import asyncio
import contextlib
import hmac
import inspect
import time
from collections.abc import Callable
from email.utils import formatdate
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from sandbox.loopback import guard
from sandbox.telegram.budgets import Limits
from sandbox.telegram.client import Client
from sandbox.telegram.control import add_control_routes
from sandbox.telegram.delivery.webhook import deliver_for_ever
from sandbox.telegram.errors import (
    ApiError,
    DroppedConnectionError,
    method_not_found,
    unauthorized,
)
from sandbox.telegram.faults import POLLING, Fault
from sandbox.telegram.journal import Request
from sandbox.telegram.methods import METHODS, Call, canonical_name
from sandbox.telegram.params import MAX_BODY, Params, read_params
from sandbox.telegram.world import World

DEFAULT_TOKEN = "7000000001:AAsandbox_token_good_on_loopback_only"  # noqa: S105 - opens nothing
CALLBACK_SECONDS = 30.0
HANG_LIMIT = 3600.0
HOST = "127.0.0.1"


class TelegramStandIn:
    """A Telegram on loopback, an async context manager.

    `url` is the Bot API's base (`{url}/bot{token}/{method}`), `client` acts as the people, `world` is the state.
    `port` 0 picks a free one; without `limits` there is no flood control; `now` returns seconds since 1970.
    Raises OSError if the port is taken.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        token: str = DEFAULT_TOKEN,
        limits: Limits | None = None,
        now: Callable[[], float] = time.time,
        callback_seconds: float = CALLBACK_SECONDS,
    ) -> None:
        self.token = token
        self.world = World(int(token.split(":", 1)[0]), now, limits, callback_seconds)
        self.client = Client(self.world)
        self.date_ahead: float | None = 0.0
        """Seconds by which the `Date` of responses is ahead of the world's time; None: they have none."""
        self._port = port
        self._runner: web.AppRunner | None = None
        self._delivery: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The base URL, once started."""
        return f"http://{HOST}:{self.port}"

    @property
    def port(self) -> int:
        """The port listened on, once started."""
        return self._port

    async def start(self) -> None:
        """Listen."""
        app = web.Application(client_max_size=MAX_BODY, middlewares=[guard()])
        app.router.add_route("*", "/bot{token}/{method}", self._api)
        app.router.add_get("/file/bot{token}/{path:.+}", self._file)
        add_control_routes(app, self.client)
        app.on_response_prepare.append(self._put_date)
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            site = web.TCPSite(runner, HOST, self._port)
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self._port = runner.addresses[0][1]
        self._delivery = asyncio.create_task(deliver_for_ever(self.world), name="telegram-webhook")

    async def stop(self) -> None:
        """Stop listening and release all waiting requests."""
        self.world.feed.close()
        await self.client.stop_rival()
        self.world.faults.clear()
        self.world.updates.interrupt(DroppedConnectionError())
        if self._delivery is not None:
            self._delivery.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._delivery
            self._delivery = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    # The Bot API

    async def _api(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"].lower()
        started = time.perf_counter()
        record: Request | None = None
        try:
            self._check_token(request.match_info["token"])
            params = await read_params(request)
            record = self.world.journal.record(self.world.now(), canonical_name(name), params.recorded())
            result = await self._call(name, params, record)
        except ApiError as error:
            _finish(record, started, error.description, error.code)
            return _error_response(error)
        except DroppedConnectionError:
            _finish(record, started, "dropped", None)
            return _drop(request)
        except asyncio.CancelledError:
            _finish(record, started, "client left", None)
            raise
        if record is not None:
            record.result = result if name != POLLING else len(result)
        _finish(record, started, "ok", None)
        return web.json_response({"ok": True, "result": result})

    async def _put_date(self, _: web.Request, response: web.StreamResponse) -> None:
        if self.date_ahead is None:
            response.headers.pop("Date", None)
        else:
            response.headers["Date"] = formatdate(self.world.now() + self.date_ahead, usegmt=True)

    def _check_token(self, token: str) -> None:
        if ":" not in token:
            raise ApiError(401, "Unauthorized: invalid token specified")
        if not hmac.compare_digest(token, self.token):
            raise unauthorized()
        if self.world.profile.get("logged_out"):
            raise ApiError(400, "Logged out")

    async def _call(self, name: str, params: Params, record: Request) -> Any:
        chat_id = params.integer("chat_id") or None
        fault = self.world.faults.take(name, chat_id, self.world.now(), params.said)
        if fault is not None:
            record.fault = fault.kind
            self.world.feed.publish("fault", method=record.method, fault=fault.kind)
        if fault is not None and not _after_the_call(fault):
            await self._fail(fault)
        method = METHODS.get(name)
        if method is None:
            raise method_not_found()
        result = method(Call(self.world, params))
        if inspect.isawaitable(result):
            result = await result
        if fault is not None and _after_the_call(fault):
            record.result = result
            await self._fail(fault)
        self.world.feed.publish("request", method=record.method, number=record.number)
        return result

    async def _fail(self, fault: Fault) -> None:
        """Apply a fault: raise, wait, or delay the call."""
        if fault.kind == "slow":
            await asyncio.sleep(fault.delay)
            return
        if fault.kind == "hang":
            limit = HANG_LIMIT if fault.until is None else max(0.0, fault.until - self.world.now())
            with contextlib.suppress(TimeoutError):
                await self.world.feed.wait_for(lambda: not self.world.faults.in_force(fault, self.world.now()), limit)
        raise fault.error()

    async def _file(self, request: web.Request) -> web.StreamResponse:
        try:
            self._check_token(request.match_info["token"])
        except ApiError as error:
            return _error_response(error)
        file = self.world.files.by_path(request.match_info["path"])
        if file is None:
            return _error_response(ApiError(404, "Not Found"))
        return web.Response(body=file.data, content_type="application/octet-stream")


def _after_the_call(fault: Fault) -> bool:
    return fault.delivered or fault.kind == "lost"


def _error_response(error: ApiError) -> web.Response:
    if error.parameters and "raw" in error.parameters:
        return web.Response(status=error.code, text=error.parameters["raw"], content_type="application/json")
    if error.parameters == {"html": True}:
        page = f"<html><body><h1>{error.code} {error.description}</h1></body></html>"
        return web.Response(status=error.code, text=page, content_type="text/html")
    body: dict[str, Any] = {"ok": False, "error_code": error.code, "description": error.description}
    if error.parameters:
        body["parameters"] = error.parameters
    return web.json_response(body, status=error.code)


def _drop(request: web.Request) -> web.Response:
    """Close the connection without sending a byte."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def _finish(record: Request | None, started: float, outcome: str, code: int | None) -> None:
    if record is not None:
        record.outcome, record.error_code, record.took = outcome, code, time.perf_counter() - started
