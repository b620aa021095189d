"""Texts of /audit: who changed what. HTML; pure."""

from collections.abc import Callable, Sequence
from datetime import datetime

from controller.stored import AuditEntry
from handlers.chat.messages import escape
from handlers.texts.answers import clip
from handlers.texts.vocabulary import clock

NOTHING = "Nobody has changed anything yet."
HOW_TO = (
    "Send <code>/audit</code> for everything, or with a filter: an account, a person by name or id, or what was done, "
    "such as <code>/audit suspend</code>."
)


def page(
    entries: Sequence[AuditEntry],
    now: datetime,
    *,
    person: Callable[[int], str],
    account: Callable[[str], str],
    filtered_by: str,
    page: int,
) -> str:
    """List who did what, the newest first. person, account: what they are called, as HTML. page: from 0."""
    about = f": {filtered_by}" if filtered_by else ""
    head = f"<b>Who changed what</b>{about}" + (f" · page {page + 1}" if page else "")
    if not entries:
        return f"{head}\n{'Nothing fits that.' if filtered_by else NOTHING}"
    return "\n".join([head, *(_line(each, now, person, account) for each in entries)])


def _line(entry: AuditEntry, now: datetime, person: Callable[[int], str], account: Callable[[str], str]) -> str:
    names = ", ".join(account(number) for number in entry.number.split(",")) if entry.number else ""
    subject = f" · {names}" if names else ""
    outcome = f": {escape(clip(entry.outcome, 120))}" if entry.outcome else ""
    return f"{clock(entry.at, now)} <b>{person(entry.user)}</b> {escape(clip(entry.command, 40))}{subject}{outcome}"
