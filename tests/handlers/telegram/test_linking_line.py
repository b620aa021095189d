"""The line as such: who is next, and which place an account has."""

from hypothesis import given
from hypothesis import strategies as st

from handlers.telegram.ui.linking_line import Lines, Turn
from tests.handlers.fakes import ADMIN, OPERATOR

NUMBERS = [f"+4915112345{at:03}" for at in range(12)]


def twelve() -> Lines:
    lines = Lines()
    for number in NUMBERS:
        lines.join(ADMIN, number)
    return lines


def test_the_first_is_open_and_the_others_wait_in_their_order():
    lines = twelve()
    assert lines.turn(NUMBERS[0]) == Turn(1, 12, open=True)
    assert [lines.turn(number) for number in NUMBERS[1:]] == [Turn(at, 12, open=False) for at in range(2, 13)]


def test_the_next_one_s_turn_comes_when_the_open_one_leaves():
    lines = twelve()
    assert lines.leave(NUMBERS[0]) == NUMBERS[1]
    assert lines.leave(NUMBERS[1]) == NUMBERS[2]
    assert lines.turn(NUMBERS[2]) == Turn(3, 12, open=True)
    assert lines.turn(NUMBERS[0]) is None


def test_one_that_waits_leaves_without_another_s_turn():
    lines = twelve()
    assert lines.leave(NUMBERS[4]) is None
    assert lines.turn(NUMBERS[5]) == Turn(5, 11, open=False)
    assert lines.leave(NUMBERS[4]) is None, "again"


def test_who_is_in_a_line_already_keeps_the_place():
    lines = twelve()
    assert lines.join(ADMIN, NUMBERS[3]) == Turn(4, 12, open=False)
    assert lines.join(OPERATOR, NUMBERS[3]) == Turn(4, 12, open=False)
    assert lines.person(NUMBERS[3]) == ADMIN
    assert lines.line(OPERATOR) is None


def test_nobody_waits_for_another_person():
    lines = Lines()
    lines.join(ADMIN, NUMBERS[0])
    assert lines.join(OPERATOR, NUMBERS[1]).open


def test_a_line_that_is_over_begins_anew():
    lines = Lines()
    lines.join(ADMIN, NUMBERS[0])
    assert lines.leave(NUMBERS[0]) is None
    assert lines.line(ADMIN) is None
    assert lines.join(ADMIN, NUMBERS[1]) == Turn(1, 1, open=True)


def test_a_line_that_is_stopped_leaves_nobody_behind():
    lines = twelve()
    lines.leave(NUMBERS[0])
    assert lines.dissolve(ADMIN) == tuple(NUMBERS[1:])
    assert lines.dissolve(ADMIN) == ()
    assert all(lines.person(number) is None for number in NUMBERS)


steps = st.tuples(st.sampled_from(["join", "leave", "dissolve"]), st.sampled_from([1, 2, 3]), st.sampled_from(NUMBERS))


@given(st.lists(steps, max_size=60))
def test_each_person_has_one_open_and_each_account_one_place(happened):
    lines = Lines()
    for what, person, number in happened:
        if what == "join":
            lines.join(person, number)
        elif what == "leave":
            lines.leave(number)
        else:
            lines.dissolve(person)
        for each in (1, 2, 3):
            own = [one for one in NUMBERS if lines.person(one) == each]
            turns = sorted((turn.at, turn.of, turn.open) for one in own if (turn := lines.turn(one)) is not None)
            line = lines.line(each)
            assert (line is None) == (not own)
            if line is not None:
                assert [open_ for _, _, open_ in turns] == [True] + [False] * (len(own) - 1)
                assert [at for at, _, _ in turns] == list(range(line.done + 1, line.length + 1))
                assert {of for _, of, _ in turns} == {line.length}
