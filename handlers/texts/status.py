"""Account status as text: lines, details, history, cards, and the progress of a start. HTML; pure.

Other answers are in `handlers.texts.answers`; the wording of states and reasons is in `handlers.texts.vocabulary`.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import takewhile

from controller.accounts.e164 import mask
from controller.accounts.model import Breaker, Stage
from controller.accounts.notices import BuildLoaded, PastTransition
from controller.accounts.reasons import Reason, Remedy, State
from controller.accounts.status import Status
from controller.registry import Account
from handlers.chat.messages import escape
from handlers.texts.answers import clip, title, title_and_number
from handlers.texts.display_state import (
    ICONS,
    WAITING_FOR_PEOPLE,
    DisplayState,
    display_state,
    is_due,
    past_display_state,
)
from handlers.texts.remedies import BUTTONS
from handlers.texts.vocabulary import CLOSING_FIRST, STAGES, WHY, clock, count, span

LINK, RECONNECT, USE_HERE = (BUTTONS[each][0][1] for each in (Remedy.LINK, Remedy.RECONNECT, Remedy.USE_HERE))
"""The labels of buttons that stand below."""
QUEUED_TO_LINK = "In line to be linked: its code comes when those before it are scanned."
CODE_VOID = "🚫 This code is no longer valid."
CARD_BELOW = "⤵️ This account’s card stands below."
CODE_LEFT = "🚫 This code is no longer valid. I may not delete its picture: please delete it yourself."


def overview_line(account: Account, status: Status, now: datetime) -> str:
    """Describe one account in a line of the list."""
    stands = display_state(status)
    words = [f"{ICONS[stands]} <b>{title(account)}</b> {_lasting(stands, _age(status, now))}"]
    if status.state is State.CONNECTING:
        words.append(_stage(status))
    elif not (status.is_connected or status.reason is None or _is_paused_by_person(status, stands)):
        words.append(_why(status))
    if status.reconnect_attempts:
        words.append(count(status.reconnect_attempts, "attempt"))
    if status.error_count:
        words.append(count(status.error_count, "error"))
    if status.dialog and status.is_connected:
        words.append("a dialog covers its page")
    if status.next_retry_in is not None:
        words.append(f"next try in {span(status.next_retry_in)}")
    return " · ".join(words)


def detail(
    account: Account,
    status: Status,
    now: datetime,
    loads: Sequence[BuildLoaded] = (),
    *,
    may: bool = True,
    queued: bool = False,
) -> str:
    """Describe one account in full.

    loads: the page builds it has loaded, newest first. may: the reader acts on it. queued: as in `card`.
    """
    stands = display_state(status)
    rows = [f"{ICONS[stands]} {title_and_number(account)}", f"<b>{stands}</b> {_since(status, now)}"]
    if status.state is State.CONNECTING:
        rows.append(f"Now: {_stage(status)}")
        if status.failure is not None:
            rows.append(f"Before that: {WHY[status.failure.reason]}{_detailed(status.failure.detail)}")
    elif status.reason is not None and not (status.is_connected and stands is DisplayState.NEEDS_YOU):
        rows.append(f"Why: {_why(status, in_full=True)}")
    if status.is_connected and _age(status, now) - status.uptime > _AGREES:  # it lasts from before a restart
        rows.append(f"Its browser has been connected for {span(status.uptime)}")
    rows.append(f"Attempts: {status.reconnect_attempts} · errors: {status.error_count}")
    if status.breaker is not Breaker.CLOSED:
        rows.append(
            "Pause after errors: " + ("running" if status.breaker is Breaker.OPEN else "over, one trial under way")
        )
    if status.next_retry_in is not None:
        rows.append(f"Next try in {span(status.next_retry_in)}")
    if status.last_activity is not None:
        rows.append(f"Last heard from WhatsApp {span((now - status.last_activity).total_seconds())} ago")
    rows += _of_page(status)
    rows += _of_build(loads, status, now)
    if queued:
        rows.append(QUEUED_TO_LINK)
    elif not status.linked:
        rows.append(_not_linked(account, status) if may else "Not linked")
    return "\n".join(rows)


def _of_page(status: Status) -> list[str]:
    """Describe the open page."""
    rows = _asked(status)
    if status.partial:
        rows.append(f"Watched only in part: {escape(clip(status.partial, 120))}")
    return rows


def _of_build(loads: Sequence[BuildLoaded], status: Status, now: datetime) -> list[str]:
    """Describe the current or latest build of the page: since when, what it lacks, and its predecessor."""
    build = status.build or (loads[0].build if loads else "")
    if not build:
        return []
    mine = list(takewhile(lambda load: load.build == build, loads))
    missing = status.missing if status.build else loads[0].missing
    words = f"WhatsApp Web {escape(clip(build, 40))}"
    if mine:
        words += f", since {clock(mine[-1].at, now)}"
    if missing:
        words += f", without {escape(', '.join(sorted(missing)))}"
    rows = [words if status.build else f"Last {words}"]
    if len(loads) > len(mine):
        rows.append(f"Before that {escape(clip(loads[len(mine)].build, 40))}")
    return rows


def _asked(status: Status) -> list[str]:
    """Describe what the page asks of a person, and whose it is where it does not tell."""
    rows = []
    if status.is_connected and not status.verified and status.unconfirmed is None:
        rows.append("Number not verified: the page has not said whose account is open")
    if status.unconfirmed is not None:
        rows.append(f"Is {mask(status.unconfirmed)} the same account? Its page shows that number")
    if status.dialog:
        rows.append(f"The page shows: {escape(clip(status.dialog, 200))}")
    return rows


def history(
    account: Account, past: Sequence[PastTransition], now: datetime, by: Callable[[PastTransition], str] = lambda _: ""
) -> str:
    """List past states, durations and reasons, newest first. by: who requested it, as HTML; "" for nobody."""
    if not past:
        return f"{title_and_number(account)}\nNothing has happened to it yet."
    rows = [f"{title_and_number(account)}, the newest first:"]
    until = now
    for one in past:
        words = past_display_state(one.to_state, one.reason)
        lasted = span(max(0.0, (until - one.at).total_seconds()))
        why = "" if one.to_state == State.CONNECTED else f": {escape(WHY.get(one.reason, one.reason))}"
        if one.cause is not None and one.cause is not one.reason and one.to_state != State.CONNECTED:
            why += f" ({escape(WHY.get(one.cause, one.cause))})"
        if who := by(one):
            why = f": {_BY[one.reason]} {who}" if one.reason in _BY else f"{why}, by {who}"
        rows.append(f"{clock(one.at, now)} <b>{words}</b> {'for' if until is not now else 'so far'} {lasted}{why}")
        until = one.at
    return "\n".join(rows)


_BY = {Reason.ASKED: "asked for by", Reason.SUSPENDED_BY_OPERATOR: "suspended by"}
"""Reasons that are a person's doing, in front of that person's name."""


def card(account: Account, status: Status, now: datetime, note: str = "", *, queued: bool = False) -> str:
    """Describe an account's state in two to four lines that stay true until it changes: times, not durations.

    note: further text for whoever asked; HTML. queued: it waits in somebody's linking queue, and its turn has not come.
    """
    stands = display_state(status)
    why = f" since {clock(status.since, now)}" if queued else _card_why(status, stands, now)
    rows = [f"{ICONS[stands]} {title_and_number(account)}", f"<b>{stands}</b>{why}"]
    if queued:
        rows.append(QUEUED_TO_LINK)
    elif (following := _next(status, now)) and not status.is_connected:
        rows.append(following)
    rows += _asked(status)
    if note:
        rows.append(note)
    return "\n".join(rows)


def _card_why(status: Status, stands: DisplayState, now: datetime) -> str:
    """Return what follows the state on an account's card."""
    since = f" since {clock(status.since, now)}"
    if status.state is State.CONNECTING:
        return f": {_stage(status)}"
    if status.is_connected or status.reason is None:
        return since
    if is_due(status):
        return f": {CLOSING_FIRST}"
    if _is_paused_by_person(status, stands):
        return f"{since}, as an operator asked"
    return f"{since}: {_why(status)}"


