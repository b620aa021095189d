"""/status: the list of accounts with its pages, filters and buttons."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from enum import IntEnum, unique

from controller.registry import Account
from handlers.chat.button_codes import Press, Verb, button_code
from handlers.chat.messages import Button, Keyboard
from handlers.chat.request import Request
from handlers.telegram.actions.context import Context
from handlers.telegram.actions.find_account import fitting, visible
from handlers.telegram.ui import keyboards
from handlers.texts import answers, overview
from handlers.texts.display_state import ICONS, display_state
from handlers.texts.overview import Line, Page
from handlers.texts.phone_numbers import show_number

SEARCHES = 500
"""How many search lists are remembered: a button has no space for the search text."""


@unique
class Mode(IntEnum):
    """What a list shows; buttons contain its number."""

    FOLDED = 0
    UNFOLDED = 1
    BAD = 2
    SEARCH = 3
    WHOLE = 4


class StatusList:
    """Lists the accounts that a person may see. unwritable: lines on chats that cannot be written to, for admins."""

    def __init__(self, context: Context, unwritable: Callable[[], Sequence[str]]) -> None:
        self._unwritable = unwritable
        self._context, self._people, self._accounts = context, context.people, context.accounts
        self._responder, self._clock = context.responder, context.clock
        self._searches: OrderedDict[tuple[int, int], str] = OrderedDict()

    async def show(self, request: Request) -> None:
        """List all."""
        await self._show(request, Mode.FOLDED, 0)

    async def show_filtered(self, request: Request) -> bool:
        """List matching accounts: `bad`, `all`, or part of a name or number. Returns False if none match."""
        words = request.words.strip().casefold()
        mode = {"bad": Mode.BAD, "all": Mode.WHOLE}.get(words, Mode.SEARCH)
        if mode is Mode.SEARCH and not fitting(self._visible(request), words):
            return False
        await self._show(request, mode, 0, words)
        return True

    def fitting(self, request: Request) -> Sequence[Account]:
        """Return the accounts whose names or numbers contain the request's text."""
        return fitting(self._visible(request), request.words)

    async def press(self, request: Request, press: Press) -> str:
        """Refresh a list, or show another page or more of it."""
        words = ""
        match press.items:
            case ():
                mode, page = Mode.FOLDED, 0
            case (Mode.FOLDED | Mode.UNFOLDED | Mode.BAD | Mode.SEARCH | Mode.WHOLE as number, page):
                mode = Mode(number)
            case _:
                return answers.STALE_BUTTON
        if mode is Mode.SEARCH:
            words = self._searches.get((request.chat, request.message or 0), "")
            if not words:
                return answers.STALE_BUTTON
        await self._show(request, mode, page, words)
        return ""

    # --- parts --------------------------------------------------------------------------------------------------------

    def _visible(self, request: Request) -> list[Account]:
        return visible(self._accounts, self._people, request.user)

    async def _show(self, request: Request, mode: Mode, page: int, words: str = "") -> None:
        accounts, links = self._visible(request), self._context.links(request.user)
        below = self._unwritable() if self._people.is_admin(request.user) else ()
        if not accounts:
            await self._responder.answer(request, "\n".join([answers.no_accounts(links=links), *below]))
            return
        if mode is Mode.SEARCH:
            accounts = fitting(accounts, words)
            if not accounts:  # they have been renamed or removed since
                await self._responder.answer(request, answers.unknown_account(words, links=links))
                return
        lines: list[Line] = [(each, self._accounts.status(each.number)) for each in accounts]
        now = self._clock()
        if mode is Mode.WHOLE:
            refresh = ((Button("Refresh", _code(mode, 0)),),)
            text = "\n".join([overview.whole(lines, now, self._accounts.launches), *below])
            await self._responder.answer(request, text, refresh)
            return
        if mode is Mode.BAD:
            bad = [each for each in lines if overview.need(each[1]).is_bad]
            if not bad:
                keyboard = ((Button("Refresh", _code(mode, 0)), Button("All accounts", _code(Mode.FOLDED, 0))),)
                await self._responder.answer(request, "\n".join([overview.nothing_bad(lines), *below]), keyboard)
                return
            lines = bad
        what = words if mode is Mode.SEARCH else ""
        launches = self._accounts.launches
        shown = overview.page_of(lines, now, page=page, folds=mode is Mode.FOLDED, what=what, launches=launches)
        text = "\n".join([shown.text, *below])
        live = await self._responder.answer(request, text, _keyboard(shown, mode))
        if live is not None and mode is Mode.SEARCH:
            self._searches[live.chat, live.message] = words
            if len(self._searches) > SEARCHES:
                self._searches.popitem(last=False)


def _keyboard(shown: Page, mode: Mode) -> Keyboard:
    """Return buttons for each account that needs attention, other pages, folding, and refresh."""
    bad = [
        Button(
            f"{ICONS[display_state(status)]} {account.name or show_number(account.number)}",
            button_code(Verb.DETAIL, account.number),
        )
        for account, status in shown.bad
    ]
    columns = 2 if len(bad) > 4 else 1  # noqa: PLR2004 - what fits on a phone
    rows = [tuple(bad[start : start + columns]) for start in range(0, len(bad), columns)]
    rows += keyboards.turn_pages(Verb.ALL, shown.page, shown.pages, f".{mode:d}")
    last = [Button("Refresh", _code(mode, shown.page))]
    if shown.folded:
        last.append(Button(f"Show all {shown.all}", _code(Mode.UNFOLDED, 0)))
    elif mode is Mode.UNFOLDED:
        last.append(Button("Show less", _code(Mode.FOLDED, 0)))
    elif mode is not Mode.FOLDED:
        last.append(Button("All accounts", _code(Mode.FOLDED, 0)))
    return (*rows, tuple(last))


def _code(mode: Mode, page: int) -> str:
    return button_code(Verb.ALL, f".{mode:d}.{page}")
