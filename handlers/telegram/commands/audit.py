"""/audit: who changed what, for admins, with pages and a filter."""

from dataclasses import dataclass

from handlers.chat.button_codes import Press, Verb
from handlers.chat.messages import escape
from handlers.chat.people import Role
from handlers.chat.request import Request
from handlers.telegram.actions.context import Context
from handlers.telegram.actions.find_account import NoAccountError, SeveralAccountsError, find_account
from handlers.telegram.commands.people import privately
from handlers.telegram.commands.table import ButtonRow, Command, Topic
from handlers.telegram.ui import keyboards
from handlers.texts import answers
from handlers.texts import audit as texts

ON_A_PAGE = 15
COMMANDS = (
    "link", "reconnect", "use here", "suspend", "restore", "rename", "owner", "remove", "confirm number", "continue",
    "go on", "skip", "stop", "new code", "acknowledge", "take over", "release", "silence", "end silence", "duty",
    "escalate", "here", "quiet hours", "loudness", "feed", "proxy", "let in", "change person", "remove person",
    "ignore person", "drain",
)  # fmt: skip
"""Commands to filter by. Buttons contain the index in this list: append new ones at the end."""


@dataclass(frozen=True, slots=True)
class _Filter:
    """The filter: one account, one person, or one command; empty for everything."""

    number: str | None = None
    user: int | None = None
    command: str | None = None


class AuditCommands(Topic):
    """Lists the changes people made."""

    def __init__(self, context: Context) -> None:
        self._context, self._responder = context, context.responder

    async def audit(self, request: Request) -> None:
        """List the changes, newest first."""
        wanted = self._filter(request)
        if wanted is None:
            await self._responder.answer(request, texts.HOW_TO)
            return
        await privately(self._responder, request, lambda to: self._show(to, wanted, 0))

    async def press(self, request: Request, press: Press) -> str:
        """Show another page."""
        match press.items:
            case (user, command, page) if command <= len(COMMANDS):
                wanted = _Filter(press.number, user or None, COMMANDS[command - 1] if command else None)
            case _:
                return answers.STALE_BUTTON
        await self._show(request, wanted, page)
        return ""

    COMMANDS = (
        Command(
            "audit", "[account, person or command]", "who changed what",
            "who changed what, the newest first; of one account, one person or one command", audit,
            role=Role.ADMIN,
        ),
    )  # fmt: skip
    BUTTONS = {Verb.AUDIT: ButtonRow("Who changed what", press, role=Role.ADMIN, reads=True)}  # noqa: RUF012 - a table

    # --- parts --------------------------------------------------------------------------------------------------------

    def _filter(self, request: Request) -> _Filter | None:
        """Return the filter for the typed words; None if they match nothing known."""
        words = " ".join(request.words.split())
        if not words:
            return _Filter()
        command = words.removeprefix("/").casefold()
        if command in COMMANDS:
            return _Filter(command=command)
        people = self._context.people
        for person in people.everybody:
            if words in {str(person.user), f"@{person.name}"} or (person.name and person.name.casefold() == command):
                return _Filter(user=person.user)
        try:
            account = find_account(self._context.accounts, people, request.user, words, self._context.region)
        except (NoAccountError, SeveralAccountsError):
            former = words.isascii() and words.isdecimal()  # somebody who no longer has access
            return _Filter(user=int(words)) if former and len(words) <= 16 else None  # noqa: PLR2004 - digits of an id
        return _Filter(number=account.number)

    async def _show(self, request: Request, wanted: _Filter, page: int) -> None:
        found = await self._context.records.audit_trail(
            ON_A_PAGE + 1, page * ON_A_PAGE, number=wanted.number, user=wanted.user, command=wanted.command
        )
        text = texts.page(
            found[:ON_A_PAGE],
            self._context.clock(),
            person=self._person,
            account=self._account,
            filtered_by=self._in_words(wanted),
            page=page,
        )
        command = COMMANDS.index(wanted.command) + 1 if wanted.command else 0
        before = f"{(wanted.number or '').removeprefix('+')}.{wanted.user or 0}.{command}"
        pages = page + 2 if len(found) > ON_A_PAGE else page + 1
        await self._responder.answer(request, text, keyboards.turn_pages(Verb.AUDIT, page, pages, before))

    def _in_words(self, wanted: _Filter) -> str:
        if wanted.number is not None:
            return self._account(wanted.number)
        if wanted.user is not None:
            return self._person(wanted.user)
        return escape(wanted.command or "")

    def _person(self, user: int) -> str:
        known = self._context.people.get(user)
        return escape(known.name) if known is not None and known.name else str(user)

    def _account(self, number: str) -> str:
        account = self._context.accounts.find(number)
        if account is not None:
            return answers.title(account)
        return escape(number) if number.startswith("removed") else answers.number_title(number)
