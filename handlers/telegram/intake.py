"""From an update to its answer: authorisation, confirmation of late requests, and the life of each request.

A request is accepted (stored before it is confirmed to Telegram), started, carried out, answered, finished. After a
crash, requests that were not started are carried out, questions are answered, and for a change that was started the
outcome is unknown: the person gets the current state and is asked whether to do it (again).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta

from controller.registry import ShuttingDownError, UnknownAccountError
from controller.tasks import Tasks
from handlers.alerts.service import Alerts
from handlers.chat.errors import ChatError, NotSentError
from handlers.chat.messages import Place, escape
from handlers.chat.people import People
from handlers.chat.request import Request
from handlers.telegram.chats import Chats
from handlers.telegram.commands.buttons import Buttons
from handlers.telegram.commands.router import Router
from handlers.telegram.connection import TelegramConnection, Update
from handlers.telegram.dispatcher import Dispatcher
from handlers.telegram.inbox import Inbox
from handlers.telegram.incoming import Incoming, Kind, read_update
from handlers.telegram.menus import Menus
from handlers.telegram.strangers import Strangers
from handlers.telegram.ui import keyboards
from handlers.telegram.ui.responder import Responder
from handlers.texts import answers

log = logging.getLogger(__name__)

STRANGERS_AT_ONCE = 10
"""Strangers' presses answered concurrently; the others are not answered."""
LEFT_OUT_EVERY = 0.05
"""Seconds between two answers to one person's duplicate presses."""
PRESS_PAUSES = (1.0, 3.0, 0.0)
"""Seconds after each attempt to answer a press that failed: Telegram takes an answer for some seconds only."""
ANSWERED_WITHIN = 2.0
"""Seconds for which a button in a group spins, until it is known whether its answer can be written there."""
FRESH_FOR = timedelta(minutes=2)
"""Changes older than this must be confirmed first."""


