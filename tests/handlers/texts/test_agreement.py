"""Every text about an account agrees with the buttons below it, in every state, for every reason and role.

No text names a button that is not below it; no button is there that has no effect in that state.
"""

import re
from datetime import UTC, datetime, timedelta

import pytest

from controller.accounts.model import Breaker, Connection, Next, Stage, Timer
from controller.accounts.policy import Policy, Takeover
from controller.accounts.reasons import TRAITS, VERDICTS, Reason, Remedy, State
from controller.accounts.remedies import is_restorable, remedies_of
from controller.accounts.reports import Dialog
from controller.accounts.status import Failure, Status
from controller.incidents import Entry, Incident
from controller.registry import Account
from controller.troubles import TROUBLE_TRAITS, Trouble
from handlers.alerts import alert_text
from handlers.alerts.incidents import incident_text
from handlers.alerts.incidents.book import Book, Fact, Kind, Setting
from handlers.alerts.incidents.policy import AlertPolicy
from handlers.chat.button_codes import Verb, read_code
from handlers.telegram.ui import keyboards
from handlers.texts import overview, remedies
from handlers.texts import status as status_text
from handlers.texts.display_state import DisplayState, display_state
from handlers.texts.vocabulary import ALERTS, TROUBLES, WHY

NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
ACCOUNT = Account("+4915112345678", "Support Berlin", 1001, linked=True)
NAMES = {f"+49151123456{n:02}": f"Account {n}" for n in range(9)}
LABELS = set(keyboards.LABELS.values())

_CONNECTED = (State.CONNECTED,)
STATES: dict[Reason, tuple[State, ...]] = {
    **dict.fromkeys((Reason.ASKED, Reason.RESUMED, Reason.RETRY, Reason.RELOADED), (State.CONNECTING,)),
    Reason.TRIAL: (State.CONNECTING,),
    Reason.LINKED: _CONNECTED,
    Reason.SUSPENDED_BY_OPERATOR: (State.SUSPENDED,),
    Reason.SHUTDOWN: (State.IDLE,),
    Reason.REMOVED: (State.IDLE,),
    **dict.fromkeys((Reason.BREAKER_OPEN, Reason.TRIAL_FAILED, Reason.EXHAUSTED), (State.SUSPENDED,)),
    Reason.PASSKEY: (),
    **dict.fromkeys((Reason.DIALOG, Reason.CONFIRM_NUMBER, Reason.FLAPPING, Reason.WATCHED_IN_PART), ()),
    **{reason: tuple({one.state, one.connecting or one.state}) for reason, one in VERDICTS.items()},
}
"""reason → the states in which it can be the account's reason; some only occur beside it."""


def status(connection: Connection, policy: Policy | None = None, **more: object) -> Status:
    """The status of a connection, as a manager reports it."""
    policy = policy or Policy()
    known = {
        "phone_number": connection.number, "state": connection.state, "reason": connection.reason,
        "is_connected": connection.state is State.CONNECTED, "reconnect_attempts": 0, "error_count": 0, "uptime": 9.0,
        "cause": connection.cause, "detail": connection.detail, "stage": connection.stage, "percent": None,
        "since": NOW, "next_retry_in": None, "last_activity": None, "last_message": None, "breaker": Breaker.CLOSED,
        "linked": True, "wants_connection": connection.wants_connection, "unconfirmed": connection.unconfirmed,
        "remedies": remedies_of(connection, policy), "restorable": is_restorable(connection, policy),
        "dialog": connection.dialog.words if connection.dialog else "",
    }  # fmt: skip
    return Status(**(known | more))  # type: ignore[arg-type]


def connections() -> list[Connection]:
    """Every pair of state and reason, with what may be asked beside it; waiting for a retry or not."""
    number, found = ACCOUNT.number, [Connection(ACCOUNT.number)]
    for reason, states in STATES.items():
        for state in states:
            if state is State.CONNECTING:
                found += [Connection(number, state, stage, reason) for stage in Stage]
                continue
            found.append(Connection(number, state, None, reason))
            verdict = VERDICTS.get(reason)
            if verdict is not None and not verdict.needs_person:
                found.append(Connection(number, state, None, reason, armed=frozenset({Timer.RETRY})))
            if reason is Reason.BREAKER_OPEN:
                found.append(Connection(number, state, None, reason, armed=frozenset({Timer.COOLDOWN})))
    linked = Connection(number, State.CONNECTED, None, Reason.LINKED)
    lost = Connection(number, State.SUSPENDED, None, Reason.EXHAUSTED, unconfirmed="+4915112345679")
    asked = [
        Connection(number, linked.state, None, linked.reason, unconfirmed="+4915112345679"),
        Connection(number, linked.state, None, linked.reason, dialog=Dialog("What’s new", known=True)),
        Connection(number, linked.state, None, linked.reason, dialog=Dialog("Something else", known=False)),
        lost,
    ]
    return [*found, *asked]


