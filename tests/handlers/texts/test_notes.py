"""A card's note never contradicts its account's state, whatever the account does meanwhile."""

from dataclasses import replace

import pytest

from controller.accounts.model import Connection, Stage
from controller.accounts.reasons import Reason, State
from handlers.texts import notes
from handlers.texts import status as status_text
from handlers.texts.display_state import DisplayState, display_state
from handlers.texts.notes import Note
from tests.handlers.texts.test_agreement import ACCOUNT, NOW, connections, status

SAYS_THAT_IT_GOES_ON = {Note.CODE_COMES, Note.UNDER_WAY_ALREADY, Note.TAKES_OVER}


def at(stage: Stage) -> Connection:
    return Connection(ACCOUNT.number, State.CONNECTING, stage, Reason.ASKED)


@pytest.mark.parametrize("note", list(Note))
def test_no_note_contradicts_the_card_on_which_it_stands(note: Note):
    said = 0
    for connection in connections():
        here = status(connection, linked=False, takes_over=True)
        words = notes.words(note, here)
        if not words:
            continue
        said += 1
        stands = display_state(here)
        card = status_text.card(ACCOUNT, here, NOW, words)
        assert words in card
        if "nothing to do" in words or note in SAYS_THAT_IT_GOES_ON:
            assert stands is not DisplayState.NEEDS_YOU, card
        if note in SAYS_THAT_IT_GOES_ON:
            assert stands is DisplayState.CONNECTING, card
        if "paused" in words:
            assert stands is DisplayState.PAUSED, card
        if "code" in words:
            assert here.stage in {Stage.QUEUED, Stage.LAUNCHING, Stage.READING, Stage.LOGGING_OUT, Stage.AWAITING_SCAN}
    assert said, "it is said of something"


def test_a_code_comes_until_it_is_there():
    assert notes.words(Note.CODE_COMES, status(at(Stage.LAUNCHING)))
    assert not notes.words(Note.CODE_COMES, status(at(Stage.AWAITING_SCAN)))
    assert notes.words(Note.CODE_IS_THERE, status(at(Stage.AWAITING_SCAN)))
    assert not notes.words(Note.CODE_IS_THERE, status(at(Stage.PAIRING)))


def test_what_is_not_taken_back_is_not_said_to_be():
    assert notes.words(Note.TAKES_OVER, status(at(Stage.LAUNCHING), takes_over=True))
    assert not notes.words(Note.TAKES_OVER, status(at(Stage.LAUNCHING)))


def test_connected_already_is_not_all_where_the_page_asks_something():
    connected = status(Connection(ACCOUNT.number, State.CONNECTED, None, Reason.LINKED))
    asked = replace(connected, unconfirmed="+4905112345678")
    assert "nothing to do" in notes.words(Note.CONNECTED_ALREADY, connected)
    assert notes.words(Note.CONNECTED_ALREADY, asked) == "It was connected already."
