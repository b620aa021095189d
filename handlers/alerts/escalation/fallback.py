"""The fallback channel as a protocol, and the wording of its messages. Plain text; pure."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from html import unescape
from typing import Protocol

from handlers.alerts.escalation.steps import OpenTrouble
from handlers.alerts.incidents.incident_text import capitalized
from handlers.texts.vocabulary import alert_wording, clock, count, span

TROUBLES_AT_ONCE = 200
"""Maximum alerts in one message; further ones follow in the next."""


class FallbackChannel(Protocol):
    """Sends to services outside the chat."""

    @property
    def names(self) -> list[str]:
        """The names of the services, without secrets."""

    async def send(self, title: str, text: str) -> dict[str, bool]:
        """Send plain text to all services; returns the names of those that accepted it. Never raises; bounded time."""


def plain(html: str) -> str:
    """Return an HTML message as plain text."""
    return unescape(re.sub(r"<[^>]*>", "", html))


def title(troubles: Sequence[OpenTrouble]) -> str:
    """Return the subject of a message about these troubles."""
    accounts = len({each.key[0] for each in troubles if each.key[0]})
    if not accounts:
        return f"Switchboard: {alert_wording(troubles[0].key[1]).title}"
    return f"Switchboard: {count(accounts, 'account')} {'needs' if accounts == 1 else 'need'} you"


def text(troubles: Sequence[OpenTrouble], names: Callable[[str], str], now: datetime) -> str:
    """Return the body of a message: each reason once, the accounts concerned, and why this channel is used."""
    lines: list[str] = []
    for reason in dict.fromkeys(each.key[1] for each in troubles):
        those = [each for each in troubles if each.key[1] == reason]
        words, since = alert_wording(reason), clock(those[0].at, now)
        who = [plain(names(each.key[0])) for each in those if each.key[0]]
        subject = f"{', '.join(who)}: {words.title}" if who else capitalized(words.title)
        detail = f" ({those[0].detail})" if those[0].detail and len(those) == 1 else ""
        lines += [f"{subject}{detail}, since {since}", plain(words.todo()), ""]
    waited = [each for each in troubles if each.told_at is None]
    if waited:
        lasts = span((now - waited[0].at).total_seconds())
        lines.append(f"This comes by the fallback channel: Telegram has not taken it for {lasts}.")
    else:
        lines.append("This comes by the fallback channel: Telegram has it, and nobody acknowledged it there.")
    return "\n".join(lines)