def labels(keyboard) -> list[str]:
    return [button.label for row in keyboard for button in row]


def verbs(keyboard) -> set[Verb]:
    return {read_code(button.code).verb for row in keyboard for button in row}


def named(text: str) -> set[str]:
    """The buttons that a text names: a label behind "press", or one that no other words are likely to be."""
    words = re.sub(r"<[^>]*>", "", text)
    found = {label for label in LABELS if re.search(rf"\b[Pp]ress (?:[A-Z][\w ]*, or )?{re.escape(label)}\b", words)}
    alone = {"Use here", "Link again", "Log it out", "Go on all the same", "It is the same account"}
    return found | {label for label in alone if label in words}


def agrees(text: str, keyboard) -> None:
    """Check that each button that a text names is below it, also for many accounts or with an account's name."""
    below = {re.sub(r" \d+ accounts?$", "", label.partition(": ")[0]) for label in labels(keyboard)}
    elsewhere = re.sub(r"open it (by /status )?and press Use here", "", text, flags=re.IGNORECASE)
    assert named(elsewhere) <= below, text


def does_something(verb: Verb, connection: Connection) -> bool:
    """The effect of a press by the lifecycle's table."""
    running = connection.state in {State.CONNECTING, State.CONNECTED}
    match verb:
        case Verb.RECONNECT | Verb.USE_HERE:
            return not running
        case Verb.LINK:
            return not running or connection.stage is Stage.PASSKEY
        case Verb.SUSPEND:
            return connection.reason is not Reason.SUSPENDED_BY_OPERATOR and connection.state is not State.IDLE
        case Verb.SAME_NUMBER | Verb.OTHER_NUMBER:
            return connection.unconfirmed is not None
        case Verb.CONTINUE:
            return connection.dialog is not None and connection.dialog.known
        case _:
            return True


def test_every_reason_is_walked():
    assert set(STATES) == set(Reason)
    assert set(remedies.BUTTONS) == set(Remedy)


@pytest.mark.parametrize("may", [True, False], ids=["acts", "sees"])
@pytest.mark.parametrize("has_copies", [True, False], ids=["copies", "none"])
@pytest.mark.parametrize("takeover", list(Takeover))
def test_detail_card_and_answer_name_no_button_that_is_not_there_and_have_none_that_does_nothing(
    takeover, has_copies, may
):
    policy = Policy(takeover=takeover)
    for connection in connections():
        here = status(connection, policy)
        told = (
            (status_text.detail(ACCOUNT, here, NOW), keyboards.detail(ACCOUNT, here, may=may, has_copies=has_copies)),
            (status_text.card(ACCOUNT, here, NOW), keyboards.under_card(ACCOUNT.number, here.remedies)),
            (status_text.card_line(ACCOUNT, here, NOW), ()),
            (overview.whole([(ACCOUNT, here)], NOW), ()),
        )
        for text, keyboard in told:
            agrees(text, keyboard)
            assert all(does_something(verb, connection) for verb in verbs(keyboard)), (connection, labels(keyboard))
        if not may:
            assert verbs(told[0][1]) <= {Verb.HISTORY, Verb.ALL, Verb.DETAIL}


@pytest.mark.parametrize("linked", [True, False])
def test_no_text_tells_to_type_what_a_button_below_does(linked):
    typed = {"/link": Verb.LINK, "/reconnect": Verb.RECONNECT}
    for connection in connections():
        here = status(connection, linked=linked)
        for text, keyboard in (
            (status_text.detail(ACCOUNT, here, NOW), keyboards.detail(ACCOUNT, here)),
            (status_text.card(ACCOUNT, here, NOW), keyboards.under_card(ACCOUNT.number, here.remedies)),
        ):
            agrees(text, keyboard)
            assert not {verb for word, verb in typed.items() if word in text} & verbs(keyboard), text


def test_what_the_page_asks_and_what_mends_the_state_are_both_there():
    asked = [one for one in connections() if one.unconfirmed is not None and one.state is State.SUSPENDED]
    below = labels(keyboards.detail(ACCOUNT, status(asked[0])))
    assert below[:3] == ["It is the same account", "Log it out", "Reconnect"]


