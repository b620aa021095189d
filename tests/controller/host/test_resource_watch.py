"""Resource limits in virtual time: who is recycled and when, and what happens on a host that runs short."""

from contextlib import asynccontextmanager

import pytest

from controller.accounts.model import Stage
from controller.accounts.notices import Transition
from controller.accounts.policy import Policy
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Ended, Heard, Ready
from controller.driver import DriverError, Usage
from controller.host.limits import HostLimits
from controller.host.resource_watch import MIB, PATIENCE, RECYCLE_EVERY, Budget, ResourceWatch, Shortage, why_too_much
from controller.launch_slots import Applicant, LaunchSlots
from controller.registry import Registry
from controller.troubles import Trouble
from tests.controller.fakes import FakeDriver
from tests.virtual_time import pass_time, settle, virtual, virtual_loop

NUMBER = "+491511234567"
FAT = Usage(memory=2000 * MIB, processes=6)


class NoStore:
    async def accounts(self):
        return []

    async def add_account(self, account):
        pass

    async def set_wanted(self, number, wanted):
        pass


class House:
    """One connected account on a host whose free memory and disk the test sets."""

    def __init__(self, tmp_path, budget):
        self.driver = FakeDriver()
        self.driver.script = lambda session: session.report(Ready())
        self.told, self.details = [], []
        self.standing = set()
        self.notices = []
        self.memory = self.disk = 10_000 * MIB
        self.files = 100_000
        self.registry = Registry(
            NoStore(), driver=self.driver, policy=Policy(stale_after=10**9), launch_slots=2,
            listener=self.hear, clock=virtual_loop().clock,
        )  # fmt: skip
        (tmp_path / "self").mkdir()
        (tmp_path / "group").mkdir()
        (tmp_path / "self/cgroup").write_text("0::/\n")
        (tmp_path / "self/mountinfo").write_text(f"1 1 0:1 / {tmp_path}/group rw - cgroup2 none rw\n")
        self.group = tmp_path / "group"
        self.host = HostLimits(proc=tmp_path, host_free=lambda: self.memory, clock=virtual_loop().time)
        self.resources = ResourceWatch(
            self.registry, self, budget, tmp_path, clock=virtual_loop().clock,
            host=self.host, free_disk=self.free_disk, free_files=lambda _: self.files,
        )  # fmt: skip

    def free_disk(self, _):
        if isinstance(self.disk, OSError):
            raise self.disk
        return self.disk

    def hear(self, notice):
        self.notices.append(notice)
        self.resources.note(notice)

    async def raise_trouble(self, reason, detail=""):
        self.told.append(reason)
        self.details.append(detail)
        self.standing.add(reason)

    async def clear_trouble(self, reason):
        if reason in self.standing:  # an end is reported only after a loss was
            self.standing.remove(reason)
            self.told.append(f"{reason} over")

    @property
    def recycled(self):
        return [n for n in self.notices if isinstance(n, Transition) and n.reason is Reason.RECYCLED]


@asynccontextmanager
async def house(tmp_path, budget=None):
    here = House(tmp_path, budget or Budget())
    await here.registry.add(NUMBER, name="", owner=1)
    await here.registry.start(NUMBER)
    await settle()
    watching = virtual_loop().create_task(here.resources.run())
    try:
        yield here
    finally:
        watching.cancel()
        await here.registry.stop()


@virtual
async def test_what_an_earlier_run_told_of_the_host_ends_where_it_is_not_so_any_more(tmp_path):
    here = House(tmp_path, Budget())
    here.standing |= {Trouble.MEMORY, Trouble.DISK, Trouble.PROCESSES}
    here.disk = 10 * MIB
    await here.resources.check_host()
    assert here.told == [f"{Trouble.MEMORY} over", Trouble.DISK, f"{Trouble.PROCESSES} over"]
    await here.registry.stop()


@virtual
async def test_a_disk_that_can_hold_no_more_files_is_full_whatever_is_free(tmp_path):
    async with house(tmp_path) as here:
        here.files = 3
        await pass_time(61)
        assert here.told == [Trouble.DISK]
        assert here.details == ["3 more files can be made there (inodes)"]
        other = "+491511234568"
        await here.registry.add(other, name="", owner=1)
        await here.registry.start(other)
        await settle()
        assert here.registry.status(other).held
        here.files = 1100  # it moves about the limit
        await pass_time(61)
        assert here.told == [Trouble.DISK]
        here.files = 100_000
        await pass_time(61)
        assert here.told == [Trouble.DISK, f"{Trouble.DISK} over"]
        assert here.registry.status(other).is_connected
        assert not here.registry.status(other).held


