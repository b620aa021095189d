"""Whose page it is: other numbers, other forms of the account's own, and nobody's (L11, K3, K4)."""

import pytest

from controller.accounts.effects import Alert, AlertOver, Close, LogOut, Open, Refuse
from controller.accounts.lifecycle.table import TABLE
from controller.accounts.model import (
    AnswerDialog,
    Closed,
    ConfirmNumber,
    Fired,
    LoggedOut,
    SlotGranted,
    Stage,
    Start,
    Suspend,
    Timer,
)
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Authenticated, Ended, Identified, Ready, Reloaded
from tests.controller.accounts.lifecycle.links import (
    AT_REST,
    CODE,
    LOADED,
    NEARLY,
    NEARLY_TOO,
    OTHER,
    OURS,
    at,
    do,
    opened,
)


@pytest.mark.parametrize("phase", [*LOADED, State.CONNECTED])
@pytest.mark.parametrize("said", [Authenticated(OTHER), Ready(OTHER), Identified(OTHER)], ids=repr)
def test_l11_another_number_is_logged_out_again_whenever_it_becomes_known(phase, said):
    link, effects = do(at(phase, linked=True, asked=True), said)
    reason = Reason.WRONG_NUMBER if phase is State.CONNECTED else Reason.ASKED
    assert (link.phase, link.reason, link.linked, link.asked, link.foreign) == (
        Stage.LOGGING_OUT, reason, False, False, True,
    )  # fmt: skip
    assert effects[-1] == LogOut(7, OTHER)
    assert not [effect for effect in effects if isinstance(effect, Close | Alert)], "nothing is told that is not so yet"
    after, effects = do(link, LoggedOut(confirmed=True))
    assert (after.phase, after.reason, after.detail, after.foreign) == (
        State.DISCONNECTED, Reason.WRONG_NUMBER, "•••5999 instead of •••4567", False,
    )  # fmt: skip
    assert Close(7) in effects
    assert effects[-1] == Alert(Reason.WRONG_NUMBER)
    assert not after.armed


@pytest.mark.parametrize(
    "said", [LoggedOut(confirmed=False), Ended(Reason.SESSION_CLOSED), Fired(Timer.DEADLINE)], ids=repr
)
def test_k4_a_wrong_device_that_cannot_be_logged_out_is_told_so_and_never_opened_again(said):
    link, _ = do(at(Stage.SYNCING, asked=True), Authenticated(OTHER))
    link, effects = do(link, said)
    assert (link.phase, link.reason) == (State.DISCONNECTED, Reason.WRONG_NUMBER_STAYS)
    assert effects[-1] == Alert(Reason.WRONG_NUMBER_STAYS)
    link, _ = do(link, Closed())
    link, effects = do(link, Start())
    assert opened(effects) == [Open(8, set_aside=True)]
    link, _ = do(link, SlotGranted())
    link, _ = do(link, CODE)
    assert not link.foreign, "a profile that asks for a scan is nobody's"


def test_k4_the_page_s_own_word_of_the_logout_is_as_good():
    link, _ = do(at(Stage.SYNCING, asked=True), Authenticated(OTHER))
    link, _ = do(link, Ended(Reason.LOGGED_OUT, code="user_initiated"))
    assert (link.reason, link.foreign) == (Reason.WRONG_NUMBER, False)


def test_k4_a_suspension_in_the_middle_of_a_logout_leaves_a_profile_that_is_set_aside():
    link, _ = do(at(Stage.SYNCING, asked=True), Authenticated(OTHER))
    link, _ = do(link, Suspend())
    link, _ = do(link, Closed())
    _, effects = do(link, Start())
    assert opened(effects) == [Open(8, set_aside=True)]


@pytest.mark.parametrize("phase", [*LOADED, State.CONNECTED])
def test_k4_a_number_that_differs_by_one_digit_is_asked_about_and_never_acted_on(phase):
    link, effects = do(at(phase), Identified(NEARLY))
    assert link.phase is phase
    assert link.unconfirmed == NEARLY
    assert not link.verified
    assert [type(effect) for effect in effects] == [Alert]
    assert effects[0].reason is Reason.CONFIRM_NUMBER
    assert do(link, Identified(NEARLY)) == (link, ()), "asked once"
    same, effects = do(link, ConfirmNumber(same=True))
    assert (same.phase, same.alias, same.verified, effects) == (
        phase,
        NEARLY,
        True,
        (AlertOver(Reason.CONFIRM_NUMBER),),
    )
    assert do(same, Identified(NEARLY))[1] == ()
    other, effects = do(link, ConfirmNumber(same=False))
    assert (other.phase, effects[-1]) == (Stage.LOGGING_OUT, LogOut(7, NEARLY))


@pytest.mark.parametrize("same", [True, False])
def test_k4_a_word_about_one_number_is_not_taken_for_another(same):
    link, _ = do(at(State.CONNECTED), Identified(NEARLY))
    assert do(link, ConfirmNumber(same=same, asked="+4915112345167")) == (link, (Refuse(),))


def test_k4_another_number_in_question_is_asked_about_anew():
    link, _ = do(at(State.CONNECTED), Identified(NEARLY))
    link, effects = do(link, Identified(NEARLY_TOO))
    assert link.unconfirmed == NEARLY_TOO
    assert effects[0] == AlertOver(Reason.CONFIRM_NUMBER)
    assert effects[1].reason is Reason.CONFIRM_NUMBER


@pytest.mark.parametrize("phase", [*AT_REST, Stage.QUEUED])
def test_k4_an_answer_that_comes_when_it_is_not_open_counts_when_it_is(phase):
    link = at(phase, unconfirmed=NEARLY, alerted=frozenset({Reason.CONFIRM_NUMBER}))
    same, effects = do(link, ConfirmNumber(same=True))
    assert (same.alias, effects) == (NEARLY, (AlertOver(Reason.CONFIRM_NUMBER),))
    other, _ = do(link, ConfirmNumber(same=False))
    assert (other.phase, other.denied) == (phase, NEARLY)
    assert do(at(Stage.SYNCING, denied=NEARLY), Identified(NEARLY))[0].phase is Stage.LOGGING_OUT


@pytest.mark.parametrize("phase", list(TABLE))
def test_an_answer_to_what_is_not_asked_is_refused(phase):
    for command in (ConfirmNumber(same=False), *([] if phase is Stage.DIALOG else [AnswerDialog()])):
        assert do(at(phase), command) == (at(phase), (Refuse(),))


@pytest.mark.parametrize("said", [Authenticated("+553188887777"), Ready("+553188887777")])
def test_l11_the_accounts_own_number_in_whatsapps_form_is_no_stranger(said):
    link, effects = do(at(Stage.PAIRING, number="+5531988887777"), said)
    assert link.state in {State.CONNECTING, State.CONNECTED}
    assert not [effect for effect in effects if isinstance(effect, Close)]


def test_k3_a_number_that_nobody_told_is_not_verified():
    link, _ = do(at(Stage.SYNCING), Ready())
    assert (link.phase, link.verified) == (State.CONNECTED, False)
    link, effects = do(link, Identified(OURS))
    assert (link.verified, effects) == (True, ())
    link, _ = do(link, Reloaded())
    assert not link.verified, "a new document may be anybody's"
