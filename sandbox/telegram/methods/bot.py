"""Methods about the bot itself: its identity, updates, command menu and files.

Contents: those methods. Not here: anything about messages in a chat.
"""

import re
from typing import Any

from sandbox.telegram.delivery.updates import MAX_TIMEOUT, Webhook
from sandbox.telegram.errors import bad_request
from sandbox.telegram.files import MAX_DOWNLOAD
from sandbox.telegram.methods.registry import Call, method
from sandbox.telegram.model import Json
from sandbox.telegram.params import Params
from sandbox.telegram.world import World

MAX_COMMANDS = 100
MAX_DESCRIPTION = 256
MAX_CONNECTIONS = 100
MAX_SECRET = 256
_SECRET = re.compile(r"[A-Za-z0-9_-]*")
_COMMAND = re.compile(r"[a-z0-9_]{1,32}")
_CHAT_SCOPES = frozenset({"chat", "chat_administrators", "chat_member"})
_SCOPES = frozenset({"default", "all_private_chats", "all_group_chats", "all_chat_administrators"}) | _CHAT_SCOPES


@method("getMe")
def get_me(call: Call) -> Json:
    """Return the bot's own user with its abilities."""
    return {
        **call.world.bot.to_json(),
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
        "has_topics_enabled": False,
        "allows_users_to_create_topics": False,
        "can_manage_bots": False,
    }


@method("logOut")
def log_out(call: Call) -> bool:
    """Log out of this server; every later call is answered 400 until `logged_out` is cleared in the world's profile."""
    call.world.profile["logged_out"] = True
    return True


@method("close")
def close(call: Call) -> bool:
    """Stop serving the bot here; the stand-in continues at once."""
    call.world.feed.publish("closed")
    return True


# Updates


@method("getUpdates")
async def get_updates(call: Call) -> list[Json]:
    """Wait for updates and return up to `limit` of them."""
    params, updates = call.params, call.world.updates
    updates.allow(_allowed(params))
    found = await updates.get(
        params.integer("offset"),
        params.integer("limit", 100, 1, 100),
        params.integer("timeout", 0, 0, MAX_TIMEOUT),
    )
    return [update.to_json() for update in found]


def _allowed(params: Params) -> list[str] | None:
    given = params.structure("allowed_updates", "allowed updates")
    return [str(kind) for kind in given] if isinstance(given, list) else None


@method("setWebhook")
def set_webhook(call: Call) -> bool:
    """Push updates to a URL, or return to polling if it is empty. Plain HTTP is allowed here, as with `--local`."""
    params, updates = call.params, call.world.updates
    url, secret = params.text("url"), params.text("secret_token")
    if params.boolean("drop_pending_updates"):
        updates.drop()
    if not url:
        updates.webhook = Webhook()
        return True
    if not re.match(r"https?://[^\s/]+", url):
        raise bad_request("invalid webhook URL specified")
    if len(secret) > MAX_SECRET:
        raise bad_request("secret token is too long")
    if not _SECRET.fullmatch(secret):
        raise bad_request("secret token contains unallowed characters")
    updates.allow(_allowed(params))
    updates.set_webhook(Webhook(url, secret, params.integer("max_connections", 40, 1, MAX_CONNECTIONS)))
    return True


@method("deleteWebhook")
def delete_webhook(call: Call) -> bool:
    """Return to polling."""
    if call.params.boolean("drop_pending_updates"):
        call.world.updates.drop()
    call.world.updates.webhook = Webhook()
    return True


@method("getWebhookInfo")
def get_webhook_info(call: Call) -> Json:
    """Return where updates are pushed to and the last error."""
    updates = call.world.updates
    webhook = updates.webhook
    found: Json = {
        "url": webhook.url,
        "has_custom_certificate": False,
        "pending_update_count": len(updates.pending),
    }
    if webhook.url:
        found["max_connections"] = webhook.max_connections
        found["ip_address"] = "127.0.0.1"
    if webhook.last_error_at is not None:
        found.update({"last_error_date": int(webhook.last_error_at), "last_error_message": webhook.last_error})
    if updates.allowed is not None:
        found["allowed_updates"] = sorted(updates.allowed)
    return found


# The command menu


@method("setMyCommands")
def set_my_commands(call: Call) -> bool:
    """Set the menu of one scope and language."""
    given = call.params.structure("commands", "commands")
    if given is None:
        given = []
    if not isinstance(given, list):
        raise bad_request("expected an Array of BotCommand")
    if len(given) > MAX_COMMANDS:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    commands = [_command(command) for command in given]
    _menus(call.world)[_scope_key(call)] = commands
    call.world.feed.publish("commands")
    return True


@method("getMyCommands")
def get_my_commands(call: Call) -> list[Json]:
    """Return the menu of exactly this scope and language."""
    return _menus(call.world).get(_scope_key(call), [])


