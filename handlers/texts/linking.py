"""Texts while accounts are linked: captions of codes, and the queue of accounts to link. HTML; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from controller.accounts.notices import CodeShown
from controller.accounts.reasons import Reason, State
from controller.accounts.status import Status
from controller.registry import Account
from handlers.texts.answers import title, title_and_number
from handlers.texts.vocabulary import WHY, clock, count, span

LISTED = 10
"""Accounts of a queue listed by name; the others are counted."""
NUMBERS = 100
"""Numbers in a command to send: as many as a message has room for."""
NOT_QUEUED = "That one is not waiting for a scan any more. /link begins anew."
ON_ITS_WAY = "The next code is on its way."
BETWEEN = "A new code is on its way"
CONNECTED_ALREADY = "It is connected already."


def position(at: int, of: int) -> str:
    """State the position in a queue of more than one."""
    return f"{at} of {of} · " if of > 1 else ""


def code_caption(account: Account, shown: CodeShown, now: datetime, *, at: int = 1, of: int = 1) -> str:
    """Caption a QR code with its account, lifetime and what follows. at, of: position in the queue."""
    window = clock(shown.window_ends_at, now)
    then = "then I ask once more" if shown.rounds_left else "then I stop"
    if shown.ends_at is None:
        ends = f"Renewed here by itself until {window}, {then}."
    elif shown.ends_at < shown.window_ends_at:
        ends = f"Good for about {_left(shown.ends_at, now)}; renewed here by itself until {window}, {then}."
    else:
        ends = f"Good for about {_left(shown.window_ends_at, now)}; {then}."
    return (
        f"📱 {position(at, of)}{title_and_number(account)}\n"
        f"On its phone: WhatsApp → Settings → Linked devices → Link a device.\n"
        f"{ends}"
    )


def code_refused(account: Account) -> str:
    """Report that the chat service does not take the picture of a code."""
    return (
        f"⚠️ Telegram does not take the picture of {title_and_number(account)}’s code. I try again with each new one; "
        "if none comes, the log says why."
    )


def code_interrupted(account: Account) -> str:
    """Report a code that the end of the program interrupted; a button for a new one is below."""
    return (
        f"⏹ I was restarted while the code of {title_and_number(account)} waited to be scanned: it is void. "
        "Press Link again for a new one."
    )


def between_codes(account: Account, *, at: int = 1, of: int = 1) -> str:
    """Caption the empty picture that replaces an expired code."""
    return f"⏳ {position(at, of)}{title_and_number(account)}\nA new code is on its way, and appears here by itself."


def band(shown: CodeShown, now: datetime) -> str:
    """State within the picture how long its code is valid; plain text."""
    ends = shown.window_ends_at if shown.ends_at is None else min(shown.ends_at, shown.window_ends_at)
    return f"about {_left(ends, now)} left, until {clock(ends, now, seconds=True)}"


def _left(ends: datetime, now: datetime) -> str:
    return span(max(0.0, (ends - now).total_seconds()))


# --- the queue ------------------------------------------------------------------------------------------------------


SCANNED = "scanned, loading its chats"
"""The outcome of an account whose turn is over, until more is known."""


@dataclass(frozen=True, slots=True)
class Done:
    """The result for one account of a queue. outcome: for people, such as "linked"."""

    account: Account
    outcome: str


def outcome(status: Status) -> str:
    """Describe the result of an account whose turn is over."""
    if status.state is State.CONNECTED:
        return "linked"
    if status.reason is Reason.SUSPENDED_BY_OPERATOR:
        return "skipped"
    if status.reason is Reason.QR_EXPIRED:
        return "nobody scanned"
    return "not linked" if status.reason is None else WHY[status.reason]


def queue_progress(
    accounts: Sequence[Account], done: Sequence[Done], *, at: int, of: int, problems: Sequence[str] = ()
) -> str:
    """List a person's queue. accounts: the current one, and those that wait. at: its position."""
    head, *waiting = accounts
    rows = [f"⏳ {at} of {of}: {title_and_number(head)}"]
    if waiting:
        named = ", ".join(title(each) for each in waiting[:LISTED])
        more = f" and {len(waiting) - LISTED} more" if len(waiting) > LISTED else ""
        rows.append(f"Then, one after the other: {named}{more}. Each gets its code once the one before it is done.")
    return "\n".join([*rows, *_done(done), *problems])


def queue_over(done: Sequence[Done], left: Sequence[Account] = (), problems: Sequence[str] = ()) -> str:
    """Summarise a finished queue. left: those still waiting when it was cancelled."""
    rows = ["⏹ Stopped." if left else "✔️ That was the last one in your queue."]
    rows += _done(done)
    if left:
        rows.append(_not_linked(left))
    return "\n".join([*rows, *problems])


def queue_interrupted(left: Sequence[Account]) -> str:
    """Report a queue that the end of the program interrupted. left: its accounts that are not linked yet."""
    if not left:
        return "⏹ I was restarted. All accounts in your queue are linked."
    return f"⏹ I was restarted. {_not_linked(left)}"


def _not_linked(left: Sequence[Account]) -> str:
    """List accounts whose turn did not come, with the command for the rest."""
    named = ", ".join(title(each) for each in left[:LISTED])
    more = f" and {len(left) - LISTED} more" if len(left) > LISTED else ""
    first = f" with the first {NUMBERS}" if len(left) > NUMBERS else ""
    numbers = ", ".join(each.number for each in left[:NUMBERS])
    return f"Not linked: {named}{more}.\nTo go on{first}, send <code>/link {numbers}</code>"


def refused_ones(problems: Sequence[str]) -> str:
    """Answer several numbers none of which can be linked."""
    return "\n".join([f"{count(len(problems), 'number')}, and none that I can link:", *problems])


def problem(words: str) -> str:
    """Explain why one of several numbers is not linked; `words` is HTML."""
    return f"⚠️ {words}"


def in_anothers_queue(account: Account, name: str) -> str:
    """Report whose queue the account is in already. name: HTML."""
    return f"{name} has {title_and_number(account)} in the queue already."


def cannot_begin(account: Account) -> str:
    """Report that an account whose turn had come could not be started."""
    return f"⚠️ {title_and_number(account)} could not be started; its turn is over. The log says why."


def _done(done: Sequence[Done]) -> list[str]:
    by_outcome: dict[str, list[str]] = {}
    for each in done:
        by_outcome.setdefault(each.outcome, []).append(title(each.account))
    return [
        f"{'✅' if words == 'linked' else '▫️'} {words}: {', '.join(names[:LISTED])}"
        + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
        for words, names in by_outcome.items()
    ]
