"""What can go wrong when something is said in a chat, whatever the chat service. Each text is one line for people.

A client translates the errors of its library into these, once; the queue and the senders decide by them.
"""


class ChatError(Exception):
    """Something could not be said on Telegram. Its text is one line, without the token."""


class TooManyError(ChatError):
    """Telegram asks to wait, with this chat, for `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Telegram asks for {seconds:g} s of silence")
        self.seconds = seconds


class NotSentError(ChatError):
    """Telegram could not be reached or is in trouble: nothing was changed, or it may be said again without harm."""


class OutcomeUnknownError(ChatError):
    """No answer came: the message may have been sent, or not."""


class ChatGoneError(ChatError):
    """Nothing can be said in this chat any more: the bot is blocked, or removed, or the chat is unknown to it."""


class ChatMovedError(ChatError):
    """The group has become a supergroup, under the id `chat`."""

    def __init__(self, chat: int) -> None:
        super().__init__(f"the group has become the supergroup {chat}")
        self.chat = chat


class TopicGoneError(ChatError):
    """The forum's topic was closed or deleted."""


class MessageGoneError(ChatError):
    """The message to edit is not there any more, or cannot be edited."""


class RefusedError(ChatError):
    """Telegram refuses what was asked, and would again: our mistake."""


class TokenRefusedError(ChatError):
    """Telegram does not accept the bot's token."""

    def __init__(self) -> None:
        super().__init__(
            "TELEGRAM_BOT_TOKEN: Telegram refuses it; it was revoked or mistyped. @BotFather knows the current one."
        )
