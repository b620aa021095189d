"""Removes a picture that must not be visible any longer: deletes it, else blanks it, else reports that it remains.

Deleting can fail: Telegram refuses for messages older than 48 hours, and a group may revoke the right.
Also, a picture may be in the chat without our knowing its id, if the response to sending it was lost. Its id must be
slightly below that of the next message; of the unknown ids there, an edit succeeds for our own messages only, so all
of them are blanked. The very first message since the start cannot be found that way.
"""

import logging
from enum import Enum, auto, unique

from handlers.chat.errors import ChatError, DeletionRefusedError, MessageGoneError, RefusedError, RightMissingError
from handlers.chat.messages import Lane, Text
from handlers.chat.messenger import Messenger
from handlers.chat.send_queue import SendQueue

log = logging.getLogger(__name__)


@unique
class Withdrawal(Enum):
    """The outcome."""

    DELETED = auto()
    """It is no longer in the chat."""
    BLANKED = auto()
    """It is there, with an empty picture and another caption."""
    LEFT = auto()
    """It is still there unchanged: people must be notified that it is void."""


async def withdraw_picture(queue: SendQueue, lane: Lane, chat: int, message: int, caption: Text) -> Withdrawal:
    """Delete a message with a picture, or blank it. caption: its text if it can only be blanked.

    Raises no ChatError: if the chat is gone or nothing works, the result is LEFT.
    """
    try:
        await queue.deliver(lane, chat, lambda messenger: messenger.delete(chat, message), free=True)
    except (DeletionRefusedError, RightMissingError, RefusedError) as error:
        log.info("A picture in chat %d cannot be deleted (%s), and is blanked", chat, error)
    except ChatError as error:
        log.warning("A picture in chat %d cannot be taken away: %s", chat, error)
        return Withdrawal.LEFT
    else:
        return Withdrawal.DELETED
    try:
        await queue.deliver(lane, chat, lambda messenger: messenger.blank(chat, message, caption))
    except MessageGoneError:
        return Withdrawal.DELETED
    except ChatError as error:
        log.warning("A picture in chat %d cannot be blanked: %s", chat, error)
        return Withdrawal.LEFT
    return Withdrawal.BLANKED


async def blank_lost_pictures(queue: SendQueue, lane: Lane, chat: int, before: int, caption: Text) -> int:
    """Blank pictures that may be in the chat without our knowing, sent before message `before`; return how many."""
    candidates: list[int] = []

    async def look(messenger: Messenger) -> None:
        candidates.extend(messenger.unaccounted(chat, before))

    try:
        await queue.deliver(lane, chat, look, free=True)
        blanked = [await _blank_one(queue, lane, chat, message, caption) for message in candidates]
    except ChatError as error:
        log.warning("Pictures in chat %d whose answers were lost could not be looked for: %s", chat, error)
        return 0
    return sum(blanked)


async def _blank_one(queue: SendQueue, lane: Lane, chat: int, message: int, caption: Text) -> bool:
    """Blank a message that may not exist, or not be ours; return whether it was ours."""
    try:
        await queue.deliver(lane, chat, lambda messenger: messenger.blank(chat, message, caption))
    except (MessageGoneError, RefusedError):
        return False
    return True
