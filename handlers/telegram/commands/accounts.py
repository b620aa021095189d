"""The commands about accounts. Each checks, acts, answers and returns; what takes longer is shown in its answer.

Buttons are handled in `buttons`, which shares `AccountActions` with this module.
"""

import time
from collections import OrderedDict
from collections.abc import Sequence

from controller.registry import Account
from handlers.chat.button_codes import Press, Verb
from handlers.chat.messages import Keyboard, escape
from handlers.chat.people import Role
from handlers.chat.request import Request
from handlers.telegram.actions.account_actions import AccountActions
from handlers.telegram.actions.context import Context
from handlers.telegram.actions.detail import Detail
from handlers.telegram.actions.find_account import (
    NoAccountError,
    SeveralAccountsError,
    find_account,
    suggested,
    told_apart,
    visible,
)
from handlers.telegram.actions.pick import pickable
from handlers.telegram.actions.restore import RestoreActions
from handlers.telegram.actions.status_list import StatusList
from handlers.telegram.commands.table import ButtonRow, Command, Topic
from handlers.telegram.ui import keyboards
from handlers.texts import answers
from handlers.texts.phone_numbers import (
    WrongNameError,
    WrongNumberError,
    check_name,
    parse_number,
    split_numbers,
)

ASK_SECONDS = 300.0
"""Seconds during which the question for a number can be answered with the number alone."""
ASKED_AT_ONCE = 1000
"""How many open questions are remembered."""


