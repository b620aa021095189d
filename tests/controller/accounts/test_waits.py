"""What may end the wait for a person (a passkey, a dialog), and what may not: the pure step."""

import pytest

from controller.accounts.effects import Alert, AlertOver, Arm, Dismiss
from controller.accounts.lifecycle.table import advance
from controller.accounts.model import (
    Connection,
    DialogStays,
    Event,
    Fired,
    FromSession,
    Seen,
    SlotGranted,
    Stage,
    Start,
    Timer,
)
from controller.accounts.policy import Dialogs, Policy
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import (
    Authenticated,
    Code,
    Dialog,
    DialogClosed,
    Loaded,
    PageView,
    PasskeyAnswered,
    PasskeyAsked,
    Ready,
    Reloaded,
    Scanned,
    Syncing,
)

OURS = "+491511234567"
CODE = Code("ref1,noise,identity,adv,1")
NEWS = Dialog("What's new", known=True)
ODD = Dialog("Review your settings")
EVENTS = (Start, Fired)


def after(
    *events: object, link: Connection | None = None, policy: Policy | None = None
) -> tuple[Connection, list[object]]:
    """The connection after these events, from a linked account's start, and all effects of theirs."""
    found: list[object] = []
    if link is None:
        link, _ = advance(Connection(OURS, linked=True), Start(), Policy())
        link, _ = advance(link, FromSession(link.session, SlotGranted()), Policy())
    for each in events:
        event: Event = each if isinstance(each, EVENTS) else FromSession(link.session, each)  # type: ignore[assignment, arg-type]
        link, effects = advance(link, event, policy or Policy())
        found += effects
    return link, found


def told(effects: list[object]) -> list[tuple[Reason, bool]]:
    return [(each.reason, each.silent) for each in effects if isinstance(each, Alert)]


# --- a passkey --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "late",
    [
        (Syncing(40),),
        (Syncing(40), Syncing(40), Syncing()),
        (Syncing(40), Syncing(3)),
        (Authenticated(OURS), Syncing(40)),
        (Loaded("2.3000"), Authenticated(), Syncing(99)),
    ],
    ids=repr,
)
def test_what_was_there_before_does_not_end_the_wait_for_a_passkey(late):
    """Identity and percentage of a saved session may be read after the request, and say nothing of it."""
    link, _ = after(Authenticated(OURS), Syncing(12), PasskeyAsked(), *late)
    assert link.phase is Stage.PASSKEY


def test_a_percentage_that_rises_goes_on_and_one_that_stalls_returns_to_the_wait():
    link, effects = after(Authenticated(OURS), PasskeyAsked(), Syncing(12), Syncing(13))
    assert link.phase is Stage.SYNCING
    link, effects = after(Fired(Timer.DEADLINE), link=link)
    assert (link.phase, link.looking, told(effects)) == (Stage.PASSKEY, False, [])
    link, _ = after(Fired(Timer.PERSON), Seen(PageView()), link=link)
    assert (link.state, link.reason) == (State.ERROR, Reason.DEADLINE), "ten minutes in all"


def test_a_sync_that_outlives_the_person_s_time_is_a_sync():
    link, _ = after(Authenticated(OURS), PasskeyAsked(), Syncing(12), Syncing(13), Fired(Timer.PERSON), Syncing(14))
    assert link.phase is Stage.SYNCING
    link, _ = after(Fired(Timer.DEADLINE), link=link)
    assert (link.phase, link.looking) == (Stage.SYNCING, True), "nobody is waited for any more"


def test_an_answered_passkey_ends_its_wait_for_good():
    link, effects = after(Authenticated(OURS), PasskeyAsked(), PasskeyAnswered())
    assert link.phase is Stage.SYNCING
    assert Arm(Timer.DEADLINE, 180) in effects
    link, _ = after(Fired(Timer.DEADLINE), link=link)
    assert (link.phase, link.looking) == (Stage.SYNCING, True)
    link, _ = after(CODE, Scanned(), PasskeyAsked(), PasskeyAnswered())
    assert link.phase is Stage.PAIRING
    link, _ = after(
        Authenticated(OURS), PasskeyAsked(), Syncing(1), Syncing(2), PasskeyAnswered(), Fired(Timer.DEADLINE)
    )
    assert (link.phase, link.looking) == (Stage.SYNCING, True)