@virtual
async def test_a_data_dir_that_is_gone_is_one_line_and_the_rest_is_checked(tmp_path, caplog):
    async with house(tmp_path) as here:
        here.disk = FileNotFoundError(2, "No such file or directory")
        (here.group / "pids.max").write_text("100")
        (here.group / "pids.current").write_text("60")
        await pass_time(600)
        assert here.told == [Trouble.PROCESSES]
        assert [each.exc_info for each in caplog.records if "DATA_DIR" in each.message] == [None]
        (here.group / "pids.current").write_text("1")
        here.disk = 10 * MIB
        await pass_time(61)
        assert here.told == [Trouble.PROCESSES, Trouble.DISK, f"{Trouble.PROCESSES} over"]


@virtual
async def test_an_account_within_its_budget_is_left_alone(tmp_path):
    async with house(tmp_path) as here:
        await pass_time(12 * 3600)
        assert here.recycled == []
        assert here.driver.openings == 1


@virtual
async def test_an_account_above_its_budget_is_recycled_without_an_alert_and_once_an_hour_at_most(tmp_path):
    async with house(tmp_path) as here:
        here.driver.script = lambda session: (setattr(session, "used", FAT), session.report(Ready()))
        here.driver.newest.used = FAT
        await pass_time(61)
        assert len(here.recycled) == 1
        assert "2000 MiB, its budget is 1500 MiB" in here.recycled[0].detail
        assert here.driver.sessions[0].closed
        assert here.registry.status(NUMBER).is_connected, "it is back at once"
        assert [n.alert for n in here.notices if isinstance(n, Transition) and n.alert] == []
        await pass_time(RECYCLE_EVERY - 130)
        assert len(here.recycled) == 1
        await pass_time(200)
        assert len(here.recycled) == 2


@virtual
async def test_a_quiet_moment_is_waited_for_but_not_for_ever(tmp_path):
    async with house(tmp_path) as here:
        here.driver.newest.used = FAT
        for _ in range(int(PATIENCE / 20) - 2):
            here.driver.newest.report(Heard())
            await pass_time(20)
        assert here.recycled == []
        for _ in range(8):
            here.driver.newest.report(Heard())
            await pass_time(20)
        assert len(here.recycled) == 1


@virtual
async def test_a_quiet_moment_comes_half_a_minute_after_the_last_message(tmp_path):
    async with house(tmp_path, Budget(check_every=5)) as here:
        here.driver.newest.report(Heard())
        here.driver.newest.used = FAT
        await pass_time(24)
        assert here.recycled == []
        await pass_time(12)
        assert len(here.recycled) == 1


@virtual
async def test_a_browser_that_has_been_open_for_a_day_is_renewed(tmp_path):
    async with house(tmp_path) as here:
        await pass_time(86400 - 120)
        assert here.recycled == []
        await pass_time(240)
        assert [t.detail for t in here.recycled] == ["its browser has been open for a day"]


@virtual
async def test_nothing_is_closed_that_could_not_be_opened_again(tmp_path):
    async with house(tmp_path) as here:
        here.disk = 400 * MIB
        here.driver.newest.used = FAT
        await pass_time(3 * 86400)
        assert here.recycled == []
        assert here.registry.status(NUMBER).is_connected
        here.disk = 10_000 * MIB
        await pass_time(120)
        assert len(here.recycled) == 1


@virtual
async def test_where_memory_is_short_no_connected_account_is_closed_for_its_own_budget(tmp_path):
    async with house(tmp_path) as here:
        here.memory = 100 * MIB
        here.driver.newest.used = FAT
        await pass_time(2 * 86400)
        assert here.recycled == []
        assert here.registry.status(NUMBER).is_connected


@virtual
async def test_what_the_kernel_ended_is_a_shortage_although_much_is_free_again(tmp_path):
    async with house(tmp_path) as here:
        (here.group / "memory.max").write_text(str(330 * MIB))
        (here.group / "memory.current").write_text(str(100 * MIB))
        await pass_time(61)
        assert here.told == [Trouble.MEMORY], "the container's limit counts, not the host's"
        (here.group / "memory.max").write_text(str(3300 * MIB))
        await pass_time(61)
        assert here.told == [Trouble.MEMORY, f"{Trouble.MEMORY} over"]
        (here.group / "memory.events").write_text("oom 3\noom_kill 2\n")
        here.driver.newest.report(Ended(Reason.SESSION_CLOSED, "the page crashed"))
        await pass_time(5)
        assert here.told[2:] == [Trouble.MEMORY]
        assert here.details[-1] == "the kernel ended 2 processes for want of memory (the limit is 3300 MiB)"
        await pass_time(40)
        assert here.told[2:] == [Trouble.MEMORY], "it is not over at once"
        await pass_time(90)
        assert here.told[2:] == [Trouble.MEMORY, f"{Trouble.MEMORY} over"]


@virtual
async def test_a_limit_of_processes_holds_launches(tmp_path):
    async with house(tmp_path) as here:
        (here.group / "pids.max").write_text("100")
        (here.group / "pids.current").write_text("60")
        await pass_time(61)
        assert here.told == [Trouble.PROCESSES]
        assert here.details == ["40 more may be started, the limit is 100"]
        assert Trouble.PROCESSES in here.registry.slots.holds
        (here.group / "pids.current").write_text("10")
        await pass_time(61)
        assert here.told == [Trouble.PROCESSES, f"{Trouble.PROCESSES} over"]
        (here.group / "pids.events").write_text("max 7\n")
        await pass_time(61)
        assert here.details[-1] == "7 could not be started; 90 more may be started, the limit is 100"


