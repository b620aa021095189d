"""What a person can do about an account now: requests of the page, and fixes for its reason."""

from controller.accounts.model import Connection, Stage
from controller.accounts.policy import Policy
from controller.accounts.reasons import Reason, Remedy, State


def remedies_of(connection: Connection, policy: Policy) -> tuple[Remedy, ...]:
    """Return what a person can do, most urgent first; each of these has an effect right now."""
    found = []
    if connection.unconfirmed is not None:
        found.append(Remedy.CONFIRM)
    if connection.dialog is not None and connection.dialog.known:
        found.append(Remedy.CONTINUE)
    mends = _mends(connection, policy)
    return tuple(found) if mends is Remedy.NONE else (*found, mends)


def _mends(connection: Connection, policy: Policy) -> Remedy:
    """Return what fixes the account's state."""
    if connection.stage is Stage.PASSKEY:
        return policy.traits(Reason.PASSKEY).remedy
    if connection.state in {State.CONNECTING, State.CONNECTED}:
        return Remedy.NONE
    if connection.reason is None:
        return Remedy.LINK  # it was never started
    if connection.reason is Reason.SUSPENDED_BY_OPERATOR and not connection.linked:
        return Remedy.LINK  # there is no session to reconnect with
    return policy.traits(connection.reason).remedy


def is_restorable(connection: Connection, policy: Policy) -> bool:
    """Return whether a saved copy of the session, if there is one, may fix it."""
    if connection.state in {State.CONNECTING, State.CONNECTED}:
        return False
    return any(policy.traits(one).restorable for one in (connection.reason, connection.cause) if one is not None)
