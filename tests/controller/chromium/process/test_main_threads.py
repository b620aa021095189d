"""How much the main threads of pages work, by the kernel's counters."""

import os

from controller.chromium.process.main_threads import MainThreads, Work, is_renderer, read_schedule


class Kernel:
    """Counts for one process as a test will have it."""

    def __init__(self) -> None:
        self.now, self.ran, self.waited = 0.0, 0.0, 0.0
        self.threads = MainThreads(
            read=lambda _: (self.ran, self.waited), is_page=lambda pid: pid == 7, clock=self.time
        )

    def time(self) -> float:
        return self.now

    def after(self, seconds: float, *, ran: float, waited: float = 0.0) -> Work:
        self.now, self.ran, self.waited = self.now + seconds, self.ran + ran, self.waited + waited
        return self.threads.look([5, 7])


def test_a_thread_is_busy_while_it_runs_or_waits_for_a_processor() -> None:
    kernel = Kernel()
    assert kernel.after(2, ran=1) == Work(0, {7: 1})
    assert kernel.after(2, ran=1.5) == Work(0.75, {7: 2.5})
    assert kernel.after(2, ran=0.5, waited=1.5) == Work(1, {7: 3}), "waiting for a processor is no pause"


def test_a_process_that_is_gone_or_another_one_by_its_number_begins_anew() -> None:
    kernel = Kernel()
    kernel.after(2, ran=0)
    kernel.after(2, ran=2)
    kernel.threads.forget_all_but([5])
    assert kernel.after(2, ran=2).busy == 0


def test_what_the_kernel_counts_is_read() -> None:
    ran, waited = read_schedule(os.getpid())
    assert ran > 0
    assert waited >= 0
    assert not is_renderer(os.getpid())
    assert not is_renderer(2**22 + 1)