class Intake:
    """Accepts and serves updates. Nothing in an update makes it raise."""

    def __init__(
        self,
        connection: TelegramConnection,
        tasks: Tasks,
        *,
        people: People,
        strangers: Strangers,
        chats: Chats,
        alerts: Alerts,
        inbox: Inbox,
        responder: Responder,
        router: Router,
        buttons: Buttons,
        menus: Menus,
        telegram_clock: Callable[[], datetime],
    ) -> None:
        self._connection, self._tasks, self._telegram_clock = connection, tasks, telegram_clock
        self._people, self._strangers, self._chats, self._alerts = people, strangers, chats, alerts
        self._inbox, self._responder, self._router, self._buttons = inbox, responder, router, buttons
        self._menus = menus
        self._dispatcher = Dispatcher(tasks, perform=self._perform, leave_out=self._leave_out, flooded=self._flooded)
        self._unreadable = self._strangers_presses = 0
        self._albums: dict[int, str] = {}
        """The album that each chat of people with a role sent last: its pictures are one message to people."""

    @property
    def idle(self) -> bool:
        """Whether every accepted request is finished."""
        return self._dispatcher.idle

    def close(self) -> None:
        """Start no more requests: pending ones are stored, and served after the next start."""
        self._dispatcher.close()

    async def recover(self) -> None:
        """Resume what an earlier run left unfinished. Raises OSError."""
        for request in await self._inbox.unfinished():
            if request.started and self._changes(request):
                self._tasks.start(self._answer_for(request), "answering for an interrupted request")
            else:
                self._submit(request)

    async def accept(self, updates: list[Update], since: float | None) -> None:
        """Accept a batch of updates: requests are stored when this returns.

        since: seconds since the previous poll returned; None if unknown.
        """
        now = self._telegram_clock()
        earliest = None if since is None else now - timedelta(seconds=since)
        wanted: list[Request] = []
        for raw in updates:
            try:
                incoming = read_update(raw, self._connection.bot, now, earliest)
                request = self._admit(incoming)
            except Exception as error:  # noqa: BLE001 - whatever the library raises on unknown data
                self._step_over(raw, error)
                continue
            if request is not None:
                wanted.append(request)
        for request in await self._stored(wanted):
            self._submit(request)

    async def _stored(self, wanted: list[Request]) -> list[Request]:
        """Store requests and return those that are new; one that cannot be stored at all delays no other."""
        try:
            return await self._inbox.accept(wanted)
        except Exception as error:  # noqa: BLE001 - SQLite stores no half of a character, and no id of 65 bits
            if len(wanted) == 1:
                self._step_over({"update_id": wanted[0].update, "stored": None}, error)
                return []
        return [new for each in wanted for new in await self._stored([each])]

    # --- authorisation ------------------------------------------------------------------------------------------------

    def _admit(self, incoming: Incoming) -> Request | None:
        """Return the request to be served, if any; handle everything else."""
        request = incoming.request
        if request is None or incoming.kind is Kind.NOTHING:
            return None
        if incoming.kind is Kind.MOVED:
            self._chats.moved(request.chat, incoming.moved_to)
            return None
        if incoming.kind is Kind.MEMBERSHIP:
            self._chats.membership_changed(request.chat, may_write=incoming.may_write)
            return None
        if incoming.anonymous or incoming.kind is Kind.CHANNEL_POST:
            self._answer_unnamed(incoming, request)
            return None
        if not self._people.is_known(request.user):
            self._meet_stranger(incoming.kind, request)
            return None
        if incoming.kind is Kind.EDITED:
            self._hint(request, answers.EDITED)
            return None
        self._people.heard(request.user, request.name)
        self._chats.heard_from(request.chat)
        if request.private and _begins(request):
            self._menus.set_for(request.user)
        if incoming.kind is not Kind.OTHER_CONTENT:
            return request
        again = incoming.album != "" and self._albums.get(request.chat) == incoming.album
        self._albums[request.chat] = incoming.album
        if again or self._hint(replace(request, words=incoming.caption), answers.CAPTION):
            return None
        return request if request.private else None

    def _hint(self, request: Request, text: str) -> bool:
        """Say why a command is not obeyed; False if it is none, or in a group may be for another bot."""
        ours = self._router.is_ours(request) and (request.private or self._router.is_known(request))
        if ours:
            self._strangers.hint(request.place, text)
        return ours

    def _answer_unnamed(self, incoming: Incoming, request: Request) -> None:
        """Answer a command whose sender Telegram does not name; it is not obeyed."""
        if self._router.is_ours(request):
            in_channel = incoming.kind is Kind.CHANNEL_POST
            self._strangers.hint(request.place, answers.IN_A_CHANNEL if in_channel else answers.ANONYMOUS)

    def _meet_stranger(self, kind: Kind, request: Request) -> None:
        if kind is Kind.PRESS and self._strangers_presses < STRANGERS_AT_ONCE:
            self._tasks.start(self._answer_strangers_press(request), "a stranger's press")
        elif kind is Kind.TEXT and request.private and _begins(request):
            self._strangers.came(request.user, request.name, request.place)

    def _step_over(self, raw: Update, error: Exception) -> None:
        """Skip an update that cannot be parsed: one line without its content, and admins are alerted once."""
        kinds = ", ".join(key for key in raw if key != "update_id" and key.isidentifier()) or "nothing"
        log.error(
            "Update %s (%s) cannot be read and is left out: %s", raw.get("update_id"), kinds, type(error).__name__
        )
        self._unreadable += 1
        if self._unreadable == 1:
            self._tasks.start(
                self._alerts.announcer.notify_admins(answers.UNREADABLE), "reporting an update that cannot be read"
            )

    # --- a request's life ---------------------------------------------------------------------------------------------

    def _submit(self, request: Request) -> None:
        question = f"{request.message} {request.code[:-5]}" if request.press else request.words  # without the nonce
        self._dispatcher.submit(request, "" if self._changes(request) else question)

    async def _perform(self, request: Request) -> None:
        """Carry a request out, answer it, and mark it as finished."""
        if not self._people.is_known(request.user):  # access was withdrawn since
            await self._drop(request)
            return
        await self._inbox.start(request)
        if self._is_late(request):
            age = self._telegram_clock() - request.sent_at
            await self._ask_again(request, answers.still_to_be_done(self._described(request), age))
        elif request.forwarded and self._changes(request):
            await self._ask_again(request, answers.forwarded(self._described(request)))
        elif request.press:
            shown = await _guarded(self._buttons.handle(request))
            shown = shown or await self._responder.shown_elsewhere(request, ANSWERED_WITHIN)
            silence = self._responder.silence(request.chat)
            await self._answer_press(request, shown or (answers.silence_here(silence) if silence else ""))
        elif problem := await _guarded(self._router.handle(request)):
            await self._responder.answer(request, problem)
        await self._responder.settled(request)
        await self._inbox.finish([request])

    async def _answer_for(self, request: Request) -> None:
        """Answer a change that was in progress when the program ended."""
        if not self._people.is_known(request.user):
            await self._drop(request)
            return
        await self._ask_again(request, answers.interrupted(self._described(request)))
        await self._responder.settled(request)
        await self._inbox.finish([request])

    async def _ask_again(self, request: Request, html: str) -> None:
        keyboard = keyboards.redo(request.update, request.user, self._telegram_clock())
        if not request.press:
            await self._responder.send(request.place, html, keyboard)
            return
        await self._answer_press(request, "")
        if self._buttons.expires(request):  # it was a question of ours, which now says how far its answer has come
            await self._responder.answer(request, html, keyboard)
        else:
            await self._responder.send(request.place, html, keyboard)

    async def _leave_out(self, requests: list[Request]) -> None:
        """Close duplicate requests, answering presses at a pace that does not affect others."""
        await self._inbox.finish(requests)
        for request in requests:
            if request.press and not self._dispatcher.closed:
                await self._answer_press(request, "")
                await asyncio.sleep(LEFT_OUT_EVERY)

    async def _drop(self, request: Request) -> None:
        """Close a request of somebody who has lost access."""
        if request.press:
            await self._answer_press(request, "")
        await self._inbox.finish([request])

    async def _flooded(self, request: Request) -> None:
        await self._responder.send(request.place, answers.TOO_MUCH_AT_ONCE)

    async def _answer_strangers_press(self, request: Request) -> None:
        self._strangers_presses += 1
        try:
            await self._answer_press(request, "")
        finally:
            self._strangers_presses -= 1

    async def _answer_press(self, request: Request, shown: str) -> None:
        """Answer a press: above the chat if that is possible in time, else what is to be shown is sent privately."""
        in_time = False
        for pause in PRESS_PAUSES:
            try:
                in_time = await self._connection.client.answer_press(request.press, shown)
                break
            except NotSentError as error:
                log.debug("A press could not be answered: %s", error)
                await asyncio.sleep(pause)
            except ChatError as error:
                log.debug("A press could not be answered: %s", error)
                break
        if shown and not in_time:
            await self._responder.send(Place(request.user), escape(shown))

    # --- what a request is --------------------------------------------------------------------------------------------

    def _changes(self, request: Request) -> bool:
        return self._buttons.changes(request) if request.press else self._router.changes(request)

    def _is_late(self, request: Request) -> bool:
        """Return whether the person must confirm this request."""
        if self._telegram_clock() - request.sent_at <= FRESH_FOR or not self._changes(request):
            return False
        return not (request.press and self._buttons.expires(request))

    def _described(self, request: Request) -> str:
        return self._buttons.described(request) if request.press else answers.quoted(request.words)


def _begins(request: Request) -> bool:
    """Return whether this is how a person begins with a bot."""
    return request.words.casefold().startswith("/start")


async def _guarded(handling: Awaitable[str | None]) -> str | None:
    """Await a handler; return its result, or the text for people if it failed."""
    try:
        return await handling
    except ShuttingDownError:
        return answers.SHUTTING_DOWN
    except UnknownAccountError:
        return answers.ACCOUNT_GONE
    except OSError as error:
        log.error("A command could not be stored: %s", error)
        return answers.NOT_KEPT
    except Exception:
        log.exception("A command failed")
        return answers.FAILED
