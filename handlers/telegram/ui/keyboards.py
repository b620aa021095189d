"""The buttons under messages. Labels and layout only: what a press does is in `handlers.telegram.commands.buttons`."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from controller.accounts.reasons import Remedy
from controller.manager import Status
from controller.registry import Account
from handlers.chat.button_codes import CONFIRM_SECONDS, Verb, button_code
from handlers.chat.messages import Button, Keyboard
from handlers.texts import remedies
from handlers.texts.phone_numbers import show_number
from handlers.texts.vocabulary import ICONS, standing

PICKER_PAGE = 20
"""Accounts that a keyboard offers at once: what fits on a phone's screen."""
_PICKED = (Verb.SUSPEND, Verb.RECONNECT, Verb.RESTORE, Verb.OWNER, Verb.REMOVE)
"""What accounts are chosen for by a command alone."""
SILENCES = 50
"""Silences that can be ended by a button."""
PICK_SECONDS = 600
"""How long a choice may take."""
_TWO_COLUMNS_FROM = 8
LABELS: dict[Verb, str] = remedies.LABELS | {
    Verb.SUSPEND: "Suspend",
    Verb.OWNER: "Give to somebody",
    Verb.REMOVE: "Remove",
    Verb.SKIP: "Skip",
    Verb.STOP: "Stop",
    Verb.NEW_CODE: "New code",
    Verb.ACKNOWLEDGE: "Acknowledge",
    Verb.TAKE_OVER: "Take over",
    Verb.RELEASE: "Let go",
    Verb.SILENCE: "Silence 1 h",
    Verb.LONG_SILENCE: "Silence 8 h",
    Verb.END_SILENCE: "End silence",
}
"""What buttons are called."""


def picker(
    verb: Verb, accounts: Sequence[tuple[Account, Status]], presser: int, now: datetime, page: int = 0
) -> Keyboard:
    """Offer accounts to choose from, a page of them at a time.

    A press does `verb` to the one chosen, at once: `presser` has asked for it. page: from 0.
    """
    until = int(now.timestamp()) + PICK_SECONDS
    pages = max(1, -(-len(accounts) // PICKER_PAGE))
    page = min(page, pages - 1)
    buttons = [
        Button(
            f"{ICONS[standing(status)]} {account.name or show_number(account.number)}",
            button_code(verb, account.number, presser=presser, until=until),
        )
        for account, status in accounts[page * PICKER_PAGE : (page + 1) * PICKER_PAGE]
    ]
    columns = 2 if len(buttons) >= _TWO_COLUMNS_FROM else 1
    rows = [tuple(buttons[start : start + columns]) for start in range(0, len(buttons), columns)]
    if pages > 1 and verb in _PICKED:
        turns = (
            ((page - 1) % pages, f"« {page or pages}/{pages}"),
            ((page + 1) % pages, f"{(page + 1) % pages + 1}/{pages} »"),
        )
        rows.append(
            tuple(
                Button(label, button_code(Verb.PAGE, f".{_page_item(verb, to)}", presser=presser, until=until))
                for to, label in turns
            )
        )
    return (*rows, (Button("Cancel", button_code(Verb.CANCEL, presser=presser, until=until)),))


def _page_item(verb: Verb, page: int) -> int:
    return page * len(_PICKED) + _PICKED.index(verb)


def page_of(item: int) -> tuple[Verb, int]:
    """Return what is chosen for and the page, of a button that turns pages."""
    page, which = divmod(item, len(_PICKED))
    return _PICKED[which], page


def detail(account: Account, status: Status, *, may: bool = True, has_copies: bool = False) -> Keyboard:
    """Offer what can be done with one account now. may: the person may act on it; has_copies: of its session."""
    number = account.number
    history = Button("History", button_code(Verb.HISTORY, number))
    every = (Button("All accounts", button_code(Verb.ALL)),)
    if not may:
        return ((history,), every)
    suspend = (Button("Suspend", button_code(Verb.SUSPEND, number)),) if remedies.may_suspend(status) else ()
    return (*next_step(number, remedies.offered(status, has_copies=has_copies)), (*suspend, history), every)


def back(number: str) -> Keyboard:
    """Offer the way back to the account."""
    return ((Button("« Back", button_code(Verb.DETAIL, number)),),)


def copies(number: str, saved: Iterable[tuple[float, str]]) -> Keyboard:
    """Offer saved sessions, each by the Unix time when it was saved, and its label."""
    return tuple((Button(label, button_code(Verb.RESTORE, f"{number}.{int(at)}")),) for at, label in saved)


def turn_pages(verb: Verb, page: int, pages: int, before: str = "") -> Keyboard:
    """Offer the page before and the page after. before: what stands before the page's number in the subject."""
    buttons = []
    if page > 0:
        buttons.append(Button("« Back", button_code(verb, f"{before}.{page - 1}")))
    if page < pages - 1:
        buttons.append(Button("More »", button_code(verb, f"{before}.{page + 1}")))
    return (tuple(buttons),) if buttons else ()


def confirm(verb: Verb, subject: str, label: str, presser: int, now: datetime) -> Keyboard:
    """Ask once more: only `presser` may answer, and only for a minute."""
    until = int(now.timestamp()) + CONFIRM_SECONDS
    return (
        (
            Button(label, button_code(verb, subject, presser=presser, until=until)),
            Button("Cancel", button_code(Verb.CANCEL, presser=presser, until=until)),
        ),
    )


def redo(update: int, presser: int, now: datetime) -> Keyboard:
    """Offer to carry out an earlier request, or not."""
    until = int(now.timestamp()) + PICK_SECONDS
    return (
        (
            Button("Do it now", button_code(Verb.REDO, f".{update}", presser=presser, until=until)),
            Button("Leave it", button_code(Verb.CANCEL, presser=presser, until=until)),
        ),
    )


def take_webhook() -> Keyboard:
    """Offer to let updates come to us again."""
    return ((Button("Take it back", button_code(Verb.TAKE_WEBHOOK)),),)


def end_silences(silences: Sequence[int]) -> Keyboard:
    """Offer to end silences, in the order in which they are listed."""
    many = len(silences) > 1
    return tuple(
        (Button(f"End silence {place}" if many else "End silence", button_code(Verb.END_SILENCE, f".{silence}")),)
        for place, silence in enumerate(silences[:SILENCES], start=1)
    )


def of_code(number: str, *, others_wait: bool, shown: bool = True) -> Keyboard:
    """Offer what can be done with a code. others_wait: in the person's line; shown: there is a code at this moment."""
    verbs = [Verb.NEW_CODE] * shown + [Verb.SKIP] * others_wait + [Verb.STOP]
    return (tuple(Button(LABELS[verb], button_code(verb, number)) for verb in verbs),)


def of_line() -> Keyboard:
    """Offer what can be done with one's own line."""
    return (tuple(Button(LABELS[verb], button_code(verb)) for verb in (Verb.SKIP, Verb.STOP)),)


def next_step(number: str, offered: Iterable[Remedy]) -> Keyboard:
    """Offer what a person can do about the account, if anything."""
    row = remedies.buttons(offered, number)
    return (row,) if row else ()


def under_card(number: str, offered: Iterable[Remedy]) -> Keyboard:
    """Offer the same under a card, which stays a card: what a press brings is told below it."""
    return next_step(f"{number}.0", offered)  # an incident that there never is
