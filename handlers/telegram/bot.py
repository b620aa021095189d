"""Telegram's bot in our own event loop: polling, the menu of commands, and the way from an update to its handler.

python-telegram-bot's Application is started and stopped here, by hand, since the loop is ours. Telegram may be away for
as long as it likes, at the start too; a token that it refuses ends `run`. Handlers run side by side, so that a slow one
never holds up /suspend.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import telegram
from telegram import BotCommandScopeChat, BotCommandScopeDefault, Message, Update
from telegram.ext import (
    ApplicationHandlerStop,
    CallbackQueryHandler,
    ContextTypes,
    MessageHandler,
    TypeHandler,
    filters,
)

from controller.registry import ShuttingDownError, UnknownAccountError
from controller.tasks import Tasks
from handlers.chat.errors import ChatError, NotSentError, TokenRefusedError, TooManyError
from handlers.chat.messages import Place
from handlers.chat.people import People, Role
from handlers.chat.request import Request
from handlers.telegram.chats import Chats
from handlers.telegram.commands.buttons import Buttons
from handlers.telegram.commands.router import Router, menu
from handlers.telegram.connection import POLL_SECONDS, TelegramConnection
from handlers.telegram.refusals import translate
from handlers.telegram.strangers import Strangers
from handlers.telegram.ui.responder import Responder
from handlers.texts import answers

log = logging.getLogger(__name__)

RETRY_FIRST, RETRY_LONGEST = 1.0, 30.0
"""Seconds between two tries to reach Telegram at the start."""
STOP_DEADLINE = 10.0
"""Seconds that ending the polling may take."""
_UPDATES = ["message", "callback_query", "my_chat_member"]


class TelegramBot:
    """Polls, and gives updates to their handlers: `run` it, end it with `stop`."""

    def __init__(
        self,
        connection: TelegramConnection,
        *,
        people: People,
        strangers: Strangers,
        chats: Chats,
        responder: Responder,
        router: Router,
        buttons: Buttons,
    ) -> None:
        self._connection, self._app = connection, connection.app
        self._people, self._strangers, self._chats = people, strangers, chats
        self._responder, self._router, self._buttons = responder, router, buttons
        self._tasks = Tasks()
        self._polling_in_trouble = False
        fresh = filters.UpdateType.MESSAGE
        self._app.add_handler(TypeHandler(Update, self._admit), group=-1)
        self._app.add_handler(MessageHandler(fresh & filters.TEXT, self._handle_message))
        self._app.add_handler(CallbackQueryHandler(self._handle_press))
        self._app.add_error_handler(self._log_failure)

    # --- running ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Poll until cancelled. Raises TokenRefusedError as soon as Telegram does not accept the token."""
        await self._reach(self._app.initialize)
        log.info("Telegram: I am @%s", self._app.bot.username)
        await self._app.start()
        await self._reach(self._poll)
        self._tasks.start(self._set_menus(), "setting the menu of commands")
        await asyncio.shield(self._connection.token_refused)

    async def stop(self) -> None:
        """Take no more updates; let the handlers that run come to their end."""
        await self._tasks.stop()
        updater = self._app.updater
        if updater is not None and updater.running:
            await _bounded(updater.stop())
        if self._app.running:
            await _bounded(self._app.stop())

    async def _poll(self) -> None:
        assert self._app.updater is not None
        await self._app.updater.start_polling(
            timeout=POLL_SECONDS, allowed_updates=_UPDATES, error_callback=self._log_polling_error
        )

    async def _reach(self, step: Callable[[], Awaitable[Any]]) -> None:
        """Try a step of the start until Telegram can be reached."""
        wait, logged = RETRY_FIRST, False
        while True:
            try:
                await step()
            except telegram.error.InvalidToken:
                raise TokenRefusedError from None
            except telegram.error.TelegramError as error:
                if not logged:
                    log.warning("Telegram cannot be reached (%s): trying on; accounts run meanwhile", error.message)
                logged = True
                translated = translate(error)
                await asyncio.sleep(translated.seconds if isinstance(translated, TooManyError) else wait)
                wait = min(wait * 2, RETRY_LONGEST)
            else:
                return

    def _log_polling_error(self, error: telegram.error.TelegramError) -> None:
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
        await self._try_menu(None, BotCommandScopeDefault())
        for user in (*self._people.admins, *self._people.operators):
            await self._try_menu(self._people.role(user), BotCommandScopeChat(user))

    async def _try_menu(self, role: Role | None, scope: telegram.BotCommandScope) -> None:
        wait = RETRY_FIRST
        while True:
            try:
                await self._connection.client.set_commands(menu(role), scope)
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
            self._chats.moved(message.chat_id, message.migrate_to_chat_id)
            raise ApplicationHandlerStop
        user = update.effective_user
        if user is None or user.is_bot:
            raise ApplicationHandlerStop
        if self._people.is_known(user.id):
            if update.effective_chat is not None:
                self._chats.heard_from(update.effective_chat.id)
            return
        if message is not None and message.chat.type == "private" and (message.text or "").startswith("/start"):
            self._strangers.came(user.id, user.full_name, _place(message))
        raise ApplicationHandlerStop

    async def _handle_message(self, update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
        message, user = update.message, update.effective_user
        if message is None or user is None:
            return
        words = message.text or ""
        if words.startswith("/start"):  # before somebody's first word their chat takes no menu
            menu_of = self._try_menu(self._people.role(user.id), BotCommandScopeChat(user.id))
            self._tasks.start(menu_of, "setting a menu")
        request = Request(user.id, user.full_name, _place(message), message.chat.type == "private", words)
        if problem := await _guarded(self._router.handle(request, self._app.bot.username)):
            await self._responder.answer(request, problem)

    async def _handle_press(self, update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
        query = update.callback_query
        if query is None or not isinstance(query.message, Message) or query.data is None:
            return
        message, user = query.message, query.from_user
        request = Request(
            user.id,
            user.full_name,
            _place(message),
            private=message.chat.type == "private",
            message=message.message_id,
            code=query.data,
        )
        shown = await _guarded(self._buttons.handle(request))
        try:
            await self._connection.client.answer_press(query.id, shown or "", alert=bool(shown))
        except ChatError as error:
            log.debug("A press could not be answered: %s", error)

    async def _log_failure(self, _: object, context: ContextTypes.DEFAULT_TYPE) -> None:
        log.error("An update could not be handled", exc_info=context.error)


def _place(message: Message) -> Place:
    return Place(message.chat_id, message.message_thread_id if message.is_topic_message else None)


async def _guarded(handling: Awaitable[str | None]) -> str | None:
    """Await a handler; return what people are told where it failed, else what it returned."""
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


async def _bounded(step: Awaitable[None]) -> None:
    """Await one step of the end; one that fails or hangs does not keep the others from being taken."""
    try:
        async with asyncio.timeout(STOP_DEADLINE):
            await step
    except (TimeoutError, RuntimeError, telegram.error.TelegramError) as error:
        log.debug("A step of the end failed: %s", type(error).__name__)
