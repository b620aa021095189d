"""Delivers linking codes to the person who asked: one photo message per linking, edited as codes change.

A code is a credential. It is drawn, shown in that person's private chat, and removed as soon as it is useless; it is
never logged or stored. Only the photo's location is stored, so that the next start can remove what a crash left.
Between two rounds of codes the message shows an empty picture, so that a linking is one message that sounds once.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from controller.accounts.model import Stage
from controller.accounts.notices import CodeHidden, CodeShown
from controller.accounts.reasons import Reason, Remedy, State
from controller.registry import Account, Registry
from controller.tasks import Tasks
from handlers.alerts.incidents.recipients import Recipients
from handlers.chat.errors import (
    ChatError,
    ChatGoneError,
    MessageGoneError,
    OutcomeUnknownError,
    RefusedError,
    RightMissingError,
)
from handlers.chat.messages import Keyboard, Lane, Place, Text
from handlers.chat.messenger import Messenger
from handlers.chat.send_queue import SendQueue
from handlers.chat.withdraw import Withdrawal, blank_lost_pictures, withdraw_picture
from handlers.ports import Messages
from handlers.telegram.ui import keyboards
from handlers.telegram.ui.link_queues import LinkQueues, Position
from handlers.telegram.ui.qr import Band, draw, draw_waiting
from handlers.texts import linking as linking_text
from handlers.texts import status as status_text

log = logging.getLogger(__name__)

KIND = "code"
"""The kind of these stored references."""
SENT_AGAIN = 2
"""How often a code is sent again that may have been sent; after that only the next code is."""
BLANKED_WITHIN = 5.0
"""Seconds within which an ended code is blanked; after that it is deleted, which needs no budget."""
_BEFORE_CODES = frozenset({Stage.QUEUED, Stage.LAUNCHING, Stage.READING})


@dataclass(slots=True)
class _Linking:
    """One account being linked. person: whose private chat has the code. newest: the code to show, None for none.

    blank: the message shows the empty picture between two codes. renewing: a person has requested a new code.
    refused: the service does not take the newest code's picture; told_refused: the person was told.
    lost: how often in a row a picture may have been sent although its id is unknown. waiting: the task that delivers
    the newest code, while it waits for its turn in the send queue.
    """

    number: str
    person: int
    unreachable: Callable[[], None] | None = None
    newest: CodeShown | None = None
    shown: CodeShown | None = None
    message: int | None = None
    busy: bool = False
    blank: bool = False
    renewing: bool = False
    lost: int = 0
    waiting: asyncio.Task[None] | None = None
    refused: bool = False
    told_refused: bool = False


class Codes:
    """Shows codes to people. `show` and `hide` return at once."""

    def __init__(
        self,
        queue: SendQueue,
        tasks: Tasks,
        *,
        accounts: Registry,
        recipients: Recipients,
        messages: Messages,
        link_queues: LinkQueues,
        clock: Callable[[], datetime],
    ) -> None:
        self._link_queues, self._closing = link_queues, False
        self._queue, self._tasks, self._clock = queue, tasks, clock
        self._accounts, self._recipients, self._messages = accounts, recipients, messages
        self._linkings: dict[str, _Linking] = {}
        self._early: dict[str, CodeShown] = {}
        """The newest codes of accounts whose turn in a person's queue has not come."""
        self.none_left: Callable[[int], None] = lambda _: None
        """Called with a private chat in which no code is open any more. Returns at once."""

    def ask(self, number: str, person: int, unreachable: Callable[[], None] | None = None) -> None:
        """Record who asked for the account's code. unreachable: called if they cannot be written to."""
        linking = self._linkings.get(number)
        if linking is None or (linking.message is None and not linking.busy):
            self._linkings[number] = _Linking(number, person, unreachable)
        elif linking.person == person:
            linking.unreachable = unreachable

    def asker(self, number: str) -> int | None:
        """Return who asked for the account's code, as long as it is recorded."""
        linking = self._linkings.get(number)
        return None if linking is None else linking.person

    def has_code(self, chat: int) -> bool:
        """Return whether a code is open in a person's private chat."""
        return any(each.person == chat and each.message is not None for each in self._linkings.values())

    def forget(self, number: str) -> None:
        """Forget who asked, unless a code is in the chat or on its way: the account is linked, or nobody waits."""
        linking = self._linkings.get(number)
        if linking is not None and not linking.busy and linking.message is None:
            del self._linkings[number]

    def show(self, notice: CodeShown) -> None:
        """Show a code to the person who asked, or to the account's owner if nobody is known to have asked.

        An owner who is no longer an operator gets none.
        """
        turn = self._link_queues.position(notice.number)
        if turn is not None and not turn.open:
            self._early[notice.number] = notice
            return
        linking = self._linkings.get(notice.number)
        if linking is None:
            account = self._accounts.find(notice.number)
            places = () if account is None else self._recipients.of_card(account)
            if not places:
                return
            linking = self._linkings[notice.number] = _Linking(notice.number, places[0].chat)
        linking.newest = notice
        self._sync_soon(linking)

    def show_early(self, number: str) -> None:
        """Show the code that arrived before the account's turn, if any: its turn has come."""
        notice = self._early.pop(number, None)
        if notice is not None:
            self.show(notice)

    def hide(self, notice: CodeHidden) -> None:
        """Remove the account's code from the chat."""
        self._early.pop(notice.number, None)
        linking = self._linkings.get(notice.number)
        if linking is not None:
            self._hide(linking)

    def take_from(self, person: int, may: Callable[[Account], bool]) -> None:
        """Remove the codes that a person may no longer see. Returns at once."""
        for number, linking in list(self._linkings.items()):
            account = self._accounts.find(number)
            if linking.person == person and (account is None or not may(account)):
                del self._linkings[number]  # the next code goes to the owner
                self._hide(linking)

    def refresh(self, number: str) -> None:
        """Remove the empty picture if no further code will come."""
        linking = self._linkings.get(number)
        if linking is not None and self._is_due(linking):
            self._sync_soon(linking)

    @contextmanager
    def renewing(self, number: str) -> Iterator[None]:
        """Preserve the account's message while its browser is closed and reopened for another code."""
        linking = self._linkings.get(number)
        if linking is None or linking.message is None:
            yield
            return
        linking.renewing = True
        try:
            yield
        finally:
            linking.renewing = False
            self.refresh(number)

    async def clear_left(self, reported: Collection[str] = ()) -> None:
        """Remove the codes that an earlier run left in chats, and say so. reported: accounts of which it is said."""
        for kept in await self._messages.references(KIND):
            await self._delete(kept.key, kept.chat, kept.message)
            if kept.key not in reported:
                await self._report_interrupted(kept.key, kept.chat)

    def hide_all(self) -> None:
        """Remove every code: the program is shutting down."""
        self._closing = True
        for linking in self._linkings.values():
            self._hide(linking)

    def _hide(self, linking: _Linking) -> None:
        """Show no code: one that is still queued must not delay the removal of the visible one."""
        linking.newest = None
        if linking.waiting is not None:
            linking.waiting.cancel()
        self._sync_soon(linking)

    def _sync_soon(self, linking: _Linking) -> None:
        if not linking.busy:
            linking.busy = True
            self._tasks.start(self._sync(linking), "showing a code")

    async def _sync(self, linking: _Linking) -> None:
        """Make the chat show the newest code, including changes made meanwhile."""
        try:
            while self._is_due(linking):
                if linking.newest is not None:
                    await self._show(linking, linking.newest)
                elif linking.message is not None and self._is_between(linking):
                    await self._blank(linking, linking.message)
                else:
                    await self._remove(linking)
        finally:
            linking.busy = False

    def _is_due(self, linking: _Linking) -> bool:
        """Return whether the chat shows something other than it should."""
        if linking.newest is not None or linking.shown is not None:
            return linking.newest is not linking.shown
        return linking.message is not None and not (linking.blank and self._is_between(linking))

    def _is_between(self, linking: _Linking) -> bool:
        """Return whether another code will follow in the message without a request."""
        if self._closing or linking.renewing:
            return not self._closing
        status = self._accounts.find_status(linking.number)
        if status is None:
            return False
        if status.state is State.CONNECTING:
            again = linking.blank or status.reason in {Reason.RETRY, Reason.RELOADED}
            return again and status.stage in _BEFORE_CODES
        return status.state in {State.DISCONNECTED, State.ERROR} and status.wants_connection

    async def _show(self, linking: _Linking, code: CodeShown) -> None:
        account = self._accounts.account(linking.number)
        band = Band(account.name, f"…{account.number[-4:]}", linking_text.band(code, self._clock()))
        picture = await asyncio.to_thread(draw, code.code.text, band)
        if linking.newest is not code:
            return  # superseded or hidden while it was being drawn
        fresh = linking.message is None
        sending = linking.waiting = self._tasks.start(self._deliver(linking, code, account, picture), "sending a code")
        await asyncio.wait({sending})
        linking.waiting = None
        if not sending.cancelled():
            sending.result()
        if linking.refused:
            await self._refused(linking)
        if fresh and linking.message is not None:
            await self._save(linking)
            if linking.lost:
                linking.lost = 0
                self._tasks.start(self._blank_lost(linking.person, linking.message), "looking for a lost picture")

    # How one code is delivered, and why that takes two closures.
    #
    # A code lives 20 to 60 s and may wait about as long for its turn in the send queue, so three things can happen to
    # it on the way: a newer one supersedes it, it is hidden (scanned, expired, suspended), or Telegram answers late or
    # with "wait". Two invariants hold throughout: no picture stays in the chat without our knowing its id, and no
    # code is shown after it was hidden.
    #
    # 1. While it waits for its turn, nothing has been sent: `_hide` cancels the task (`linking.waiting`), so that
    #    the next code does not delay the removal of the one that is shown.
    # 2. When its turn has come, `send` checks again: if it is superseded or hidden, nothing is sent.
    # 3. From then on until Telegram answers, the task must not be cancelled: the picture might be in the chat and its
    #    id lost. So `waiting` is None during that time, and `_sync` removes the picture afterwards.
    # 4. Telegram may have answered "wait" (429): the queue is about to wait for the next turn and to call `send`
    #    again. If the code has been hidden meanwhile, nobody else cancels the task, so it cancels itself.

    async def _deliver(self, linking: _Linking, code: CodeShown, account: Account, picture: bytes) -> None:
        """Send or edit the picture when its turn has come."""

        async def send(chat: Messenger) -> None:
            if linking.newest is not code:
                return
            linking.waiting = None
            try:
                await send_now(chat)
            finally:
                linking.waiting = asyncio.current_task()
                if linking.newest is not code and linking.waiting is not None:
                    linking.waiting.cancel()

        async def send_now(chat: Messenger) -> None:
            turn = self._turn(linking.number)
            words = linking_text.code_caption(account, code, self._clock(), at=turn.at, of=turn.of)
            caption = Text(words, keyboards.of_code(linking.number, others_wait=turn.at < turn.of))
            if linking.message is None:
                place = Place(linking.person)
                linking.message = await chat.send_picture(place, picture, caption, protect=True)
            else:
                await chat.edit_picture(linking.person, linking.message, picture, caption)
            linking.shown, linking.blank = code, False

        try:
            await self._queue.deliver(Lane.QR, linking.person, send)
        except MessageGoneError:
            linking.message = None  # the person deleted it: the code is sent again
        except OutcomeUnknownError:
            self._maybe_sent(linking, code)
        except ChatError as error:
            log.warning("The code cannot be sent to user %d: %s", linking.person, error)
            linking.shown = code
            linking.refused = isinstance(error, RefusedError | RightMissingError)
            if isinstance(error, ChatGoneError) and linking.unreachable is not None:
                linking.unreachable()

    @staticmethod
    def _maybe_sent(linking: _Linking, code: CodeShown) -> None:
        """Send a code again that may have been sent, but not for ever: each attempt may leave one more picture."""
        log.warning("A code may have been sent without our knowing")
        linking.lost += linking.message is None
        if linking.lost > SENT_AGAIN:
            linking.shown = code

    async def _refused(self, linking: _Linking) -> None:
        """Take the code before away, which is void by now, and say once that this one cannot be shown."""
        linking.refused, before, linking.message = False, linking.message, None
        if before is not None:
            await self._delete(linking.number, linking.person, before)
        if not linking.told_refused:
            linking.told_refused = True
            text = linking_text.code_refused(self._accounts.account(linking.number))
            self._tasks.start(self._send_text(linking.person, text), "telling that a code was refused")

    def _turn(self, number: str) -> Position:
        return self._link_queues.position(number) or Position(1, 1, open=True)

    async def _blank(self, linking: _Linking, message: int) -> None:
        """Replace an ended code by the empty picture until the next one comes."""
        account = self._accounts.find(linking.number)
        if account is None:
            await self._remove(linking)
            return
        turn = self._turn(account.number)
        picture = await asyncio.to_thread(
            draw_waiting, Band(account.name, f"…{account.number[-4:]}", linking_text.BETWEEN)
        )
        caption = Text(
            linking_text.between_codes(account, at=turn.at, of=turn.of),
            keyboards.of_code(account.number, others_wait=turn.at < turn.of, shown=False),
        )
        try:
            async with asyncio.timeout(BLANKED_WITHIN):
                await self._queue.deliver(
                    Lane.QR, linking.person, lambda chat: chat.edit_picture(linking.person, message, picture, caption)
                )
        except (ChatError, TimeoutError) as error:
            log.info("A code that has ended could not be blanked (%s), and is deleted", error or "not in time")
            await self._remove(linking)
        else:
            linking.shown, linking.blank = None, True

    async def _remove(self, linking: _Linking) -> None:
        message, linking.message, linking.shown, linking.blank = linking.message, None, None, False
        if message is not None:
            await self._delete(linking.number, linking.person, message)

    async def _save(self, linking: _Linking) -> None:
        assert linking.message is not None
        try:
            await self._messages.upsert(
                KIND, linking.number, chat=linking.person, topic=None, message=linking.message, shown=""
            )
        except OSError as error:
            log.error("Where the code is could not be kept: %s", error)

    async def _delete(self, number: str, chat_id: int, message: int) -> None:
        left = await withdraw_picture(self._queue, Lane.QR, chat_id, message, Text(status_text.CODE_VOID))
        if left is Withdrawal.LEFT:
            await self._send_void_notice(chat_id, message)
        try:
            # While it was being removed, another code may have arrived in this chat: its reference must stay.
            await self._messages.delete(KIND, number, chat=chat_id, message=message)
        except OSError as error:
            log.error("That the code is gone could not be kept: %s", error)
        if not self.has_code(chat_id):
            self.none_left(chat_id)

    async def _report_interrupted(self, number: str, chat_id: int) -> None:
        """Say that a code is gone because the program ended, unless it was scanned before."""
        account = self._accounts.find(number)
        if account is not None and not self._accounts.status(number).linked and number not in self._linkings:
            keyboard = keyboards.next_step(number, (Remedy.LINK,))
            await self._send_text(chat_id, linking_text.code_interrupted(account), keyboard=keyboard)

    async def _send_void_notice(self, chat_id: int, message: int) -> None:
        """Mark a picture that cannot be removed as no longer valid."""
        await self._send_text(chat_id, status_text.CODE_LEFT, silent=True, reply_to=message)

    async def _send_text(
        self, chat_id: int, html: str, *, keyboard: Keyboard = (), silent: bool = False, reply_to: int | None = None
    ) -> None:
        text, place = Text(html, keyboard), Place(chat_id)
        try:
            await self._queue.deliver(
                Lane.ANSWERS, chat_id, lambda chat: chat.send(place, text, silent=silent, reply_to=reply_to)
            )
        except ChatError as error:
            log.warning("The person cannot be notified about a code in chat %d: %s", chat_id, error)

    async def _blank_lost(self, chat_id: int, before: int) -> None:
        found = await blank_lost_pictures(self._queue, Lane.QR, chat_id, before, Text(status_text.CODE_VOID))
        log.info("Pictures in chat %d whose answers had been lost: %d found and blanked", chat_id, found)
