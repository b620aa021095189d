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


class LogOuts:
    """What one session knows of a log-out. requested: we asked for one."""

    def __init__(self) -> None:
        self.requested = False
        self._said: str | None = None
        self._at_address: Ended | None = None

    def say(self, code: str) -> Ended:
        """Note that the page announces one. Returns what that is if it stands."""
        self._said = code
        return logged_out(code)

    def unsay(self) -> None:
        """Forget what the page announced: its session is open."""
        self._said = None

    def go_to_address(self, code: str) -> Ended | None:
        """Return the end if the page announced it or we requested it; otherwise it may be one (`look`)."""
        ended = logged_out(self._said or "", code)
        if self._said is not None or self.requested:
            return ended
        self._at_address = ended
        return None

    def look(self, message: Any) -> tuple[Ended | None] | None:
        """Interpret a message of a document at the log-out address: the end, if it stands, where it asks for a scan.

        An open session makes the address void. None: nothing is known anew.
        """
        shows = at_log_out(message) if self._at_address is not None else None
        if shows is None:
            return None
        ended = self._at_address if shows.asks_for_scan else None
        self._at_address = None if shows.open else self._at_address
        return (ended,)

    def at_scan(self) -> Ended | None:
        """Return the end if a page that asks for a scan shows that a log-out happened."""
        if self._said is not None or self.requested:
            return logged_out(self._said or "")
        return self._at_address