@pytest.mark.parametrize("reason", list(Reason))
def test_the_alert_offers_what_the_account_s_detail_offers_too(reason):
    for state in STATES[reason]:
        if not TRAITS[reason].alert or state in {State.CONNECTING, State.CONNECTED}:
            continue
        connection = Connection(ACCOUNT.number, state, None, reason)
        alert = verbs(incident_text.keyboard(incident([entry(reason)]), NAMES.__getitem__))
        detail = verbs(keyboards.detail(ACCOUNT, status(connection)))
        ours = {Verb.ACKNOWLEDGE, Verb.SILENCE, Verb.LONG_SILENCE}
        assert alert - ours == detail - {Verb.HISTORY, Verb.ALL, Verb.SUSPEND}
        assert all(does_something(verb, connection) for verb in alert - ours)


def entry(reason: str, number: str = "+4915112345600", **more: object) -> Entry:
    return Entry(number, reason, NOW, **more)  # type: ignore[arg-type]


def incident(entries: list[Entry], chat: int = 1001) -> Incident:
    return Incident(1, chat, NOW, NOW, tuple(entries))


def offers_of(*live: Remedy) -> incident_text.Offers:
    """What is offered if the page and the saved copies allow it."""

    def offers(one: Entry) -> tuple[Remedy, ...]:
        asked = tuple(each for each in incident_text.by_traits(one) if each is not Remedy.CONTINUE or each in live)
        restorable = Remedy.RESTORE in live and one.reason in TRAITS and TRAITS[Reason(one.reason)].restorable
        return (*asked, Remedy.RESTORE) if restorable else asked

    return offers


