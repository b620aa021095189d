"""What a person can do, as buttons: one table, so that alerts, cards, details and answers agree. Pure."""

from collections.abc import Callable, Iterable

from controller.accounts.reasons import Remedy, State
from controller.accounts.status import Status
from handlers.chat.button_codes import Verb, button_code
from handlers.chat.messages import Button

BUTTONS: dict[Remedy, tuple[tuple[Verb, str], ...]] = {
    Remedy.NONE: (),
    Remedy.LINK: ((Verb.LINK, "Link again"),),
    Remedy.USE_HERE: ((Verb.USE_HERE, "Use here"),),
    Remedy.RECONNECT: ((Verb.RECONNECT, "Reconnect"),),
    Remedy.CONFIRM: ((Verb.SAME_NUMBER, "It is the same account"), (Verb.OTHER_NUMBER, "Log it out")),
    Remedy.CONTINUE: ((Verb.CONTINUE, "Continue"),),
    Remedy.RESTORE: ((Verb.RESTORE, "Restore"),),
    Remedy.GO_ON: ((Verb.GO_ON, "Go on all the same"),),
    Remedy.TAKE_WEBHOOK: ((Verb.TAKE_WEBHOOK, "Take it back"),),
}
"""The buttons of each remedy, with their labels."""
LABELS: dict[Verb, str] = {verb: label for buttons in BUTTONS.values() for verb, label in buttons}


def buttons(
    remedies: Iterable[Remedy], subject: str, labelled: Callable[[str], str] = lambda label: label
) -> tuple[Button, ...]:
    """Return a row of buttons for remedies. subject: as in `handlers.chat.button_codes`; labelled: adds a name."""
    return tuple(
        Button(labelled(label), button_code(verb, subject)) for remedy in remedies for verb, label in BUTTONS[remedy]
    )


def may_suspend(status: Status) -> bool:
    """Return whether suspending an account would have any effect."""
    return status.wants_connection or status.state not in {State.SUSPENDED, State.IDLE}


def offered(status: Status, *, has_copies: bool = False) -> tuple[Remedy, ...]:
    """Return what to offer under any message about an account. has_copies: there are saved copies of its session."""
    return (*status.remedies, Remedy.RESTORE) if status.restorable and has_copies else status.remedies
