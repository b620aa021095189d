"""Everything beneath a session can be killed or stopped: it is reported at once, and nothing is left behind."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from controller.accounts.reasons import Reason
from controller.accounts.reports import Code, Ended, Health, Layer, Ready
from controller.chromium import chromium_driver as driver_module
from controller.chromium.playwright import launch as launch_module
from controller.chromium.process import tree as processes_module
from controller.chromium.profile.profile import Profile
from controller.driver import DriverError, Opening
from sandbox.whatsapp import WhatsAppStandIn
from tests.controller.chromium.conftest import ACCOUNT, Rig, eventually, left_behind, until_health
from tests.waiting import until

pytestmark = [pytest.mark.chromium, pytest.mark.usefixtures("soon_durable")]

AT_ONCE = 20.0
"""Nothing but the event itself would report it, however long that is waited for."""
IN_VAIN = 12.0
"""A close that waits for an answer of what cannot answer takes `close_timeout`, 15 seconds."""


async def timed_close(rig: Rig) -> float:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await rig.sessions[-1].close()
    assert rig.processes() == []
    return loop.time() - begun


def run_files(rig: Rig, *suffixes: str) -> list[str]:
    """The account's files of these kinds in run/; Playwright's own are not meant."""
    profile = Profile.of(rig.data_dir, ACCOUNT)
    return [path.name for path in profile.run.glob(f"{profile.name}.*") if path.suffix in suffixes]


async def stop(process: psutil.Process) -> None:
    process.suspend()
    await eventually(lambda: process.status() == psutil.STATUS_STOPPED)


async def test_the_browser_is_killed(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    await rig.linked(stand_in)
    rig.processes()[0].kill()
    assert await rig.seen(Ended, AT_ONCE) == Ended(Reason.SESSION_CLOSED, "the browser's process ended")
    assert await timed_close(rig) < IN_VAIN


async def test_the_renderer_is_killed(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    session = await rig.linked(stand_in)
    for renderer in rig.processes("renderer"):
        renderer.kill()
    assert (await rig.seen(Ended, AT_ONCE)).reason is Reason.SESSION_CLOSED
    assert (await session.probe()).failed is Layer.PAGE
    assert await timed_close(rig) < IN_VAIN


async def test_gpu_and_network_processes_are_replaced(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    rig.make(savings=frozenset())
    session = await rig.linked(stand_in)
    for kind in ("gpu-process", "utility"):
        assert rig.processes(kind), f"no {kind} to kill"
        for process in rig.processes(kind):
            process.kill()
    await until_health(session, lambda health: health == Health())
    assert not any(isinstance(report, Ended) for report in rig.reports)


async def test_the_page_is_closed(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    session = await rig.linked(stand_in)
    await session._parts.page.close()
    assert await rig.seen(Ended, AT_ONCE) == Ended(Reason.SESSION_CLOSED, "the page was closed")
    assert await timed_close(rig) < IN_VAIN


async def test_the_page_hangs_in_a_loop(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    rig.make(close_timeout=4.0)
    session = await rig.linked(stand_in)
    hanging = asyncio.create_task(session._evaluate("() => { for (;;); }", None))

    async def hangs() -> bool:
        try:
            await asyncio.wait_for(session.probe(), 1)
        except TimeoutError:
            return session.reached is Layer.PAGE
        return False

    await until(hangs, "the page hangs")
    assert await timed_close(rig) < IN_VAIN
    with pytest.raises(DriverError):
        await hanging


async def test_the_browser_is_stopped(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    session = await rig.linked(stand_in)
    await stop(rig.processes()[0])
    assert (await session.probe()).failed is Layer.PROCESS
    assert await timed_close(rig) < IN_VAIN


async def test_playwrights_driver_is_killed_under_two_accounts(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    await rig.linked(stand_in)
    others: list[object] = []
    other = await rig.driver.open(Opening("+491511234567"), others.append)
    rig.sessions.insert(0, other)
    await eventually(lambda: any(isinstance(report, Code) for report in others))
    rig.node().kill()
    died = Ended(Reason.SESSION_CLOSED, "Playwright's driver process ended")
    assert await rig.seen(Ended, AT_ONCE) == died
    await eventually(lambda: died in others, AT_ONCE)
    await asyncio.gather(*(session.close() for session in rig.sessions))
    assert rig.processes() == []

    rig.reports.clear()
    await rig.open()
    # Ready, or a code where the link was not on the disk yet, which these tests do not wait for: another driver serves.
    await eventually(lambda: any(isinstance(report, Ready | Code) for report in rig.reports))


async def test_the_error_that_playwright_keeps_of_a_dead_driver_is_read(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    await rig.linked(stand_in)
    started: Any = rig.driver._host._playwright
    kept = started.stop.__self__._client._transport.on_error_future
    rig.node().kill()
    await eventually(kept.done)
    await asyncio.sleep(0)
    assert not kept._log_traceback, "asyncio would log it as an error that nobody has read"


async def test_playwrights_driver_is_stopped(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    session = await rig.linked(stand_in)
    node = rig.node()
    await stop(node)
    assert (await session.probe()).failed is Layer.BROWSER
    assert await timed_close(rig) < IN_VAIN
    assert node.is_running()

    rig.reports.clear()
    await rig.open()
    await rig.seen(Ready)
    assert rig.node().pid != node.pid
    await eventually(lambda: not node.is_running() or node.status() == psutil.STATUS_ZOMBIE)


async def test_playwrights_driver_is_stopped_during_a_launch(rig: Rig) -> None:
    session = await rig.open()
    await session.close()
    rig.change(launch=3.0)
    opening = asyncio.create_task(rig.open())
    await eventually(lambda: run_files(rig, ".sh"))
    node = rig.node()
    await stop(node)
    with pytest.raises(DriverError) as raised:
        await opening
    assert raised.value.reason is Reason.LAUNCH_FAILED
    assert rig.processes() == []
    rig.change(launch=30.0)
    await rig.open()
    await rig.seen(Code)
    assert rig.node().pid != node.pid


async def test_a_cancelled_launch_leaves_nothing(rig: Rig) -> None:
    cancelled = 0
    for hundredths in (0, 2, 6, 10, 15, 20, 25, 30, 40, 50):
        opening = asyncio.create_task(rig.open())
        await asyncio.sleep(hundredths / 100)
        cancelled += opening.cancel()
        await asyncio.wait([opening])
        if not opening.cancelled():  # it was faster
            await rig.sessions[-1].close()
        assert rig.processes() == []
        assert run_files(rig, ".sh", ".json") == []
    assert cancelled > 3
    await rig.open()
    await rig.seen(Code)


async def test_a_cancelled_close_finishes(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    session = await rig.linked(stand_in)
    closing = asyncio.create_task(session.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert rig.processes() == []


async def test_a_profile_in_use(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    await rig.linked(stand_in)
    with pytest.raises(DriverError, match=r"^profile in use by process \d+$") as raised:
        await rig.open()
    assert raised.value.reason is Reason.PROFILE_IN_USE
    assert len(rig.processes()) == 1
    assert (await rig.sessions[0].probe()).failed is None, "the one that was there stays"


async def test_a_full_disk_is_one_line_and_leaves_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(launch_module, "write_ticket", full)
        with pytest.raises(DriverError, match=r"^could not start the browser: No space left on device$") as raised:
            await rig.open()
    assert raised.value.reason is Reason.LAUNCH_FAILED
    assert rig.processes() == []
    await rig.open()
    await rig.seen(Code)


@pytest.mark.parametrize("watched_before", [0, 1], ids=["the browser", "Playwright's driver"])
async def test_a_browser_that_cannot_be_watched_is_ended_and_the_next_one_opens(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, watched_before: int
) -> None:
    watch, watched = os.pidfd_open, []

    def scarce(pid: int, flags: int = 0) -> int:
        if len(watched) == watched_before:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        watched.append(watch(pid, flags))
        return watched[-1]

    with monkeypatch.context() as patch:
        patch.setattr(processes_module, "os", SimpleNamespace(**{**vars(os), "pidfd_open": scarce}))  # asyncio's stays
        with pytest.raises(DriverError, match=r"^could not start the browser: Too many open files$"):
            await rig.open()
    assert rig.processes() == []
    assert rig.reports == [], "nothing is told of a session that never was"
    for descriptor in watched:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
    await rig.open()
    await rig.seen(Code)


async def test_the_launcher_itself_refuses_a_profile_in_use(
    rig: Rig, stand_in: WhatsAppStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.linked(stand_in)

    async def look_away(_: object) -> None:
        return

    monkeypatch.setattr(driver_module, "make_free", look_away)
    with pytest.raises(DriverError, match=r"^profile in use by process \d+$") as raised:
        await rig.open()
    assert raised.value.reason is Reason.PROFILE_IN_USE
    assert (await rig.sessions[0].probe()).failed is None


CONTROLLER = """
    import asyncio, sys
    from pathlib import Path
    from controller.chromium import ChromiumDriver, ChromiumOptions
    from controller.driver import Opening

    async def main():
        driver = ChromiumDriver(ChromiumOptions(page_url=sys.argv[1], data_dir=Path(sys.argv[2])))
        await driver.open(Opening(sys.argv[3]), lambda report: print(type(report).__name__, flush=True))
        await asyncio.Event().wait()

    asyncio.run(main())
