"""What can go wrong with a message, whatever the chat service. Each text is one line for people, without the token.

A client translates the errors of its library into these, once; the queue and the senders decide by them. Three groups:

- passing, repeated by the queue: TooManyError, NotSentError, and OutcomeUnknownError where the caller allows it;
- permanent and known: each class names what the caller can do about it;
- UnknownRefusalError: whether it passes is not known. Callers try a few times, then another way, then tell a person.
"""


class ChatError(Exception):
    """A message could not be sent, edited or deleted. Its text is one line for people."""


class TooManyError(ChatError):
    """The service asks for a pause in this chat, of `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Telegram asks for {seconds:g} s of silence")
        self.seconds = seconds


class NotSentError(ChatError):
    """The service could not be reached or is in trouble: nothing was changed, or repeating does no harm."""


class OutcomeUnknownError(ChatError):
    """No answer came: the message may have been sent, or not."""


class SupersededError(ChatError):
    """The message waited for its turn in vain: too many newer ones wait in this chat."""

    def __init__(self) -> None:
        super().__init__("too many answers wait in this chat: the oldest is dropped")


class ChatGoneError(ChatError):
    """Nothing can be sent to this chat any more: the bot is blocked or removed, or the chat is unknown to it."""


class ChatMovedError(ChatError):
    """The group has become a supergroup, under the id `chat`."""

    def __init__(self, chat: int) -> None:
        super().__init__(f"the group has become the supergroup {chat}")
        self.chat = chat


class RightMissingError(ChatError):
    """The bot lacks a right in this chat; `right` completes "may not …", e.g. "create a topic"."""

    def __init__(self, right: str) -> None:
        super().__init__(f"the bot may not {right} there")
        self.right = right


class WritingForbiddenError(RightMissingError, ChatGoneError):
    """The right that is missing is that of writing: the chat is there, and takes nothing from the bot."""


class TopicGoneError(ChatError):
    """The forum's topic was deleted."""


class TopicClosedError(TopicGoneError):
    """The forum's topic was closed, which may be the General topic: a message without a topic is refused then."""


class MessageGoneError(ChatError):
    """The message to edit is not there any more, or cannot be edited."""


class DeletionRefusedError(ChatError):
    """The message is there and cannot be deleted, for instance since it is older than 48 hours. An edit may work."""


class RefusedError(ChatError):
    """The service refuses what was asked, and would again: our mistake."""


class TooLongError(RefusedError):
    """The text is longer than a message may be."""


class MarkupRefusedError(RefusedError):
    """The text's HTML cannot be read. Without markup it may go."""


class UnknownRefusalError(RefusedError):
    """A refusal in words that we do not know: it may be for good, or pass."""


class TokenRefusedError(ChatError):
    """The service does not accept the bot's token."""

    def __init__(self) -> None:
        super().__init__(
            "TELEGRAM_BOT_TOKEN: Telegram refuses it; it was revoked or mistyped. @BotFather knows the current one."
        )
