"""Nobody touches a locked profile: opening, saving and restoring wait, or are refused."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.accounts.reasons import Reason
from controller.chromium import chromium_driver as driver_module
from controller.chromium.chromium_driver import ChromiumDriver, ChromiumOptions
from controller.chromium.process.find import Browser
from controller.chromium.profile.locks import ProfileLocks
from controller.chromium.profile.profile import Profile
from controller.driver import DriverError, Opening
from tests.controller.chromium.conftest import ACCOUNT


async def test_one_holds_a_profile_and_the_next_has_it_when_that_one_is_done() -> None:
    locks, order = ProfileLocks(), []

    async def lock(name: str, seconds: float = 0) -> None:
        async with locks.acquire("somebodys"):
            order.append(f"{name} begins")
            await asyncio.sleep(seconds)
            order.append(f"{name} ends")

    await asyncio.gather(lock("first", 0.05), lock("second"), lock("third"))
    assert order == [f"{name} {what}" for name in ("first", "second", "third") for what in ("begins", "ends")]


async def test_who_waits_for_an_opening_is_refused_when_a_browser_has_come_of_it() -> None:
    locks = ProfileLocks()

    async def wait() -> None:
        async with locks.acquire("somebodys"):
            pass

    async with locks.acquire("somebodys") as lock:
        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0)
        lock.keep(4711)
    for refused in (waiting, wait()):
        with pytest.raises(DriverError, match=r"^profile in use by process 4711$") as raised:
            await refused
        assert raised.value.reason is Reason.PROFILE_IN_USE
    lock.release()
    await wait()


class Blocking:
    """Work of a thread that ends when it is told to."""

    def __init__(self) -> None:
        self.begun, self.go_on, self.done = threading.Event(), threading.Event(), threading.Event()
        self.times = 0

    def __call__(self, *_: object) -> None:
        self.times += 1
        self.begun.set()
        self.go_on.wait(10)
        self.done.set()

    async def wait_for_begin(self) -> None:
        assert await asyncio.to_thread(self.begun.wait, 60)


@pytest.fixture
def slow() -> Iterator[Blocking]:
    blocking = Blocking()
    yield blocking
    blocking.go_on.set()


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ChromiumDriver:
    """A driver with a profile to save, whose browser is never started: what comes before that is looked at."""

    async def known(path: Path) -> Browser:
        return Browser(path, "1.2.3.4")

    async def refuse() -> None:
        raise DriverError(Reason.LAUNCH_FAILED, "a browser would start now")

    monkeypatch.setattr(driver_module, "identify", known)
    made = ChromiumDriver(
        ChromiumOptions(page_url="http://127.0.0.1:9/", data_dir=tmp_path, executable=Path("/bin/sh"))
    )
    monkeypatch.setattr(made._host, "get", refuse)
    profile = Profile.of(tmp_path, ACCOUNT)
    profile.prepare()
    (profile.folder / "Default" / "IndexedDB").mkdir(parents=True)
    profile.mark_clean()
    return made


async def cancelled_in(driver: ChromiumDriver, work: Blocking, *, fresh: bool = False) -> None:
    """Begin to open, and cancel that in the midst of the work that its thread does."""
    opening = asyncio.create_task(driver.open(Opening(ACCOUNT, fresh=fresh), lambda _: None))
    await work.wait_for_begin()
    opening.cancel()
    async with asyncio.timeout(45):
        await asyncio.wait([opening])
    assert opening.cancelled()


@pytest.mark.parametrize("work", ["saving", "dropping caches"])
async def test_the_next_open_waits_for_what_a_cancelled_one_still_does_to_the_profile(
    driver: ChromiumDriver, slow: Blocking, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    if work == "saving":
        monkeypatch.setattr(driver._vault, "save", slow)
    else:
        monkeypatch.setattr(Profile, "drop_caches", slow)
    await cancelled_in(driver, slow, fresh=True)
    opening = asyncio.create_task(driver.open(Opening(ACCOUNT), lambda _: None))
    await asyncio.wait([opening], timeout=0.3)
    assert not opening.done(), "no browser on a profile that is being worked on"
    slow.go_on.set()
    with pytest.raises(DriverError, match="a browser would start now"):
        await opening
    assert slow.done.is_set()


async def test_a_restore_and_an_open_of_one_profile_come_one_after_the_other(
    driver: ChromiumDriver, slow: Blocking, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = driver._vault.save(Profile.of(driver._options.data_dir, ACCOUNT))
    assert copy is not None
    monkeypatch.setattr(driver._vault, "restore", slow)
    restoring = asyncio.create_task(driver.restore(ACCOUNT, copy.name))
    await slow.wait_for_begin()
    opening = asyncio.create_task(driver.open(Opening(ACCOUNT), lambda _: None))
    await asyncio.wait([opening], timeout=0.3)
    assert not opening.done(), "no browser on a profile that is about to be replaced"
    slow.go_on.set()
    await restoring
    with pytest.raises(DriverError, match="a browser would start now"):
        await opening


async def test_a_cancelled_restore_is_over_for_others_when_its_thread_is_done(
    driver: ChromiumDriver, slow: Blocking, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = driver._vault.save(Profile.of(driver._options.data_dir, ACCOUNT))
    assert copy is not None
    monkeypatch.setattr(driver._vault, "restore", slow)
    restoring = asyncio.create_task(driver.restore(ACCOUNT, copy.name))
    await slow.wait_for_begin()
    restoring.cancel()
    await asyncio.wait([restoring])
    another = asyncio.create_task(driver.restore(ACCOUNT, copy.name))
    await asyncio.wait([another], timeout=0.3)
    assert slow.times == 1, "two restores side by side leave no profile at all"
    slow.go_on.set()
    await another
    assert slow.times == 2
