"""A picture that must not be seen any longer: deleted, else blanked, else the caller is told that it is still there.

A message may have ceased to be ours: Telegram deletes nothing that is older than 48 hours, a group may take the right.
And a picture may be in the chat without our knowing its id, since the answer to sending it was lost. The id must lie
shortly below that of the next message; of the ids there that are not known, an edit succeeds for our own alone, so all
of them are blanked. What was the very first message since the start is not found that way.
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
    """What came of it."""

    DELETED = auto()
    """It is not in the chat any more."""
    BLANKED = auto()
    """It is there, with an empty picture and another caption."""
    LEFT = auto()
    """It is there as it was: people are to be told that it is void."""


async def withdraw_picture(queue: SendQueue, lane: Lane, chat: int, message: int, caption: Text) -> Withdrawal:
    """Delete a message with a picture, or blank it. caption: what it reads where it can only be blanked.

    Raises no ChatError: where the chat is gone or nothing helps, it is LEFT.
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
    """Blank a message that may be none, or somebody else's; return whether it was one of ours."""
    try:
        await queue.deliver(lane, chat, lambda messenger: messenger.blank(chat, message, caption))
    except (MessageGoneError, RefusedError):
        return False
    return True
