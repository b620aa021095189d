"""Two machines that share no folder, and their controller's side, with fake browsers and a store in memory.

What a browser writes into its profile stands for its session: a number that grows with each use.
"""

import asyncio
import contextlib
import time
from dataclasses import replace
from uuid import uuid4

import pyrage
import pytest

from controller.accounts.reasons import Reason
from controller.chromium import archive_files, archived_driver
from controller.chromium.archive_files import ArchiveFiles
from controller.chromium.archived_driver import ArchivedDriver, ArchiveOptions
from controller.chromium.profile.archives import TERM, ArchiveError, ArchiveStore
from controller.chromium.profile.history import Kind
from controller.chromium.profile.profile import Profile
from controller.driver import DriverError, Opening
from controller.hosts import Home
from tests.controller.fakes import FakeDriver
from tests.virtual_time import until, virtual

A = "+491511234567"
KEY = str(pyrage.x25519.Identity.generate())


class Inner(FakeDriver):
    """Fake browsers that read and write a profile's folder."""

    def __init__(self, folder, host):
        super().__init__()
        self.folder, self.host, self.seen = folder, host, []

    def path(self, account):
        return Profile.of(self.folder, account, self.host).folder / "Default" / "Local Storage" / "v"

    async def open(self, opening, report):
        assert not opening.set_aside, "that is done before"
        path = self.path(opening.account)
        self.seen.append(int(path.read_text()) if path.exists() else 0)
        return await super().open(opening, report)

    def use(self, account, version):
        path = self.path(account)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(version))

    async def end_orphans(self):
        return 0

    def warm_up(self):
        pass


class World:
    """`files` is the controller's side; `open` places the account on a host as the controller would."""

    def __init__(self, folder, key=None, names="ab", **options):
        self.options = ArchiveOptions(f"memory://{uuid4()}", b"secret", key, **options)
        self.folder, self.now = folder, 1_000_000.0
        self.inner = {name: Inner(folder / name, name) for name in names}
        self.drivers = {name: self.driver(name) for name in names}
        self.files = self.controller()
        self.store = ArchiveStore(self.options.url)

    def driver(self, name):
        return ArchivedDriver(self.inner[name], self.options, self.folder / name, name, now=lambda: self.now)

    def controller(self):
        return ArchiveFiles(self.options, self.folder / "controller", now=lambda: self.now)

    @property
    def name(self):
        return self.options.name_of(A)

    async def open(self, host, **more):
        await self.files.home(A)
        opening = Opening(A, epoch=self.files.next_epoch(), **more)
        return await self.drivers[host].open(opening, lambda _: None)

    async def use(self, host, version):
        session = await self.open(host)
        self.inner[host].use(A, version)
        await session.close()

    def die(self, host):
        """Its process ends; its folder stays."""
        self.inner[host].open_now.clear()
        self.drivers[host] = self.driver(host)


@virtual
@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
async def test_a_profile_follows_its_account(tmp_path, key):
    world = World(tmp_path, key)
    await world.use("a", 1)
    await world.use("b", 2)
    await world.use("b", 3)
    await world.use("a", 4)

    assert world.inner["a"].seen == [0, 3]
    assert world.inner["b"].seen == [1, 2]
    assert await world.files.home(A) == Home("a", alone=False)
    assert await world.files.has_session(A)
    files = [name for name in world.store._names(world.name) if ".tar.gz" in name]
    assert all(name.endswith(".age") is (key is not None) for name in files)
    left = [path for path in tmp_path.rglob("*.tar.gz*") if "archives" in path.parts]
    assert left == [], "nothing is left of what was on its way"


@virtual
async def test_a_machine_that_closed_it_last_fetches_nothing(tmp_path, monkeypatch):
    world = World(tmp_path)
    await world.use("a", 1)
    monkeypatch.setattr(ArchiveStore, "download", None)
    await world.use("a", 2)

    assert world.inner["a"].seen == [0, 1]


@virtual
async def test_an_older_archive_is_never_resumed_silently(tmp_path):
    world = World(tmp_path)
    await world.use("a", 1)
    world.now += 3 * 3600
    await world.open("b")
    world.inner["b"].use(A, 2)
    world.die("b")
    assert await world.files.home(A) == Home("b", alone=True)
    world.now += 60

    for _ in range(2):
        with pytest.raises(
            DriverError, match="host b opened it on 12 January, 16:46 UTC and has not closed it"
        ) as told:
            await world.open("a")
        assert told.value.reason is Reason.ARCHIVE_OUTDATED
        assert "of 12 January, 13:46 UTC, 3 h ago" in told.value.detail
    assert world.inner["a"].seen == [0]


