"""Which processes on a profile are ended: those whose controller is gone, and no others. Needs no browser."""

import asyncio
import fcntl
import itertools
import json
import os
import resource
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psutil
import pytest

from controller.accounts.reasons import Reason
from controller.chromium.process.launcher import boot_id, start_ticks
from controller.chromium.process.tree import ProcessId, end_tree, this_process
from controller.chromium.profile.orphans import end_orphans, make_free
from controller.chromium.profile.profile import Profile
from controller.driver import DriverError
from tests.controller.chromium.conftest import ACCOUNT, eventually

SLEEP = "import time; print(flush=True); time.sleep(60)"
STARTER = """
import json, subprocess, sys, time
print(subprocess.Popen(json.loads(sys.argv[2]), close_fds=False).pid, flush=True)
time.sleep(60)
"""
"""Starts a browser as Playwright's driver does, whose command line says run-driver and not which profile."""

Start = Callable[..., psutil.Process]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start a process that sleeps; it leads a session of its own, as launched browsers do."""
    started: list[subprocess.Popen[str]] = []

    def starting(*arguments: str, code: str = SLEEP, lock: int | None = None) -> psutil.Process:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True, start_new_session=True,
            pass_fds=() if lock is None else (lock,),
        )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        said = process.stdout.readline().strip()
        return psutil.Process(int(said) if said else process.pid)

    yield starting
    for process in started:
        for each in [*_children(process.pid), process]:
            each.kill()
        process.communicate()


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    made = Profile.of(tmp_path, ACCOUNT)
    made.prepare()
    return made


def command_of(profile: Profile) -> str:
    return f"--user-data-dir={profile.folder}"


def locked(profile: Profile) -> int:
    """Our lock, as a descriptor for a process to hold."""
    descriptor = os.open(profile.lock, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


async def test_somebody_elses_browser_on_a_profile_is_never_ended(start: Start, profile: Profile) -> None:
    foreign = start(command_of(profile))
    with pytest.raises(DriverError, match=f"^profile in use by process {foreign.pid}$") as raised:
        await make_free(profile)
    assert (raised.value.reason, raised.value.transient) == (Reason.PROFILE_IN_USE, True)
    profile.lock.touch()  # one that nobody holds says no more
    with pytest.raises(DriverError, match="in use"):
        await make_free(profile)
    assert not is_gone(foreign)


async def test_a_browser_that_holds_our_lock_is_ended_only_once_its_controller_is_gone(
    start: Start, profile: Profile
) -> None:
    lock = locked(profile)
    browser = start(
        "run-driver", json.dumps([sys.executable, "-c", SLEEP, command_of(profile)]), code=STARTER, lock=lock
    )
    os.close(lock)
    await eventually(lambda: command_of(profile) in browser.cmdline())
    with pytest.raises(DriverError, match="in use"):
        await make_free(profile)
    driver = browser.parent()
    assert driver is not None
    driver.kill()
    driver.wait()
    await make_free(profile)
    await eventually(lambda: is_gone(browser))


async def test_an_orphan_that_only_its_command_line_and_our_lock_tell_of_is_ended(
    start: Start, profile: Profile
) -> None:
    lock = locked(profile)
    orphan = start(command_of(profile), lock=lock)
    os.close(lock)
    await make_free(profile)
    await eventually(lambda: is_gone(orphan))


async def test_what_an_earlier_closing_of_ours_could_not_end_is_ended_now(start: Start, profile: Profile) -> None:
    left = start(command_of(profile))
    leave_pid_file(profile.pid_file, left, owner={"pid": os.getpid(), "start": this_process().start})
    await make_free(profile)
    await eventually(lambda: is_gone(left))


@pytest.fixture
def no_descriptors() -> Iterator[Callable[[], None]]:
    """Call it to let nothing be opened any more, and again to end that."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    limits = itertools.cycle([(3, before[1]), before])
    yield lambda: resource.setrlimit(resource.RLIMIT_NOFILE, next(limits))
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_a_process_that_cannot_be_seen_for_want_of_descriptors_is_not_taken_for_gone(
    start: Start, no_descriptors: Callable[[], None]
) -> None:
    browser = start()
    process = ProcessId(browser.pid, start_ticks(browser.pid) or 0)
    asyncio.get_running_loop().call_later(0.3, no_descriptors)
    no_descriptors()
    assert (process.is_alive(), process.is_ending(), process.is_stopped()) == (True, False, False)
    assert await end_tree(process, grace=0, timeout=10)
    assert (process.is_alive(), is_gone(browser)) == (False, True)


async def test_what_the_kernel_cannot_end_now_may_be_gone_later(
    start: Start, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cannot(*_: object, **__: float) -> bool:
        return False

    monkeypatch.setattr("controller.chromium.profile.orphans.end_tree", cannot)
    orphan = start()
    leave_pid_file(profile.run / f"{'b' * 20}.json", orphan, owner={"pid": os.getpid(), "start": 1})
    with pytest.raises(DriverError, match="cannot be ended") as raised:
        await end_orphans(profile.data_dir)
    assert raised.value.transient


def leave_pid_file(path: Path, process: psutil.Process, *, owner: dict[str, int]) -> None:
    told = {"boot": boot_id(), "pid": process.pid, "start": start_ticks(process.pid), "ticket": "x.sh", "owner": owner}
    path.write_text(json.dumps(told))


@pytest.mark.parametrize("name", ["b", "t"], ids=["before the driver's", "after the driver's"])
async def test_a_browser_counts_wherever_its_name_stands_beside_its_drivers(
    start: Start, profile: Profile, name: str
) -> None:
    """A name is derived with a secret: it is sorted before "playwright" as often as after it."""
    browser = start("run-driver", json.dumps([sys.executable, "-c", SLEEP]), code=STARTER)
    driver = browser.parent()
    assert driver is not None
    gone = {"pid": os.getpid(), "start": 1}
    leave_pid_file(profile.run / "playwright.x.json", driver, owner=gone)
    leave_pid_file(profile.run / f"{name * 20}.json", browser, owner=gone)
    assert await end_orphans(profile.data_dir) == 2
    await eventually(lambda: is_gone(browser) and is_gone(driver))
    assert list(profile.run.glob("*.json")) == []


async def test_what_a_living_controller_has_open_is_left_to_it(start: Start, profile: Profile) -> None:
    browser, controller = start(command_of(profile)), start()
    owner = {"pid": controller.pid, "start": start_ticks(controller.pid) or 0}
    leave_pid_file(profile.pid_file, browser, owner=owner)
    assert await end_orphans(profile.data_dir) == 0
    with pytest.raises(DriverError, match="in use"):
        await make_free(profile)
    assert not is_gone(browser)
    assert profile.pid_file.exists()
