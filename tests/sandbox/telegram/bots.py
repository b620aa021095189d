"""The same small bot three times: on python-telegram-bot, on aiogram and on pyTelegramBotAPI, each unmodified.

Contents: what the common scenario needs of each library, and each library's errors in one form. What never
does: the scenario, and any change to a library; each only gets the stand-in's address, by its own option.
"""

import asyncio
import contextlib
import io
from abc import ABC, abstractmethod
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

import telebot.async_telebot
import telegram
import telegram.error
import telegram.ext
from telebot import asyncio_helper
from telebot.asyncio_helper import ApiTelegramException

from tests.sandbox.telegram.lazy_aiogram import (
    AiohttpSession,
    TelegramAPIError,
    TelegramAPIServer,
    TelegramMigrateToChat,
    TelegramRetryAfter,
    aiogram,
    build_all,
)

POLL_SECONDS = 5
DEADLINE = 10.0


@dataclass(frozen=True)
class Refusal:
    """An error of the Bot API as a library's caller can know it; `text` in lower case."""

    kind: str
    text: str
    retry_after: int | None = None
    migrate_to: int | None = None


class ScenarioBot(ABC):
    """What the scenario does with a library; `heard` gets (chat id, text), `pressed` gets (query id, data)."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token
        self.heard: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
        self.pressed: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    async def next_heard(self) -> tuple[int, str]:
        return await asyncio.wait_for(self.heard.get(), DEADLINE)

    async def next_pressed(self) -> tuple[str, str]:
        return await asyncio.wait_for(self.pressed.get(), DEADLINE)

    async def refusal(self, call: Awaitable[Any]) -> Refusal:
        """Return the error that `call` ends with."""
        try:
            await call
        except (telegram.error.TelegramError, TelegramAPIError, ApiTelegramException) as error:
            return self.translate(error)
        raise AssertionError("the call was not refused")

    @abstractmethod
    def translate(self, error: Exception) -> Refusal: ...
    @abstractmethod
    async def start(self) -> None: ...
    @abstractmethod
    async def poll(self) -> None: ...
    @abstractmethod
    async def stop_polling(self) -> None: ...
    @abstractmethod
    async def stop(self) -> None: ...
    @abstractmethod
    async def feed(self, update: dict[str, Any]) -> None: ...
    @abstractmethod
    async def username(self) -> str: ...
    @abstractmethod
    async def send_text(self, chat: int, text: str, **options: Any) -> int: ...
    @abstractmethod
    async def send_photo(self, chat: int, data: bytes, caption: str) -> int: ...
    @abstractmethod
    async def send_document(self, chat: int, data: bytes, name: str) -> str: ...
    @abstractmethod
    async def download(self, file_id: str) -> bytes: ...
    @abstractmethod
    async def edit_media(self, chat: int, number: int, data: bytes, caption: str) -> None: ...
    @abstractmethod
    async def edit_caption(self, chat: int, number: int, caption: str) -> None: ...
    @abstractmethod
    async def edit_text(self, chat: int, number: int, text: str) -> None: ...
    @abstractmethod
    async def delete(self, chat: int, number: int) -> None: ...
    @abstractmethod
    async def answer(self, query_id: str, text: str) -> None: ...
    @abstractmethod
    async def set_commands(self, commands: dict[str, str], chat: int | None = None) -> None: ...
    @abstractmethod
    async def commands(self, chat: int | None = None) -> dict[str, str]: ...
    @abstractmethod
    async def create_topic(self, chat: int, name: str) -> int: ...
    @abstractmethod
    async def close_topic(self, chat: int, thread: int) -> None: ...
    @abstractmethod
    async def pin(self, chat: int, number: int) -> None: ...
    @abstractmethod
    async def set_webhook(self, url: str, secret: str) -> None: ...
    @abstractmethod
    async def delete_webhook(self) -> None: ...


class PythonTelegramBot(ScenarioBot):
    """python-telegram-bot: its Application, polling through its Updater."""

    async def start(self) -> None:
        builder = telegram.ext.Application.builder().token(self.token)
        self.app = builder.base_url(f"{self.url}/bot").base_file_url(f"{self.url}/file/bot").build()
        self.app.add_handler(telegram.ext.MessageHandler(telegram.ext.filters.TEXT, self._on_text))
        self.app.add_handler(telegram.ext.CallbackQueryHandler(self._on_press))
        await self.app.initialize()
        await self.app.start()

    async def _on_text(self, update: telegram.Update, _: Any) -> None:
        self.heard.put_nowait((update.effective_chat.id, update.effective_message.text))

    async def _on_press(self, update: telegram.Update, _: Any) -> None:
        self.pressed.put_nowait((update.callback_query.id, update.callback_query.data))

    async def poll(self) -> None:
        await self.app.updater.start_polling(timeout=POLL_SECONDS)

    async def stop_polling(self) -> None:
        await self.app.updater.stop()

    async def stop(self) -> None:
        await self.app.stop()
        await self.app.shutdown()

    async def feed(self, update: dict[str, Any]) -> None:
        await self.app.process_update(telegram.Update.de_json(update, self.app.bot))

    def translate(self, error: Exception) -> Refusal:
        after, migrate = getattr(error, "_retry_after", None), getattr(error, "new_chat_id", None)
        seconds = int(after.total_seconds()) if after is not None else None
        return Refusal(type(error).__name__, str(error).lower(), seconds, migrate)

    async def username(self) -> str:
        return (await self.app.bot.get_me()).username

    async def send_text(self, chat: int, text: str, **options: Any) -> int:
        buttons = options.get("buttons")
        markup = None
        if buttons:
            row = [telegram.InlineKeyboardButton(label, callback_data=data) for label, data in buttons.items()]
            markup = telegram.InlineKeyboardMarkup([row])
        message = await self.app.bot.send_message(
            chat,
            text,
            parse_mode="HTML",
            reply_markup=markup,
            message_thread_id=options.get("thread"),
            disable_notification=options.get("silent"),
            protect_content=options.get("protected"),
            reply_parameters=telegram.ReplyParameters(options["reply_to"]) if "reply_to" in options else None,
            link_preview_options=telegram.LinkPreviewOptions(is_disabled=True),
        )
        return message.message_id

    async def send_photo(self, chat: int, data: bytes, caption: str) -> int:
        return (await self.app.bot.send_photo(chat, data, caption=caption, filename="qr.png")).message_id

    async def send_document(self, chat: int, data: bytes, name: str) -> str:
        return (await self.app.bot.send_document(chat, data, filename=name)).document.file_id

    async def download(self, file_id: str) -> bytes:
        return bytes(await (await self.app.bot.get_file(file_id)).download_as_bytearray())

    async def edit_media(self, chat: int, number: int, data: bytes, caption: str) -> None:
        media = telegram.InputMediaPhoto(data, caption=caption, parse_mode="HTML", filename="qr.png")
        await self.app.bot.edit_message_media(media, chat, number)

    async def edit_caption(self, chat: int, number: int, caption: str) -> None:
        await self.app.bot.edit_message_caption(chat, number, caption=caption)

    async def edit_text(self, chat: int, number: int, text: str) -> None:
        await self.app.bot.edit_message_text(text, chat, number)

    async def delete(self, chat: int, number: int) -> None:
        await self.app.bot.delete_message(chat, number)

    async def answer(self, query_id: str, text: str) -> None:
        await self.app.bot.answer_callback_query(query_id, text, show_alert=True)

    async def set_commands(self, commands: dict[str, str], chat: int | None = None) -> None:
        scope = telegram.BotCommandScopeChat(chat) if chat else None
        await self.app.bot.set_my_commands(list(commands.items()), scope=scope)

    async def commands(self, chat: int | None = None) -> dict[str, str]:
        scope = telegram.BotCommandScopeChat(chat) if chat else None
        return {command.command: command.description for command in await self.app.bot.get_my_commands(scope)}

    async def create_topic(self, chat: int, name: str) -> int:
        return (await self.app.bot.create_forum_topic(chat, name)).message_thread_id

    async def close_topic(self, chat: int, thread: int) -> None:
        await self.app.bot.close_forum_topic(chat, thread)

    async def pin(self, chat: int, number: int) -> None:
        await self.app.bot.pin_chat_message(chat, number, disable_notification=True)

    async def set_webhook(self, url: str, secret: str) -> None:
        await self.app.bot.set_webhook(url, secret_token=secret, allowed_updates=["message"])

    async def delete_webhook(self) -> None:
        await self.app.bot.delete_webhook()


class Aiogram(ScenarioBot):
    """aiogram: its Dispatcher, polling by itself."""

    async def start(self) -> None:
        build_all()
        self.bot = aiogram.Bot(self.token, session=AiohttpSession(api=TelegramAPIServer.from_base(self.url)))
        self.dispatcher = aiogram.Dispatcher()
        self.dispatcher.message()(self._on_text)
        self.dispatcher.callback_query()(self._on_press)
        self.polling: asyncio.Task[None] | None = None

    async def _on_text(self, message: aiogram.types.Message) -> None:
        if message.text:
            self.heard.put_nowait((message.chat.id, message.text))

    async def _on_press(self, query: aiogram.types.CallbackQuery) -> None:
        self.pressed.put_nowait((query.id, query.data or ""))

    async def poll(self) -> None:
        polling = self.dispatcher.start_polling(
            self.bot, polling_timeout=POLL_SECONDS, handle_signals=False, close_bot_session=False
        )
        self.polling = asyncio.create_task(polling)

    async def stop_polling(self) -> None:
        await self.dispatcher.stop_polling()
        assert self.polling is not None
        await asyncio.wait_for(self.polling, DEADLINE)

    async def stop(self) -> None:
        await self.bot.session.close()

    async def feed(self, update: dict[str, Any]) -> None:
        await self.dispatcher.feed_raw_update(self.bot, update)

    def translate(self, error: Exception) -> Refusal:
        assert isinstance(error, TelegramAPIError)
        after = error.retry_after if isinstance(error, TelegramRetryAfter) else None
        migrate = error.migrate_to_chat_id if isinstance(error, TelegramMigrateToChat) else None
        return Refusal(type(error).__name__, error.message.lower(), after, migrate)

    async def username(self) -> str:
        return (await self.bot.get_me()).username or ""

    async def send_text(self, chat: int, text: str, **options: Any) -> int:
        buttons = options.get("buttons")
        markup = None
        if buttons:
            row = [
                aiogram.types.InlineKeyboardButton(text=label, callback_data=data) for label, data in buttons.items()
            ]
            markup = aiogram.types.InlineKeyboardMarkup(inline_keyboard=[row])
        reply = aiogram.types.ReplyParameters(message_id=options["reply_to"]) if "reply_to" in options else None
        message = await self.bot.send_message(
            chat,
            text,
            parse_mode="HTML",
            reply_markup=markup,
            message_thread_id=options.get("thread"),
            disable_notification=options.get("silent"),
            protect_content=options.get("protected"),
            reply_parameters=reply,
            link_preview_options=aiogram.types.LinkPreviewOptions(is_disabled=True),
        )
        return message.message_id

    async def send_photo(self, chat: int, data: bytes, caption: str) -> int:
        photo = aiogram.types.BufferedInputFile(data, "qr.png")
        return (await self.bot.send_photo(chat, photo, caption=caption)).message_id

    async def send_document(self, chat: int, data: bytes, name: str) -> str:
        message = await self.bot.send_document(chat, aiogram.types.BufferedInputFile(data, name))
        assert message.document is not None
        return message.document.file_id

    async def download(self, file_id: str) -> bytes:
        found = await self.bot.download(file_id)
        assert found is not None
        return found.read()

    async def edit_media(self, chat: int, number: int, data: bytes, caption: str) -> None:
        file = aiogram.types.BufferedInputFile(data, "qr.png")
        media = aiogram.types.InputMediaPhoto(media=file, caption=caption, parse_mode="HTML")
        await self.bot.edit_message_media(media, chat_id=chat, message_id=number)

    async def edit_caption(self, chat: int, number: int, caption: str) -> None:
        await self.bot.edit_message_caption(chat_id=chat, message_id=number, caption=caption)

    async def edit_text(self, chat: int, number: int, text: str) -> None:
        await self.bot.edit_message_text(text, chat_id=chat, message_id=number)

    async def delete(self, chat: int, number: int) -> None:
        await self.bot.delete_message(chat, number)

    async def answer(self, query_id: str, text: str) -> None:
        await self.bot.answer_callback_query(query_id, text, show_alert=True)

    async def set_commands(self, commands: dict[str, str], chat: int | None = None) -> None:
        scope = aiogram.types.BotCommandScopeChat(chat_id=chat) if chat else None
        menu = [aiogram.types.BotCommand(command=name, description=text) for name, text in commands.items()]
        await self.bot.set_my_commands(menu, scope=scope)

    async def commands(self, chat: int | None = None) -> dict[str, str]:
        scope = aiogram.types.BotCommandScopeChat(chat_id=chat) if chat else None
        return {command.command: command.description for command in await self.bot.get_my_commands(scope)}

    async def create_topic(self, chat: int, name: str) -> int:
        return (await self.bot.create_forum_topic(chat, name)).message_thread_id

    async def close_topic(self, chat: int, thread: int) -> None:
        await self.bot.close_forum_topic(chat, thread)

    async def pin(self, chat: int, number: int) -> None:
        await self.bot.pin_chat_message(chat, number, disable_notification=True)

    async def set_webhook(self, url: str, secret: str) -> None:
        await self.bot.set_webhook(url, secret_token=secret, allowed_updates=["message"])

    async def delete_webhook(self) -> None:
        await self.bot.delete_webhook()


class PyTelegramBotApi(ScenarioBot):
    """pyTelegramBotAPI: its AsyncTeleBot, polling by itself; the address is a setting of its module."""

    async def start(self) -> None:
        self._settings = (asyncio_helper.API_URL, asyncio_helper.FILE_URL)
        asyncio_helper.API_URL = f"{self.url}/bot{{0}}/{{1}}"
        asyncio_helper.FILE_URL = f"{self.url}/file/bot{{0}}/{{1}}"
        self.bot = telebot.async_telebot.AsyncTeleBot(self.token)
        self.bot.register_message_handler(self._on_text, content_types=["text"])
        self.bot.register_callback_query_handler(self._on_press, func=lambda _: True)
        self.polling: asyncio.Task[None] | None = None

    async def _on_text(self, message: telebot.types.Message) -> None:
        self.heard.put_nowait((message.chat.id, message.text))

    async def _on_press(self, query: telebot.types.CallbackQuery) -> None:
        self.pressed.put_nowait((query.id, query.data))

    async def poll(self) -> None:
        self.polling = asyncio.create_task(self.bot.polling(timeout=POLL_SECONDS, request_timeout=30))

    async def stop_polling(self) -> None:
        assert self.polling is not None
        self.polling.cancel()  # it would otherwise end with its current poll only
        with contextlib.suppress(asyncio.CancelledError):
            await self.polling

    async def stop(self) -> None:
        await self.bot.close_session()
        asyncio_helper.API_URL, asyncio_helper.FILE_URL = self._settings

    async def feed(self, update: dict[str, Any]) -> None:
        await self.bot.process_new_updates([telebot.types.Update.de_json(update)])

    def translate(self, error: Exception) -> Refusal:
        assert isinstance(error, ApiTelegramException)
        more = error.result_json.get("parameters", {})
        return Refusal(
            str(error.error_code), error.description.lower(), more.get("retry_after"), more.get("migrate_to_chat_id")
        )

    async def username(self) -> str:
        return (await self.bot.get_me()).username

    async def send_text(self, chat: int, text: str, **options: Any) -> int:
        buttons = options.get("buttons")
        markup = None
        if buttons:
            markup = telebot.types.InlineKeyboardMarkup()
            markup.row(*(telebot.types.InlineKeyboardButton(label, callback_data=d) for label, d in buttons.items()))
        message = await self.bot.send_message(
            chat,
            text,
            parse_mode="HTML",
            reply_markup=markup,
            message_thread_id=options.get("thread"),
            disable_notification=options.get("silent"),
            protect_content=options.get("protected"),
            reply_parameters=telebot.types.ReplyParameters(options["reply_to"]) if "reply_to" in options else None,
            link_preview_options=telebot.types.LinkPreviewOptions(is_disabled=True),
        )
        return message.message_id

    async def send_photo(self, chat: int, data: bytes, caption: str) -> int:
        return (await self.bot.send_photo(chat, data, caption=caption)).message_id

    async def send_document(self, chat: int, data: bytes, name: str) -> str:
        return (await self.bot.send_document(chat, data, visible_file_name=name)).document.file_id

    async def download(self, file_id: str) -> bytes:
        return await self.bot.download_file((await self.bot.get_file(file_id)).file_path)

    async def edit_media(self, chat: int, number: int, data: bytes, caption: str) -> None:
        media = telebot.types.InputMediaPhoto(telebot.types.InputFile(_named(data)), caption, parse_mode="HTML")
        await self.bot.edit_message_media(media, chat, number)

    async def edit_caption(self, chat: int, number: int, caption: str) -> None:
        await self.bot.edit_message_caption(caption, chat, number)

    async def edit_text(self, chat: int, number: int, text: str) -> None:
        await self.bot.edit_message_text(text, chat, number)

    async def delete(self, chat: int, number: int) -> None:
        await self.bot.delete_message(chat, number)

    async def answer(self, query_id: str, text: str) -> None:
        await self.bot.answer_callback_query(query_id, text, show_alert=True)

    async def set_commands(self, commands: dict[str, str], chat: int | None = None) -> None:
        scope = telebot.types.BotCommandScopeChat(chat) if chat else None
        menu = [telebot.types.BotCommand(name, text) for name, text in commands.items()]
        await self.bot.set_my_commands(menu, scope=scope)

    async def commands(self, chat: int | None = None) -> dict[str, str]:
        scope = telebot.types.BotCommandScopeChat(chat) if chat else None
        return {command.command: command.description for command in await self.bot.get_my_commands(scope, None)}

    async def create_topic(self, chat: int, name: str) -> int:
        return (await self.bot.create_forum_topic(chat, name)).message_thread_id

    async def close_topic(self, chat: int, thread: int) -> None:
        await self.bot.close_forum_topic(chat, thread)

    async def pin(self, chat: int, number: int) -> None:
        await self.bot.pin_chat_message(chat, number, disable_notification=True)

    async def set_webhook(self, url: str, secret: str) -> None:
        await self.bot.set_webhook(url, secret_token=secret, allowed_updates=["message"])

    async def delete_webhook(self) -> None:
        await self.bot.delete_webhook()


def _named(data: bytes) -> io.BytesIO:
    file = io.BytesIO(data)
    file.name = "qr.png"
    return file


ALL = (PythonTelegramBot, Aiogram, PyTelegramBotApi)
