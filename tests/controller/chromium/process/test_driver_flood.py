"""A browser that floods the driver is distinguished from those that share it, and from what is written elsewhere."""

import os

import pytest

from controller.chromium.process.driver_flood import FLOOD, DriverFlood, read_transferred

MIB = 1 << 20
NODE, OTHER_NODE = 10, 11
BAD, GOOD, ELSEWHERE = 20, 21, 22
DRIVERS = {BAD: NODE, GOOD: NODE, ELSEWHERE: OTHER_NODE}


class Machine:
    def __init__(self) -> None:
        self.now = 100.0
        self.read = dict.fromkeys((NODE, OTHER_NODE), 5 * MIB)
        self.written = dict.fromkeys(DRIVERS, 7 * MIB)
        self.gone: set[int] = set()
        self.busy, self.worked = 0.2, 3.0
        self.flood = DriverFlood(lambda: self.now, self.transferred, lambda _: (self.worked / 3, 2 * self.worked / 3))
        self.now += 2
        self.flood.look(DRIVERS)

    def transferred(self, pid: int) -> tuple[int, int]:
        if pid in self.gone:
            raise ProcessLookupError
        return self.read.get(pid, 0), self.written.get(pid, 0)

    def go(
        self, seconds: float, sent: dict[int, float], elsewhere: float = 0.0, loading: tuple[int, ...] = ()
    ) -> dict[int, str]:
        """Let browsers send so many MiB each second to their drivers, and write so many to the disk."""
        found: dict[int, str] = {}
        for _ in range(int(seconds / 2)):
            self.now += 2
            self.worked += 2 * self.busy
            for browser, rate in sent.items():
                self.written[browser] += int(2 * (rate + elsewhere) * MIB)
                self.read[DRIVERS[browser]] += int(2 * rate * MIB)
            found |= self.flood.look(DRIVERS, loading)
        return found


def test_a_flood_is_told_after_some_seconds_and_of_its_browser_alone() -> None:
    machine = Machine()
    assert machine.go(6, {BAD: 50, GOOD: 1, ELSEWHERE: 1}) == {}
    assert machine.flood.is_near
    assert machine.go(4, {BAD: 50, GOOD: 1}) == {BAD: "it sent 51 MiB each second to what all accounts share"}


def test_a_driver_that_gets_little_of_a_processor_reads_little_of_a_flood() -> None:
    machine = Machine()
    machine.busy = 0.95
    assert machine.go(10, {BAD: 2, GOOD: 0.1}) == {BAD: "it sent 2 MiB each second to what all accounts share"}
    machine = Machine()
    machine.busy = 0.95
    assert machine.go(60, {BAD: 0.5, GOOD: 0.1}) == {}, "it waits, as all others do"


def test_a_page_that_loads_its_chats_may_take_longer() -> None:
    machine = Machine()
    assert machine.go(14, {BAD: 50}, loading=(BAD,)) == {}
    assert set(machine.go(6, {BAD: 50}, loading=(BAD,))) == {BAD}


def test_what_lasts_for_a_moment_is_none() -> None:
    machine = Machine()
    for _ in range(5):
        assert machine.go(4, {BAD: 50}) == {}
        assert machine.go(2, {BAD: 1}) == {}
        assert not machine.flood.is_near


def test_many_that_load_at_once_flood_nothing() -> None:
    machine = Machine()
    drivers = {**DRIVERS, 23: NODE}
    for _ in range(30):
        machine.now += 2
        for browser in (BAD, GOOD, 23):
            machine.written[browser] = machine.written.get(browser, 0) + 12 * MIB
            machine.read[NODE] += 12 * MIB
        assert machine.flood.look(drivers) == {}
    assert machine.go(60, {BAD: FLOOD / MIB * 0.9}) == {}


def test_what_is_written_to_the_disk_is_no_flood() -> None:
    machine = Machine()
    assert machine.go(60, {BAD: 0.1, GOOD: 1}, elsewhere=200) == {}


def test_a_browser_on_another_driver_is_never_meant() -> None:
    machine = Machine()
    assert set(machine.go(20, {BAD: 50, ELSEWHERE: 5}, elsewhere=100)) == {BAD}


@pytest.mark.parametrize("gone", [BAD, NODE])
def test_what_has_ended_meanwhile_or_may_not_be_read_is_none(gone: int) -> None:
    machine = Machine()
    machine.gone = {gone}
    assert machine.go(20, {BAD: 50}) == {}


def test_the_kernel_s_counters_are_read() -> None:
    before = read_transferred(os.getpid())
    reads, writes = os.pipe()
    os.write(writes, b"x" * 5000)
    os.read(reads, 5000)
    after = read_transferred(os.getpid())
    os.close(reads)
    os.close(writes)
    assert after[0] >= before[0] + 5000
    assert after[1] >= before[1] + 5000
