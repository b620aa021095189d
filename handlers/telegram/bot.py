"""Telegram's bot in our own event loop: polling, the menu of commands, and the way from an update to its handler.

python-telegram-bot's Application is started and stopped here, by hand, since the loop is ours. Telegram may be away for
as long as it likes, at the start too; a token that it refuses ends `run`. Handlers run side by side, so that a slow one
never holds up /suspend. What a command does is in `commands`, what a button does in `buttons`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import telegram
from telegram import BotCommandScopeChat, BotCommandScopeDefault, Message, Update
from telegram.ext import (
    Application,
    ApplicationHandlerStop,
    CallbackQueryHandler,
    CommandHandler,
    ContextTypes,
    MessageHandler,
    TypeHandler,
    filters,
)
from telegram.request import HTTPXRequest

from controller.registry import ShuttingDownError, UnknownAccountError
from controller.tasks import Tasks
from handlers.chat.errors import ChatError, NotSentError, TokenRefusedError, TooManyError
from handlers.chat.messages import Place
from handlers.chat.people import People, Strangers
from handlers.telegram.buttons import ButtonPresses, Pressed
from handlers.telegram.client import TelegramClient
from handlers.telegram.commands import Commands, Request
from handlers.telegram.refusals import translate
from handlers.telegram.responder import Responder
from handlers.texts import answers

log = logging.getLogger(__name__)

SIDE_BY_SIDE = 1000
"""Updates handled at once: many wait for their chat's turn to be answered, and those of other chats must not."""
POLL_SECONDS = 25
RETRY_FIRST, RETRY_LONGEST = 1.0, 30.0
"""Seconds between two tries to reach Telegram at the start."""
STOP_DEADLINE = 10.0
"""Seconds that ending the polling may take."""
_UPDATES = ["message", "callback_query", "my_chat_member"]

Handle = Callable[[Request], Awaitable[None]]
StrangerCame = Callable[[int, str, Place], Coroutine[Any, Any, None]]
Moved = Callable[[int, int], None]


class _WatchedRequest(HTTPXRequest):
    """Tells when Telegram refuses the token: in mid-poll the library ends its polling without a word."""

    def __init__(self, refused: Callable[[], None], **options: Any) -> None:
        super().__init__(**options)
        self._refused = refused

    async def do_request(self, *args: Any, **options: Any) -> tuple[int, bytes]:
        code, payload = await super().do_request(*args, **options)
        if code == 401:  # noqa: PLR2004 - Unauthorized
            self._refused()
        return code, payload


