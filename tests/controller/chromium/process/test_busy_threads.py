"""A thread that never rests is distinguished from work that ends, from a slow machine, and from a page that loads."""

import os
import threading
import time
from pathlib import Path

import pytest

from controller.chromium.process.busy_threads import (
    EVERY,
    LONGEST,
    BusyThreads,
    read_processor_time,
    read_threads,
)


class Machine:
    """A browser of one process. worked: thread → its seconds, run or waited for; used: those of the process, run."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.used = 50.0
        self.worked = {7: 20.0, 8: 5.0, 9: 0.0}
        self.looked_at = 0
        self.busy = BusyThreads(lambda: self.now, lambda _: self.used, self.read)

    def read(self, _: int) -> dict[int, float]:
        self.looked_at += 1
        return dict(self.worked)

    def go(
        self, seconds: float, share: float, *, thread: int = 9, gets: float = 1.0, is_loading: bool = False
    ) -> str | None:
        """Let a thread work for a share of some seconds; it gets a processor for a share of that."""
        why = None
        for _ in range(int(seconds / 2)):
            self.now += 2
            self.worked[thread] = self.worked.get(thread, 0.0) + 2 * share
            self.used += 2 * share * gets
            why = why or self.busy.look([7], is_loading=is_loading)
        return why


@pytest.mark.parametrize("thread", [7, 9])
@pytest.mark.parametrize("gets", [1.0, 0.3])
def test_a_thread_that_never_rests_is_told_after_five_minutes(thread: int, gets: float) -> None:
    machine = Machine()
    assert machine.go(LONGEST, 1.0, thread=thread, gets=gets) is None
    assert (
        machine.go(3 * EVERY, 1.0, thread=thread, gets=gets) == "one of its threads computed for 5 min without a rest"
    )


def test_one_pause_begins_it_anew() -> None:
    machine = Machine()
    for _ in range(5):
        assert machine.go(LONGEST - EVERY, 1.0) is None
        assert machine.go(EVERY, 0.5) is None


def test_several_threads_in_turn_are_work_that_ends() -> None:
    machine = Machine()
    for turn in range(20):
        assert machine.go(2 * EVERY, 1.0, thread=9 + turn) is None


def test_while_a_page_loads_its_chats_it_may_take_as_long_as_it_likes() -> None:
    machine = Machine()
    assert machine.go(4 * LONGEST, 1.0, is_loading=True) is None
    assert machine.go(LONGEST - EVERY, 1.0) is None


def test_the_threads_of_a_page_that_does_little_are_not_looked_at() -> None:
    machine = Machine()
    machine.go(2 * EVERY, 0.05)
    before = machine.looked_at
    machine.go(10 * EVERY, 0.05)
    assert machine.looked_at == before


def test_a_process_that_has_ended_meanwhile_is_none() -> None:
    def gone(_: int) -> float:
        raise ProcessLookupError

    now = [0.0]
    busy = BusyThreads(lambda: now[0], gone)
    now[0] = EVERY
    assert busy.look([1], is_loading=False) is None


def _until_asleep(thread: threading.Thread) -> None:
    """Wait until a thread rests: on a busy machine it may have waited long for a processor until then."""
    path, asleep = Path(f"/proc/self/task/{thread.native_id}/stat"), 0
    while asleep < 5:  # not only for Python's lock
        time.sleep(0.005)
        asleep = asleep + 1 if path.read_text().rpartition(") ")[2].startswith("S") else 0


def test_the_kernel_s_counters_are_read() -> None:
    before, ends = read_processor_time(os.getpid()), time.process_time() + 0.05
    stop = threading.Event()
    resting = threading.Thread(target=stop.wait)
    resting.start()
    _until_asleep(resting)
    threads = read_threads(os.getpid())
    while time.process_time() < ends:
        pass
    after = read_threads(os.getpid())
    stop.set()
    resting.join()
    assert read_processor_time(os.getpid()) > before
    assert after[os.getpid()] > threads[os.getpid()]
    assert after[resting.native_id or 0] - threads[resting.native_id or 0] < 0.04
