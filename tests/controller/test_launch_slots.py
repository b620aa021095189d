"""The order of launches: lost accounts before new ones, oldest first, and new ones shared fairly among people."""

import asyncio
from contextlib import AsyncExitStack

from hypothesis import given
from hypothesis import strategies as st

from controller.launch_slots import Applicant, LaunchSlots, Room
from tests.virtual_time import settle, virtual


class Line:
    """Accounts that request a slot and hold it until released; `order` is the order in which they got it."""

    def __init__(self, count: int) -> None:
        self.slots = LaunchSlots(count)
        self.order: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._done: dict[str, asyncio.Event] = {}

    async def ask(self, name: str, *, owner: int = 0, rank: int = 0, lost: bool = False) -> None:
        self._done[name] = asyncio.Event()

        async def launch() -> None:
            async with self.slots.slot(Applicant(owner, rank), lost=lost):
                self.order.append(name)
                await self._done[name].wait()

        self.tasks[name] = asyncio.create_task(launch())
        await settle()

    async def let_go(self, name: str) -> None:
        self._done[name].set()
        await settle()

    async def run_out(self) -> list[str]:
        """Release each in the order in which it got its slot, until nobody waits; return that order."""
        at = 0
        while at < len(self.order):
            await self.let_go(self.order[at])
            at += 1
        await asyncio.gather(*self.tasks.values())
        return self.order


@virtual
async def test_lost_accounts_go_before_new_ones_and_the_longest_served_first():
    line = Line(1)
    await line.ask("first")
    await line.ask("new")
    await line.ask("young", rank=9, lost=True)
    await line.ask("old", rank=2, lost=True)
    assert await line.run_out() == ["first", "old", "young", "new"]


@virtual
async def test_x8_nobody_s_three_hundred_keep_another_s_one_waiting():
    line = Line(2)
    for n in range(300):
        await line.ask(f"crowd {n}", owner=1, rank=n)
    await line.ask("lost", owner=2, rank=400, lost=True)
    await line.ask("one", owner=3, rank=401)
    await line.ask("two", owner=3, rank=402)
    await line.let_go("crowd 0")
    assert line.order[-1] == "lost"
    await line.let_go("lost")
    assert line.order[-1] == "one"
    await line.let_go("one")
    await line.let_go("crowd 1")
    assert set(line.order[-2:]) == {"two", "crowd 2"}
    order = await line.run_out()
    assert [name for name in order if name.startswith("crowd")] == [f"crowd {n}" for n in range(300)]


@virtual
async def test_whoever_is_cancelled_leaves_the_line_and_gives_back_what_it_had():
    line = Line(1)
    for name in ("a", "b", "c"):
        await line.ask(name)
    assert (line.slots.waiting, line.slots.locked()) == (2, True)
    line.tasks["b"].cancel()
    await settle()
    assert line.slots.waiting == 1
    line.tasks["a"].cancel()
    await settle()
    assert line.order == ["a", "c"]
    line.tasks["c"].cancel()
    await settle()
    assert not line.slots.locked()


@virtual
async def test_a_slot_that_was_granted_in_the_moment_of_a_cancellation_is_not_lost():
    line = Line(1)
    await line.ask("a")
    await line.ask("b")
    line._done["a"].set()
    await asyncio.sleep(0)
    line.tasks["b"].cancel()
    await settle()
    assert not line.slots.locked()


@virtual
async def test_nothing_is_granted_while_anybody_holds_launches_back():
    slots = LaunchSlots(2)
    slots.hold("one")
    slots.hold("other")
    async with AsyncExitStack() as stack:
        waits = asyncio.create_task(stack.enter_async_context(slots.slot(Applicant(), lost=True)))
        await settle()
        slots.release("one")
        await settle()
        assert not waits.done()
        slots.release("other")
        await settle()
        assert waits.done()


@virtual
async def test_an_open_browser_gives_its_slot_to_the_next_and_counts_as_starting_to_its_end():
    slots = LaunchSlots(1)
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(slots.slot(Applicant(), lost=True))
        waits = asyncio.create_task(stack.enter_async_context(slots.slot(Applicant(), lost=True)))
        await settle()
        assert not waits.done()
        first.opened()
        first.opened()
        await settle()
        assert waits.done()
        assert (slots.launches.launching, slots.launches.loading) == (1, 1)
    assert (slots.launches.launching, slots.launches.loading) == (0, 0)


@virtual
async def test_fewer_may_go_on_at_once_without_anything_being_taken_back():
    line = Line(4)
    for name in "abcdef":
        await line.ask(name)
    line.slots.allow(Room(1))
    await line.let_go("a")
    assert line.order == list("abcd")
    line.slots.allow(Room(9, starting=4))
    await settle()
    assert line.order == list("abcde"), "never more than the most, and no more starting than may"
    assert await line.run_out() == list("abcdef")


@given(st.lists(st.tuples(st.sampled_from(["ask", "open", "end", "cancel", "allow"]), st.integers(0, 7)), max_size=60))
def test_whatever_happens_no_slot_is_lost_and_none_is_granted_twice(events):
    @virtual
    async def run():
        slots, tasks, opened, ends = LaunchSlots(3), [], [], []

        async def launch(end, open_):
            async with slots.slot(Applicant(owner=len(tasks) % 3), lost=len(tasks) % 2 == 0) as held:
                await open_.wait()
                held.opened()
                await end.wait()

        for what, number in events:
            if what == "ask":
                ends.append(asyncio.Event())
                opened.append(asyncio.Event())
                tasks.append(asyncio.create_task(launch(ends[-1], opened[-1])))
            elif what == "allow":
                slots.allow(Room(number + 1, starting=number + 2))
            elif tasks:
                at = number % len(tasks)
                {"open": opened[at].set, "end": ends[at].set, "cancel": tasks[at].cancel}[what]()
            before = slots.launches
            await settle()
            now = slots.launches
            assert 0 <= now.launching <= 3
            assert now.loading >= 0
            assert now.launching <= max(now.room.launching, before.launching)
            if now.waiting:
                assert slots.locked(), "nobody waits beside a free slot"
        slots.allow(Room(3))
        for event in (*opened, *ends):
            event.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (slots.launches.launching, slots.launches.loading, slots.launches.waiting) == (0, 0, 0)

    run()
