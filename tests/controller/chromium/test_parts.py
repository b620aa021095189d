"""The driver's smaller parts, without a browser: finding one, profiles, processes, errors, waiting."""

import asyncio
import errno
import gc
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import TimeoutError as PlaywrightTimeoutError

from controller.accounts.reasons import Reason
from controller.chromium.playwright import playwright_host as host_module
from controller.chromium.playwright.errors import NO_SANDBOX, translated
from controller.chromium.playwright.playwright_host import PlaywrightHost
from controller.chromium.process import find
from controller.chromium.process import launch_script as tickets_module
from controller.chromium.process.flags import arguments, user_agent_override
from controller.chromium.process.launch_script import write_ticket
from controller.chromium.process.launcher import start_ticks
from controller.chromium.process.tree import ExitWatch, ProcessId, end_tree, find_users, this_process, tree
from controller.chromium.profile.orphans import end_orphans
from controller.chromium.profile.profile import Profile, run_folder
from controller.driver import DriverError
from controller.tasks import Tasks, uncancelled
from tests.controller.chromium.conftest import ACCOUNT, eventually

# --- finding a browser ----------------------------------------------------------------------------------------------


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\necho Chromium 156.1.2.3\n")
    path.chmod(0o700)
    return path


def test_the_smaller_browser_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    downloads, binaries = tmp_path / "downloads", tmp_path / "bin"
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(downloads))
    monkeypatch.setenv("PATH", str(binaries))
    with pytest.raises(DriverError, match="no Chromium found: set CHROMIUM_PATH"):
        find.find_executable()
    for path in (
        downloads / "chromium-1255" / "chrome-linux64" / "chrome",
        binaries / "google-chrome",
        binaries / "chromium",
        binaries / "chromium-headless-shell",
        downloads / "chromium_headless_shell-999" / "chrome-linux" / "headless_shell",
        downloads / "chromium_headless_shell-1255" / "chrome-headless-shell-linux64" / "chrome-headless-shell",
    ):
        executable(path)
        assert find.find_executable() == path


def test_a_chosen_browser_is_taken_or_refused(tmp_path: Path) -> None:
    chosen = executable(tmp_path / "mine")
    assert find.find_executable(chosen) == chosen
    chosen.chmod(0o600)
    for wrong in (chosen, tmp_path / "missing", tmp_path):
        with pytest.raises(DriverError, match="CHROMIUM_PATH is no executable"):
            find.find_executable(wrong)


async def test_a_browser_tells_its_version(tmp_path: Path) -> None:
    browser = await find.identify(executable(tmp_path / "browser"))
    assert (browser.version, browser.major) == ("156.1.2.3", "156")
    told = str(user_agent_override(browser)) + str(arguments(browser))
    assert "Chrome/156.0.0.0" in told
    assert "Headless" not in told


# --- profiles -------------------------------------------------------------------------------------------------------


def test_a_profile_is_ours_alone_and_keeps_its_keys(tmp_path: Path) -> None:
    profile = Profile.of(tmp_path / "data", ACCOUNT)
    profile.prepare()
    for folder in (profile.folder, profile.run, profile.folder.parent):
        assert folder.stat().st_mode & 0o777 == 0o700
    default = profile.folder / "Default"
    kept = ["Local Storage/leveldb/1.log", "IndexedDB/x/1.log", "Service Worker/CacheStorage/x/1", "Cookies"]
    dropped = ["Cache/Cache_Data/1", "Code Cache/js/1", "Service Worker/ScriptCache/1"]
    for name in (*kept, *dropped):
        (default / name).parent.mkdir(parents=True, exist_ok=True)
        (default / name).touch()
    profile.drop_caches()
    assert all((default / name).exists() for name in kept)
    assert not any((default / name).exists() for name in dropped)


def test_a_profile_is_stamped(tmp_path: Path) -> None:
    profile = Profile.of(tmp_path, ACCOUNT)
    profile.prepare()
    assert profile.stamp() is None
    profile.put_stamp("156.0.0.1")
    profile.put_stamp("157.0.0.1")
    assert profile.stamp() == "157.0.0.1"
    assert [path.name for path in profile.folder.iterdir()] == ["switchboard.json"]


@pytest.mark.parametrize("account", ["+49/../1", "..", "", "+", "+٤٩"])
def test_only_digits_become_a_path(tmp_path: Path, account: str) -> None:
    with pytest.raises(ValueError, match="digits"):
        Profile.of(tmp_path, account)


# --- processes ------------------------------------------------------------------------------------------------------

STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", '''
import os, time
os.setpgid(0, 0)
print(os.getpid(), flush=True)
os.close(1)
time.sleep(60)
'''])
time.sleep(60)
"""


async def stubborn_tree() -> tuple[asyncio.subprocess.Process, ProcessId, int]:
    """A leader that ignores SIGTERM, with a child that has left its group."""
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STUBBORN, start_new_session=True, stdout=subprocess.PIPE
    )
    assert started.stdout is not None
    child = int(await asyncio.wait_for(started.stdout.readline(), 60))
    start = start_ticks(started.pid)
    assert start is not None
    return started, ProcessId(started.pid, start), child


async def test_a_tree_is_ended_to_its_last_child() -> None:
    started, leader, child = await stubborn_tree()
    assert {process.pid for process in tree(leader)} == {started.pid, child}
    assert await end_tree(leader, grace=0.2, timeout=30)
    assert await started.wait() == -signal.SIGKILL
    assert tree(leader) == []


async def test_a_tree_without_its_leader_is_ended_too() -> None:
    started, leader, child = await stubborn_tree()
    started.kill()
    await started.wait()
    assert {process.pid for process in tree(leader)} == {child}
    assert await end_tree(leader, grace=5, timeout=30)
    assert tree(leader) == []


async def test_a_stopped_tree_is_not_waited_for() -> None:
    started, leader, _ = await stubborn_tree()
    started.send_signal(signal.SIGSTOP)
    await eventually(leader.is_stopped)
    async with asyncio.timeout(30):
        assert await end_tree(leader, grace=60, timeout=90)
    await started.wait()


async def test_a_pid_that_was_given_again_is_not_touched() -> None:
    mine = this_process()
    another = ProcessId(mine.pid, mine.start - 1)
    assert mine.is_alive()
    assert not another.is_alive()
    assert tree(another) == []
    assert await end_tree(another, grace=0, timeout=1)


async def test_an_exit_is_told_once_and_at_once() -> None:
    ends: list[str] = []
    started, leader, _ = await stubborn_tree()
    watch = ExitWatch(leader, lambda: ends.append("seen"))
    unwatched = ExitWatch(leader, lambda: ends.append("never"))
    unwatched.cancel()
    started.kill()
    await eventually(lambda: ends)
    await started.wait()
    watch.cancel()
    late = ExitWatch(leader, lambda: ends.append("late"))
    await eventually(lambda: len(ends) == 2)
    late.cancel()
    assert ends == ["seen", "late"]
    await end_tree(leader, grace=0, timeout=5)


def test_users_of_a_profile_are_known_by_the_exact_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    user = subprocess.Popen([*command, f"--user-data-dir={tmp_path}/1"])
    neighbour = subprocess.Popen([*command, f"--user-data-dir={tmp_path}/12"])
    child = subprocess.Popen([*command, "--type=renderer", f"--user-data-dir={tmp_path}/1"])
    try:
        asyncio.run(eventually(lambda: [each.pid for each in find_users(tmp_path / "1")] == [user.pid]))
    finally:
        for process in (user, neighbour, child):
            process.kill()
            process.wait()


# --- Playwright's driver, where it does not come to be ----------------------------------------------------------------


async def test_a_disk_too_full_for_a_ticket_leaves_no_folder_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(host_module, "write_ticket", full)
    host = PlaywrightHost(tmp_path)
    for _ in range(3):
        with pytest.raises(OSError, match="No space left"):
            await host.get()
    assert list(run_folder(tmp_path).iterdir()) == []


async def test_a_folder_whose_ticket_is_gone_is_cleared_at_the_next_start(tmp_path: Path) -> None:
    run = run_folder(tmp_path)
    for name in ("playwright.left", "playwright.used"):
        (run / f"{name}.tmp" / "deep").mkdir(parents=True)
    write_ticket(run / "playwright.used.sh", run / "playwright.used.json", os.getpid(), Path("/bin/true"))
    assert await end_orphans(tmp_path) == 0
    assert sorted(path.name for path in run.iterdir()) == ["playwright.used.sh", "playwright.used.tmp"]


async def test_a_driver_whose_files_somebody_has_tidied_up_starts_browsers_and_is_ended(tmp_path: Path) -> None:
    host = PlaywrightHost(tmp_path)
    _, driver = await host.get()
    shutil.rmtree(run_folder(tmp_path))
    try:
        assert (await host.get())[1] == driver
        assert [path.suffix for path in run_folder(tmp_path).iterdir()] == [".tmp"]
    finally:
        await host.stop()
    assert not driver.is_alive()


async def test_where_no_program_may_be_run_that_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tickets_module.os, "access", lambda path, _: Path(path).suffix != ".sh")
    with pytest.raises(DriverError, match=r"^DATA_DIR must allow programs to be run: .* noexec$"):
        await PlaywrightHost(tmp_path).get()
    assert list(run_folder(tmp_path).iterdir()) == []


async def test_a_start_that_fails_is_not_told_again_by_asyncio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(host_module, "write_ticket", lambda ticket, *_, **__: ticket.touch(0o600))
    with pytest.raises(DriverError, match="could not start Playwright's driver"):
        await PlaywrightHost(tmp_path).get()
    gc.collect()
    await asyncio.sleep(0)
    assert "never retrieved" not in caplog.text


# --- errors ---------------------------------------------------------------------------------------------------------

ERR = "[pid=7][err]"
EXIT = "<process did exit: exitCode=null, signal=SIGTRAP>"


@pytest.mark.parametrize(
    ("raised", "reason", "detail"),
    [
        (
            PlaywrightError("Page.goto: net::ERR_NAME_NOT_RESOLVED at https://x/\nCall log:\n  - secret"),
            Reason.LAUNCH_FAILED,
            "could not do it: the host name is not known (DNS) (net::ERR_NAME_NOT_RESOLVED)",
        ),
        (PlaywrightError("x: net::ERR_ODD"), Reason.LAUNCH_FAILED, "could not do it: network error (net::ERR_ODD)"),
        (PlaywrightTimeoutError("Timeout 1ms"), Reason.LAUNCH_FAILED, "could not do it: no answer in time"),
        (TimeoutError(), Reason.LAUNCH_FAILED, "could not do it: no answer in time"),
        (PlaywrightError("Page.evaluate: Target crashed "), Reason.SESSION_CLOSED, "the page or its browser is gone"),
        (
            PlaywrightError(f"y: closed\nBrowser logs:\n  - {ERR} switchboard launcher: profile in use by process 9"),
            Reason.PROFILE_IN_USE,
            "profile in use by process 9",
        ),
        (
            PlaywrightError(f"y: has been closed\n  - {ERR} no /data/profiles/4915112345678\n  - {EXIT}"),
            Reason.LAUNCH_FAILED,
            "could not do it: it ended (SIGTRAP) no /data/profiles/•••5678",
        ),
        (PlaywrightError(f"y: closed\n  - {ERR} No usable sandbox! …\n - {EXIT}"), Reason.LAUNCH_FAILED, NO_SANDBOX),
        (PlaywrightError("odd\nsecret"), Reason.LAUNCH_FAILED, "could not do it: odd"),
    ],
)  # fmt: skip
def test_errors_are_one_line_for_people(raised: Exception, reason: Reason, detail: str) -> None:
    with pytest.raises(DriverError) as caught, translated("do it"):
        raise raised
    assert (caught.value.reason, caught.value.detail) == (reason, detail)


def test_a_limit_of_each_process_is_named_where_it_may_be_why(monkeypatch) -> None:
    limits = {resource.RLIMIT_AS: 8 << 30, resource.RLIMIT_FSIZE: 1 << 20}
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limits.get(kind, resource.RLIM_INFINITY),) * 2)
    limited = "addresses to 8192 MiB (ulimit -v, LimitAS=), files to 1 MiB (ulimit -f, LimitFSIZE=)"
    named = f"; a process is limited here: {limited}"
    for message, is_named in [
        ("Page.goto: net::ERR_INSUFFICIENT_RESOURCES at https://x/", True),
        (f"y: closed\n - {EXIT}", True),
        ("Page.goto: net::ERR_CONNECTION_RESET", False),
    ]:
        with pytest.raises(DriverError) as caught, translated("do it"):
            raise PlaywrightError(message)
        assert caught.value.detail.endswith(named) == is_named
        assert "network error" not in caught.value.detail


# --- waiting --------------------------------------------------------------------------------------------------------


async def test_clean_up_outlives_a_cancellation() -> None:
    done: list[str] = []
    go_on = asyncio.Event()

    async def clean_up() -> None:
        await go_on.wait()
        done.append("clean")

    task = asyncio.create_task(uncancelled(clean_up()))
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["clean"]


async def test_an_owner_ends_its_tasks() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("ended")

    tasks = Tasks("test")
    tasks.start(work())
    await asyncio.sleep(0)
    await tasks.stop()
    assert ended == ["ended"]
