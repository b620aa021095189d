"""Giving people access, changing their roles, and removing them: audited, and effective immediately."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from handlers.alerts.escalation.duty import Duty, without_person
from handlers.alerts.service import Alerts
from handlers.chat.live_message import LiveMessage
from handlers.chat.messages import Keyboard, Place, Text
from handlers.chat.people import Person, Role
from handlers.chat.request import Request
from handlers.ports import PeopleStore
from handlers.telegram.actions.context import Context
from handlers.telegram.actions.linking import Linking
from handlers.telegram.ui import people_keyboards as keyboards
from handlers.telegram.ui.cards import Cards
from handlers.telegram.ui.codes import Codes
from handlers.texts import people as texts

ON_A_PAGE = 20
"""People per page of the list."""
OUTSIDE = 10
"""Strangers listed."""
SHOWN = 200
"""How many messages about one person are kept true; older ones say so when they are pressed."""

RightsChanged = Callable[[int], Awaitable[None]]
"""Called with a person whose permissions have changed. Raises OSError."""


class PeopleActions:
    """Acts on people. The caller has checked that the person asking is an admin.

    settle: replaces a note with buttons, wherever it was sent, by another text.
    """

    def __init__(
        self,
        context: Context,
        *,
        store: PeopleStore,
        rights_changed: RightsChanged,
        settle: Callable[[str, str], None],
    ) -> None:
        self._context, self._people, self._accounts = context, context.people, context.accounts
        self._responder, self._clock = context.responder, context.clock
        self._store, self._rights_changed, self._settle = store, rights_changed, settle
        self._changing = asyncio.Lock()
        """Held by one change at a time: of two admins who decide at once, the second learns what the first decided."""
        self._shown: OrderedDict[tuple[int, int], tuple[int, LiveMessage]] = OrderedDict()
        """The messages that show one person, by chat and id."""

    async def show_all(self, request: Request, page: int = 0) -> None:
        """List everybody."""
        everybody = self._people.everybody
        pages = max(1, -(-len(everybody) // ON_A_PAGE))
        page = min(page, pages - 1)
        shown = everybody[page * ON_A_PAGE : (page + 1) * ON_A_PAGE]
        known = self._people.is_known
        outside = [each for each in await self._store.strangers() if not known(each.user)][:OUTSIDE] if not page else []
        text = texts.people(shown if pages > 1 else everybody, outside, page, pages, self._clock())
        keyboard = keyboards.people(shown, [(each.user, each.name) for each in outside], page, pages)
        await self._answer(request, text, keyboard)

    async def show(self, request: Request, user: int) -> str:
        """Show one person, with the possible actions."""
        person = self._people.get(user)
        if person is None:
            stranger = await self._store.stranger(user)
            if stranger is None:
                return self._not_known(request)
            text = texts.stranger_came(user, stranger.name)
            await self._answer(request, text, keyboards.stranger(user))
            return ""
        shown = self._described(person)
        live = await self._answer(request, shown.html, shown.keyboard)
        if live is not None:
            self._shown[live.chat, live.message] = (user, live)
            if len(self._shown) > SHOWN:
                self._shown.popitem(last=False)
        return ""

    async def let_in(self, request: Request, user: int, role: Role) -> str:
        """Give a stranger access; returns the text shown above the chat."""
        async with self._changing:
            if (person := self._people.get(user)) is not None:
                self._reply(request, texts.is_in_already(person))
                return ""
            await self._set(request, user, role, "let in")
            return ""

    async def change(self, request: Request, user: int, role: Role) -> str:
        """Change somebody's role."""
        async with self._changing:
            person = self._people.get(user)
            if person is None:
                return self._not_known(request)
            if person.floor is not None and role < person.floor:
                return texts.cannot_remove(person)
            await self._set(request, user, role, "change person")
            return ""

    async def ignore(self, request: Request, user: int) -> str:
        """Ignore a stranger."""
        async with self._changing:
            if (person := self._people.get(user)) is not None:
                self._reply(request, texts.is_in_already(person))
                return ""
            await self._store.ignore(user)
            name = await self._name(user)
            await self._context.audit(request.user, "ignore person", None, f"user {user} ({name})")
            ignored = texts.stranger_ignored(user, name, request.name)
            self._reply(request, ignored)
            self._settle(texts.stranger_came(user, name), ignored)
            return ""

    async def remove(self, request: Request, user: int) -> str:
        """Remove somebody, effective immediately."""
        async with self._changing:
            person = self._people.get(user)
            if person is None:
                return self._not_known(request)
            if person.floor is not None:
                return texts.cannot_remove(person)
            await self._people.remove(user)
            await self._context.audit(request.user, "remove person", None, f"user {user} ({person.name})")
            await self._rights_changed(user)
            self._reply(request, texts.is_out(user, person.name, request.name, self._owned(user)))
            self._refresh(user, Text(texts.outside(user, person.name), keyboards.BACK))
            return ""

    def person(self, user: int) -> Person | None:
        """Return a person with a role."""
        return self._people.get(user)

    async def name(self, user: int) -> str:
        """Return anybody's name; "" if it is unknown."""
        return await self._name(user)

    # --- parts --------------------------------------------------------------------------------------------------------

    async def _answer(self, request: Request, html: str, keyboard: Keyboard = ()) -> LiveMessage | None:
        """Answer; if that is in a message which showed somebody, it does not any more."""
        self._shown.pop((request.chat, request.message or 0), None)
        return await self._responder.answer(request, html, keyboard)

    def _reply(self, request: Request, html: str, keyboard: Keyboard = ()) -> None:
        """Answer, without waiting for it: other admins' changes must not wait for this one's chat."""
        self._shown.pop((request.chat, request.message or 0), None)
        answering = self._context.tasks.start(self._answer(request, html, keyboard), "an answer about a person")
        self._responder.track(request, answering)

    def _not_known(self, request: Request) -> str:
        """Say that somebody is not let in; the buttons to act on them go."""
        self._reply(request, texts.NOT_KNOWN, keyboards.BACK)
        return ""

    def _refresh(self, user: int, text: Text) -> None:
        """Show how it is now wherever the person is shown to admins."""
        for shown, live in tuple(self._shown.values()):
            if shown == user and (live.chat < 0 or self._people.is_admin(live.chat)):
                live.show(text)

    def _described(self, person: Person) -> Text:
        adder = "" if person.added_by is None else self._named(person.added_by)
        html = texts.person(person, adder, self._owned(person.user), self._clock())
        return Text(html, keyboards.person(person))

    async def _set(self, request: Request, user: int, role: Role, command: str) -> None:
        name = await self._name(user)
        person = await self._people.save(user, role, name, by=request.user, at=self._clock())
        outcome = f"user {user} ({name}) is {person.role.word}"
        await self._context.audit(request.user, command, None, outcome)
        await self._rights_changed(user)
        self._reply(request, texts.is_in(person, request.name))
        self._refresh(user, self._described(person))
        self._settle(texts.stranger_came(user, name), texts.is_in(person, request.name))
        if user != request.user:
            self._responder.track(request, self._context.tasks.start(self._welcome(request, person), "a welcome"))

    async def _welcome(self, request: Request, person: Person) -> None:
        """Tell somebody their new role, or the admin that they must write first."""
        if await self._responder.send(Place(person.user), texts.welcome(person.role, request.name)) is None:
            await self._responder.send(request.place, texts.not_reached(person))

    async def _name(self, user: int) -> str:
        if (person := self._people.get(user)) is not None:
            return person.name
        stranger = await self._store.stranger(user)
        return "" if stranger is None else stranger.name

    def _named(self, user: int) -> str:
        person = self._people.get(user)
        return texts.named(user, "" if person is None else person.name)

    def _owned(self, user: int) -> int:
        return sum(account.owner == user for account in self._accounts.accounts())


