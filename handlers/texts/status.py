"""How accounts are: a line each, detail, history, cards, and the progress of a start. HTML; pure.

What else the bot says is in `handlers.texts.answers`; the words for states and reasons in `handlers.texts.vocabulary`.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile

from controller.accounts.model import Breaker, Stage
from controller.accounts.notices import BuildLoaded, PastTransition
from controller.accounts.numbers import mask
from controller.accounts.reasons import Reason, Remedy, State
from controller.manager import Status
from controller.registry import Account
from handlers.chat.messages import escape
from handlers.texts.answers import WORKING_ON_IT, clip, title, title_and_number
from handlers.texts.vocabulary import ICONS, STAGES, WHY, clock, count, span

CODE_VOID = "🚫 This code is no longer valid."
CODE_LEFT = "🚫 This code is no longer valid. I may not delete its picture: please delete it yourself."


def overview_line(account: Account, status: Status, now: datetime) -> str:
    """Tell of one account in a line of the list of all."""
    words = [f"{ICONS[status.state]} <b>{title(account)}</b> {status.state} {span(_age(status, now))}"]
    if status.state is State.CONNECTING:
        words.append(_stage(status))
    elif not status.is_connected and status.reason is not None:
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


def detail(account: Account, status: Status, now: datetime, loads: Sequence[BuildLoaded] = ()) -> str:
    """Tell all of one account. loads: what it has loaded of the page, the newest first."""
    rows = [f"{ICONS[status.state]} {title_and_number(account)}", f"<b>{status.state}</b>, {_since(status, now)}"]
    if status.state is State.CONNECTING:
        rows.append(f"Now: {_stage(status)}")
    elif status.reason is not None:
        rows.append(f"Why: {_why(status)}")
    if status.is_connected:
        rows.append(f"Connected for {span(status.uptime)}")
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
    if not status.linked:
        rows.append(f"Not linked: /link {account.number} sends a code")
    return "\n".join(rows)


def _of_page(status: Status) -> list[str]:
    """Tell what is to be known of the page that is open."""
    rows = []
    if status.is_connected and not status.verified:
        rows.append("Number not verified: the page has not said whose account is open")
    rows += _asked(status)
    if status.partial:
        rows.append(f"Watched only in part: {escape(clip(status.partial, 120))}")
    return rows


def _of_build(loads: Sequence[BuildLoaded], status: Status, now: datetime) -> list[str]:
    """Tell which version of the page is open, or was last, since when, what it lacks, and which one was before."""
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
    """Tell what the page asks of a person."""
    rows = []
    if status.unconfirmed is not None:
        rows.append(f"Is {mask(status.unconfirmed)} the same account? Its number differs by one digit")
    if status.dialog:
        rows.append(f"The page shows: {escape(clip(status.dialog, 200))}")
    return rows


def history(account: Account, past: Sequence[PastTransition], now: datetime) -> str:
    """Tell the account's newest transitions, the newest first."""
    if not past:
        return f"{title_and_number(account)}\nNothing has happened to it yet."
    rows = [f"{title_and_number(account)}, the newest first:"]
    for one in past:
        why = WHY.get(one.reason, one.reason)
        rows.append(f"{clock(one.at, now, seconds=True)} {one.from_state} → <b>{one.to_state}</b>, {escape(why)}")
    return "\n".join(rows)


def card(account: Account, status: Status, now: datetime) -> str:
    """Tell one account's state in two or three lines that stay true until it changes: moments, no lengths of time.

    Of an attempt's steps it tells those that last: each edit costs the chat's budget.
    """
    rows = [
        f"{ICONS[status.state]} {title_and_number(account)}",
        f"<b>{status.state}</b> since {clock(status.since, now)}",
    ]
    if status.stage in {Stage.AWAITING_SCAN, Stage.PASSKEY}:
        rows[1] += f": {STAGES[status.stage]}"
    elif status.state not in {State.CONNECTING, State.CONNECTED} and status.reason is not None:
        rows[1] += f": {_why(status)}"
    if (following := _next(status, now)) and not status.is_connected:
        rows.append(following)
    return "\n".join(rows + _asked(status))