def test_an_identity_after_a_scan_goes_on_but_a_stall_returns_to_the_wait():
    link, _ = after(CODE, Scanned(), PasskeyAsked(), Authenticated(OURS))
    assert link.phase is Stage.SYNCING
    link, _ = after(Fired(Timer.DEADLINE), link=link)
    assert link.phase is Stage.PASSKEY


def test_over_a_connection_an_answered_passkey_leads_back_to_it():
    link, _ = after(Ready(OURS), PasskeyAsked())
    assert link.phase is Stage.PASSKEY
    link, _ = after(PasskeyAnswered(), Ready(OURS), link=link)
    assert link.state is State.CONNECTED


def test_a_dialog_over_the_request_for_a_passkey_takes_neither_wait_away():
    link, effects = after(Authenticated(OURS), PasskeyAsked(), NEWS)
    assert (link.phase, link.dialog) == (Stage.PASSKEY, NEWS)
    assert told(effects) == [(Reason.PASSKEY, False), (Reason.DIALOG, False)]
    link, effects = after(DialogClosed(), link=link)
    assert (link.phase, link.dialog) == (Stage.PASSKEY, None)
    assert AlertOver(Reason.DIALOG) in effects


def test_a_passkey_asked_for_behind_a_dialog_leaves_the_dialog_where_it_is():
    link, effects = after(Authenticated(OURS), NEWS, PasskeyAsked())
    assert (link.phase, link.dialog) == (Stage.PASSKEY, NEWS)
    assert AlertOver(Reason.DIALOG) not in effects
    link, effects = after(Reloaded(), link=link)
    assert link.dialog is None, "but a new document has none"
    assert AlertOver(Reason.DIALOG) in effects


# --- a dialog ---------------------------------------------------------------------------------------------------------


def test_a_percentage_behind_a_dialog_does_not_say_that_it_is_gone():
    link, effects = after(Authenticated(OURS), NEWS, Syncing(4))
    assert link.phase is Stage.DIALOG
    link, effects = after(Syncing(5), link=link)
    assert (link.phase, link.dialog) == (Stage.SYNCING, NEWS)
    assert AlertOver(Reason.DIALOG) not in effects
    link, _ = after(Fired(Timer.DEADLINE), link=link)
    assert link.phase is Stage.DIALOG, "it blocks after all"


@pytest.mark.parametrize("dialog", [NEWS, ODD])
def test_a_dialog_that_was_there_before_the_connection_is_told_once(dialog):
    link, effects = after(Authenticated(OURS), dialog, Syncing(1), Syncing(2), Ready(OURS))
    assert (link.state, link.dialog) == (State.CONNECTED, dialog)
    assert [reason for reason, _ in told(effects)] == [Reason.DIALOG]
    assert AlertOver(Reason.DIALOG) not in effects
    _, effects = after(DialogClosed(), link=link)
    assert effects == [AlertOver(Reason.DIALOG)]


def test_a_code_behind_a_dialog_does_not_say_that_the_dialog_is_gone():
    link, effects = after(NEWS, CODE)
    assert (link.phase, link.dialog) == (Stage.AWAITING_SCAN, NEWS)
    assert AlertOver(Reason.DIALOG) not in effects


@pytest.mark.parametrize("before", [(Authenticated(OURS),), (Ready(OURS),)])
def test_a_dialog_that_could_not_be_dismissed_is_left_to_a_person(before):
    policy = Policy(dialogs=Dialogs.CONTINUE)
    link, effects = after(*before, NEWS, policy=policy)
    assert Dismiss(link.session) in effects
    assert told(effects) == []
    link, effects = after(DialogStays(), link=link, policy=policy)
    assert [reason for reason, _ in told(effects)] == [Reason.DIALOG]
    link, effects = after(DialogStays(), link=link, policy=policy)
    assert effects == []
    link, effects = after(DialogClosed(), DialogStays(), link=link, policy=policy)
    assert told(effects) == []


def test_whoever_scans_a_code_is_not_known_however_the_page_began():
    link, _ = after(Authenticated(OURS), CODE)
    assert link.phase is Stage.AWAITING_SCAN
    link, _ = after(Scanned(), Authenticated(), Ready(), link=link)
    assert (link.state, link.verified) == (State.CONNECTED, False)