@pytest.mark.parametrize("chat", [1001, -100200], ids=["private", "group"])
@pytest.mark.parametrize("accounts", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("live", [(), (Remedy.CONTINUE, Remedy.RESTORE)], ids=["nothing more", "dialog and copies"])
def test_an_alert_of_every_reason_names_the_buttons_under_it_and_no_other(chat, accounts, live):
    offers = offers_of(*live)
    for reason in ALERTS:
        of = incident([entry(reason, number) for number in list(NAMES)[:accounts]], chat)
        first, *_ = incident_text.parts(of, NAMES.__getitem__, offers)
        agrees(first.html, first.keyboard)
        if of.critical:
            reminder = incident_text.reminder(of, NAMES.__getitem__, NOW + timedelta(hours=1), offers)
            agrees(reminder.html, reminder.keyboard)
        if not incident_text.restartable(of):
            assert Verb.RECONNECT not in verbs(first.keyboard)
        assert not {Verb.SUSPEND} & verbs(first.keyboard)


@pytest.mark.parametrize("one", list(ALERTS))
def test_two_troubles_together_name_no_more_than_stands_below(one):
    for other in ALERTS:
        numbers = list(NAMES)
        of = incident([entry(one, numbers[0]), entry(other, numbers[1]), entry(one, numbers[2])])
        first, *_ = incident_text.parts(of, NAMES.__getitem__)
        agrees(first.html, first.keyboard)


@pytest.mark.parametrize("trouble", list(Trouble))
def test_a_trouble_names_the_buttons_under_it_and_no_other(trouble):
    alone = incident([entry(trouble, "", detail="something")])
    beside = incident([entry(trouble, ""), entry(Reason.LOGGED_OUT)])
    for of in (alone, beside):
        first, *_ = incident_text.parts(of, NAMES.__getitem__)
        agrees(first.html, first.keyboard)
        assert (Verb.GO_ON in verbs(first.keyboard)) == (TROUBLE_TRAITS[trouble].remedy is Remedy.GO_ON)


@pytest.mark.parametrize("word", [*ALERTS, *TROUBLES, "of_another_version"])
def test_what_is_sent_without_buttons_names_none(word):
    agrees(alert_text.unstored(entry(word), "Support Berlin"), ())


def test_of_an_unknown_dialog_nothing_is_offered_and_of_a_known_one_continue():
    unknown, *_ = incident_text.parts(incident([entry(Reason.DIALOG)]), NAMES.__getitem__, offers_of())
    known, *_ = incident_text.parts(incident([entry(Reason.DIALOG)]), NAMES.__getitem__, offers_of(Remedy.CONTINUE))
    assert labels(unknown.keyboard)[0] == "Acknowledge"
    assert labels(known.keyboard)[0] == "Continue"
    assert "press Continue" in known.html


def test_a_ban_offers_no_reconnect_a_conflict_use_here_and_one_that_is_left_reconnect():
    def below(reason: Reason) -> list[str]:
        return labels(incident_text.keyboard(incident([entry(reason)]), NAMES.__getitem__))

    assert below(Reason.BANNED)[0] == "Acknowledge"
    assert below(Reason.CONFLICT)[0] == "Use here"
    assert below(Reason.CONFLICT_LEFT)[0] == "Reconnect"
    assert below(Reason.CONFIRM_NUMBER)[:2] == ["It is the same account", "Log it out"]


def _told_after(facts: list[Fact]) -> str:
    ids = iter(range(1, 99))
    book = Book(1001).absorb(facts, Setting(NOW, AlertPolicy(), lambda: next(ids)))
    return "\n".join(
        text.html
        for each in book.incidents
        if each.entries[0].reason == facts[0].reason
        for text in incident_text.parts(each, NAMES.__getitem__)[:1]
    )


@pytest.mark.parametrize(
    "reason", [reason for reason in Reason if TRAITS[reason].alert and not TRAITS[reason].persists]
)
def test_nobody_is_said_to_have_acted_where_nobody_did(reason):
    number = "+4915112345600"
    first = Fact(Kind.ALERT, number, reason, NOW)
    for other in Reason:
        if other is reason or not TRAITS[other].alert or TRAITS[other].persists:
            continue
        next_one = Fact(Kind.ALERT, number, other, NOW + timedelta(minutes=1))
        ids = iter(range(1, 99))
        setting = Setting(NOW, AlertPolicy(), lambda ids=ids: next(ids))
        book = Book(1001).absorb([first], setting).absorb([next_one], setting)
        ended = [each for each in book.incidents for one in each.entries if one.reason == reason and not one.open]
        for each in ended:
            alone = Incident(7, 1001, NOW, NOW, tuple(one for one in each.entries if one.reason == reason))
            text = incident_text.parts(alone, NAMES.__getitem__)[0].html
            assert "operator" not in text
            assert incident_text.SUPERSEDED in text
    mended = _told_after([first, Fact(Kind.OVER, number, "", NOW + timedelta(minutes=1))])
    assert "operator" not in mended
    closed = _told_after([first, Fact(Kind.HANDLED, number, "", NOW + timedelta(minutes=1))])
    assert incident_text.CLOSED_BY_PERSON in closed


def test_an_account_that_was_never_linked_is_offered_a_link_and_no_reconnect():
    paused = Connection(ACCOUNT.number, State.SUSPENDED, None, Reason.SUSPENDED_BY_OPERATOR)
    assert remedies_of(paused, Policy()) == (Remedy.LINK,)
    assert "Link again" in status_text.card(ACCOUNT, status(paused, linked=False), NOW)
    assert remedies_of(paused._replace(linked=True), Policy()) == (Remedy.RECONNECT,)


def test_an_account_that_starts_again_while_its_browser_closes_is_not_called_paused():
    due = Connection(ACCOUNT.number, State.SUSPENDED, None, Reason.SUSPENDED_BY_OPERATOR, due=Next(Reason.ASKED))
    here = status(due)
    for text in (
        status_text.card(ACCOUNT, here, NOW),
        status_text.card_line(ACCOUNT, here, NOW),
        status_text.overview_line(ACCOUNT, here, NOW),
        status_text.detail(ACCOUNT, here, NOW),
    ):
        assert "Connecting" in text, text
        assert "aused" not in text, text
        assert "operator" not in text, text


def test_a_detail_does_not_explain_with_a_connection_why_somebody_is_needed():
    for connection in connections():
        here = status(connection)
        if display_state(here) is DisplayState.NEEDS_YOU:
            assert WHY[Reason.LINKED] not in status_text.detail(ACCOUNT, here, NOW)


def test_a_detail_tells_why_an_attempt_failed_also_during_the_next():
    why = "syncing took too long; the page shows: Update <now>"
    shown = "it took too long – syncing took too long; the page shows: Update &lt;now&gt;"
    failed = Connection(ACCOUNT.number, State.ERROR, None, Reason.DEADLINE, detail=why, armed=frozenset({Timer.RETRY}))
    assert f"Why: {shown}" in status_text.detail(ACCOUNT, status(failed), NOW)
    trying = Connection(ACCOUNT.number, State.CONNECTING, Stage.LAUNCHING, Reason.RETRY)
    assert f"Before that: {shown}" in status_text.detail(
        ACCOUNT, status(trying, failure=Failure(Reason.DEADLINE, why)), NOW
    )
    assert "Before that" not in status_text.detail(ACCOUNT, status(trying), NOW)


def test_what_an_attempt_waits_for_is_the_dialog_that_covers_its_page():
    covered = Connection(
        ACCOUNT.number, State.CONNECTING, Stage.SYNCING, Reason.RETRY, dialog=Dialog("Review your account", known=False)
    )
    here = status(covered)
    for text in (
        status_text.card(ACCOUNT, here, NOW),
        status_text.overview_line(ACCOUNT, here, NOW),
        status_text.detail(ACCOUNT, here, NOW),
    ):
        assert WHY[Reason.DIALOG] in text
        assert "loading" not in text
