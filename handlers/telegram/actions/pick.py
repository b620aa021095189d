"""Which accounts to offer as choices for an action."""

from controller.accounts.model import Stage
from controller.accounts.reasons import Reason, State
from controller.accounts.status import Status
from controller.registry import Account, Registry
from handlers.chat.button_codes import Verb
from handlers.chat.people import People
from handlers.telegram.actions.find_account import visible


def pickable(accounts: Registry, people: People, user: int, verb: Verb) -> list[tuple[Account, Status]]:
    """Return this person's accounts for which `verb` has an effect, oldest first."""
    found = []
    for account in visible(accounts, people, user):
        status = accounts.status(account.number)
        under_way = status.is_connected or (status.state is State.CONNECTING and status.stage is not Stage.PASSKEY)
        asleep = status.reason is Reason.SUSPENDED_BY_OPERATOR
        if (verb is Verb.SUSPEND and asleep) or (verb is Verb.RECONNECT and under_way):
            continue
        found.append((account, status))
    return found