class AccountCommands(Topic):
    """/link, /status, /reconnect, /suspend, /restore, /rename, and words without a command."""

    def __init__(
        self,
        context: Context,
        *,
        actions: AccountActions,
        restoring: RestoreActions,
        detail: Detail,
        status_list: StatusList,
    ) -> None:
        self._context, self._people = context, context.people
        self._accounts, self._responder = context.accounts, context.responder
        self._region, self._telegram_clock = context.region, context.telegram_clock
        self._actions, self._restoring, self._detail, self._list = actions, restoring, detail, status_list
        self._asked: OrderedDict[tuple[int, int], float] = OrderedDict()

    async def link(self, request: Request) -> None:
        """Register the account if it is new, start it, and send its code to the person's private chat."""
        await self._link(request)

    async def _link(self, request: Request, *, asked: bool = False) -> None:
        """Link what the request names. asked: it answers the question for a number, which stays open if refused."""
        if not request.words.strip():
            self._remember_question(request)
            await self._responder.answer(request, answers.ask_number(), asks=True)
            return
        numbers, problems = split_numbers(request.words, self._region)
        if len(numbers) + len(problems) > 1:
            await self._actions.link_all(request, numbers, [escape(each) for each in problems])
        elif numbers:
            await self._actions.link(request, *numbers[0])
        else:
            if asked:
                self._remember_question(request)
            await self._responder.answer(request, escape(problems[0]) if problems else answers.ask_number())

    async def status(self, request: Request) -> None:
        """List all accounts, some of them, or show one in full."""
        words = request.words.strip()
        if not words:
            await self._list.show(request)
            return
        fit = [] if words.casefold() in {"bad", "all"} else self._list.fitting(request)
        try:
            account: Account | None = find_account(self._accounts, self._people, request.user, words, self._region)
        except (NoAccountError, SeveralAccountsError):
            account = fit[0] if len(fit) == 1 else None
        if account is None and await self._list.show_filtered(request):
            return
        account = account or await self.find(request, Verb.DETAIL)
        if account is not None:
            await self._detail.show(request, account)

    async def press_list(self, request: Request, press: Press) -> str:
        """Refresh the list of accounts, or show another part of it."""
        return await self._list.press(request, press)

    async def reconnect(self, request: Request) -> None:
        """Start an account with its counters reset."""
        if not request.words.strip():
            await self.offer(request, Verb.RECONNECT, "reconnect")
        elif (account := await self.find(request, Verb.RECONNECT)) is not None:
            await self._actions.reconnect(request, account)

    async def suspend(self, request: Request) -> None:
        """Close an account until further notice."""
        if not request.words.strip():
            await self.offer(request, Verb.SUSPEND, "suspend")
        elif (account := await self.find(request, Verb.SUSPEND)) is not None:
            await self._actions.suspend(request, account)

    async def restore(self, request: Request) -> None:
        """List an account's saved sessions as choices."""
        if not request.words.strip():
            await self.offer(request, Verb.RESTORE, "restore")
        elif (account := await self.find(request, Verb.RESTORE)) is not None:
            await self._restoring.offer(request, account)

    async def rename(self, request: Request) -> None:
        """Rename an account: the longest prefix of the words that matches an account selects it."""
        words, several = request.words.split(), ""
        for end in range(len(words) - 1, 0, -1):
            named = " ".join(words[:end]).rstrip(",")
            try:
                account = find_account(self._accounts, self._people, request.user, named, self._region)
                name = check_name(" ".join(words[end:]))
            except NoAccountError:
                continue
            except SeveralAccountsError:
                several = several or named
                continue
            except WrongNameError as error:
                await self._responder.answer(request, answers.refused(error))
                return
            await self._actions.rename(request, account, told_apart(self._accounts, account.number, name))
            return
        await self._responder.answer(request, self._not_renamed(request, words, several))

    def _not_renamed(self, request: Request, words: list[str], several: str) -> str:
        """Explain why nothing was renamed. several: a prefix of the words that fits more than one account."""
        if several:
            return answers.several_to_rename(several)
        if len(words) < 2:  # noqa: PLR2004 - an account and a name
            return answers.HOW_TO_RENAME
        text = " ".join(words)
        named = text.partition(",")[0] if "," in text else words[0]
        meant = suggested(visible(self._accounts, self._people, request.user), named)
        return f"{answers.unknown_account(named, meant, links=True, buttons=False)}\n{answers.HOW_TO_RENAME}"

    async def plain(self, request: Request, *, to_us: bool) -> None:
        """Handle text without a command: the number that was asked for; otherwise answer with a hint."""
        if self._was_asked(request):
            await self._link(request, asked=True)
        elif to_us:
            await self._responder.answer(request, self._hint(request))

    COMMANDS = (
        Command(
            "link", "number [name]", "link an account by QR code",
            "adds the account if it is new, starts it, and sends you the code; several numbers, one to a line or with "
            "commas between them, are linked one after the other", link,
            changes=True,
        ),
        Command(
            "status", "[number or name, bad or all]", "how the accounts are",
            "all accounts, who needs you first; those that a word fits; or one with buttons to act and see its history",
            status,
            role=Role.VIEWER,
        ),
        Command(
            "reconnect", "[number or name]", "connect an account now",
            "sets the counters to zero and connects now; without a name, it lets you pick", reconnect,
            changes=True,
        ),
        Command(
            "suspend", "[number or name]", "close an account, keep its session",
            "closes the browser and keeps the session, until you say /reconnect; without a name, it lets you pick",
            suspend,
            changes=True,
        ),
        Command(
            "restore", "[number or name]", "go back to a saved session",
            "goes back to one of the account's saved sessions, after asking once more", restore,
        ),
        Command(
            "rename", "number or name, new name", "give an account another name",
            "gives an account another name, such as /rename 4567 Support Hamburg", rename,
            changes=True,
        ),
    )  # fmt: skip
    BUTTONS = {Verb.ALL: ButtonRow("Refresh", press_list, role=Role.VIEWER, reads=True)}  # noqa: RUF012 - a table

    # --- parts --------------------------------------------------------------------------------------------------------

    async def find(self, request: Request, verb: Verb) -> Account | None:
        """Return the selected account; otherwise answer why there is none."""
        try:
            return find_account(self._accounts, self._people, request.user, request.words, self._region)
        except NoAccountError:
            await self._suggest(request, verb)
        except SeveralAccountsError as error:
            await self._responder.answer(
                request, answers.ambiguous(request.words), self._picker(request, verb, error.accounts)
            )
        return None

    async def _suggest(self, request: Request, verb: Verb) -> None:
        """Answer that there is no such account, offering those that the words fit or nearly name."""
        meant = suggested(self._visible(request), request.words)
        if len(meant) > keyboards.PICKER_PAGE:
            meant = []
        text = answers.unknown_account(request.words, meant, links=self._context.links(request.user))
        await self._responder.answer(request, text, self._picker(request, verb, meant) if meant else ())

    def _picker(self, request: Request, verb: Verb, accounts: Sequence[Account]) -> Keyboard:
        candidates = [(each, self._accounts.status(each.number)) for each in accounts]
        return keyboards.picker(verb, candidates, request.user, self._telegram_clock())

    async def offer(self, request: Request, verb: Verb, what: str) -> None:
        """List the accounts for which the command has an effect as choices."""
        offered = pickable(self._accounts, self._people, request.user, verb)
        if offered:
            keyboard = keyboards.picker(verb, offered, request.user, self._telegram_clock())
            await self._responder.answer(request, answers.pick(what), keyboard)
        else:
            none = not self._visible(request)
            await self._responder.answer(request, answers.no_accounts(links=True) if none else answers.NOTHING_TO_PICK)

    def _visible(self, request: Request) -> list[Account]:
        return visible(self._accounts, self._people, request.user)

    def _remember_question(self, request: Request) -> None:
        self._asked[request.place.chat, request.user] = time.monotonic() + ASK_SECONDS
        if len(self._asked) > ASKED_AT_ONCE:
            self._asked.popitem(last=False)

    def _was_asked(self, request: Request) -> bool:
        return self._asked.pop((request.place.chat, request.user), 0.0) > time.monotonic()

    def _hint(self, request: Request) -> str:
        try:
            number = parse_number(request.words, self._region)
        except WrongNumberError:
            return answers.ONLY_COMMANDS
        return answers.did_you_mean_link(number) if self._context.links(request.user) else answers.ONLY_COMMANDS
