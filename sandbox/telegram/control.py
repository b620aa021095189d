"""The people over HTTP: `/client/*`, for tests in other processes and for the web page.

Contents: the control routes, their bodies and the event stream. Not here: the Bot API itself, and the
implementation of the calls (`client`).
"""

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from sandbox.telegram.client import Client
from sandbox.telegram.faults import PRESETS
from sandbox.telegram.views import chat_view

Body = dict[str, Any]
Action = Callable[[Client, Body], Any | Awaitable[Any]]
CLIENT = web.AppKey("client", Client)
KEEP_ALIVE = b": still here\n\n"
EVENT_ID = re.compile(r"(?:(?P<run>[0-9a-f]+)-)?(?P<number>[0-9]{1,15})")


def add_control_routes(app: web.Application, client: Client) -> None:
    """Add `/client/*` to the stand-in's server."""
    app[CLIENT] = client
    for path, action in _ACTIONS.items():
        app.router.add_post(f"/client/{path}", _posted(action))
    app.router.add_delete("/client/faults", _posted(_heal))
    app.router.add_get("/client/messages", _messages)
    app.router.add_get("/client/chats", _chats)
    app.router.add_get("/client/users", _users)
    app.router.add_get("/client/commands", _commands)
    app.router.add_get("/client/requests", _requests)
    app.router.add_get("/client/faults", _faults)
    app.router.add_get("/client/events", _events)
    app.router.add_get("/client/files/{unique_id}", _file)
    app.router.add_get("/client/me", _me)


