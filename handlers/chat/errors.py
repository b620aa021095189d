"""Errors of sending and editing messages, whatever the chat service. Texts are one line for people, without the token.

A client translates its library's errors into these, once; the queue and the senders act on them. Three groups:

- transient, retried by the queue: TooManyError, NotSentError, and OutcomeUnknownError if the caller allows it; but
  CallFailedError is permanent where calls like it succeed meanwhile (`FailuresOfOne`);
- permanent and known: each class says what the caller can do about it;
- UnknownRefusalError: may or may not be transient. Callers retry a few times, try another way, then tell a person.
"""


class ChatError(Exception):
    """A message could not be sent, edited or deleted. The text is one line for people."""


class TooManyError(ChatError):
    """The service demands a pause of `seconds` in this chat."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Telegram asks for {seconds:g} s of silence")
        self.seconds = seconds


class NotSentError(ChatError):
    """The service could not be reached or failed: nothing was changed, or a retry is harmless."""


class UnfinishedError(ChatError):
    """The service did not perform a call, or did not say so: an outage, or this very call is the cause.

    performed, performed_alike: how many calls, and how many of this kind, the service has performed until then.
    """

    def __init__(self, text: str = "", performed: int = 0, performed_alike: int = 0) -> None:
        super().__init__(text)
        self.performed, self.performed_alike = performed, performed_alike


class CallFailedError(NotSentError, UnfinishedError):
    """The service was reached, and responded that it failed."""


class OutcomeUnknownError(UnfinishedError):
    """No response: the message may or may not have been sent."""


class SupersededError(ChatError):
    """The message was dropped from the queue: too many newer ones are waiting in this chat."""

    def __init__(self) -> None:
        super().__init__("too many answers wait in this chat: the oldest is dropped")


class ChatGoneError(ChatError):
    """Nothing can be sent to this chat any more: the bot was blocked or removed, or does not know the chat."""


class ChatPausedError(ChatGoneError):
    """The service demands so long a pause in this chat that an alert must be sent elsewhere meanwhile."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Telegram asks for silence there, for another {max(1, round(seconds / 60))} min")


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
    """The missing right is to write: the chat exists, but accepts nothing from the bot."""


class TopicGoneError(ChatError):
    """The forum's topic was deleted."""


class TopicClosedError(TopicGoneError):
    """The forum's topic is closed, possibly the General one, which rejects messages without a topic."""


class MessageGoneError(ChatError):
    """The message to edit does not exist any more, or cannot be edited."""


class DeletionRefusedError(ChatError):
    """The message exists but cannot be deleted, e.g. because it is older than 48 hours. An edit may work."""


class RefusedError(ChatError):
    """The service rejects the call, and would again: our mistake."""


class TooLongError(RefusedError):
    """The text exceeds the length of a message."""


class MarkupRefusedError(RefusedError):
    """The text's HTML is invalid. It may be accepted without markup."""


class UnknownRefusalError(RefusedError):
    """A rejection that we do not recognise: permanent or transient."""


class TokenRefusedError(ChatError):
    """The service rejects the bot's token."""

    def __init__(self) -> None:
        super().__init__(
            "TELEGRAM_BOT_TOKEN: Telegram refuses it; it was revoked or mistyped. @BotFather knows the current one."
        )


FAILURES = 5
"""How often calls like it must have been performed between two failures of one, until that counts as rejected."""


class FailuresOfOne:
    """Tells an outage from a message that the service cannot deal with, by what else it performs meanwhile."""

    def __init__(self) -> None:
        self._last: UnfinishedError | None = None
        self._between = 0
        self.others_pass = False
        """Whether anything was performed between the last two failures."""

    def add(self, error: UnfinishedError) -> bool:
        """Count a failure of the message; return whether it counts as rejected. What may have been sent never does."""
        if self._last is not None:
            self.others_pass = error.performed > self._last.performed
            failed = isinstance(error, CallFailedError)
            self._between += failed and error.performed_alike > self._last.performed_alike
        self._last = error
        return self._between >= FAILURES
