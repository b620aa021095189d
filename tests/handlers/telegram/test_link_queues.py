"""The line as such: who is next, and which place an account has."""

from hypothesis import given
from hypothesis import strategies as st

from handlers.telegram.ui.link_queues import LinkQueues, Position
from tests.handlers.fakes import ADMIN, OPERATOR

NUMBERS = [f"+4915112345{at:03}" for at in range(12)]


def twelve() -> LinkQueues:
    queues = LinkQueues()
    for number in NUMBERS:
        queues.join(ADMIN, number)
    return queues


def test_the_first_is_open_and_the_others_wait_in_their_order():
    queues = twelve()
    assert queues.position(NUMBERS[0]) == Position(1, 12, open=True)
    assert [queues.position(number) for number in NUMBERS[1:]] == [Position(at, 12, open=False) for at in range(2, 13)]


def test_the_next_one_s_turn_comes_when_the_open_one_leaves():
    queues = twelve()
    assert queues.leave(NUMBERS[0]) == NUMBERS[1]
    assert queues.leave(NUMBERS[1]) == NUMBERS[2]
    assert queues.position(NUMBERS[2]) == Position(3, 12, open=True)
    assert queues.position(NUMBERS[0]) is None


def test_one_that_waits_leaves_without_another_s_turn():
    queues = twelve()
    assert queues.leave(NUMBERS[4]) is None
    assert queues.position(NUMBERS[5]) == Position(5, 11, open=False)
    assert queues.leave(NUMBERS[4]) is None, "again"


def test_who_is_in_a_line_already_keeps_the_place():
    queues = twelve()
    assert queues.join(ADMIN, NUMBERS[3]) == Position(4, 12, open=False)
    assert queues.join(OPERATOR, NUMBERS[3]) == Position(4, 12, open=False)
    assert queues.person(NUMBERS[3]) == ADMIN
    assert queues.queue(OPERATOR) is None


def test_nobody_waits_for_another_person():
    queues = LinkQueues()
    queues.join(ADMIN, NUMBERS[0])
    assert queues.join(OPERATOR, NUMBERS[1]).open


def test_a_line_that_is_over_begins_anew():
    queues = LinkQueues()
    queues.join(ADMIN, NUMBERS[0])
    assert queues.leave(NUMBERS[0]) is None
    assert queues.queue(ADMIN) is None
    assert queues.join(ADMIN, NUMBERS[1]) == Position(1, 1, open=True)


def test_a_line_that_is_stopped_leaves_nobody_behind():
    queues = twelve()
    queues.leave(NUMBERS[0])
    assert queues.dissolve(ADMIN) == tuple(NUMBERS[1:])
    assert queues.dissolve(ADMIN) == ()
    assert all(queues.person(number) is None for number in NUMBERS)


steps = st.tuples(st.sampled_from(["join", "leave", "dissolve"]), st.sampled_from([1, 2, 3]), st.sampled_from(NUMBERS))


@given(st.lists(steps, max_size=60))
def test_each_person_has_one_open_and_each_account_one_place(happened):
    queues = LinkQueues()
    for what, person, number in happened:
        if what == "join":
            queues.join(person, number)
        elif what == "leave":
            queues.leave(number)
        else:
            queues.dissolve(person)
        for each in (1, 2, 3):
            own = [one for one in NUMBERS if queues.person(one) == each]
            turns = sorted((turn.at, turn.of, turn.open) for one in own if (turn := queues.position(one)) is not None)
            line = queues.queue(each)
            assert (line is None) == (not own)
            if line is not None:
                assert [open_ for _, _, open_ in turns] == [True] + [False] * (len(own) - 1)
                assert [at for at, _, _ in turns] == list(range(line.done + 1, line.length + 1))
                assert {of for _, of, _ in turns} == {line.length}
