"""The few states of an account that people see, and what each follows from."""

from enum import StrEnum, unique

from controller.accounts.model import Stage
from controller.accounts.reasons import Reason, State
from controller.accounts.status import Status


@unique
class DisplayState(StrEnum):
    """An account's status as shown to people. The states of `controller.accounts.reasons` are for the log."""

    CONNECTED = "Connected"
    CONNECTING = "Connecting"
    NEEDS_YOU = "Needs you"
    PAUSED = "Paused"
    OFF = "Off"


ICONS: dict[DisplayState, str] = {
    DisplayState.CONNECTED: "🟢",
    DisplayState.CONNECTING: "🟡",
    DisplayState.NEEDS_YOU: "🔴",
    DisplayState.PAUSED: "⏸",
    DisplayState.OFF: "⚪",
}

WAITING_FOR_PEOPLE = frozenset({Stage.AWAITING_SCAN, Stage.PASSKEY, Stage.DIALOG})
"""Stages of an attempt that wait for a person."""


def is_due(status: Status) -> bool:
    """Return whether an account was started again while its former browser is still closing."""
    return status.wants_connection and status.reason in {Reason.SUSPENDED_BY_OPERATOR, Reason.NOT_LINKED}


def display_state(status: Status) -> DisplayState:
    """Return an account's status as shown to people."""
    if status.dialog or status.unconfirmed is not None:
        return DisplayState.NEEDS_YOU
    by_itself = status.wants_connection or status.next_retry_in is not None or status.on_hold
    match status.state:
        case State.CONNECTED:
            return DisplayState.CONNECTED
        case _ if is_due(status):
            return DisplayState.CONNECTING
        case State.IDLE:
            return DisplayState.OFF
        case State.SUSPENDED if by_itself or status.reason is Reason.SUSPENDED_BY_OPERATOR:
            return DisplayState.PAUSED
        case State.CONNECTING if status.stage not in WAITING_FOR_PEOPLE:
            return DisplayState.CONNECTING
        case State.DISCONNECTED | State.ERROR if by_itself:
            return DisplayState.CONNECTING
        case _:
            return DisplayState.NEEDS_YOU


def past_display_state(state: str, reason: Reason) -> str:
    """Return a past status, from a stored state and its reason."""
    match state:
        case State.CONNECTED:
            return DisplayState.CONNECTED
        case State.CONNECTING:
            return DisplayState.CONNECTING
        case State.IDLE:
            return DisplayState.OFF
        case State.SUSPENDED:
            return DisplayState.NEEDS_YOU if reason in {Reason.TRIAL_FAILED, Reason.EXHAUSTED} else DisplayState.PAUSED
        case _:
            return "Disconnected"