@virtual
async def test_a_limit_that_is_taken_away_holds_no_launch_any_more(tmp_path):
    async with house(tmp_path) as here:
        (here.group / "pids.max").write_text("100")
        (here.group / "pids.current").write_text("60")
        await pass_time(61)
        (here.group / "pids.max").write_text("max")
        await pass_time(61)
        assert here.told == [Trouble.PROCESSES, f"{Trouble.PROCESSES} over"]
        assert here.registry.slots.holds == frozenset()


@pytest.mark.parametrize(
    ("usage", "uptime", "budget", "says"),
    [
        (Usage(1500 * MIB, 60), 86400, Budget(), None),
        (Usage(1501 * MIB, 1), 0, Budget(), "1501 MiB"),
        (Usage(0, 61), 0, Budget(), "61 processes"),
        (Usage(0, 0), 86401, Budget(), "a day"),
        (FAT, 10**6, Budget(account_memory=0, account_processes=0, daily=0), None),
    ],
)
def test_what_is_too_much(usage, uptime, budget, says):
    why = why_too_much(usage, uptime, budget)
    assert (why is None) if says is None else (says in why)


def test_a_shortage_is_over_only_with_a_margin_and_the_first_look_is_news():
    shortage = Shortage(limit=100)
    assert [shortage.look(free) for free in (150, 100, 99, 100, 124, 125, 100, 99)] == [
        True, False, True, False, False, True, False, True,
    ]  # fmt: skip


@virtual
async def test_a_host_that_runs_out_holds_launches_and_tells_it_once(tmp_path):
    async with house(tmp_path) as here:
        here.memory, here.disk = 100 * MIB, 100 * MIB
        await pass_time(600)
        assert here.told == [Trouble.MEMORY, Trouble.DISK]
        here.driver.newest.report(Ended(Reason.SESSION_CLOSED))
        await pass_time(600)
        assert here.registry.status(NUMBER).stage is Stage.QUEUED, "no launch, no attempt lost, no error"
        assert here.registry.status(NUMBER).error_count == 0
        here.memory = 10_000 * MIB
        await pass_time(61)
        assert here.told == [Trouble.MEMORY, Trouble.DISK, f"{Trouble.MEMORY} over"]
        assert here.registry.status(NUMBER).state is State.CONNECTING, "the disk is still short"
        here.disk = 10_000 * MIB
        await pass_time(61)
        assert here.registry.status(NUMBER).is_connected


@virtual
async def test_a_launch_that_fails_makes_it_look_at_once(tmp_path):
    async with house(tmp_path) as here:
        await pass_time(1)
        here.disk = 0
        here.driver.fails = DriverError(Reason.LAUNCH_FAILED, "No space left on device")
        here.driver.newest.report(Ended(Reason.CONNECTION_LOST))
        await pass_time(20)
        assert here.told == [Trouble.DISK]
        assert here.registry.status(NUMBER).error_count == 1, "one launch failed, and no other was tried"
        assert here.registry.status(NUMBER).stage is Stage.QUEUED


@virtual
async def test_a_browser_that_breaks_makes_it_look_before_another_is_started(tmp_path):
    async with house(tmp_path) as here:
        await pass_time(1)
        here.disk = 0
        here.driver.newest.report(Ended(Reason.SESSION_CLOSED))
        await pass_time(20)
        assert here.told == [Trouble.DISK]
        assert here.registry.status(NUMBER).error_count == 0


@virtual
async def test_a_measure_that_fails_stops_nothing(tmp_path, caplog):
    async with house(tmp_path) as here:
        here.host.host_free = lambda: 1 // 0
        await pass_time(61)
        assert "could not be checked" in caplog.text
        here.host.host_free = lambda: 0
        await pass_time(61)
        assert here.told == [Trouble.MEMORY]


@virtual
async def test_slots_are_held_by_name():
    slots = LaunchSlots(1)
    slots.hold("a")
    slots.hold("b")
    entered = []

    async def enter():
        async with slots.slot(Applicant(), lost=True):
            entered.append(1)

    task = virtual_loop().create_task(enter())
    await settle()
    slots.release("a")
    await settle()
    assert (entered, slots.holds, slots.locked()) == ([], {"b"}, True)
    slots.release("b")
    await settle()
    assert (entered, slots.locked()) == ([1], False)
    await task


@virtual
async def test_whoever_gives_up_waiting_frees_the_slot():
    slots = LaunchSlots(1)
    slots.hold("a")

    async def enter():
        async with slots.slot(Applicant(), lost=True):
            pass

    task = virtual_loop().create_task(enter())
    await settle()
    task.cancel()
    await settle()
    slots.release("a")
    assert not slots.locked()