def _posted(action: Action) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Make a handler of an action: JSON in, JSON out, one clear line for an error."""

    async def handle(request: web.Request) -> web.Response:
        try:
            body = await request.json() if request.can_read_body else {}
            result = action(request.app[CLIENT], dict(body))
            if isinstance(result, Awaitable):
                result = await result
        except LookupError as error:
            missing = f"missing field {error}" if isinstance(error, KeyError) else str(error)
            return web.json_response({"error": missing}, status=400 if isinstance(error, KeyError) else 404)
        except (TypeError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response(result if result is not None else {"ok": True})

    return handle


async def _send(client: Client, body: Body) -> Any:
    return await client.send(
        int(body["user_id"]),
        str(body["text"]),
        chat_id=_optional(body, "chat_id"),
        thread_id=_optional(body, "thread_id"),
        reply_to=_optional(body, "reply_to"),
    )


async def _press(client: Client, body: Body) -> Any:
    return await client.press(
        int(body["message_id"]),
        str(body["data"]),
        user_id=_optional(body, "user_id"),
        chat_id=_optional(body, "chat_id"),
        wait=float(body.get("wait", 0)),
    )


def _user(client: Client, body: Body) -> Any:
    return client.add_user(
        int(body["user_id"]),
        str(body["first_name"]),
        last_name=body.get("last_name"),
        username=body.get("username"),
        language=str(body.get("language", "en")),
    )


def _group(client: Client, body: Body) -> Any:
    return client.add_group(
        str(body["title"]),
        [int(member) for member in body["members"]],
        supergroup=bool(body.get("supergroup", False)),
        forum=bool(body.get("forum", False)),
        admin=bool(body.get("admin", True)),
        chat_id=_optional(body, "chat_id"),
    )


def _topic(client: Client, body: Body) -> None:
    chat_id, thread_id, what = int(body["chat_id"]), _optional(body, "thread_id"), str(body["do"])
    if what == "delete":
        client.delete_topic(chat_id, thread_id or 0)
    elif what in {"close", "reopen"}:
        client.close_topic(chat_id, thread_id, closed=what == "close")
    else:
        raise ValueError("do is close, reopen or delete")


async def _rival(client: Client, body: Body) -> None:
    if body.get("on", True):
        client.start_rival()
    else:
        await client.stop_rival()


def _update(client: Client, body: Body) -> Any:
    return {"update_id": client.push_update(str(body.get("kind", "message")), body.get("body"))}


def _fail(client: Client, body: Body) -> Any:
    rule = dict(body)
    return client.fail(rule.pop("kind"), **rule).to_json()


def _heal(client: Client, body: Body) -> None:
    client.heal(_optional(body, "number"))


def _optional(body: Body, name: str) -> int | None:
    return None if body.get(name) is None else int(body[name])


_ACTIONS: dict[str, Action] = {
    "send": _send,
    "press": _press,
    "delete": lambda client, body: client.delete(int(body["chat_id"]), int(body["message_id"])),
    "user": _user,
    "block": lambda client, body: client.block(int(body["user_id"])),
    "unblock": lambda client, body: client.unblock(int(body["user_id"])),
    "group": _group,
    "migrate": lambda client, body: client.migrate(int(body["chat_id"]), forum=bool(body.get("forum", False))),
    "bot_status": lambda client, body: client.set_bot_status(int(body["chat_id"]), str(body["status"])),
    "rights": lambda client, body: client.set_missing_rights(int(body["chat_id"]), list(body["missing"])),
    "topic": _topic,
    "delete_group": lambda client, body: client.delete_group(int(body["chat_id"])),
    "webhook": lambda client, body: client.set_webhook(str(body["url"])),
    "rival": _rival,
    "update": _update,
    "faults": _fail,
}


# Reading


async def _messages(request: web.Request) -> web.Response:
    client = request.app[CLIENT]
    chat_id = _number(request, "chat_id")
    everything = client.messages(chat_id, deleted=True, after=_number(request, "after", 0))
    chat = client.world.chats.get(chat_id)
    return web.json_response(
        {
            "chat": chat_view(chat) if chat else None,
            "messages": [message for message in everything if message["deleted"] is None],
            "deleted": [message for message in everything if message["deleted"] is not None],
            "event": f"{client.world.feed.run}-{client.world.feed.last}",
        }
    )


async def _chats(request: web.Request) -> web.Response:
    client = request.app[CLIENT]
    feed = client.world.feed
    return web.json_response({"chats": client.chats(), "event": f"{feed.run}-{feed.last}"})


async def _users(request: web.Request) -> web.Response:
    return web.json_response({"users": request.app[CLIENT].users()})


async def _me(request: web.Request) -> web.Response:
    world = request.app[CLIENT].world
    return web.json_response(
        {
            "bot": world.bot.to_json(),
            "polling": world.updates.polling,
            "webhook": world.updates.webhook.url,
            "pending_updates": len(world.updates.pending),
            "limits": world.budgets.limits is not None,
        }
    )


async def _commands(request: web.Request) -> web.Response:
    user_id = _number(request, "user_id")
    return web.json_response({"commands": request.app[CLIENT].commands(user_id, _number(request, "chat_id", user_id))})


async def _requests(request: web.Request) -> web.Response:
    methods = [name for name in request.query.get("method", "").split(",") if name]
    after = _number(request, "after", 0)
    found = [record.to_json() for record in request.app[CLIENT].requests(*methods) if record.number > after]
    return web.json_response({"requests": found})


async def _faults(request: web.Request) -> web.Response:
    rules = [rule.to_json() for rule in request.app[CLIENT].world.faults.rules]
    return web.json_response({"faults": rules, "presets": [preset.to_json() for preset in PRESETS]})


async def _file(request: web.Request) -> web.Response:
    file = request.app[CLIENT].world.files.by_unique_id(request.match_info["unique_id"])
    if file is None:
        return web.json_response({"error": "there is no such file"}, status=404)
    return web.Response(body=file.data, content_type=file.mime_type)


async def _events(request: web.Request) -> web.StreamResponse:
    """Send all events as server-sent events, starting after Last-Event-ID, or initially after `?after=`.

    An id is `run-number`, as `event` in the other answers; a bare number is accepted too. An id of another run, or one
    whose successors have been discarded, is answered with an event of kind "missed".
    """
    feed = request.app[CLIENT].world.feed
    given = request.headers.get("Last-Event-ID") or request.query.get("after") or ""
    found = EVENT_ID.fullmatch(given)
    after, run = (int(found["number"]), found["run"]) if found else (feed.last, None)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await response.prepare(request)
    await response.write(KEEP_ALIVE)
    async for event in feed.listen(after, run):
        data = json.dumps(event.to_json())
        await response.write(f"id: {feed.run}-{event.number}\ndata: {data}\n\n".encode())
    return response


def _number(request: web.Request, name: str, default: int | None = None) -> int:
    raw = request.query.get(name)
    if raw is None and default is not None:
        return default
    try:
        return int(raw or "")
    except ValueError:
        raise web.HTTPBadRequest(text=json.dumps({"error": f"{name} must be a whole number"})) from None
