"""An endless loop of a page is told from work with pauses, and from a machine that has no time for it."""

import asyncio
import os

import pytest

from controller.chromium.process.bounds import Bounds, BoundsWatch, _Watched
from controller.chromium.process.main_threads import MainThreads, Stretch, is_renderer, read_schedule


class Kernel:
    """Counts for one process as a test will have it."""

    def __init__(self) -> None:
        self.now, self.ran, self.waited = 0.0, 0.0, 0.0
        self.threads = MainThreads(
            read=lambda _: (self.ran, self.waited), is_page=lambda pid: pid == 7, clock=self.time
        )

    def time(self) -> float:
        return self.now

    def after(self, seconds: float, *, ran: float, waited: float = 0.0) -> Stretch:
        self.now, self.ran, self.waited = self.now + seconds, self.ran + ran, self.waited + waited
        return self.threads.look([5, 7])


def test_a_thread_that_never_pauses_has_a_growing_stretch() -> None:
    kernel = Kernel()
    assert kernel.after(2, ran=1) == Stretch()
    assert kernel.after(2, ran=1.9) == Stretch(2, 1.9)
    assert kernel.after(2, ran=0.5, waited=1.5) == Stretch(4, 2.4), "waiting for a processor is no pause"
    assert kernel.after(2, ran=1.7) == Stretch(), "a pause of 0.3 s is one"


def test_a_process_that_is_gone_or_another_one_by_its_number_begins_anew() -> None:
    kernel = Kernel()
    kernel.after(2, ran=0)
    kernel.after(2, ran=2)
    kernel.threads.forget_all_but([5])
    assert kernel.after(2, ran=2) == Stretch()


def test_what_the_kernel_counts_is_read() -> None:
    ran, waited = read_schedule(os.getpid())
    assert ran > 0
    assert waited >= 0
    assert not is_renderer(os.getpid())
    assert not is_renderer(2**22 + 1)


@pytest.mark.parametrize(("cpu", "answers", "ended"), [(4.0, False, True), (1.0, False, False), (4.0, True, False)])
async def test_a_loop_ends_a_page_that_is_silent_and_not_merely_starved(cpu: float, answers: bool, ended: bool) -> None:
    async def ask() -> None:
        if not answers:
            await asyncio.Event().wait()

    watch, watched = BoundsWatch(Bounds()), _Watched(lambda _: None, ask)
    assert watch._loops(watched, Stretch(1, 1)) is None
    assert watched.asking is None
    assert watch._loops(watched, Stretch(2, 2)) is None
    await asyncio.sleep(0)
    watched.asked_at -= 4
    why = watch._loops(watched, Stretch(6.2, cpu))
    assert why == ("its script ran for 6 s without a pause" if ended else None)
    watched.stop_asking()
