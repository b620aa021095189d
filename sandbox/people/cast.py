"""The initial cast of the page: people with a chat, a group, and phones.

Contents: names and numbers, and registering them with the Telegram stand-in. Not here: anything they do.
"""

from typing import Any

import aiohttp

ADMIN, OPERATOR, STRANGER = 1001, 1002, 1003

PEOPLE: tuple[dict[str, Any], ...] = (
    {"user_id": ADMIN, "first_name": "Ada", "username": "ada", "role": "admin"},
    {"user_id": OPERATOR, "first_name": "Ben", "username": "ben", "role": "operator"},
    {"user_id": STRANGER, "first_name": "Sam", "username": "sam", "role": "stranger"},
)
GROUP = "Night shift"
PHONES: tuple[dict[str, str], ...] = (
    {"number": "+4915112345678", "name": "Support Berlin"},
    {"number": "+491511234567", "name": "Sales Munich"},
    {"number": "+4915112345679", "name": "Shop Hamburg"},
)


async def introduce(session: aiohttp.ClientSession, telegram: str) -> int:
    """Register the people and return the group's chat id; the group is created if it does not exist.

    Raises aiohttp.ClientError if the stand-in does not answer.
    """
    for person in PEOPLE:
        body = {key: person[key] for key in ("user_id", "first_name", "username")}
        await _post(session, f"{telegram}/client/user", body)
    async with session.get(f"{telegram}/client/chats") as answer:
        answer.raise_for_status()
        chats = (await answer.json())["chats"]
    for chat in chats:
        if chat.get("title") == GROUP and chat["migrated_to"] is None:
            return int(chat["id"])
    group = await _post(session, f"{telegram}/client/group", {"title": GROUP, "members": [ADMIN, OPERATOR]})
    return int(group["id"])


async def _post(session: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> dict[str, Any]:
    async with session.post(url, json=body) as answer:
        answer.raise_for_status()
        found: dict[str, Any] = await answer.json()
        return found
