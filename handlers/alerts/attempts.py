"""What a chat rejected or failed to take, and when each message may be tried again. On the loop's clock; no sending.

A message is known by its incident or note, and by what is done with it.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from controller.incidents import Incident, Note
from handlers.alerts.incidents.delivery import Action
from handlers.chat.errors import CallFailedError, FailuresOfOne, OutcomeUnknownError

FIRST_PAUSE = 1.0
"""Seconds until a message is tried again that failed or may have been sent; each further time is twice as long."""
FAILED_PAUSE, LOST_PAUSE = 30.0, 120.0
"""The longest such times: of one that failed while others were sent, and of one that may have been sent."""
OUTAGE_PAUSE = 5.0
"""The longest of one that may have been sent while nothing else was performed either."""

Work = tuple[Incident, Action] | Note
Key = tuple[int, str]


def key_of(work: Work) -> Key:
    """Return which message it is."""
    return (work.id, Note.__name__) if isinstance(work, Note) else (work[0].id, type(work[1]).__name__)


@dataclass(slots=True)
class _Attempts:
    """rejected: how often; failed: it was not taken when it was tried last, so that others go first.

    alone: others would be taken, for all that is known.
    """

    rejected: int = 0
    failed: bool = False
    alone: bool = False
    not_before: float = 0.0
    pause: float = FIRST_PAUSE
    failures: FailuresOfOne = field(default_factory=FailuresOfOne)

    def wait(self, now: float, longest: float) -> None:
        self.pause = min(self.pause, longest)
        self.not_before, self.pause = now + self.pause, 2 * self.pause


class Attempts:
    """The failed attempts of one chat."""

    def __init__(self) -> None:
        self._of: dict[Key, _Attempts] = {}

    @property
    def refusing(self) -> frozenset[int]:
        """Incidents whose messages the chat takes not, or not certainly, though it takes others."""
        return frozenset(
            item for (item, what), each in self._of.items() if (each.rejected or each.alone) and what != Note.__name__
        )

    def wait(self, work: Work, now: float) -> float:
        """Return the seconds until a message may be tried again; 0 or less if it may be now."""
        return self._of.get(key_of(work), _Attempts()).not_before - now

    def has_failed(self, work: Work) -> bool:
        """Return whether a message was not taken when it was tried last."""
        return key_of(work) in self._of and self._of[key_of(work)].failed

    def reject(self, work: Work, now: float, pause: float) -> int:
        """Record a rejection; return which one it is."""
        each = self._of.setdefault(key_of(work), _Attempts())
        each.rejected, each.not_before = each.rejected + 1, now + pause
        return each.rejected

    def fail(self, work: Work, error: CallFailedError, now: float) -> bool:
        """Record that the chat service failed at a message; return whether that counts as rejected for good."""
        each = self._of.setdefault(key_of(work), _Attempts())
        each.failed, for_good = True, each.failures.add(error)
        if each.failures.others_pass:
            each.alone = True
            each.wait(now, FAILED_PAUSE)
        return for_good

    def lose(self, work: Work, error: OutcomeUnknownError, now: float) -> None:
        """Record that a message may have been sent: each further attempt may be one more in the chat.

        While nothing else is performed either, it is an outage, and the message is due as soon as that is over.
        """
        each = self._of.setdefault(key_of(work), _Attempts())
        each.failures.add(error)
        each.failed, each.alone = True, each.alone or each.failures.others_pass
        each.wait(now, LOST_PAUSE if each.alone else OUTAGE_PAUSE)

    def keep_only(self, items: Collection[int]) -> None:
        """Forget what belongs to incidents and notes that are gone."""
        self._of = {key: each for key, each in self._of.items() if key[0] in items}

    def forget(self, work: Work) -> None:
        """Forget the attempts of a message that was sent, or is given up."""
        self._of.pop(key_of(work), None)
