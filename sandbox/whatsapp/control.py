"""The stand-in's control interface over HTTP: one route for each action of phones.py and for the switches.

Answers are JSON; an error is `{"error": one clear line}` with a 4xx status. Programs on this machine may
call it, and no page of another origin: otherwise any site open in a browser could link and log out phones here.
"""

import inspect
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from sandbox.whatsapp.phones import PhoneError, Phones
from sandbox.whatsapp.switches import SwitchError, Switches

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PATHS = ("/phone/", "/switches")

# An argument's name in HTTP → its name in Python, where they differ.
RENAMED = {"as": "as_", "from": "sender"}


def routes(phones: Phones, switches: Switches) -> list[web.RouteDef]:
    """Return the control's routes."""

    async def show_switches(_: web.Request) -> web.StreamResponse:
        return web.json_response(switches.as_json())

    async def set_switches(request: web.Request) -> web.StreamResponse:
        given = await _body(request)
        if given.get("reset") is True:
            switches.reset()
            given = {}
        wanted = {str(given["name"]): given.get("value")} if "name" in given else given
        return web.json_response({name: switches.set(name, value) for name, value in wanted.items()})

    async def show_devices(_: web.Request) -> web.StreamResponse:
        return web.json_response(phones.devices())

    async def show_codes(_: web.Request) -> web.StreamResponse:
        return web.json_response(phones.codes())

    return [
        web.get("/switches", show_switches),
        web.post("/switches", set_switches),
        web.get("/phone/devices", show_devices),
        web.get("/phone/codes", show_codes),
        web.post("/phone/scan", _action(phones.scan)),
        web.post("/phone/link-code", _action(phones.link_code)),
        web.post("/phone/logout", _action(phones.logout)),
        web.post("/phone/state", _action(phones.state)),
        web.post("/phone/conflict", _action(phones.conflict)),
        web.post("/phone/message", _action(phones.message)),
        web.post("/phone/silence", _action(phones.silence)),
        web.post("/phone/network", _action(phones.network)),
        web.post("/phone/reload", _action(phones.reload)),
        web.post("/phone/crash", _action(phones.crash)),
        web.post("/phone/hang", _action(phones.hang)),
        web.post("/phone/harm", _action(phones.harm)),
        web.post("/phone/turn", _action(phones.turn)),
        web.post("/phone/turn-next", _action(phones.turn_next)),
        web.post("/phone/leave", _action(phones.leave)),
        web.post("/phone/passkey", _action(phones.passkey)),
    ]


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Convert errors to one JSON line."""
    if not request.path.startswith(PATHS):
        return await handler(request)
    try:
        return await handler(request)
    except PhoneError as error:
        return web.json_response({"error": str(error)}, status=error.status)
    except SwitchError as error:
        return web.json_response({"error": str(error)}, status=400)
    except web.HTTPException as error:
        return web.json_response({"error": f"{request.method} {request.path}: {error.reason}"}, status=error.status)


def _action(action: Callable[..., Any]) -> Handler:
    """Make a route of a method: the JSON body's members are its arguments, checked against its signature."""
    parameters = inspect.signature(action).parameters

    async def handle(request: web.Request) -> web.StreamResponse:
        given = {RENAMED.get(name, name): value for name, value in (await _body(request)).items()}
        for name, value in given.items():
            if name not in parameters:
                raise PhoneError(400, f"unknown argument {name!r}; there are {', '.join(map(_spoken, parameters))}")
            wants_flag = parameters[name].annotation is bool
            if wants_flag is not isinstance(value, bool) or (not wants_flag and not isinstance(value, str)):
                raise PhoneError(400, f"{_spoken(name)} is {'true or false' if wants_flag else 'text'}, not {value!r}")
        for name, parameter in parameters.items():
            if parameter.default is parameter.empty and name not in given:
                raise PhoneError(400, f"{_spoken(name)!r} is missing")
        return web.json_response(action(**given))

    return handle


def _spoken(name: str) -> str:
    return next((http for http, python in RENAMED.items() if python == name), name)


async def _body(request: web.Request) -> dict[str, Any]:
    text = await request.text()
    try:
        given = json.loads(text) if text.strip() else {}
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise PhoneError(400, "the body is to be a JSON object")
    return given
