"""The list of accounts: those needing attention first, healthy and paused ones folded into a line each. HTML; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, unique

from controller.accounts.model import Stage
from controller.accounts.reasons import Reason, State
from controller.accounts.status import Status
from controller.launch_slots import Bound, Launches
from controller.registry import Account
from handlers.chat.messages import escape
from handlers.texts.answers import clip
from handlers.texts.display_state import is_due
from handlers.texts.status import overview_line
from handlers.texts.vocabulary import clock, count

ON_A_PAGE = 15
"""Accounts per page: what fits on a phone's screen, with a button each."""
UNFOLDED = 8
"""Up to so many accounts are all shown: folding would hide more than it helps."""

Line = tuple[Account, Status]


@unique
class Need(IntEnum):
    """How urgently an account needs attention; lists are in this order."""

    PERSON = 0
    """Nothing happens without a person."""
    TROUBLE = 1
    """Not connected, but retried automatically."""
    COMING = 2
    OFF = 3
    """Nobody has asked for a connection."""
    HEALTHY = 4
    PAUSED = 5
    """Closed by a person."""

    @property
    def is_bad(self) -> bool:
        """Whether the account is not in its wanted state."""
        return self <= Need.TROUBLE


def need(status: Status) -> Need:
    """Return how urgently an account needs attention."""
    if status.dialog or status.unconfirmed is not None:
        return Need.PERSON
    if status.is_connected:
        return Need.HEALTHY
    if is_due(status):
        return Need.COMING
    if status.reason is Reason.SUSPENDED_BY_OPERATOR:
        return Need.PAUSED
    if status.state is State.IDLE:
        return Need.OFF
    if status.state is State.CONNECTING:
        asks = status.stage in {Stage.AWAITING_SCAN, Stage.PASSKEY, Stage.DIALOG}
        return Need.PERSON if asks else Need.TROUBLE if status.reconnect_attempts else Need.COMING
    tried = status.wants_connection or status.next_retry_in is not None or status.on_hold
    return Need.TROUBLE if tried else Need.PERSON


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the list. bad: accounts on it that need attention, each with a button.

    folded: how many accounts are folded into a line; all: how many there are.
    """

    text: str
    page: int
    pages: int
    bad: tuple[Line, ...]
    folded: int
    all: int


def whole(lines: Sequence[Line], now: datetime, launches: Launches | None = None) -> str:
    """List all accounts in one text, which may need splitting."""
    rows = (overview_line(*each, now) for each in _sorted(lines))
    return "\n".join([_head(lines, now), *_launching(launches), *rows])


def page_of(
    lines: Sequence[Line],
    now: datetime,
    *,
    page: int = 0,
    folds: bool = True,
    what: str = "",
    launches: Launches | None = None,
) -> Page:
    """Return one page of the list. page: from 0. folds: fold healthy and paused accounts into a line each.

    what: the search text, "" for all. launches: those in progress.
    """
    shown = _sorted(lines)
    if folds and len(lines) > UNFOLDED:
        shown = [each for each in shown if need(each[1]) < Need.HEALTHY]
    folded = [need(each[1]) for each in lines if each not in shown]
    pages = max(1, -(-len(shown) // ON_A_PAGE))
    page = min(page, pages - 1)
    on_page = shown[page * ON_A_PAGE : (page + 1) * ON_A_PAGE]
    rows = [_head(lines, now, what), *_launching(launches)]
    if pages > 1:
        rows.append(f"Page {page + 1} of {pages}")
    rows += [overview_line(*each, now) for each in on_page]
    if folded and not shown:
        rows.append("Nothing needs you.")
    for each, words in ((Need.HEALTHY, "🟢 {} connected"), (Need.PAUSED, "⏸ {} paused")):
        if folded.count(each):
            rows.append(words.format(count(folded.count(each), "account")))
    bad = tuple(each for each in on_page if need(each[1]).is_bad)
    return Page("\n".join(rows), page, pages, bad, len(folded), len(lines))


def nothing_bad(lines: Sequence[Line]) -> str:
    """Answer `/status bad` if there is nothing."""
    needs = [need(status) for _, status in lines]
    words = {Need.COMING: "connecting", Need.HEALTHY: "connected", Need.PAUSED: "paused", Need.OFF: "off"}
    how = ", ".join(f"{needs.count(each)} {word}" for each, word in words.items() if each in needs)
    return f"🟢 Nothing needs you: {how}." if how else "🟢 Nothing needs you."


def _head(lines: Sequence[Line], now: datetime, what: str = "") -> str:
    connected = sum(status.is_connected for _, status in lines)
    bad = sum(need(status) is Need.PERSON for _, status in lines)
    needs = f", {bad} {'needs' if bad == 1 else 'need'} you" if bad else ""
    found = f" for “{escape(clip(what))}”" if what else ""
    return f"<b>{count(len(lines), 'account')}</b>{found}, {connected} connected{needs} · {clock(now, now)}"


_BOUND = {
    Bound.NONE: "",
    Bound.CPU: "the processors are busy",
    Bound.MEMORY: "memory is short",
    Bound.DISK: "the disk is busy",
    Bound.LAG: "the controller itself is busy",
}


def _launching(launches: Launches | None) -> Sequence[str]:
    """Describe how many browsers start at once, and the limiting factor, while others wait."""
    if launches is None or not launches.waiting:
        return ()
    under_way = launches.launching + launches.loading
    why = "held back" if launches.held else _BOUND[launches.room.bound] or f"at most {launches.most} at once"
    return (f"🚀 {count(under_way, 'browser')} starting, {launches.waiting} waiting ({why})",)


def _sorted(lines: Sequence[Line]) -> list[Line]:
    return sorted(lines, key=lambda each: need(each[1]))
