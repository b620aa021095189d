"""Every text about an account suits its reader: each state, reason, role and kind of chat is walked.

No button that the only one who sees it may not press, no command that they may not send, no two texts that differ about
the state, since when it lasts, or how many accounts need somebody. In a group and in a channel everybody sees the same
buttons: what a press without the right is answered is in `tests.handlers.telegram.test_rights_of_presses`.
"""

import re
from dataclasses import dataclass, replace

import pytest

from controller.accounts.model import Connection
from controller.accounts.reasons import TRAITS, Reason, Remedy, State
from controller.incidents import CRITICAL
from controller.registry import Account
from controller.troubles import Trouble
from handlers.alerts.escalation.audience import Audience
from handlers.alerts.incidents import incident_text
from handlers.alerts.incidents.recipients import Recipients
from handlers.chat.button_codes import Verb, read_code
from handlers.chat.people import People, Person, Role
from handlers.telegram.actions.find_account import visible
from handlers.telegram.commands.buttons import FOR_VIEWERS, READING
from handlers.telegram.commands.router import COMMANDS
from handlers.telegram.ui import keyboards
from handlers.texts import overview
from handlers.texts import status as status_text
from handlers.texts.display_state import ICONS, DisplayState, display_state
from handlers.texts.overview import Need, need
from handlers.texts.vocabulary import ALERTS, clock
from tests.handlers.fakes import FakeAccounts
from tests.handlers.texts.test_agreement import (
    NAMES,
    NOW,
    agrees,
    connections,
    entry,
    incident,
    offers_of,
    status,
    verbs,
)

ADMIN, OWNER, OTHER, VIEWER, STRANGER = 1001, 2001, 2002, 3001, 4001
GROUP, CHANNEL = -1001, -1002
ROLES = {"admin": ADMIN, "operator-owner": OWNER, "operator-other": OTHER, "viewer": VIEWER, "stranger": STRANGER}
MINE = Account(next(iter(NAMES)), "Support Berlin", OWNER, linked=True)
OF_ADMINS_ONLY = {Verb.GO_ON, Verb.TAKE_WEBHOOK}
READ_ONLY = {"status", "alerts", "help", "start", "feed"}
"""Commands that viewers may send, and others about accounts that are not theirs."""


@dataclass
class World:
    """People with their roles, and one account."""

    people: People
    recipients: Recipients
    audience: Audience
    accounts: FakeAccounts

    def may_send(self, reader: int, command: str, number: str) -> bool:
        """Return whether the reader may send a command, about the account if it is about one."""
        role = self.people.role(reader)
        row = next((row for row in COMMANDS if command in {row.name, *row.aliases}), None)
        if role is None or row is None or role < row.role:
            return False
        return command in READ_ONLY or not number or self.people.may(reader, self.accounts.account(number))

    def may_press(self, reader: int, verb: Verb, number: str) -> bool:
        """Return whether the reader may press a button, by the rules of `Buttons`."""
        role = self.people.role(reader)
        if role is None or (role is Role.VIEWER and verb not in FOR_VIEWERS | {Verb.ALL}):
            return False
        if verb in OF_ADMINS_ONLY:
            return role is Role.ADMIN
        if not number:
            return True
        may = self.people.sees if verb in READING else self.people.may
        return may(reader, self.accounts.account(number))


@pytest.fixture
def world() -> World:
    people = People([ADMIN], [OWNER, OTHER])
    people._known[VIEWER] = Person(VIEWER, Role.VIEWER)
    accounts = FakeAccounts(lambda: NOW)
    for number, name in NAMES.items():
        accounts.put(number, name, owner=OWNER)
    recipients = Recipients(people)
    return World(people, recipients, Audience(accounts, recipients, None), accounts)


def suits(world: World, reader: int, html: str, keyboard, number: str = MINE.number) -> None:
    """Check that a message names and offers only what its reader may do there."""
    agrees(html, keyboard)
    words = re.sub(r"<[^>]*>", "", html)
    for command in re.findall(r"(?<![\w/<])/([a-z]+)", words):
        if reader < 0:
            assert "privately" in words or "an admin" in words, f"no command is taken in a channel: {words}"
        else:
            assert world.may_send(reader, command, number), f"{reader} may not send /{command}: {words}"
    if reader > 0:
        for verb, about in [(read.verb, read.number or "") for read in pressed(keyboard)]:
            assert world.may_press(reader, verb, about), f"{reader} may not press {verb}: {words}"


def pressed(keyboard):
    return [read_code(button.code) for row in keyboard for button in row]


