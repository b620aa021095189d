"""/proxy: how an account's traffic reaches WhatsApp. Passwords go to the store and nowhere else."""

from collections.abc import Awaitable, Callable
from itertools import takewhile

from controller.accounts.reasons import State
from controller.network.account_proxies import AccountProxies
from controller.network.proxy import Proxy, parse_proxy
from controller.registry import Account
from handlers.chat.html import rendered_length
from handlers.chat.messages import TEXT_LIMIT, Text
from handlers.chat.people import Role
from handlers.chat.request import HIDDEN, Request
from handlers.telegram.actions.context import Context
from handlers.telegram.actions.find_account import (
    NoAccountError,
    SeveralAccountsError,
    find_account,
    suggested,
    visible,
)
from handlers.telegram.commands.table import Command, Topic
from handlers.texts import answers
from handlers.texts import proxies as texts

TryProxy = Callable[[Proxy], Awaitable[None]]
"""Connects to WhatsApp's host through a proxy. Raises OSError, with a text without the password, on failure."""


class ProxyCommands(Topic):
    """Shows and sets the accounts' own proxies.

    common: the address of the proxy of all other accounts, without its password. try_proxy: None if proxies cannot be
    tested. encrypts: whether passwords are stored encrypted.
    """

    def __init__(
        self,
        context: Context,
        *,
        proxies: AccountProxies,
        common: str | None = None,
        try_proxy: TryProxy | None = None,
        encrypts: bool = False,
    ) -> None:
        self._context, self._people, self._accounts = context, context.people, context.accounts
        self._responder, self._region = context.responder, context.region
        self._proxies, self._common, self._try, self._encrypts = proxies, common, try_proxy, encrypts

    async def proxy(self, request: Request) -> None:
        """Show the proxies in use, or set an account's."""
        deleted = await self._delete_password(request)
        live = await self._responder.answer(request, deleted) if deleted else None
        text = await self._carry_out(request)
        both = f"{deleted}\n{text}"
        if live is None or request.message is not None or rendered_length(both) > TEXT_LIMIT:
            await self._responder.answer(request, text)
        else:
            live.show(Text(both))
            self._responder.track(request, live)

    COMMANDS = (
        Command(
            "proxy", "[number or name [address or off]]", "the proxy of one account",
            "lets one account go to WhatsApp through a proxy of its own, after trying it, or shows which way accounts "
            "go; your message is deleted, since it may hold a password", proxy,
            changes=True, role=Role.ADMIN,
        ),
    )  # fmt: skip

    # --- parts --------------------------------------------------------------------------------------------------------

    async def _carry_out(self, request: Request) -> str:
        """Return the answer."""
        words = request.words.split()
        account, rest = self._find(request, words)
        if not words:
            text = self._overview()
        elif account is None:
            text = self._unknown(request, words)
        elif not rest:
            number = account.number
            text = texts.way_of(
                account, self._proxies.server(number), self._common, unreadable=self._proxies.is_unreadable(number)
            )
        elif HIDDEN in rest:  # in a request resumed after a restart, or confirmed later
            text = texts.NOT_STORED
        elif rest == ["off"]:
            text = await self._remove(request, account)
        elif rest[1:] in ([], ["anyway"]):
            text = await self._save(request, account, rest[0], anyway=len(rest) > 1)
        else:
            text = texts.HOW_TO
        return text

    def _find(self, request: Request, words: list[str]) -> tuple[Account | None, list[str]]:
        """Return the account selected by the longest matching prefix, and the remaining words."""
        for end in range(len(words), 0, -1):
            named = words[:end]
            if any(":" in word for word in named):
                continue
            try:
                return find_account(self._accounts, self._people, request.user, " ".join(named), self._region), words[
                    end:
                ]
            except (NoAccountError, SeveralAccountsError):
                continue
        return None, []

    def _unknown(self, request: Request, words: list[str]) -> str:
        """Answer words that select no account."""
        named = " ".join(word for word in takewhile(lambda word: ":" not in word, words) if word != "off")
        if not named:
            return texts.HOW_TO
        meant = suggested(visible(self._accounts, self._people, request.user), named)
        return f"{answers.unknown_account(named, meant, links=True, buttons=False)}\n{texts.HOW_TO}"

    def _overview(self) -> str:
        own = [
            (account, server, self._proxies.is_unreadable(account.number))
            for account in self._accounts.accounts()
            if (server := self._proxies.server(account.number)) is not None
        ]
        return texts.overview(own, self._common)

    async def _save(self, request: Request, account: Account, address: str, *, anyway: bool) -> str:
        try:
            proxy = parse_proxy(address)
        except ValueError as error:
            return texts.problem(error)
        if proxy.scheme == "socks5" and proxy.user:
            return texts.NO_LOGIN_FOR_SOCKS
        tried = self._try is not None and not anyway
        if self._try is not None and tried:
            try:
                await self._try(proxy)
            except OSError as error:
                return texts.not_through(account, proxy.server, str(error))
        await self._proxies.save(account.number, proxy)
        await self._context.audit(request.user, "proxy", account.number, f"set to {proxy.server}")
        encrypted = self._encrypts if proxy.user else None
        return texts.saved(account, proxy.server, tried=tried, encrypted=encrypted, when=self._reopen(account))

    async def _remove(self, request: Request, account: Account) -> str:
        number = account.number
        if self._proxies.server(number) is None and not self._proxies.is_unreadable(number):
            return f"{texts.way_of(account, None, self._common, unreadable=False)} Nothing was changed."
        await self._proxies.remove(number)
        await self._context.audit(request.user, "proxy", account.number, "removed")
        return texts.removed(account, self._common, when=self._reopen(account))

    def _reopen(self, account: Account) -> str:
        """Reopen a connected account's browser; return when the new proxy takes effect."""
        connected = self._accounts.status(account.number).state is State.CONNECTED
        if connected and self._accounts.recycle(account.number, "it goes another way now"):
            return texts.AT_ONCE
        return texts.NEXT

    async def _delete_password(self, request: Request) -> str:
        """Delete the person's message if it may contain a password, first of all. Returns what to say of that."""
        if "@" not in request.words and request.words.count(":") <= len("::"):
            return ""
        lines = [texts.DELETED if await self._responder.delete_asked(request) else texts.DELETE_IT]
        if not request.private:
            lines.append(texts.READ_BY_OTHERS)
        return "\n".join(lines)