@method("deleteMyCommands")
def delete_my_commands(call: Call) -> bool:
    """Remove the menu of one scope and language; wider scopes apply again."""
    _menus(call.world).pop(_scope_key(call), None)
    call.world.feed.publish("commands")
    return True


def _command(given: Any) -> Json:
    if not isinstance(given, dict) or "command" not in given or "description" not in given:
        raise bad_request("can't parse BotCommand: expected an Object with command and description")
    command, description = str(given["command"]).removeprefix("/"), str(given["description"]).strip()
    if not _COMMAND.fullmatch(command):
        raise bad_request("BOT_COMMAND_INVALID")
    if not 0 < len(description) <= MAX_DESCRIPTION:
        raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    return {"command": command, "description": description}


def _scope_key(call: Call) -> str:
    scope = call.params.structure("scope", "BotCommandScope") or {"type": "default"}
    if not isinstance(scope, dict) or scope.get("type") not in _SCOPES:
        raise bad_request("can't parse BotCommandScope: Unsupported type specified")
    language = call.params.text("language_code")
    if scope["type"] not in _CHAT_SCOPES:
        return f"{scope['type']}:{language}"
    if not scope.get("chat_id"):
        raise bad_request("can't parse BotCommandScope: Empty chat_id specified")
    chat = call.world.chat(str(scope["chat_id"]))
    member = f":{scope['user_id']}" if scope["type"] == "chat_member" else ""
    return f"{scope['type']}:{chat.id}{member}:{language}"


def _menus(world: World) -> dict[str, list[Json]]:
    menus: dict[str, list[Json]] = world.profile.setdefault("commands", {})
    return menus


def commands_seen(world: World, chat_id: int, user_id: int) -> list[Json]:
    """Return the menu that `user_id` sees in `chat_id`: that of the narrowest scope (bots/api#botcommandscope)."""
    menus, chat, user = _menus(world), world.chats.get(chat_id), world.users.get(user_id)
    private = chat.type == "private" if chat else chat_id > 0
    administrator = bool(chat and chat.members.get(user_id) in {"administrator", "creator"})
    scopes = [f"chat:{chat_id}", "all_private_chats", "default"]
    if not private:
        scopes = [
            f"chat_member:{chat_id}:{user_id}",
            *([f"chat_administrators:{chat_id}"] if administrator else []),
            f"chat:{chat_id}",
            *(["all_chat_administrators"] if administrator else []),
            "all_group_chats",
            "default",
        ]
    language = user.language_code if user else ""
    for scope in scopes:
        for spoken in (language, ""):
            if menus.get(f"{scope}:{spoken}"):
                return menus[f"{scope}:{spoken}"]
    return []


# The profile


def _profile_method(name: str, parameter: str, limit: int) -> None:
    """Register the set and get methods of one text of the bot's profile."""

    @method(f"setMy{name}")
    def set_text(call: Call) -> bool:
        text = call.params.text(parameter)
        if len(text) > limit:
            raise bad_request(f"bot {parameter.replace('_', ' ')} is too long")
        call.world.profile[f"{parameter}:{call.params.text('language_code')}"] = text
        return True

    @method(f"getMy{name}")
    def get_text(call: Call) -> Json:
        profile = call.world.profile
        default = call.world.bot.name if parameter == "name" else ""
        plain = profile.get(f"{parameter}:", default)
        return {parameter: profile.get(f"{parameter}:{call.params.text('language_code')}", plain)}


_profile_method("Name", "name", 64)
_profile_method("Description", "description", 512)
_profile_method("ShortDescription", "short_description", 120)


@method("setChatMenuButton")
def set_chat_menu_button(call: Call) -> bool:
    """Store the menu button's kind for a chat, or for all."""
    button = call.params.structure("menu_button", "menu button") or {"type": "default"}
    call.world.profile[f"menu:{call.params.integer('chat_id')}"] = button
    return True


@method("getChatMenuButton")
def get_chat_menu_button(call: Call) -> Any:
    """Return the menu button's kind."""
    profile = call.world.profile
    return profile.get(f"menu:{call.params.integer('chat_id')}", profile.get("menu:0", {"type": "commands"}))


@method("setMyDefaultAdministratorRights")
def set_my_default_administrator_rights(call: Call) -> bool:
    """Store the rights the bot suggests when it is made an administrator."""
    call.world.profile["rights"] = call.params.structure("rights", "ChatAdministratorRights")
    return True


# Files


@method("getFile")
def get_file(call: Call) -> Json:
    """Return the path for downloading a file."""
    file_id = call.params.text("file_id")
    if not file_id:
        raise bad_request("file_id not specified")
    file = call.world.files.file_of(file_id)
    if file is None:
        raise bad_request("invalid file_id")
    if len(file.data) > MAX_DOWNLOAD:
        raise bad_request("file is too big")
    return {
        "file_id": file.file_id,
        "file_unique_id": file.unique_id,
        "file_size": len(file.data),
        "file_path": file.path,
    }