def card_line(account: Account, status: Status, now: datetime, *, short: bool = False) -> str:
    """Describe an account in one line of a shared card. Stays true until it changes. short: without the reason."""
    stands = display_state(status)
    line = f"{ICONS[stands]} <b>{title(account)}</b> {stands}, since {clock(status.since, now)}"
    if short or status.is_connected or status.reason is None:
        return line
    if status.state is State.CONNECTING:
        return f"{line}, {STAGES[status.stage]}" if status.stage in WAITING_FOR_PEOPLE and status.stage else line
    return f"{line}, {CLOSING_FIRST if is_due(status) else WHY[status.reason]}"


def is_settled(status: Status) -> bool:
    """Return whether a start has finished: connected, or nothing more is tried."""
    waits = is_due(status) or status.next_retry_in is not None or (status.on_hold and not status.is_connected)
    return status.state is not State.CONNECTING and not waits


# --- parts ----------------------------------------------------------------------------------------------------------


def _age(status: Status, now: datetime) -> float:
    return max(0.0, (now - status.since).total_seconds())


_AGREES = 60.0
"""Seconds by which an account's state and its browser's connection may differ in age without a word about it."""


def _is_paused_by_person(status: Status, stands: DisplayState) -> bool:
    return stands is DisplayState.PAUSED and status.reason is Reason.SUSPENDED_BY_OPERATOR


