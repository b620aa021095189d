"""A script that never returns is distinguished from long tasks, a slow machine, and answers that are under way."""

import asyncio
import gc
import warnings

import pytest

from controller.accounts.reasons import Reason
from controller.chromium.process.endless_loop import LOADING, LONGEST_TASK, EndlessLoop
from controller.chromium.process.main_threads import Work
from controller.driver import DriverError
from tests.virtual_time import settle


class FakePage:
    """answers: whether the page does. relays: whether its browser does; an error is raised."""

    def __init__(self, *, answers: bool = False, relays: bool | DriverError = True, is_loading: bool = False) -> None:
        self.answers, self.relays, self.is_loading = answers, relays, is_loading
        self.asked = 0
        self.relayed = asyncio.Event()
        if relays is True:
            self.relayed.set()

    async def answer(self) -> None:
        self.asked += 1
        if not self.answers:
            await asyncio.Event().wait()

    async def relay(self) -> None:
        if isinstance(self.relays, DriverError):
            raise self.relays
        await self.relayed.wait()


async def looks(loop: EndlessLoop, *ran: float, busy: float = 1.0) -> str | None:
    """Check once for each amount of CPU time; return the last result."""
    why = None
    for each in ran:
        why = loop.look(Work(busy, {7: each}))
        await settle()
    return why


async def test_a_page_that_computes_on_and_on_is_in_a_loop() -> None:
    loop = EndlessLoop(FakePage())
    assert await looks(loop, 100) is None
    assert not loop.is_silent
    assert await looks(loop, 103.9) is None
    assert loop.is_silent
    assert await looks(loop, 104) is None, "its browser is asked first"
    assert await looks(loop, 104.3) == "its script ran for 4 s without a pause"
    loop.stop()


async def test_a_page_that_answers_now_and_then_is_heavy_whatever_it_uses() -> None:
    page = FakePage()
    loop = EndlessLoop(page)
    for ran in range(0, 100, 5):
        assert await looks(loop, ran, ran + 3.9) is None
        page.answers = True
        loop.stop()
        await looks(loop, ran + 3.9)
        page.answers = False
    loop.stop()


async def test_an_answer_ends_the_question() -> None:
    page = FakePage(answers=True)
    loop = EndlessLoop(page)
    assert await looks(loop, 0, 90, 180, 270) is None
    assert page.asked == 4, "and it is asked again, while it works"
    assert not loop.is_silent, "which needs no closer watching"
    loop.stop()


async def test_a_page_that_gets_no_processor_is_slow() -> None:
    loop = EndlessLoop(FakePage())
    assert await looks(loop, *(count / 100 for count in range(390))) is None
    loop.stop()


async def test_while_answers_are_under_way_nothing_is_known() -> None:
    page = FakePage(relays=False)
    loop = EndlessLoop(page)
    assert await looks(loop, 0, 6, 12, 60) is None
    page.relayed.set()
    await settle()
    assert await looks(loop, 61) is not None
    loop.stop()


async def test_a_page_that_goes_at_once_leaves_no_question_behind() -> None:
    loop = EndlessLoop(FakePage())
    assert loop.look(Work(1.0, {7: 0})) is None
    loop.stop()  # before the question was even asked
    await settle()


async def test_a_browser_that_cannot_be_asked_says_nothing_of_its_page() -> None:
    loop = EndlessLoop(FakePage(relays=DriverError(Reason.SESSION_CLOSED, "gone")))
    assert await looks(loop, 0, 6, 12, 18, 24) is None
    loop.stop()


async def test_a_page_that_loads_its_chats_may_take_longer() -> None:
    page = FakePage(is_loading=True)
    loop = EndlessLoop(page)
    assert await looks(loop, 0, LONGEST_TASK + 1, LONGEST_TASK * LOADING - 0.1) is None
    assert await looks(loop, LONGEST_TASK * LOADING, LONGEST_TASK * LOADING) is not None
    loop.stop()


@pytest.mark.parametrize("busy", [0.0, 0.4])
async def test_a_page_with_time_to_spare_is_not_asked(busy: float) -> None:
    page = FakePage()
    loop = EndlessLoop(page)
    assert await looks(loop, 0, 6, 12, busy=busy) is None
    assert page.asked == 0


async def test_another_process_has_not_used_what_the_asked_one_did() -> None:
    loop = EndlessLoop(FakePage())
    loop.look(Work(1.0, {7: 0}))
    await settle()
    assert loop.look(Work(1.0, {8: 50})) is None
    loop.stop()


async def test_a_question_that_is_taken_back_before_it_was_put_leaves_nothing() -> None:
    page = FakePage()
    loop = EndlessLoop(page)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        loop.look(Work(1.0, {7: 100.0}))
        loop.stop()
        await settle()
        gc.collect()
    assert [str(each.message) for each in warned] == []
    assert page.asked == 0