class Rights:
    """Applies changed permissions everywhere: menu, alerts, codes, cards and answers."""

    def __init__(
        self,
        context: Context,
        *,
        alerts: Alerts,
        duty: Duty,
        linking: Linking,
        codes: Codes,
        cards: Cards,
        set_menu: Callable[[int], None],
    ) -> None:
        self._people, self._accounts, self._responder = context.people, context.accounts, context.responder
        self._alerts, self._linking, self._codes, self._cards = alerts, linking, codes, cards
        self._set_menu, self._duty = set_menu, duty

    async def changed(self, user: int) -> None:
        """Handle a change of somebody's permissions. Raises OSError."""
        if not self._people.is_known(user) and without_person(self._duty.roster, user) != self._duty.roster:
            await self._duty.change(lambda roster: without_person(roster, user))
        self._linking.keep_only(user, lambda account: self._people.may(user, account))
        self._codes.take_from(user, lambda account: self._people.may(user, account))
        for account in self._accounts.accounts():
            if account.owner == user:
                self._cards.refresh(account.number)
        self._cards.look_at(user)
        self._set_menu(user)
        await self._alerts.handling.keep_only(user, lambda number: self._gets(user, number))
        self._alerts.policy_changed(user)  # the buttons of what stays may be others

    def _gets(self, user: int, number: str) -> bool:
        """Return whether alerts of this account go to the person's private chat."""
        if self._people.is_admin(user) or (self._people.is_known(user) and self._duty.is_called(user)):
            return True
        account = self._accounts.find(number)
        return account is not None and self._people.may(user, account)
