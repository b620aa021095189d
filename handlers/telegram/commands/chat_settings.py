"""/here, /loud and /quiet: where alerts go, how loud each kind is in a chat, and the chat's quiet hours."""

import re

from handlers.alerts.service import Alerts
from handlers.chat.button_codes import Press, Verb, button_code
from handlers.chat.chat_settings import ChatSettings, Loudness
from handlers.chat.messages import Button, Keyboard
from handlers.chat.people import Role
from handlers.chat.request import Request
from handlers.telegram.actions.alert_chat import AlertChat
from handlers.telegram.actions.context import Context
from handlers.telegram.commands.table import ButtonRow, Command, Topic
from handlers.texts import answers
from handlers.texts import chat_settings as texts

_HOURS = re.compile(r"(\d{1,2})(?::(\d{2}))?\s*(?:-|–|to)\s*(\d{1,2})(?::(\d{2}))?")
_KINDS = tuple(texts.KINDS)


class ChatSettingCommands(Topic):
    """The settings of a chat: changed by admins, and by each operator for their own chat."""

    def __init__(self, context: Context, *, chat_settings: ChatSettings, alerts: Alerts, alert_chat: AlertChat) -> None:
        self._context, self._people, self._responder = context, context.people, context.responder
        self._chat_settings, self._alerts, self._alert_chat = chat_settings, alerts, alert_chat

    async def here(self, request: Request) -> None:
        """Send alerts to this chat, or where the settings say."""
        words = request.words.strip().casefold()
        if words == "off":
            to_chat = await self._alert_chat.reset()
            await self._context.audit(request.user, "here", None, "off")
            await self._responder.answer(request, texts.not_here(to_chat=to_chat))
            return
        await self._alert_chat.choose(request.chat, request.topic)
        topic = "" if request.topic is None else f":{request.topic}"
        await self._context.audit(request.user, "here", None, f"alerts go to {request.chat}{topic}")
        await self._responder.answer(request, texts.here(request.topic))

    async def loud(self, request: Request) -> None:
        """Show how loud each kind of alert is here."""
        await self._show(request)

    async def quiet(self, request: Request) -> None:
        """Show or set the quiet hours of this chat."""
        words = request.words.strip().casefold()
        if not words:
            await self._responder.answer(request, self._quiet(request))
            return
        hours = None if words == "off" else _hours(words)
        if words != "off" and hours is None:
            await self._responder.answer(request, texts.wrong_hours(words))
        elif not self._may(request):
            await self._responder.answer(request, texts.ONLY_ADMINS_IN_GROUPS)
        else:
            await self._chat_settings.set_quiet_hours(request.chat, hours)
            await self._context.audit(request.user, "quiet hours", None, f"chat {request.chat}: {words}")
            self._alerts.policy_changed(request.chat)
            await self._responder.answer(request, self._quiet(request))

    async def press_loudness(self, request: Request, press: Press) -> str:
        """Set a kind of alert to the next loudness."""
        match press.items:
            case (at,) if at < len(_KINDS):
                kind = _KINDS[at]
            case _:
                return answers.STALE_BUTTON
        if not self._may(request):
            return texts.ONLY_ADMINS_IN_GROUPS
        loudness = self._chat_settings.loudness(request.chat).get(kind, Loudness.SOUND).following
        await self._chat_settings.set_loudness(request.chat, kind, loudness)
        await self._context.audit(request.user, "loudness", None, f"chat {request.chat}: {kind} {loudness}")
        self._alerts.policy_changed(request.chat)
        await self._show(request)
        return f"{texts.KINDS[kind]}: {texts.WORDS[loudness]}"

    COMMANDS = (
        Command(
            "here", "[off]", "let alerts come to this chat",
            "makes this chat, group or topic the place where alerts go", here,
            role=Role.ADMIN,
        ),
        Command(
            "loud", "", "how loud each kind of alert is",
            "how loud each kind of alert is in this chat, with buttons: with a sound, without, or not at all", loud,
        ),
        Command(
            "quiet", "[22:00-07:00 or off]", "quiet hours of this chat",
            "quiet hours of this chat: what is not critical is told afterwards", quiet,
            changes=True,
        ),
    )  # fmt: skip
    BUTTONS = {Verb.LOUDNESS: ButtonRow("Loudness", press_loudness)}  # noqa: RUF012 - a table

    # --- parts --------------------------------------------------------------------------------------------------------

    def _may(self, request: Request) -> bool:
        return request.private or self._people.is_admin(request.user)

    def _quiet(self, request: Request) -> str:
        hours = self._chat_settings.quiet_hours(request.chat)
        return texts.quiet_hours(hours, self._context.clock(), may=self._may(request))

    async def _show(self, request: Request) -> None:
        chosen = self._chat_settings.loudness(request.chat)
        hours = self._chat_settings.quiet_hours(request.chat)
        text = texts.loudness(chosen, hours, self._context.clock(), may=self._may(request))
        buttons = [
            Button(
                f"{texts.ICONS[chosen.get(kind, Loudness.SOUND)]} {name}"[:40],
                button_code(Verb.LOUDNESS, f".{at}"),
            )
            for at, (kind, name) in enumerate(texts.KINDS.items())
        ]
        keyboard: Keyboard = tuple((button,) for button in buttons) if self._may(request) else ()
        await self._responder.answer(request, text, keyboard)


def _hours(words: str) -> tuple[int, int] | None:
    """Return the typed hours, such as `22:00-07:00` or `22-7`, in minutes of the day; None if invalid."""
    typed = _HOURS.fullmatch(words)
    if typed is None:
        return None
    minutes = []
    for hour, minute in ((typed[1], typed[2]), (typed[3], typed[4])):
        if int(hour) > 24 or int(minute or 0) > 59 or (int(hour) == 24 and int(minute or 0)):  # noqa: PLR2004
            return None
        minutes.append((int(hour) * 60 + int(minute or 0)) % 1440)
    begins, ends = minutes
    return (begins, ends) if begins != ends else None
