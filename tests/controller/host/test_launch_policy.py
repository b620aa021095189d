"""How many may launch at once: the table by example, and what holds for any machine under any strain."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.host.launch_policy import MIB, MOST_STARTING_PER_CORE, Machine, Strain, decide, first_room, most_at_once
from controller.launch_slots import Bound, Room

TWO = Machine(cores=2.0)
EASY = Strain(cpu=0.1, memory=0.0, disk=0.0, lag=0.0, free_memory=8000 * MIB)
BUSY = replace(EASY, cpu=0.99)
BETWEEN = replace(EASY, cpu=0.8)


@pytest.mark.parametrize(("cores", "most"), [(0.5, 2), (1, 2), (2, 4), (8, 16), (64, 32)])
def test_auto_is_two_for_each_processor(cores, most):
    assert most_at_once(Machine(cores)) == most


@pytest.mark.parametrize(
    ("before", "strain", "starting", "after"),
    [
        (Room(2), EASY, 2, Room(3, 20)),
        (Room(4), EASY, 4, Room(4, 20)),
        (Room(2), BETWEEN, 2, Room(2, 20)),
        (Room(4), BUSY, 4, Room(3, 6, Bound.CPU)),
        (Room(2, 6, Bound.CPU), BUSY, 2, Room(2, 6, Bound.CPU)),
        (Room(1, 1, Bound.LAG), BUSY, 0, Room(2, 6, Bound.CPU)),
        (Room(3, 6, Bound.CPU), BETWEEN, 6, Room(3, 6, Bound.CPU)),
        (Room(3, 6, Bound.CPU), EASY, 6, Room(4, 20)),
        (Room(4), replace(EASY, lag=0.5), 9, Room(2, 9, Bound.LAG)),
        (Room(4), replace(EASY, memory=0.2), 0, Room(2, 1, Bound.MEMORY)),
        (Room(4), replace(EASY, disk=0.7), 3, Room(2, 3, Bound.DISK)),
        (Room(4), replace(EASY, free_memory=750 * MIB), 2, Room(4, 4, Bound.MEMORY)),
        (Room(4), replace(EASY, free_memory=0), 0, Room(4, 1, Bound.MEMORY)),
        (Room(4), replace(EASY, cpu=None, queue=3.0), 4, Room(3, 6, Bound.CPU)),
        (Room(2), replace(EASY, cpu=None, memory=None, disk=None, queue=0.5), 2, Room(3, 20)),
    ],
)
def test_one_look(before, strain, starting, after):
    assert decide(before, strain, starting, TWO, 4) == after


share = st.none() | st.floats(0, 1)
strains = st.builds(
    Strain, cpu=share, memory=share, disk=share, queue=st.floats(0, 50), lag=st.floats(0, 5),
    free_memory=st.integers(0, 64_000 * MIB),
)  # fmt: skip
machines = st.builds(Machine, st.floats(0.1, 64), st.integers(0, 4000 * MIB))


@given(machines, st.integers(1, 40), st.lists(st.tuples(strains, st.integers(0, 60)), max_size=20))
def test_somebody_may_always_start_and_never_more_than_the_most(machine, most, looks):
    room = first_room(machine, most)
    for strain, starting in looks:
        room = decide(room, strain, starting, machine, most)
        assert 1 <= room.launching <= most
        assert room.starting is None or room.starting >= 1
        if strain.stops:
            assert room.starting == max(1, starting), "nobody new, unless nobody is starting"


@given(machines, st.integers(1, 40), st.lists(strains, max_size=10))
def test_however_strained_it_was_an_easy_machine_has_the_most_again(machine, most, before):
    room = first_room(machine, most)
    for strain in before:
        room = decide(room, strain, 3, machine, most)
    for _ in range(most):
        room = decide(room, replace(EASY, free_memory=1 << 50), 0, machine, most)
    assert (room.launching, room.starting) == (most, MOST_STARTING_PER_CORE * machine.whole_cores)


@given(machines, st.integers(1, 40), st.integers(1, 40), st.integers(0, 60), strains, strains)
def test_more_strain_never_lets_more_begin(machine, most, launching, starting, one, other):
    def worst(mine, others):
        return None if mine is None and others is None else max(mine or 0.0, others or 0.0)

    if None in {one.cpu, other.cpu} and one.cpu is not other.cpu:
        other = replace(other, cpu=one.cpu)  # a kernel measures it, or does not
    worse = Strain(
        cpu=worst(one.cpu, other.cpu), memory=worst(one.memory, other.memory), disk=worst(one.disk, other.disk),
        queue=max(one.queue, other.queue), lag=max(one.lag, other.lag),
        free_memory=min(one.free_memory, other.free_memory),
    )  # fmt: skip
    before = Room(min(launching, most))
    lighter = decide(before, one, starting, machine, most)
    heavier = decide(before, worse, starting, machine, most)
    assert heavier.launching <= lighter.launching
    if lighter.starting is not None and lighter.starting <= starting:
        assert heavier.starting is not None
        assert heavier.starting <= max(starting, 1), "nobody new may begin"
