"""/feed: whether changes of accounts are listed in a chat, and for which accounts."""

from collections.abc import Iterable

from controller.registry import Account
from handlers.chat.chat_settings import ChatSettings
from handlers.chat.people import Role
from handlers.chat.request import Request
from handlers.telegram.actions.context import Context
from handlers.telegram.actions.find_account import NoAccountError, SeveralAccountsError, find_account, fitting, visible
from handlers.telegram.commands.table import Command, Topic
from handlers.texts import answers
from handlers.texts import feed as texts

WORD_LENGTH = 60


class FeedCommands(Topic):
    """Shows and changes what a chat's feed lists."""

    def __init__(self, context: Context, chat_settings: ChatSettings) -> None:
        self._context, self._chat_settings, self._responder = context, chat_settings, context.responder

    async def feed(self, request: Request) -> None:
        """Show what is listed here, or change it."""
        first, _, rest = request.words.strip().partition(" ")
        first, rest = first.casefold(), " ".join(rest.split())[:WORD_LENGTH]
        if first not in {"on", "off"}:
            how = texts.HOW_TO if self._may(request) else texts.ONLY_ADMINS_IN_GROUPS
            answer = f"{self._shown(self._chat_settings.feed(request.chat) or ())}\n{how}"
        elif not self._may(request):
            answer = texts.ONLY_ADMINS_IN_GROUPS
        elif (words := self._with(request, rest) if first == "on" else ()) is None:
            answer = texts.nothing_fits(rest)
        else:
            await self._chat_settings.set_feed(request.chat, words)
            where = "" if request.private else ", in a group"
            await self._context.audit(request.user, "feed", None, f"{first} {rest}".strip() + where)
            answer = self._shown(words)
        await self._responder.answer(request, answer)

    COMMANDS = (
        Command(
            "feed", "[on or off] [number, name or word]", "each change of an account as a line here",
            "lists each change of an account in this chat as a silent line: of all accounts, of one, or of those that "
            "a word fits", feed,
            changes=True, role=Role.VIEWER,
        ),
    )  # fmt: skip

    # --- parts --------------------------------------------------------------------------------------------------------

    def _may(self, request: Request) -> bool:
        return request.private or self._context.people.is_admin(request.user)

    def _with(self, request: Request, typed: str) -> tuple[str, ...] | None:
        """Return what is listed with the typed text added: words and numbers, or "" alone for all. None: no match."""
        word = self._word(request, typed)
        if not word:
            return None if word is None else ("",)
        known = {account.number for account in self._context.accounts.accounts()}
        listed = self._chat_settings.feed(request.chat) or ()
        kept = [each for each in listed if each and (each in known or not each.startswith("+"))]
        return tuple(dict.fromkeys((*kept, word)))

    def _word(self, request: Request, typed: str) -> str | None:
        """Return what to store for the typed text: an account's number or a word; "" for all, None if none match."""
        if not typed:
            return ""
        context = self._context
        try:
            return find_account(context.accounts, context.people, request.user, typed, context.region).number
        except (NoAccountError, SeveralAccountsError):
            found = fitting(visible(context.accounts, context.people, request.user), typed)
            return typed if found else None

    def _shown(self, words: Iterable[str]) -> str:
        return texts.chosen([self._named(word) for word in words])

    def _named(self, word: str) -> str:
        account = next((each for each in self._context.accounts.accounts() if each.number == word), None)
        return word if account is None else account.name or answers.number_title(account.number)


def fits(account: Account, word: str) -> bool:
    """Return whether a stored word matches an account: its number, or part of its name or number."""
    return account.number == word if word.startswith("+") else bool(fitting([account], word))
