"""/start and /help: the person's role here and what they may do, generated from the rows of all commands."""

from collections.abc import Sequence

from handlers.chat.people import Role
from handlers.chat.request import Request
from handlers.telegram.actions.context import Context
from handlers.telegram.actions.find_account import visible
from handlers.telegram.commands.table import Command, Topic
from handlers.texts import answers


class HelpCommands(Topic):
    """/help. rows: all commands, including this one; listed: those that have an effect here."""

    def __init__(self, context: Context, rows: Sequence[Command], listed: Sequence[Command]) -> None:
        self._rows, self._listed, self._people, self._accounts = rows, listed, context.people, context.accounts
        self._responder = context.responder

    async def show(self, request: Request) -> None:
        """Answer /start and /help; with a command's name, show that command."""
        role = self._people.role(request.user) or Role.VIEWER
        rows = [row for row in self._rows if row.role <= role]
        asked = request.words.strip().removeprefix("/").casefold()
        row = next((row for row in rows if asked and asked in {row.name, *row.aliases}), None)
        if row is not None:
            await self._responder.answer(request, answers.help_of_command(row.line, row.help))
            return
        lines = [(row.line, row.summary) for row in self._listed if row.role <= role]
        own = visible(self._accounts, self._people, request.user)
        text = answers.help_text(request.user, role=role, accounts=len(own), commands=lines)
        await self._responder.answer(request, text)

    COMMANDS = (
        Command(
            "help", "[command]", "what I can do",
            "who you are here, and what you may do; with a command's name, more about that one", show,
            role=Role.VIEWER, aliases=("start",),
        ),
    )  # fmt: skip
