"""/people, and the buttons about people: for admins."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from handlers.chat.button_codes import Press, Verb
from handlers.chat.people import Role
from handlers.chat.request import Request
from handlers.telegram.actions.context import Context
from handlers.telegram.actions.people import PeopleActions
from handlers.telegram.commands.table import ButtonRow, Command, Topic
from handlers.telegram.ui import keyboards
from handlers.telegram.ui.responder import Responder
from handlers.texts import answers
from handlers.texts import people as texts

_USER = re.compile(r"0*[1-9]\d{0,15}", re.ASCII)


class PeopleCommands(Topic):
    """Who may use the bot, and in which role."""

    def __init__(self, context: Context, actions: PeopleActions) -> None:
        self._actions, self._responder, self._telegram_clock = actions, context.responder, context.telegram_clock

    async def people(self, request: Request) -> None:
        """List everybody, show one person by id, or change their role."""
        words = request.words.split()
        if not words:
            await privately(self._responder, request, self._actions.show_all)
            return
        if (typed := _user_and_role(words)) is None:
            await self._responder.answer(request, texts.how_to())
            return
        user, role = typed
        if role is Role.ADMIN:
            await self._ask(request, Verb.SET_ROLE, f".{user}.{role:d}", await self._confirm_admin(user))
            return
        if role is None:
            shown = await self._actions.show(request, user)
        elif self._actions.person(user) is None:
            shown = await self._actions.let_in(request, user, role)
        else:
            shown = await self._actions.change(request, user, role)
        if shown:
            await self._responder.answer(request, shown)

    async def list_page(self, request: Request, press: Press) -> str:
        """Show a page of the list."""
        await self._actions.show_all(request, *press.items[:1])
        return ""

    async def show(self, request: Request, press: Press) -> str:
        """Show one person."""
        match press.items:
            case (user,):
                return await self._actions.show(request, user)
        return answers.STALE_BUTTON

    async def let_in(self, request: Request, press: Press) -> str:
        """Give a stranger access."""
        match press.items:
            case (user, (Role.VIEWER | Role.OPERATOR) as role):
                return await self._actions.let_in(request, user, Role(role))
        return answers.STALE_BUTTON

    async def ignore(self, request: Request, press: Press) -> str:
        """Ignore a stranger."""
        match press.items:
            case (user,):
                return await self._actions.ignore(request, user)
        return answers.STALE_BUTTON

    async def set_role(self, request: Request, press: Press) -> str:
        """Change somebody's role; for the role of admin, ask for confirmation first."""
        match press.items:
            case (user, (Role.VIEWER | Role.OPERATOR | Role.ADMIN) as role):
                if role == Role.ADMIN and press.presser is None:
                    await self._ask(request, press.verb, press.subject, await self._confirm_admin(user))
                    return ""
                if role == Role.ADMIN and self._actions.person(user) is None:
                    return await self._actions.let_in(request, user, Role.ADMIN)
                return await self._actions.change(request, user, Role(role))
        return answers.STALE_BUTTON

    async def remove(self, request: Request, press: Press) -> str:
        """Remove somebody, after confirmation."""
        match press.items:
            case (user,):
                person = self._actions.person(user)
                if press.presser is None and person is not None and person.floor is None:
                    await self._ask(request, press.verb, press.subject, texts.confirm_remove(person))
                    return ""
                return await self._actions.remove(request, user)
        return answers.STALE_BUTTON

    COMMANDS = (
        Command(
            "people", "[id [admin, operator or viewer]]", "who may use me, and as what",
            "who may use the bot and as what, with buttons to let in, change and remove; also by id", people,
            changes=True, role=Role.ADMIN,
        ),
    )  # fmt: skip
    BUTTONS = {  # noqa: RUF012 - a table that nobody changes
        Verb.PEOPLE: ButtonRow("People", list_page, role=Role.ADMIN, reads=True),
        Verb.PERSON: ButtonRow("a person", show, role=Role.ADMIN, reads=True),
        Verb.LET_IN: ButtonRow("Let in", let_in, role=Role.ADMIN),
        Verb.IGNORE: ButtonRow("Ignore", ignore, role=Role.ADMIN),
        Verb.SET_ROLE: ButtonRow("Make somebody something else", set_role, role=Role.ADMIN),
        Verb.REMOVE_PERSON: ButtonRow("Remove somebody", remove, role=Role.ADMIN),
    }

    # --- parts --------------------------------------------------------------------------------------------------------

    async def _confirm_admin(self, user: int) -> str:
        return texts.confirm_admin(user, await self._actions.name(user))

    async def _ask(self, request: Request, verb: Verb, subject: str, question: str) -> None:
        keyboard = keyboards.confirm(verb, subject, "Yes", request.user, self._telegram_clock())
        if request.message is None:
            await self._responder.answer(request, question, keyboard)
        else:
            self._responder.ask(request, question, keyboard)


def _user_and_role(words: Sequence[str]) -> tuple[int, Role | None] | None:
    """Read an id and perhaps a role; None if the words are something else."""
    roles = {role.word: role for role in Role}
    match [word.casefold() for word in words]:
        case [user] if _USER.fullmatch(user):
            return int(user), None
        case [user, role] if _USER.fullmatch(user) and role in roles:
            return int(user), roles[role]
    return None


async def privately(responder: Responder, request: Request, answer: Callable[[Request], Awaitable[None]]) -> None:
    """Answer confidential requests in the person's private chat, with a notice where they asked."""
    if request.private:
        await answer(request)
        return
    await answer(replace(request, chat=request.user, topic=None, private=True))
    await responder.answer(request, texts.SENT_PRIVATELY)
