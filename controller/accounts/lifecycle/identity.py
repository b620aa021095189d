"""Rows for whose account it is (L11): numbers compared, strangers logged out, people asked."""

from controller.accounts.e164 import is_same_account, mask_apart, may_be_same_account
from controller.accounts.effects import Alert, LogOut
from controller.accounts.lifecycle.endings import end
from controller.accounts.lifecycle.step import Step
from controller.accounts.model import ConfirmNumber, Connection, Fired, LoggedOut, Stage
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Authenticated, Ended, Identified, Ready


def identified(step: Step, who: Identified | Authenticated | Ready) -> None:
    """Compare the number that the page tells."""
    is_stranger(step, who.number)


def is_stranger(step: Step, number: str | None) -> bool:
    """Check the account's number once it is known; start logging the device out if it is another account's."""
    before = step.connection
    if number is None:
        return False
    if _is_known(before, number):
        if before.unconfirmed is None or before.unconfirmed != before.identified:  # else this page told both
            step.set(unconfirmed=None)
            step.over(Reason.CONFIRM_NUMBER)
        step.set(identified=number, was_ours=True)
        return False
    one, other = mask_apart(number, before.number)
    # No other phone can have scanned a page that was open as this account: its number may have been changed.
    if (may_be_same_account(number, before.number) or before.was_ours) and number != before.denied:
        if before.unconfirmed not in {None, number}:
            step.over(Reason.CONFIRM_NUMBER)  # people were asked about another one
        step.set(identified=number, unconfirmed=number)
        step.alert(Alert(Reason.CONFIRM_NUMBER, detail=f"{one} is open, the account is {other}"))
        return False
    _log_out(step, number, f"{one} instead of {other}")
    return True


def _is_known(connection: Connection, number: str) -> bool:
    """Whether a number is the account's, in whichever form."""
    return is_same_account(number, connection.number) or number == connection.alias


def _log_out(step: Step, number: str, detail: str) -> None:
    """Log the wrong device out before closing its browser; people are alerted once the outcome is known."""
    step.hide_code()
    step.close_dialog()
    step.over(Reason.CONFIRM_NUMBER)
    step.set(linked=False, asked=False, identified=None, unconfirmed=None, foreign=True, lost=None)
    step.set(asks_passkey=False, was_ours=False)
    connected = step.connection.state is State.CONNECTED
    step.stage(Stage.LOGGING_OUT, step.policy.log_out_timeout, Reason.WRONG_NUMBER if connected else None)
    step.set(detail=detail)
    step.effects.append(LogOut(step.connection.session, number))


def logged_out(step: Step, result: LoggedOut) -> None:
    """End the attempt by whether the other device was logged out; a /link sent meanwhile begins the next."""
    reason = Reason.WRONG_NUMBER if result.confirmed else Reason.WRONG_NUMBER_STAYS
    step.set(foreign=not result.confirmed)
    end(step, Ended(reason, step.connection.detail))


def ended_while_logging_out(step: Step, ended: Ended) -> None:
    """Take a logout for the one we requested; if the browser ends otherwise, the device may still be linked."""
    logged_out(step, LoggedOut(confirmed=ended.reason is Reason.LOGGED_OUT))


def log_out_late(step: Step, _: Fired) -> None:
    """Give up waiting: the other device may still be linked."""
    logged_out(step, LoggedOut(confirmed=False))


def confirm_number(step: Step, answer: ConfirmNumber) -> None:
    """Take a person's answer to whether the number was changed; a no logs the device out."""
    number = step.connection.unconfirmed
    if number is None or answer.asked not in {None, number}:
        step.refuse()
        return
    step.set(unconfirmed=None)
    step.over(Reason.CONFIRM_NUMBER)
    if answer.same:
        step.set(alias=number)
        return
    step.set(denied=number)
    if step.connection.identified == number:  # otherwise when it is next opened
        is_stranger(step, number)