def _lasting(stands: DisplayState, seconds: float) -> str:
    """Return a state and how long it has lasted; "Needs you for 3 min" would read as the time that it takes."""
    lasted = span(seconds)
    return f"{stands} ({lasted})" if stands is DisplayState.NEEDS_YOU else f"{stands} for {lasted}"


def _since(status: Status, now: datetime) -> str:
    return f"since {clock(status.since, now)} ({span(_age(status, now))})"


def _not_linked(account: Account, status: Status) -> str:
    """Say how an account gets linked: by the button, where it stands below."""
    if status.state is State.CONNECTING:
        return "Not linked yet"
    how = LINK if Remedy.LINK in status.remedies else f"<code>/link {account.number}</code>"
    return f"Not linked: {how} sends a code"


def _stage(status: Status) -> str:
    if status.stage is None:
        return "starting"
    if status.dialog:
        return WHY[Reason.DIALOG]  # whatever it was doing, it does not go on under it
    if status.stage is Stage.SYNCING and status.percent is not None:
        return f"{STAGES[status.stage]}, {status.percent} %"
    if status.held:
        return "waiting until browsers may be started again"
    if status.stage is Stage.QUEUED and status.place_in_line is not None:
        return f"{STAGES[status.stage]}, number {status.place_in_line} in line"
    return STAGES[status.stage]


def _why(status: Status, *, in_full: bool = False) -> str:
    assert status.reason is not None
    if is_due(status):
        return CLOSING_FIRST
    cause = status.cause or status.reason
    words = WHY[status.reason] + (f" ({WHY[cause]})" if cause is not status.reason else "")
    if in_full or cause in _VAGUE:
        words += _detailed(status.detail)
    return words


_VAGUE = frozenset({Reason.LAUNCH_FAILED, Reason.UNRESPONSIVE, Reason.WRONG_NUMBER, Reason.UNKNOWN})
"""Reasons that say little without their detail."""


def _detailed(detail: str) -> str:
    return f" – {escape(clip(detail, 120))}" if detail else ""


def _next(status: Status, now: datetime) -> str:
    """Describe what follows, in one sentence."""
    if status.on_hold and not status.is_connected:
        return "WhatsApp cannot be reached; it goes on when it can."
    if status.next_retry_in is not None:
        return f"Next try {_soon(status.next_retry_in, now)}."
    if is_due(status):
        return ""
    if status.reason is Reason.SUSPENDED_BY_OPERATOR:
        return f"{RECONNECT} opens it again." if status.linked else f"{LINK} sends a new code."
    if status.wants_connection:
        return ""
    return _REMEDIES[status.remedies[-1]] if status.remedies else _REMEDIES[Remedy.NONE]


def _soon(seconds: float, now: datetime) -> str:
    """Describe a future time in words that stay true until then."""
    if seconds <= _A_FEW:
        return "in a few seconds"
    return "within a minute" if seconds <= _A_MINUTE else f"at {clock(now + timedelta(seconds=seconds), now)}"


_A_FEW, _A_MINUTE = 10, 60
"""Seconds."""
_REMEDIES = {
    Remedy.LINK: f"{LINK} sends a new code.",
    Remedy.USE_HERE: f"It is not tried again by itself; {USE_HERE} takes it back.",
    Remedy.RECONNECT: f"It is not tried again by itself; {RECONNECT} starts it.",
    Remedy.NONE: "It is not tried again by itself.",
    Remedy.CONFIRM: "It is not tried again by itself.",
    Remedy.CONTINUE: "It is not tried again by itself.",
}
"""What a person can do if nothing is tried automatically any more, by the button below."""
