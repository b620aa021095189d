"""What a page's words and addresses say of a log-out, which may be glimpses: people reload, and pages go astray.

Not here: what follows, and how long something must persist (`session`).
"""

from dataclasses import dataclass
from typing import Any

from controller.accounts.reasons import Reason, logout_reason, logout_words
from controller.accounts.reports import Ended
from controller.chromium.page.reader import PageReader


def logged_out(*codes: str) -> Ended:
    """Return the end for a removed device. codes: WhatsApp's for the reason, as heard in turn; "" for none."""
    code = next((each for each in codes if logout_reason(each) is not Reason.LOGGED_OUT), next(filter(None, codes), ""))
    words = logout_words(code)
    return Ended(Reason.LOGGED_OUT, f"WhatsApp removed this linked device{f' ({words})' if words else ''}", code=code)


@dataclass(frozen=True, slots=True)
class AtLogOut:
    """What a document at the log-out address shows. open: its session is open."""

    open: bool = False
    asks_for_scan: bool = False


def at_log_out(message: Any) -> AtLogOut | None:
    """Interpret a message of such a document; None for one that shows nothing."""
    looking = PageReader(takeover=False)
    list(looking.read(message))
    snapshot = looking.latest
    if snapshot is None:
        return None
    whose = snapshot.number is not None or snapshot.shows_chats
    return AtLogOut(snapshot.connection.is_up is True and whose, snapshot.asks_for_scan)