class TelegramBot:
    """Telegram's side of the program. Make it inside a running loop; `run` it, end it with `stop`."""

    def __init__(self, token: str, api_url: str) -> None:
        base = api_url.rstrip("/")
        self._token_refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = (
            _WatchedRequest(self._refuse, connection_pool_size=32, pool_timeout=10, read_timeout=15),
            _WatchedRequest(self._refuse, connection_pool_size=2, read_timeout=POLL_SECONDS + 10),
        )
        self._app: Application[Any, Any, Any, Any, Any, Any] = (
            Application.builder()
            .token(token)
            .base_url(f"{base}/bot")
            .base_file_url(f"{base}/file/bot")
            .request(self._requests[0])
            .get_updates_request(self._requests[1])
            .concurrent_updates(SIDE_BY_SIDE)
            .build()
        )
        self.chat = TelegramClient(self._app.bot)
        self._tasks = Tasks()
        self._strangers = Strangers()
        self._polling_in_trouble = False

    def attach(
        self,
        *,
        people: People,
        answers: Responder,
        commands: Commands,
        presses: ButtonPresses,
        stranger_came: StrangerCame,
        moved: Moved,
        heard_from: Callable[[int], None],
    ) -> None:
        """Say what handles what. Once, before `run`."""
        self._people, self._presses, self._answers = people, presses, answers
        self._stranger_came, self._moved, self._heard_from = stranger_came, moved, heard_from
        fresh = filters.UpdateType.MESSAGE
        self._app.add_handler(TypeHandler(Update, self._admit), group=-1)
        for names, handle in (
            (("start", "help"), commands.help),
            (("link",), commands.link),
            (("status",), commands.status),
            (("reconnect",), commands.reconnect),
            (("suspend",), commands.suspend),
            (("restore",), commands.restore),
            (("silence",), commands.silence),
            (("alerts",), commands.alerts),
        ):
            self._app.add_handler(CommandHandler(names, self._handler(handle, drop_first=True), filters=fresh))
        self._app.add_handler(MessageHandler(fresh & filters.COMMAND, self._handler(commands.unknown)))
        self._app.add_handler(MessageHandler(fresh & filters.TEXT, self._handler(commands.plain)))
        self._app.add_handler(CallbackQueryHandler(self._take_press))
        self._app.add_error_handler(self._note_failure)

    # --- running ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Poll until cancelled. Raises TokenRefusedError as soon as Telegram does not accept the token."""
        await self._reach(self._app.initialize)
        log.info("Telegram: I am @%s", self._app.bot.username)
        await self._app.start()
        await self._reach(self._poll)
        self._tasks.start(self._set_menus(), "setting the menu of commands")
        await asyncio.shield(self._token_refused)

    async def stop(self) -> None:
        """Take no more updates; let the handlers that run come to their end."""
        await self._tasks.stop()
        updater = self._app.updater
        if updater is not None and updater.running:
            await _in_good_order(updater.stop())
        if self._app.running:
            await _in_good_order(self._app.stop())

    async def close(self) -> None:
        """Close the connections to Telegram: nothing can be said afterwards."""
        await _in_good_order(self._app.shutdown())
        for request in self._requests:  # an Application whose start was cut short forgets them
            await _in_good_order(request.shutdown())

    async def _poll(self) -> None:
        assert self._app.updater is not None
        await self._app.updater.start_polling(
            timeout=POLL_SECONDS, allowed_updates=_UPDATES, error_callback=self._note_polling_error
        )

    async def _reach(self, step: Callable[[], Awaitable[Any]]) -> None:
        """Try a step of the start until Telegram can be reached."""
        wait, told = RETRY_FIRST, False
        while True:
            try:
                await step()
            except telegram.error.InvalidToken:
                raise TokenRefusedError from None
            except telegram.error.TelegramError as error:
                if not told:
                    log.warning("Telegram cannot be reached (%s): trying on; accounts run meanwhile", error.message)
                told = True
                asked = translate(error)
                await asyncio.sleep(asked.seconds if isinstance(asked, TooManyError) else wait)
                wait = min(wait * 2, RETRY_LONGEST)
            else:
                return

    def _refuse(self) -> None:
        if not self._token_refused.done():
            self._token_refused.set_exception(TokenRefusedError())
            self._token_refused.exception()  # read once, so that nobody is told that it never was

    def _note_polling_error(self, error: telegram.error.TelegramError) -> None:
        if isinstance(error, telegram.error.Conflict):
            log.error("Telegram: another program polls with this bot's token; stop it, or make a bot of its own for it")
        else:
            log.log(
                logging.DEBUG if self._polling_in_trouble else logging.WARNING,
                "Telegram cannot be asked for messages (%s): trying on", error.message,
            )  # fmt: skip
        self._polling_in_trouble = True

    async def _set_menus(self) -> None:
        """Show the commands to people that are known; strangers see /start alone."""
        await self._try_menu(answers.STRANGERS_COMMANDS, BotCommandScopeDefault())
        for user in (*self._people.admins, *self._people.operators):
            await self._try_menu(answers.COMMANDS, BotCommandScopeChat(user))

    async def _try_menu(self, commands: tuple[tuple[str, str], ...], scope: telegram.BotCommandScope) -> None:
        wait = RETRY_FIRST
        while True:
            try:
                await self.chat.set_commands(commands, scope)
            except TooManyError as error:
                await asyncio.sleep(error.seconds)
            except NotSentError:
                await asyncio.sleep(wait)
                wait = min(wait * 2, RETRY_LONGEST)
            except ChatError as error:
                log.debug("The menu could not be set: %s", error)  # somebody who never wrote to the bot has none
                return
            else:
                return

    # --- updates ------------------------------------------------------------------------------------------------------

    async def _admit(self, update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
        """Let only known people through to the handlers."""
        self._polling_in_trouble = False
        message = update.message
        if message is not None and message.migrate_to_chat_id is not None:
            self._moved(message.chat_id, message.migrate_to_chat_id)
            raise ApplicationHandlerStop
        user = update.effective_user
        if user is None or user.is_bot:
            raise ApplicationHandlerStop
        if self._people.is_known(user.id):
            if update.effective_chat is not None:
                self._heard_from(update.effective_chat.id)
            return
        if message is not None and message.chat.type == "private" and (message.text or "").startswith("/start"):
            now = asyncio.get_running_loop().time()
            if self._strangers.may_answer(user.id, now):  # beside the handlers: strangers hold up nobody
                self._tasks.start(self._stranger_came(user.id, user.full_name, _place(message)), "a stranger")
        raise ApplicationHandlerStop

    def _handler(
        self, handle: Handle, *, drop_first: bool = False
    ) -> Callable[[Update, Any], Coroutine[Any, Any, None]]:
        async def run(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
            message, user = update.message, update.effective_user
            if message is None or user is None:
                return
            words = message.text or ""
            if words.startswith("/start"):  # before somebody's first word their chat takes no menu
                self._tasks.start(self._try_menu(answers.COMMANDS, BotCommandScopeChat(user.id)), "setting a menu")
            if drop_first:
                words = "".join(words.split(maxsplit=1)[1:])
            request = Request(user.id, user.full_name, _place(message), message.chat.type == "private", words)
            if problem := await _guarded(handle(request)):
                await self._answers.say(request.place, problem)

        return run

    async def _take_press(self, update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
        query = update.callback_query
        if query is None or not isinstance(query.message, Message) or query.data is None:
            return
        message = query.message
        pressed = Pressed(
            query.from_user.id,
            query.from_user.full_name,
            _place(message),
            private=message.chat.type == "private",
            message=message.message_id,
            code=query.data,
        )
        problem = await _guarded(self._presses.take(pressed))
        try:
            await self.chat.answer_press(query.id, problem or "", alert=bool(problem))
        except ChatError as error:
            log.debug("A press could not be answered: %s", error)

    async def _note_failure(self, _: object, context: ContextTypes.DEFAULT_TYPE) -> None:
        log.error("An update could not be handled", exc_info=context.error)


def _place(message: Message) -> Place:
    return Place(message.chat_id, message.message_thread_id if message.is_topic_message else None)


async def _guarded(handling: Awaitable[str | None]) -> str | None:
    """Handle, and return what is to be said where it went wrong (or what the handler wants said)."""
    try:
        return await handling
    except ShuttingDownError:
        return answers.SHUTTING_DOWN
    except UnknownAccountError:
        return answers.ACCOUNT_GONE
    except OSError as error:
        log.error("A command could not be kept: %s", error)
        return answers.NOT_KEPT
    except Exception:
        log.exception("A command failed")
        return answers.FAILED


async def _in_good_order(ending: Awaitable[None]) -> None:
    """Await one step of the end; one that fails or hangs does not keep the others from being taken."""
    try:
        async with asyncio.timeout(STOP_DEADLINE):
            await ending
    except (TimeoutError, RuntimeError, telegram.error.TelegramError) as error:
        log.debug("A step of the end failed: %s", type(error).__name__)
