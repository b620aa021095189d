"""/owner and /remove: transferring an account, and removing it."""

from controller.registry import Account
from handlers.chat.button_codes import Press, Verb, button_code
from handlers.chat.messages import Button, Keyboard
from handlers.chat.people import Person, Role
from handlers.chat.request import Request
from handlers.telegram.actions.context import Context
from handlers.telegram.actions.find_account import NoAccountError, SeveralAccountsError, find_account
from handlers.telegram.actions.ownership import OwnershipActions
from handlers.telegram.commands.accounts import AccountCommands
from handlers.telegram.commands.table import ButtonRow, Command, Topic
from handlers.telegram.ui import keyboards
from handlers.texts import answers
from handlers.texts import ownership as texts
from handlers.texts.people import short

OFFERED = 40
"""People offered as buttons; others are given by their id."""


class OwnershipCommands(Topic):
    """Transfers accounts, and removes them."""

    def __init__(self, context: Context, *, actions: OwnershipActions, choices: AccountCommands) -> None:
        self._people, self._accounts, self._responder = context.people, context.accounts, context.responder
        self._region, self._telegram_clock = context.region, context.telegram_clock
        self._actions, self._choices = actions, choices

    async def owner(self, request: Request) -> None:
        """Transfer an account: the longest prefix of the words that matches an account selects it."""
        words = request.words.split()
        if not words:
            await self._choices.offer(request, Verb.OWNER, "give to somebody")
            return
        for end in range(len(words), 0, -1):
            try:
                account = find_account(self._accounts, self._people, request.user, " ".join(words[:end]), self._region)
            except (NoAccountError, SeveralAccountsError):
                continue
            if end == len(words):
                await self._responder.answer(request, self._whose(account), self._offer_owners(account))
            elif (owner := self._find_owner(request, " ".join(words[end:]))) is not None:
                await self._actions.give(request, account, owner)
            else:
                await self._responder.answer(request, texts.NOT_AN_OPERATOR, self._offer_owners(account))
            return
        await self._responder.answer(request, texts.HOW_TO_OWNER)

    async def remove(self, request: Request) -> None:
        """Ask for confirmation before an account is removed."""
        if not request.words.strip():
            await self._choices.offer(request, Verb.REMOVE, "remove")
        elif (account := await self._choices.find(request, Verb.REMOVE)) is not None:
            await self._responder.answer(request, texts.confirm_remove(account), self._sure(request, account))

    async def press_owner(self, request: Request, press: Press) -> str:
        """List everybody who may own the account as choices, or transfer it."""
        account = self._account(request, press)
        if isinstance(account, str):
            return account
        match press.items:
            case ():
                await self._responder.answer(request, self._whose(account), self._offer_owners(account))
            case (user,) if (owner := self._owner(user)) is not None:
                await self._actions.give(request, account, owner)
            case _:
                return texts.NOT_AN_OPERATOR
        return ""

    async def press_remove(self, request: Request, press: Press) -> str:
        """Ask for confirmation before the chosen account is removed."""
        account = self._account(request, press)
        if isinstance(account, str):
            return account
        await self._responder.answer(request, texts.confirm_remove(account), self._sure(request, account))
        return ""

    async def press_sure(self, request: Request, press: Press) -> str:
        """Remove an account: the person has confirmed it."""
        account = self._account(request, press)
        if isinstance(account, str):
            return account
        if press.presser is None:
            return answers.STALE_BUTTON
        await self._actions.remove(request, account)
        return ""

    COMMANDS = (
        Command(
            "owner", "[number or name [person]]", "give an account to somebody else",
            "gives an account to another operator: its card, codes and alerts go there from then on", owner,
            changes=True, role=Role.ADMIN,
        ),
        Command(
            "remove", "[number or name]", "remove an account for good",
            "logs the device out, deletes the session and its copies, keeps an anonymous history; asks once more",
            remove,
        ),
    )  # fmt: skip
    BUTTONS = {  # noqa: RUF012 - a table that nobody changes
        Verb.OWNER: ButtonRow("Owner", press_owner, role=Role.ADMIN),
        Verb.REMOVE: ButtonRow("Remove", press_remove, reads=True),
        Verb.REMOVE_SURE: ButtonRow("Yes, remove", press_sure),
    }

    # --- parts --------------------------------------------------------------------------------------------------------

    def _account(self, request: Request, press: Press) -> Account | str:
        """Return the account that was pressed for, or why the person cannot act on it."""
        account = self._accounts.find(press.number or "")
        if account is None:
            return answers.ACCOUNT_GONE
        return account if self._people.may(request.user, account) else answers.NOT_YOURS

    def _owner(self, user: int) -> Person | None:
        return next((person for person in self._actions.owners() if person.user == user), None)

    def _find_owner(self, request: Request, words: str) -> Person | None:
        """Return the person with this id or unambiguous name, or the person asking for `me`."""
        words = words.casefold()
        found = [
            person
            for person in self._actions.owners()
            if words in {str(person.user), person.name.casefold()} or (words == "me" and person.user == request.user)
        ]
        return found[0] if len(found) == 1 else None

    def _offer_owners(self, account: Account) -> Keyboard:
        return tuple(
            (Button(short(person), button_code(Verb.OWNER, f"{account.number}.{person.user}")),)
            for person in self._actions.owners()[:OFFERED]
            if person.user != account.owner
        )

    def _whose(self, account: Account) -> str:
        return texts.whose(account, max(0, len(self._actions.owners()) - OFFERED))

    def _sure(self, request: Request, account: Account) -> Keyboard:
        return keyboards.confirm(Verb.REMOVE_SURE, account.number, "Yes, remove", request.user, self._telegram_clock())