"""


async def another_controller(rig: Rig, tmp_path: Path) -> asyncio.subprocess.Process:
    program = tmp_path / "another_controller.py"
    program.write_text(textwrap.dedent(CONTROLLER))
    started = await asyncio.create_subprocess_exec(
        sys.executable, program, rig.url, rig.data_dir, ACCOUNT,
        stdout=subprocess.PIPE, env={"PYTHONPATH": str(Path(__file__).parents[3]), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert started.stdout is not None
    try:
        async with asyncio.timeout(90):
            while (told := await started.stdout.readline()) != b"Code\n":
                assert told == b"Loaded\n"
    except BaseException:
        started.kill()
        await started.wait()
        raise
    return started


async def test_orphans_of_a_killed_controller_are_ended(rig: Rig, tmp_path: Path) -> None:
    another = await another_controller(rig, tmp_path)
    try:
        with pytest.raises(DriverError, match="profile in use"):
            await rig.open()
        assert await rig.driver.end_orphans() == 0, "a living controller's browsers are its own"
    finally:
        # The worst case: nothing of it can react any more.
        (browser,) = rig.processes()
        node = browser.parent()
        assert node is not None
        await stop(browser)
        await stop(node)
        another.kill()
        await another.wait()
    assert rig.processes() == [browser]
    assert await rig.driver.end_orphans() == 2
    assert left_behind(rig.data_dir) == []
    await rig.open()
    await rig.seen(Code)


async def test_an_orphan_is_ended_by_the_next_open(rig: Rig, tmp_path: Path) -> None:
    another = await another_controller(rig, tmp_path)
    (browser,) = rig.processes()
    node = browser.parent()
    assert node is not None
    await stop(browser)
    another.kill()
    await another.wait()
    Profile.of(rig.data_dir, ACCOUNT).pid_file.unlink()  # nothing but its command line tells
    await eventually(lambda: not node.is_running() or node.status() == psutil.STATUS_ZOMBIE)
    await rig.open()
    await rig.seen(Code)
    assert browser not in rig.processes()


async def test_everything_ends_with_a_killed_controller(rig: Rig, tmp_path: Path) -> None:
    another = await another_controller(rig, tmp_path)
    another.send_signal(signal.SIGKILL)
    await another.wait()
    await eventually(lambda: left_behind(rig.data_dir) == [])
