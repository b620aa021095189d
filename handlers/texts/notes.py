"""Notes on a card for the person whose request it answers, shown only while they are true. HTML; pure.

A card stays in the chat while its account changes. So a note is not a fixed text: it is evaluated each time the card is
rendered, and is empty if it would contradict the lines above it.
"""

from enum import Enum, auto, unique

from controller.accounts.model import Stage
from controller.accounts.reasons import Reason, State
from controller.accounts.status import Status
from handlers.texts.display_state import DisplayState, display_state


@unique
class Note(Enum):
    """The kinds of notes."""

    CODE_COMES = auto()
    """A code is on its way to them, in this chat."""
    CODE_COMES_PRIVATELY = auto()
    """A code is on its way to them, in another chat."""
    CODE_IS_THERE = auto()
    """The code that they ask for is shown to them already, in this chat."""
    CODE_IS_THERE_PRIVATELY = auto()
    """The code that they ask for is shown to them already, in another chat."""
    UNDER_WAY_ALREADY = auto()
    TAKES_OVER = auto()
    """"Use here" was pressed during an attempt."""
    CONNECTED_ALREADY = auto()
    PAUSED_ALREADY = auto()


_BEFORE_CODES = frozenset({Stage.QUEUED, Stage.LAUNCHING, Stage.READING, Stage.LOGGING_OUT})


def words(note: Note, status: Status) -> str:
    """Return the note's text for an account of this status; "" if it is not true any more."""
    connecting = status.state is State.CONNECTING
    comes = connecting and status.stage in _BEFORE_CODES
    shown = connecting and status.stage is Stage.AWAITING_SCAN
    goes_on = connecting and display_state(status) is DisplayState.CONNECTING
    match note:
        case Note.CODE_COMES if comes and status.held:
            return "The code comes to you once browsers may be started again."
        case Note.CODE_COMES if comes:
            return "The code comes to you in a moment. Keep the account’s phone at hand."
        case Note.CODE_COMES_PRIVATELY if comes or shown:
            return "🔒 A code is not for a group: it comes to you privately."
        case Note.CODE_IS_THERE if shown:
            return "Its code is in this chat already."
        case Note.CODE_IS_THERE_PRIVATELY if shown:
            return "🔒 A code is not for a group: you have it privately already."
        case Note.UNDER_WAY_ALREADY if goes_on:
            return "It was on its way already."
        case Note.TAKES_OVER if goes_on and status.takes_over:
            return "It was on its way already. If it is still open elsewhere, it is taken back here."
        case Note.CONNECTED_ALREADY if status.is_connected:
            asks = display_state(status) is DisplayState.NEEDS_YOU
            return "It was connected already." if asks else "It was connected already: nothing to do."
        case Note.PAUSED_ALREADY if status.reason is Reason.SUSPENDED_BY_OPERATOR:
            return "It was paused already."
        case _:
            return ""


def restored(label: str, status: Status) -> str:
    """Return the note that a saved session was restored, while it is being tried. label: of the saved one, as HTML."""
    return f"The session of {label} is in place." if status.state is State.CONNECTING else ""
