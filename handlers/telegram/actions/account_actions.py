"""Actions that change an account, by command or button: performed, audited, and answered with a card.

The only place that makes the registry start or suspend accounts. Every method answers the person, whatever the outcome.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from controller.accounts.model import Stage
from controller.accounts.reasons import Reason, State
from controller.driver import DriverError
from controller.registry import Account
from handlers.chat.messages import escape
from handlers.chat.request import Request
from handlers.telegram.actions.context import Context
from handlers.telegram.actions.find_account import told_apart
from handlers.telegram.actions.linking import Begin, Linking
from handlers.telegram.ui.card_text import Note as CardNote
from handlers.telegram.ui.cards import Cards
from handlers.telegram.ui.codes import Codes
from handlers.telegram.ui.feed import Feed
from handlers.texts import answers, notes
from handlers.texts import linking as linking_text
from handlers.texts import status as status_text
from handlers.texts.notes import Note
from handlers.texts.phone_numbers import show_number

log = logging.getLogger(__name__)

NAMES = 1000
"""How many people's names are remembered."""


class AccountActions:
    """Starts, links and suspends accounts for people."""

    def __init__(self, context: Context, *, cards: Cards, codes: Codes, linking: Linking, feed: Feed) -> None:
        self._context, self._people, self._accounts = context, context.people, context.accounts
        self._responder, self._tasks = context.responder, context.tasks
        self._cards, self._codes, self._linking, self._feed = cards, codes, linking, feed
        self._names: OrderedDict[int, str] = OrderedDict()
        self._starting: dict[str, int] = {}

    async def link(self, request: Request, number: str, name: str = "") -> None:
        """Register the account if it is new, set its name, start it, and send the code to the person.

        If they are linking another account, it waits for that to finish.
        """
        self._remember(request)
        admitted = await self._admit(request, number, name)
        if isinstance(admitted, str):
            await self._responder.answer(request, admitted)
            return
        await self._start(request, admitted, "link")

    async def link_all(self, request: Request, wanted: Sequence[tuple[str, str]], problems: Sequence[str]) -> None:
        """Add several accounts, each by number and name, to the person's queue, and answer once.

        problems: errors of other numbers, as HTML. An account that cannot be linked is left unchanged.
        """
        self._remember(request)
        refused = [linking_text.problem(each) for each in problems]
        turns: list[tuple[Account, Begin]] = []
        for number, name in wanted:
            try:
                admitted = await self._admit(request, number, name)
            except OSError as error:
                log.error("An account could not be stored: %s", error)
                refused.append(linking_text.problem(f"{show_number(number)}: {answers.NOT_KEPT}"))
                continue
            if isinstance(admitted, str):
                refused.append(linking_text.problem(f"{show_number(number)}: {admitted}"))
                continue
            if self._accounts.status(number).is_connected:
                already = f"{answers.title_and_number(admitted)} is connected already."
                refused.append(linking_text.problem(already))
                continue
            if (theirs := self._in_anothers_queue(request, admitted)) is not None:
                refused.append(linking_text.problem(theirs))
                continue
            begin = partial(self._start_now, account=admitted, command="link")
            turns.append((admitted, begin))
        if turns:
            self._linking.take_turns(request, turns, refused)
        else:
            await self._responder.answer(request, linking_text.refused_ones(refused))

    async def _admit(self, request: Request, number: str, name: str) -> Account | str:
        """Return an account that the person may link, registering it if it is new; otherwise the error, as HTML."""
        account, name = self._accounts.find(number), told_apart(self._accounts, number, name)
        if account is None:
            account = await self._accounts.add(number, name=name, owner=request.user)
            await self._feed.begin(request.user, account)
        if not self._people.may(request.user, account):  # even if somebody else has added it meanwhile
            return answers.NOT_FOR_YOU
        if name and name != account.name:
            await self._accounts.rename(number, name)
            account = self._accounts.account(number)
        if (other := self._linking_by_other(request, number)) is not None:
            return answers.taken_by(account, other)
        return account

    async def reconnect(self, request: Request, account: Account, *, takeover: bool = False) -> None:
        """Connect an account now, with counters reset. takeover: even if its session is open elsewhere."""
        self._remember(request)
        command = "use here" if takeover else "reconnect"
        await self._start(request, account, command, takeover=takeover)

    async def suspend(self, request: Request, account: Account) -> None:
        """Close an account until further notice, and remove it from the linking queue."""
        self._linking.drop(account.number)
        changed = await self._accounts.suspend(account.number)
        await self._context.audit(
            request.user, "suspend", account.number, "suspended" if changed else "was suspended already"
        )
        self.show(request, account.number, None if changed else Note.PAUSED_ALREADY)

    def show(self, request: Request, number: str, note: "Note | CardNote | None" = None) -> None:
        """Answer with the account's card. note: additional text, shown while it applies."""
        says = partial(notes.words, note) if isinstance(note, Note) else note
        if request.answered:
            self._cards.follow(request, number, says)
            return
        shown = self._cards.answer(request, number, says)
        self._responder.answers_press(request, self._shown_otherwise(request, number, shown, says), "a card")

    async def _shown_otherwise(
        self, request: Request, number: str, shown: "asyncio.Task[bool]", note: CardNote | None
    ) -> int | None:
        """Show the account's card privately where a group takes none, else answer with a message that looks like it.

        Returns the chat where it is in the end, None if nowhere.
        """
        if await _was_shown(shown) or self._accounts.find(number) is None:
            return request.chat
        if not request.private:
            asker = replace(request, chat=request.user, topic=None, private=True, message=None)
            if await _was_shown(self._cards.answer(asker, number, note)):
                return asker.chat
        if (account := self._accounts.find(number)) is None:
            return request.chat
        card = status_text.card(account, self._accounts.status(number), self._context.clock())
        live = await self._responder.answer(replace(request, message=None), card)
        return None if live is None else live.chat

    async def rename(self, request: Request, account: Account, name: str) -> None:
        """Rename an account."""
        await self._accounts.rename(account.number, name)
        await self._context.audit(request.user, "rename", account.number, f"renamed to {name}")
        await self._responder.answer(request, answers.renamed(account, self._accounts.account(account.number)))

    async def confirm_number(self, request: Request, account: Account, number: str, *, same: bool) -> None:
        """Answer whether this number, which its page shows, is the account's."""
        asked = await self._accounts.confirm_number(account.number, number, same=same)
        outcome = ("same account" if same else "another account") if asked else "not asked any more"
        await self._context.audit(request.user, "confirm number", account.number, outcome)
        if not asked:
            await self._responder.answer(request, answers.number_not_asked(account))
        else:
            await self._responder.answer(request, answers.number_confirmed(account, same=same))

    async def answer_dialog(self, request: Request, account: Account) -> str:
        """Press Continue in the known dialog over the account's page. Returns the text shown above the chat."""
        there = await self._accounts.answer_dialog(account.number)
        await self._context.audit(
            request.user, "continue", account.number, "pressed" if there else "no dialog any more"
        )
        return answers.CONTINUED if there else answers.NO_DIALOG

    async def go_on(self, request: Request) -> str:
        """Approve planned actions in spite of a new build of the page. Returns the text shown above the chat."""
        if not self._people.is_admin(request.user):
            return answers.ONLY_ADMINS
        held = self._accounts.go_on()
        await self._context.audit(request.user, "go on", None, "goes on" if held else "nothing was held")
        return answers.GOES_ON if held else answers.NOTHING_HELD

    # --- parts --------------------------------------------------------------------------------------------------------

    async def _start(self, request: Request, account: Account, command: str, *, takeover: bool = False) -> None:
        """Start an account, or queue it if it may need a code."""
        begin = partial(self._start_now, account=account, command=command, takeover=takeover)
        if self._accounts.status(account.number).linked:
            await begin(request)
        elif (theirs := self._in_anothers_queue(request, account)) is not None:
            await self._responder.answer(request, theirs)
        else:
            await self._linking.take_turn(request, account, begin)

    async def _start_now(self, request: Request, account: Account, command: str, *, takeover: bool = False) -> None:
        number = account.number
        if not self._people.may(request.user, account):  # much may have happened while it was queued
            await self._responder.answer(request, answers.NOT_YOURS)
            return
        if number in self._starting and (other := self._linking_by_other(request, number)) is not None:
            await self._responder.answer(request, answers.taken_by(account, other))
            return
        first = self._starting.setdefault(number, request.user) == request.user  # until the account's state shows it
        try:
            began = await self._begin(request, account, takeover=takeover, link=command == "link", asks=first)
        except DriverError as error:  # its former session could not be given up
            await self._context.audit(request.user, command, number, f"failed: {answers.cause(error)}")
            await self._responder.answer(request, answers.restore_failed(account, answers.cause(error)))
            return
        finally:
            if first:
                self._starting.pop(number, None)
        kept = not began and takeover and self._accounts.status(number).takes_over
        outcome = "kept for the attempt under way" if kept else "started" if began else "was running already"
        await self._context.audit(request.user, command, number, outcome)
        self.show(request, number, self._note(request, number, began=began, kept=kept))

    def _note(self, request: Request, number: str, *, began: bool, kept: bool) -> Note | None:
        """Return the note about a start for the person.

        began: False if it was already running or connected. kept: the takeover waits for the attempt under way.
        """
        status, private = self._accounts.status(number), request.private
        if status.is_connected:
            return None if began else Note.CONNECTED_ALREADY
        if not status.linked and self._codes.asker(number) == request.user:
            if status.stage is Stage.AWAITING_SCAN:
                return Note.CODE_IS_THERE if private else Note.CODE_IS_THERE_PRIVATELY
            return Note.CODE_COMES if private else Note.CODE_COMES_PRIVATELY
        if began:
            return None
        return Note.TAKES_OVER if kept else Note.UNDER_WAY_ALREADY

    async def _begin(self, request: Request, account: Account, *, takeover: bool, link: bool, asks: bool) -> bool:
        """Start the account. link: to link it. asks: a resulting code belongs to this person."""
        number = account.number
        if await self._linking.take_ahead(number) and not self._accounts.status(number).is_connected:
            self._codes.ask(number, request.user, lambda: self._unreachable(request, account))
            self._codes.show_early(number)
            return True
        if self._accounts.status(number).stage is Stage.PASSKEY:
            await self._accounts.suspend(number)  # the page is waiting for something it will not get: start over
        state = self._accounts.status(number).state
        nobodys = state is not State.CONNECTING or self._codes.asker(number) in {None, request.user}
        if asks and nobodys and state is not State.CONNECTED:
            self._codes.ask(number, request.user, lambda: self._unreachable(request, account))
        return await self._accounts.start(number, takeover=takeover, link=link)

    def _in_anothers_queue(self, request: Request, account: Account) -> str | None:
        """Return who has the account in their queue, as an answer to somebody else; HTML."""
        person = self._linking.person(account.number)
        if person is None or person == request.user:
            return None
        return linking_text.in_anothers_queue(account, escape(self._names.get(person, "Somebody else")))

    def _linking_by_other(self, request: Request, number: str) -> str | None:
        """Return the name of another person who is linking the account at this moment."""
        person = self._starting.get(number) or self._codes.asker(number)
        if person is None or person == request.user:
            return None
        status = self._accounts.status(number)
        under_way = number in self._starting or status.state is State.CONNECTING
        waiting = under_way or (status.reason is Reason.QR_EXPIRED and status.wants_connection)
        return self._names.get(person, "Somebody else") if waiting and not status.linked else None

    def _unreachable(self, request: Request, account: Account) -> None:
        if not request.private:
            text = answers.cannot_write_privately(account)
            self._tasks.start(self._responder.send(request.place, text), "reporting that a code cannot be sent")

    def _remember(self, request: Request) -> None:
        self._names[request.user] = request.name
        if len(self._names) > NAMES:
            self._names.popitem(last=False)


async def _was_shown(card: "asyncio.Task[bool]") -> bool:
    """Wait until a card is in its chat, or cannot be; return whether it is, or that is no longer to be done."""
    await asyncio.wait({card})
    return card.cancelled() or card.exception() is not None or card.result()