@virtual
async def test_the_machine_itself_goes_on_with_its_newer_folder(tmp_path):
    world = World(tmp_path)
    await world.use("a", 1)
    await world.open("b")
    world.inner["b"].use(A, 2)
    world.die("b")

    await world.use("b", 3)
    await world.use("a", 4)

    assert world.inner["b"].seen == [1, 2]
    assert world.inner["a"].seen == [0, 3]


@virtual
async def test_a_person_may_take_the_older_archive_and_that_stands_after_a_restart(tmp_path):
    world = World(tmp_path)
    await world.use("a", 1)
    await world.open("b")
    world.inner["b"].use(A, 2)
    world.die("b")
    (copy,) = await world.files.saved(A)

    await world.files.restore(A, copy.name)
    world.files = world.controller()  # the choice is in the store
    assert await world.files.home(A) is None
    await world.use("a", 5)

    assert world.inner["a"].seen == [0, 1]
    await world.use("b", 6)
    assert world.inner["b"].seen[-1] == 5, "what the dead machine had is not used again"
    assert list((tmp_path / "b" / "profiles").glob(".*.before-*")), "but it is kept"


@virtual
async def test_a_person_may_begin_anew(tmp_path):
    world = World(tmp_path)
    await world.use("a", 1)
    await world.open("b")
    world.die("b")

    await world.files.discard(A)
    assert not await world.files.has_session(A)
    await world.use("a", 7)

    assert world.inner["a"].seen == [0, 0]
    await world.use("b", 8)
    assert world.inner["b"].seen[-1] == 7


@virtual
async def test_somebody_elses_session_is_set_aside(tmp_path):
    world = World(tmp_path)
    await world.use("a", 1)
    session = await world.open("b", set_aside=True)
    await session.close()

    assert world.inner["b"].seen == [0]
    assert await world.files.saved(A), "its archive stays"
    assert not await world.files.has_session(A)


@virtual
async def test_an_archive_that_cannot_be_verified_is_not_used_and_no_older_one_silently(tmp_path):
    world = World(tmp_path)
    await world.use("a", 1)
    await world.use("a", 2)
    _, manifest = world.store.archives(world.name)[0]
    world.store._fs.pipe_file(f"{world.store._root}/{world.name}/{manifest.file}", b"torn")

    with pytest.raises(DriverError, match="the archive is damaged; the newest archive that can be used is of") as told:
        await world.open("b")

    assert told.value.reason is Reason.ARCHIVE_OUTDATED
    await world.use("a", 3)  # this one has it as it was
    await world.use("b", 4)
    assert world.inner["b"].seen == [3]


@virtual
async def test_a_launch_that_fails_leaves_the_account_free_to_go_elsewhere(tmp_path):
    world = World(tmp_path)
    await world.use("a", 1)
    world.inner["b"].fails = DriverError(Reason.LAUNCH_FAILED, "no browser")
    with pytest.raises(DriverError, match="no browser"):
        await world.open("b")

    await world.use("a", 2)

    assert world.inner["a"].seen == [0, 1]


@virtual
async def test_an_opening_that_is_given_up_leaves_the_account_free_to_go_elsewhere(tmp_path):
    world = World(tmp_path)
    await world.use("a", 1)
    world.inner["b"].hangs = True
    opening = asyncio.create_task(world.open("b"))
    await until(lambda: bool(world.inner["b"].open_now), within=5)
    opening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await opening

    await world.use("a", 2)

    assert world.inner["a"].seen == [0, 1]


@virtual
async def test_a_removed_account_begins_with_nothing_wherever_its_folders_are(tmp_path):
    world = World(tmp_path)
    await world.use("a", 1)
    await world.use("b", 2)
    await world.files.remove(A)
    assert await world.files.saved(A) == []

    await world.use("a", 3)

    assert world.inner["a"].seen == [0, 0]
    assert [mark.kind for mark in world.store.marks(world.name)][-2:] == [Kind.CLOSED, Kind.OPEN]


@virtual
async def test_what_a_removed_account_left_on_machines_is_deleted(tmp_path):
    world = World(tmp_path)
    await world.use("a", 1)
    await world.use("b", 2)
    folders = [Profile.of(tmp_path / name, A).folder for name in "ab"]
    assert all(folder.exists() for folder in folders)
    for name in "ab":
        world.drivers[name].warm_up()
    await asyncio.sleep(60)
    assert all(folder.exists() for folder in folders), "it is not removed"

    await world.files.remove(A)
    await asyncio.sleep(archived_driver.TIDY_EVERY)

    assert not any(folder.exists() for folder in folders)
    for driver in world.drivers.values():
        await driver.stop()
    await world.use("a", 3)
    assert world.inner["a"].seen[-1] == 0


@virtual
async def test_a_folder_of_unknown_age_is_not_used(tmp_path):
    world = World(tmp_path)
    world.inner["a"].use(A, 9)
    await world.use("a", 1)

    assert world.inner["a"].seen == [0]


