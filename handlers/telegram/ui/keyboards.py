"""The buttons under messages: labels and layout. What a press does is in `handlers.telegram.commands.buttons`."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from controller.accounts.reasons import Remedy
from controller.accounts.status import Status
from controller.registry import Account
from handlers.chat.button_codes import CONFIRM_SECONDS, Verb, button_code
from handlers.chat.messages import Button, Keyboard
from handlers.texts import remedies
from handlers.texts.display_state import ICONS, display_state
from handlers.texts.phone_numbers import show_number

PICKER_PAGE = 20
"""Accounts per page of a keyboard: what fits on a phone's screen."""
_PICKED = (Verb.SUSPEND, Verb.RECONNECT, Verb.RESTORE, Verb.OWNER, Verb.REMOVE)
"""Actions for which an account can be chosen after a command without arguments."""
SILENCES = 50
"""The maximum number of silences with a button to end them."""
PICK_SECONDS = 600
"""How long a choice remains valid."""
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
"""The labels of buttons."""


def picker(
    verb: Verb, accounts: Sequence[tuple[Account, Status]], presser: int, now: datetime, page: int = 0
) -> Keyboard:
    """Return a page of accounts to choose from.

    A press performs `verb` on the chosen account at once: `presser` has asked for it. page: counted from 0.
    """
    until = int(now.timestamp()) + PICK_SECONDS
    pages = max(1, -(-len(accounts) // PICKER_PAGE))
    page = min(page, pages - 1)
    names = Counter(account.name.casefold() for account, _ in accounts if account.name)
    buttons = [
        Button(
            f"{ICONS[display_state(status)]} {account.name or show_number(account.number)}"
            + (f" …{account.number[-4:]}" if names[account.name.casefold()] > 1 else ""),
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
    """Return the action and the page that a page button stands for."""
    page, which = divmod(item, len(_PICKED))
    return _PICKED[which], page


def detail(account: Account, status: Status, *, may: bool = True, has_copies: bool = False) -> Keyboard:
    """Return the actions available for one account now. may: the person may act on it; has_copies: of its session."""
    number = account.number
    history = Button("History", button_code(Verb.HISTORY, number))
    every = (Button("All accounts", button_code(Verb.ALL)),)
    if not may:
        return ((history,), every)
    suspend = (Button("Suspend", button_code(Verb.SUSPEND, number)),) if remedies.may_suspend(status) else ()
    return (*next_step(number, remedies.offered(status, has_copies=has_copies)), (*suspend, history), every)


def back(number: str) -> Keyboard:
    """Return the button that leads back to the account."""
    return ((Button("« Back", button_code(Verb.DETAIL, number)),),)


def copies(number: str, saved: Iterable[tuple[float, str]]) -> Keyboard:
    """Return a button for each saved session. saved: the Unix time of each, and its label."""
    return tuple((Button(label, button_code(Verb.RESTORE, f"{number}.{int(at)}")),) for at, label in saved)


def turn_pages(verb: Verb, page: int, pages: int, before: str = "") -> Keyboard:
    """Return buttons for the previous and the next page. before: what precedes the page number in the subject."""
    buttons = []
    if page > 0:
        buttons.append(Button("« Back", button_code(verb, f"{before}.{page - 1}")))
    if page < pages - 1:
        buttons.append(Button("More »", button_code(verb, f"{before}.{page + 1}")))
    return (tuple(buttons),) if buttons else ()


def confirm(verb: Verb, subject: str, label: str, presser: int, now: datetime) -> Keyboard:
    """Return a confirmation's buttons: only `presser` may answer, and only for a minute."""
    until = int(now.timestamp()) + CONFIRM_SECONDS
    return (
        (
            Button(label, button_code(verb, subject, presser=presser, until=until)),
            Button("Cancel", button_code(Verb.CANCEL, presser=presser, until=until)),
        ),
    )


def redo(update: int, presser: int, now: datetime) -> Keyboard:
    """Return the buttons that carry out an earlier request, or discard it."""
    until = int(now.timestamp()) + PICK_SECONDS
    return (
        (
            Button("Do it now", button_code(Verb.REDO, f".{update}", presser=presser, until=until)),
            Button("Leave it", button_code(Verb.CANCEL, f".{update}", presser=presser, until=until)),
        ),
    )


def end_silences(silences: Sequence[int]) -> Keyboard:
    """Return a button to end each silence, in the order in which they are listed."""
    many = len(silences) > 1
    return tuple(
        (Button(f"End silence {place}" if many else "End silence", button_code(Verb.END_SILENCE, f".{silence}")),)
        for place, silence in enumerate(silences[:SILENCES], start=1)
    )


def of_code(number: str, *, others_wait: bool, shown: bool = True) -> Keyboard:
    """Return the buttons under a code. others_wait: in the person's queue; shown: a code is visible at this moment."""
    verbs = [Verb.NEW_CODE] * shown + [Verb.SKIP] * others_wait + [Verb.STOP]
    return (tuple(Button(LABELS[verb], button_code(verb, number)) for verb in verbs),)


def of_queue() -> Keyboard:
    """Return the buttons under the message about a person's own queue."""
    return (tuple(Button(LABELS[verb], button_code(verb)) for verb in (Verb.SKIP, Verb.STOP)),)


def next_step(number: str, offered: Iterable[Remedy]) -> Keyboard:
    """Return a button for each available remedy, if any."""
    row = remedies.buttons(offered, number)
    return (row,) if row else ()


def under_card(number: str, offered: Iterable[Remedy]) -> Keyboard:
    """Return the same for a card, which remains a card: the outcome of a press is shown below it."""
    return next_step(f"{number}.0", offered)  # no incident has this id
