"""What cards say: of one account with its buttons, or a line for each of several. Pure; `cards` sends it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from controller.accounts.status import Status
from controller.registry import Account
from handlers.chat.html import rendered_length
from handlers.chat.messages import TEXT_LIMIT, Text, escape
from handlers.telegram.ui import keyboards
from handlers.texts import status as status_text

BESIDE_NAME = 40
"""UTF-16 units of a short line apart from the account's name."""
Note = Callable[[Status], str]
"""Returns additional text for a card, as HTML; "" once it no longer applies."""


def of_one(account: Account, status: Status, now: datetime, note: Note | None = None, *, queued: bool = False) -> Text:
    """Return the card of one account. queued: it waits in a linking queue, where another start changes nothing."""
    words = status_text.card(account, status, now, "" if note is None else note(status), queued=queued)
    return Text(words, keyboards.under_card(account.number, [] if queued else status.remedies))


def of_many(shown: Sequence[tuple[Account, Status]], now: datetime) -> Text:
    """Return a shared card, with shorter lines, and then shorter names, if they would not fit a message otherwise."""
    lines = "\n".join(status_text.card_line(*each, now) for each in shown)
    if rendered_length(lines) > TEXT_LIMIT:
        lines = "\n".join(status_text.card_line(*each, now, short=True) for each in shown)
    if rendered_length(lines) > TEXT_LIMIT:
        room = TEXT_LIMIT // len(shown) - BESIDE_NAME
        cut = [(replace(account, name=_clip(account.name, room)), status) for account, status in shown]
        lines = "\n".join(status_text.card_line(*each, now, short=True) for each in cut)
    return Text(lines)


def _clip(name: str, room: int) -> str:
    """Shorten a name to so many UTF-16 units, leaving no joiner of an emoji at its end."""
    if rendered_length(escape(name)) <= room:
        return name
    while name and rendered_length(escape(name)) >= room:
        name = name[:-1].rstrip("\u200d\ufe0f")
    return f"{name}…"