def card_line(account: Account, status: Status, now: datetime, *, short: bool = False) -> str:
    """Tell one account's state in one line of a card that many share. Stays true until it changes. short: not why."""
    line = f"{ICONS[status.state]} <b>{title(account)}</b> {status.state} {clock(status.since, now)}"
    if short or status.state is State.CONNECTING or status.is_connected or status.reason is None:
        return line
    return f"{line}, {WHY[status.reason]}"


def already_running(account: Account, status: Status, now: datetime) -> str:
    """Answer a start that changes nothing."""
    if status.is_connected:
        return f"{title_and_number(account)} is connected already, for {span(status.uptime)}. Nothing to do."
    return f"{title_and_number(account)} is on its way already: {_stage(status)}. {_since(status, now)}"


def progress(account: Account, status: Status, now: datetime) -> str | None:
    """Return what the answer to a start says now; None where it says what it said."""
    name = title_and_number(account)
    match status.state:
        case State.CONNECTED:
            return f"✅ {name} is connected."
        case State.CONNECTING:
            return _progress_of_attempt(name, status)
        case State.IDLE:
            return None
        case _:
            return f"{ICONS[status.state]} {name}: {_why(status)}.\n{_next(status, now)}".rstrip()


def _progress_of_attempt(name: str, status: Status) -> str | None:
    """Say only what a person waits for: an answer that is edited at every step would use up the chat's budget."""
    match status.stage:
        case Stage.AWAITING_SCAN:
            return f"{WORKING_ON_IT}{name}: scan the code that I sent you."
        case Stage.PASSKEY:
            return f"{WORKING_ON_IT}{name}: {STAGES[Stage.PASSKEY]}."
        case Stage.PAIRING | Stage.SYNCING:
            return f"{WORKING_ON_IT}{name}: almost there, {STAGES[Stage.SYNCING]} …"
        case _:
            return f"{WORKING_ON_IT}{name}: trying again …" if status.reconnect_attempts else None


def is_settled(status: Status) -> bool:
    """Tell whether a start has come to its end: connected, or nothing more is tried."""
    waits = status.next_retry_in is not None or (status.on_hold and not status.is_connected)
    return status.state not in {State.CONNECTING, State.IDLE} and not waits


# --- parts ----------------------------------------------------------------------------------------------------------


def _age(status: Status, now: datetime) -> float:
    return max(0.0, (now - status.since).total_seconds())


def _since(status: Status, now: datetime) -> str:
    return f"for {span(_age(status, now))}, since {clock(status.since, now)}"


def _stage(status: Status) -> str:
    if status.stage is None:
        return "starting"
    known = status.stage is Stage.SYNCING and status.percent is not None
    return STAGES[status.stage] + (f", {status.percent} %" if known else "")


def _why(status: Status) -> str:
    assert status.reason is not None
    cause = status.cause or status.reason
    words = WHY[status.reason] + (f" ({WHY[cause]})" if cause is not status.reason else "")
    if status.detail and cause in {Reason.LAUNCH_FAILED, Reason.UNRESPONSIVE, Reason.WRONG_NUMBER, Reason.UNKNOWN}:
        words += f" – {escape(clip(status.detail, 120))}"
    return words


def _next(status: Status, now: datetime) -> str:
    """Return what follows, in one sentence."""
    if status.on_hold and not status.is_connected:
        return "WhatsApp cannot be reached; it goes on when it can."
    if status.next_retry_in is not None:
        at = clock(now + timedelta(seconds=round(status.next_retry_in)), now, seconds=True)
        return f"Next try at {at}."
    if status.reason is Reason.SUSPENDED_BY_OPERATOR:
        return "/reconnect opens it again."
    if status.wants_connection:
        return ""
    return _REMEDIES[status.remedies[-1]] if status.remedies else _REMEDIES[Remedy.NONE]


_REMEDIES = {
    Remedy.LINK: "/link sends a new code.",
    Remedy.USE_HERE: "It is not tried again by itself; Use here takes it back.",
    Remedy.RECONNECT: "It is not tried again by itself; /reconnect starts it.",
    Remedy.NONE: "It is not tried again by itself.",
    Remedy.CONFIRM: "It is not tried again by itself.",
    Remedy.CONTINUE: "It is not tried again by itself.",
}
"""What a person can do, where nothing is tried by itself any more."""