@virtual
async def test_profiles_of_one_machines_time_are_taken_over(tmp_path):
    folder = tmp_path / "controller"
    Inner(folder, "").use(A, 4)
    world = World(tmp_path)
    world.options = replace(world.options, secret=(folder / "names.key").read_bytes())
    world.drivers, world.files = {name: world.driver(name) for name in "ab"}, world.controller()

    await world.use("b", 5)
    world.files = world.controller()
    await world.use("a", 6)

    assert (world.inner["b"].seen, world.inner["a"].seen) == ([4], [5])


@virtual
async def test_epochs_outlive_their_controllers(tmp_path):
    world = World(tmp_path)
    with pytest.raises(DriverError, match="not been reached"):
        world.files.next_epoch()
    seen = []
    for _ in range(3):
        world.files = world.controller()
        await world.files.prepare()
        seen += [world.files.next_epoch() for _ in range(3)]

    assert seen == sorted(set(seen))
    assert seen[0] > TERM


@virtual
async def test_an_older_placement_opens_nothing(tmp_path):
    world = World(tmp_path)
    await world.files.prepare()
    old = world.files.next_epoch()
    await world.use("a", 1)

    with pytest.raises(DriverError, match="a later placement"):
        await world.drivers["b"].open(Opening(A, epoch=old), lambda _: None)


class Blocked:
    """Blocks, or fails, each call of a store's method while it is set."""

    def __init__(self, monkeypatch, method):
        self.hangs = self.fails = False
        original = getattr(ArchiveStore, method)

        def call(*args, **more):
            while self.hangs:
                time.sleep(0.01)
            if self.fails:
                raise ArchiveError("cannot write to the archives: no route")
            return original(*args, **more)

        monkeypatch.setattr(ArchiveStore, method, call)


async def test_a_store_that_hangs_at_a_close_leaves_the_newest_state_here(tmp_path, monkeypatch):
    world = World(tmp_path)
    await world.use("a", 1)
    session = await world.open("a")
    world.inner["a"].use(A, 2)
    upload = Blocked(monkeypatch, "upload")
    upload.hangs = True
    with monkeypatch.context() as hasty:
        hasty.setattr(archived_driver, "ARCHIVE_SECONDS", 0.1)
        await session.close()

    assert await world.files.home(A) == Home("a", alone=True)
    with pytest.raises(DriverError) as told:
        await world.open("b")
    assert told.value.reason is Reason.ARCHIVE_OUTDATED
    upload.hangs = False
    await world.use("a", 3)
    await world.use("b", 4)
    assert world.inner["b"].seen == [3]


async def test_a_store_that_hangs_fails_an_opening_and_nothing_else(tmp_path, monkeypatch):
    world = World(tmp_path)
    await world.use("a", 1)
    epoch = world.files.next_epoch()
    marks = Blocked(monkeypatch, "marks")
    marks.hangs = True

    with monkeypatch.context() as hasty:
        for limit in ("FETCH_SECONDS", "UNDO_SECONDS"):
            hasty.setattr(archived_driver, limit, 0.1)
        hasty.setattr(archive_files, "SECONDS", 0.1)
        with pytest.raises(DriverError, match="do not answer in time") as told:
            await world.drivers["a"].open(Opening(A, epoch=epoch), lambda _: None)
        assert told.value.reason is Reason.LAUNCH_FAILED
        with pytest.raises(DriverError, match="do not answer in time"):
            await world.files.home(A)
    marks.hangs = False
    await world.use("a", 2)

    assert world.inner["a"].seen == [0, 1]


@virtual
async def test_a_store_that_is_gone_is_one_line_for_people(tmp_path, monkeypatch):
    world = World(tmp_path)
    assert await world.files.check() == ""
    await world.use("a", 1)
    write = Blocked(monkeypatch, "write")
    write.fails = True

    with pytest.raises(DriverError, match="cannot write to the archives: no route"):
        await world.open("b")
    with pytest.raises(DriverError) as told:
        await world.files.restore(A, (await world.files.saved(A))[0].name)
    assert told.value.reason is Reason.RESTORE_FAILED


@virtual
async def test_a_running_profile_is_saved_each_day(tmp_path):
    world = World(tmp_path, save_every=86400.0)
    session = await world.open("a")
    world.inner["a"].use(A, 1)
    for _ in range(3):
        await asyncio.sleep(86500)
        world.now += 86500
    kinds = [mark.kind for mark in world.store.marks(world.name)]
    assert kinds.count(Kind.SAVED) == 3
    world.die("a")
    del session

    with pytest.raises(DriverError) as told:
        await world.open("b")
    assert told.value.reason is Reason.ARCHIVE_OUTDATED
    await world.files.restore(A, (await world.files.saved(A))[0].name)
    await world.use("b", 2)
    assert world.inner["b"].seen == [1]