@pytest.mark.parametrize("reader", ROLES.values(), ids=ROLES)
def test_the_screens_of_an_account_suit_their_reader_and_agree(world: World, reader: int):
    for connection in connections():
        here = status(connection)
        if not world.people.is_known(reader) or not world.people.sees(reader, MINE):
            assert MINE not in visible(world.accounts, world.people, reader)
            assert not world.recipients.may_follow(reader, MINE)
            continue
        may = world.people.may(reader, MINE)
        detail = status_text.detail(MINE, here, NOW, may=may)
        suits(world, reader, detail, keyboards.detail(MINE, here, may=may, has_copies=True))
        listed = overview.page_of([(MINE, here)], NOW)
        suits(world, reader, listed.text, ())
        assert bool(listed.bad) == need(here).is_bad
        texts = [detail, status_text.overview_line(MINE, here, NOW), status_text.card_line(MINE, here, NOW)]
        if world.recipients.may_follow(reader, MINE):
            texts.append(status_text.card(MINE, here, NOW))
            suits(world, reader, texts[-1], keyboards.under_card(MINE.number, here.remedies))
        assert {text.split(" ")[0] for text in texts} == {ICONS[display_state(here)]}
        assert all(display_state(here) in text for text in texts)


@pytest.mark.parametrize("linked", [True, False])
def test_the_list_counts_as_its_lines_say(linked: bool):
    """What the list counts as somebody's to mend is what its line, its button and the card call so."""
    for connection in connections():
        here = status(connection)
        if not linked:
            here = status(connection, None, linked=False)
        counted = " 1 needs you" in overview.page_of([(MINE, here)], NOW).text.splitlines()[0]
        assert counted == (display_state(here) is DisplayState.NEEDS_YOU), (connection.state, connection.reason)
        assert (need(here) is Need.PERSON) == counted
        assert (need(here) is Need.OFF) == (display_state(here) is DisplayState.OFF)


def test_since_is_the_same_on_every_screen():
    for connection in connections():
        here = status(connection)
        since = clock(here.since, NOW)
        assert f"since {since}" in status_text.detail(MINE, here, NOW)
        assert f"since {since}" in status_text.card_line(MINE, here, NOW)
        if here.state is not State.CONNECTING:
            assert f"since {since}" in status_text.card(MINE, here, NOW)


@pytest.mark.parametrize("reader", [ADMIN, OWNER, OTHER, VIEWER, GROUP, CHANNEL])
@pytest.mark.parametrize("accounts", [1, 2, 4])
@pytest.mark.parametrize("acknowledged", ["", "Ada is on it"])
def test_an_alert_suits_whoever_reads_its_chat(world: World, reader: int, accounts: int, acknowledged: str):
    """An admin, the owner, whoever is on duty without any right to the account, a group, a channel."""
    offers = offers_of(Remedy.CONTINUE, Remedy.RESTORE)
    views = world.audience.reader(reader)
    for reason in ALERTS:
        of = incident([entry(reason, number) for number in list(NAMES)[:accounts]], reader)
        of = replace(of, acknowledged_by=acknowledged)
        first, *_ = incident_text.parts(of, NAMES.__getitem__, offers, views)
        suits(world, reader, first.html, first.keyboard)
        again = incident_text.reminder(of, NAMES.__getitem__, NOW, offers, views) if reason in CRITICAL else first
        assert verbs(again.keyboard) == verbs(first.keyboard)
        assert verbs(first.keyboard) & {Verb.ACKNOWLEDGE, Verb.TAKE_OVER}, "whoever is alerted can say so"


@pytest.mark.parametrize("reader", [ADMIN, OWNER, OTHER, VIEWER, GROUP, CHANNEL])
@pytest.mark.parametrize("trouble", list(Trouble))
def test_a_trouble_suits_whoever_reads_its_chat(world: World, reader: int, trouble: Trouble):
    of = incident([entry(trouble, "", detail="something")], reader)
    first, *_ = incident_text.parts(of, NAMES.__getitem__, incident_text.by_traits, world.audience.reader(reader))
    suits(world, reader, first.html, first.keyboard, number="")


@pytest.mark.parametrize("reason", [reason for reason in Reason if TRAITS[reason].alert])
def test_an_alert_and_the_account_s_screens_tell_the_same(reason: Reason):
    """While the account is as the alert says, no screen says that nothing is to be done."""
    of = incident([entry(reason)])
    title = incident_text.parts(of, NAMES.__getitem__)[0].html.splitlines()[0]
    for connection in [each for each in connections() if each.reason is reason]:
        here = status(connection)
        assert display_state(here) is not DisplayState.CONNECTED or TRAITS[reason].persists
        assert isinstance(connection, Connection)
        assert need(here) is not Need.HEALTHY, title
