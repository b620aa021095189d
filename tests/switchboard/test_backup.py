"""A backup is created during writes, contains everything another machine needs, and is complete or absent."""

import asyncio
import errno
import gzip
import io
import itertools
import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tarfile
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pyrage
import pytest

from controller.accounts.model import Wanted
from controller.accounts.reasons import State
from controller.chromium.profile import live_copy
from controller.chromium.profile.live_copy import BusyProfileError, copy_session
from controller.chromium.profile.profile import Profile
from controller.chromium.profile.vault import Vault, VaultError, new_key
from controller.registry import Account
from controller.troubles import Trouble
from storage.accounts import AccountRecords
from storage.database import StorageError, open_database
from storage.online_copy import copy_database
from switchboard import app
from switchboard.__main__ import main
from switchboard.backup import create
from switchboard.backup.archive import BackupError, unpack
from switchboard.backup.create import DATABASE, create_backup
from switchboard.backup.restore import refuse_half_restored, restore_backup
from switchboard.backup.schedule import KEEP, BackupSchedule, backups_in, remove_old
from switchboard.data_dir import DataDirError, lock_data_dir
from tests.virtual_time import run_virtual

ROOT = Path(__file__).resolve().parents[2]
BERLIN, PARIS = "+491511234567", "+33612345678"
KEY = new_key()
NOW = datetime(2025, 5, 1, 12, tzinfo=UTC)


def write(path: Path, data: bytes = b"x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def put_session(data_dir, number, data=b"the keys"):
    profile = Profile.of(data_dir, number)
    profile.prepare()
    default = profile.folder / "Default"
    write(default / "IndexedDB" / "https_web_0.leveldb" / "000003.log", data)
    write(default / "IndexedDB" / "https_web_0.leveldb" / "MANIFEST-000001", b"m")
    write(default / "IndexedDB" / "https_web_0.leveldb" / "LOCK", b"")
    write(default / "Local Storage" / "leveldb" / "CURRENT", b"c")
    write(default / "Cache" / "big", b"no part of a session")
    return profile


def row(number, *, linked=True):
    return Account(number, "Name", 1, Wanted.CONNECTED, linked=linked, state=State.CONNECTED, since=NOW)


async def _fill(data_dir, numbers):
    async with open_database(data_dir / DATABASE) as database:
        for number in numbers:
            await AccountRecords(database).add_account(row(number))


@pytest.fixture
def data_dir(tmp_path):
    """A DATA_DIR with two linked accounts, as a running program has it."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    asyncio.run(_fill(folder, [BERLIN, PARIS]))
    for number in (BERLIN, PARIS):
        put_session(folder, number, number.encode())
    return folder


def numbers_in(data_dir):
    with closing(sqlite3.connect(data_dir / DATABASE)) as connection:
        return {number for (number,) in connection.execute("SELECT number FROM accounts")}


def session_of(data_dir, number):
    path = Profile.of(data_dir, number).folder / "Default" / "IndexedDB" / "https_web_0.leveldb" / "000003.log"
    return path.read_bytes()


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


# --- a whole round ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
def test_a_backup_restores_accounts_and_sessions_on_another_host(tmp_path, data_dir, key):
    copy = Vault(data_dir, key).save(Profile.of(data_dir, BERLIN))
    target = tmp_path / "backup"

    made = create_backup(data_dir, target, key)
    restored = restore_backup(target, tmp_path / "other", key)

    assert (made.accounts, made.missing, made.is_encrypted) == (2, (), key is not None)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert names_in(tmp_path) == ["backup", "data", "other"]
    assert not list(data_dir.glob(".backup-*"))
    other = tmp_path / "other"
    assert (restored.manifest.accounts, restored.from_copies) == (2, 0)
    assert numbers_in(other) == {BERLIN, PARIS}
    assert [session_of(other, number) for number in (BERLIN, PARIS)] == [BERLIN.encode(), PARIS.encode()]
    assert [each.name for each in Vault(other, key).copies(Profile.of(other, BERLIN))] == [copy.name]
    assert not [path for path in other.rglob("*") if stat.S_IMODE(path.stat().st_mode) & 0o077]
    assert not list(other.rglob("Cache"))


async def test_what_stands_in_the_write_ahead_log_alone_is_in_it(tmp_path, data_dir):
    async with open_database(data_dir / DATABASE) as database:
        await AccountRecords(database).add_account(row("+12025550123", linked=False))
        assert (data_dir / f"{DATABASE}-wal").stat().st_size
        await asyncio.to_thread(create_backup, data_dir, tmp_path / "backup")
        await AccountRecords(database).add_account(row("+12025550124"))  # nobody is locked out
    await asyncio.to_thread(restore_backup, tmp_path / "backup", tmp_path / "other")

    assert numbers_in(tmp_path / "other") == {BERLIN, PARIS, "+12025550123"}


def test_an_encrypted_one_is_opened_by_its_key_alone_and_by_other_peoples_tools(tmp_path, data_dir):
    create_backup(data_dir, tmp_path / "backup", KEY)
    data = (tmp_path / "backup").read_bytes()

    assert data.startswith(b"age-encryption.org/")
    for wrong, why in ((None, "PROFILE_KEY must be set"), (new_key(), "another PROFILE_KEY")):
        with pytest.raises(BackupError, match=why):
            restore_backup(tmp_path / "backup", tmp_path / "other", wrong)
        assert names_in(tmp_path / "other") == ["switchboard.lock"]
    plain = pyrage.decrypt(data, [pyrage.x25519.Identity.from_str(KEY)])
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        names = archive.getnames()
        manifest = json.loads(archive.extractfile("manifest.json").read())
    assert {DATABASE, "names.key"} <= set(names)
    assert names[-1] == "manifest.json"
    assert set(manifest["files"]) == set(names[:-1])


# --- what can be wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
def test_a_damaged_one_restores_nothing(tmp_path, data_dir, key):
    create_backup(data_dir, tmp_path / "backup", key)
    whole = (tmp_path / "backup").read_bytes()
    random = Random(7)
    damages = [b"", b"hello", whole[:100], whole[: len(whole) // 2], whole[:-1]]
    cut = len(damages)
    for _ in range(25):
        bits = bytearray(whole)
        bits[random.randrange(len(bits))] ^= 1 << random.randrange(8)
        damages.append(bytes(bits))
    refused = 0
    for place, damaged in enumerate(damages):
        other = tmp_path / f"other{place}"
        (tmp_path / "damaged").write_bytes(damaged)
        try:
            restore_backup(tmp_path / "damaged", other, key)
        except (BackupError, StorageError) as error:
            assert "\n" not in str(error)
            assert names_in(other) == ["switchboard.lock"]
            refused += 1
        else:  # a bit without meaning, of gzip's header or of a code that no byte uses
            assert place >= cut, "what is cut short is never restored"
            assert numbers_in(other) == {BERLIN, PARIS}
            assert session_of(other, BERLIN) == BERLIN.encode()
    assert refused > cut + 12, "about one bit in ten has no meaning, which ones differs from backup to backup"


@pytest.mark.parametrize("change", ["content", "missing", "added", "outside", "link"])
def test_what_its_manifest_does_not_say_is_refused(tmp_path, data_dir, change):
    create_backup(data_dir, tmp_path / "backup")
    folder = tmp_path / "unpacked"
    folder.mkdir()
    with tarfile.open(tmp_path / "backup") as archive:
        archive.extractall(folder, filter="data")
    name = "profiles/x/y"
    if change == "content":
        (folder / "names.key").write_bytes(b"k" * 32)
    elif change == "missing":
        (folder / "names.key").unlink()
    elif change == "added":
        write(folder / name)
    with tarfile.open(tmp_path / "changed", "w:gz") as archive:
        for path in folder.rglob("*"):
            if path.is_file():
                archive.add(path, path.relative_to(folder).as_posix())
        if change == "outside":
            archive.add(__file__, "profiles/../../../outside")
        elif change == "link":
            entry = tarfile.TarInfo("profiles/link")
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc"
            archive.addfile(entry)

    with pytest.raises(BackupError):
        restore_backup(tmp_path / "changed", tmp_path / "other")
    assert names_in(tmp_path / "other") == ["switchboard.lock"]
    assert not (tmp_path / "outside").exists()


def test_nothing_is_restored_over_anything(tmp_path, data_dir):
    create_backup(data_dir, tmp_path / "backup")
    before = numbers_in(data_dir)
    with pytest.raises(BackupError, match="is not empty"):
        restore_backup(tmp_path / "backup", data_dir)
    with lock_data_dir(tmp_path / "other"), pytest.raises(DataDirError, match="in use"):
        restore_backup(tmp_path / "backup", tmp_path / "other")
    assert numbers_in(data_dir) == before


@pytest.mark.parametrize("renames", range(5))
def test_one_that_was_killed_while_things_moved_to_their_place_begins_anew(tmp_path, data_dir, renames, caplog):
    create_backup(data_dir, tmp_path / "backup")
    other = tmp_path / "other"
    child = os.fork()
    if not child:
        done, rename, code = itertools.count(), Path.rename, 1
        Path.rename = lambda path, target: os._exit(9) if next(done) == renames else rename(path, target)
        try:
            restore_backup(tmp_path / "backup", other)
            code = 0
        finally:
            os._exit(code)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    if ended:
        assert names_in(other) != ["switchboard.lock"]
        if renames:
            with pytest.raises(DataDirError, match="is half restored"):
                refuse_half_restored(other)
        restore_backup(tmp_path / "backup", other)
        assert ("killed before it was complete" in caplog.text) == bool(renames)
    assert ended == (9 if renames < 4 else 0), "names.key, profiles and the database follow what is whole"
    refuse_half_restored(other)
    assert not (other / ".restoring").exists()
    assert numbers_in(other) == {BERLIN, PARIS}
    assert session_of(other, BERLIN) == BERLIN.encode()


def test_what_somebody_put_there_beside_a_killed_unpacking_stays(tmp_path, data_dir):
    create_backup(data_dir, tmp_path / "backup")
    write(tmp_path / "other/.restoring/new/names.key")
    write(tmp_path / "other/profiles/precious")
    with pytest.raises(BackupError, match="is not empty"):
        restore_backup(tmp_path / "backup", tmp_path / "other")
    assert (tmp_path / "other/profiles/precious").exists()


def test_a_newer_ones_database_is_refused_before_anything_is_there(tmp_path, data_dir):
    with closing(sqlite3.connect(data_dir / DATABASE)) as connection:
        connection.execute("PRAGMA user_version = 999")
        connection.commit()
    with pytest.raises(StorageError, match="newer version"):
        create_backup(data_dir, tmp_path / "backup")
    assert names_in(tmp_path) == ["data"]


def test_a_file_that_is_there_is_never_replaced(tmp_path, data_dir):
    (tmp_path / "backup").write_bytes(b"precious")
    with pytest.raises(BackupError, match="exists already"):
        create_backup(data_dir, tmp_path / "backup")
    assert (tmp_path / "backup").read_bytes() == b"precious"


@pytest.mark.parametrize("at", ["pack", "files_below", "copy_database", "copy_session", "sync_folder"])
def test_a_full_disk_leaves_no_file_of_that_name_and_nothing_else(tmp_path, data_dir, monkeypatch, at):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(create, at, full)
    with pytest.raises(BackupError, match="No space left") as error:
        create_backup(data_dir, tmp_path / "backup")
    assert error.value.errno == 28, "it passes once there is room"
    assert names_in(data_dir) == sorted({"names.key", "profiles", "run", DATABASE})
    assert [name for name in names_in(tmp_path) if name != "data"] == (["backup"] if at == "sync_folder" else [])


def test_what_was_written_wrongly_is_no_backup(tmp_path, data_dir, monkeypatch):
    pack = create.pack

    def bad_disk(folder, manifest, target, key):
        pack(folder, manifest, target, key)
        data = bytearray(target.read_bytes())
        data[len(data) // 2] ^= 0xFF
        target.write_bytes(data)

    monkeypatch.setattr(create, "pack", bad_disk)
    with pytest.raises(BackupError):
        create_backup(data_dir, tmp_path / "backup")
    assert names_in(tmp_path) == ["data"]


def test_a_wrong_key_is_said_before_anything_is_done(tmp_path, data_dir):
    with pytest.raises(VaultError, match="no age identity"):
        create_backup(data_dir, tmp_path / "backup", "hunter2")
    with pytest.raises(VaultError, match="no age identity"):
        restore_backup(tmp_path / "backup", tmp_path / "other", "hunter2")
    assert not (tmp_path / "other").exists()


# --- sessions that are in use -----------------------------------------------------------------------------------------


def test_a_log_that_grows_is_taken_as_long_as_it_was(tmp_path, data_dir):
    profile = Profile.of(data_dir, BERLIN)
    log = profile.folder / "Default" / "IndexedDB" / "https_web_0.leveldb" / "000003.log"
    stop = threading.Event()

    def grow():
        with log.open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(b"0123456789abcdef")

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        assert copy_session(profile, tmp_path / "copy")
    finally:
        stop.set()
        writer.join()
    copied = (tmp_path / "copy" / log.relative_to(profile.folder)).read_bytes()
    assert log.read_bytes().startswith(copied)


@pytest.mark.parametrize("change", ["rewritten", "new file", "removed"])
def test_a_copy_in_which_files_changed_is_made_again(tmp_path, data_dir, monkeypatch, change):
    profile = Profile.of(data_dir, BERLIN)
    database = profile.folder / "Default" / "IndexedDB" / "https_web_0.leveldb"
    copy, times = live_copy._copy, []

    def copy_while_it_changes(source, target, size):
        copy(source, target, size)
        if not times:
            times.append(1)
            if change == "rewritten":
                (database / "MANIFEST-000001").write_bytes(b"another one")
            elif change == "new file":
                write(database / "000007.ldb", b"moved here")
            else:
                (database / "MANIFEST-000001").unlink()

    monkeypatch.setattr(live_copy, "_copy", copy_while_it_changes)
    assert copy_session(profile, tmp_path / "copy")
    there = {path.name for path in (tmp_path / "copy").rglob("*") if path.is_file()}
    assert there == {path.name for path in database.iterdir() if path.name != "LOCK"} | {"CURRENT"}
    for path in database.iterdir():
        if path.name != "LOCK":
            assert next((tmp_path / "copy").rglob(path.name)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("has_copy", [True, False])
def test_a_session_that_never_rests_is_restored_from_its_saved_copy_or_named(tmp_path, data_dir, monkeypatch, has_copy):
    if has_copy:
        Vault(data_dir, KEY).save(Profile.of(data_dir, BERLIN))

    def busy(profile, target):
        if profile == Profile.of(data_dir, BERLIN):
            raise BusyProfileError("its browser wrote to it all the time")
        return copy_session(profile, target)

    monkeypatch.setattr(create, "copy_session", busy)
    made = create_backup(data_dir, tmp_path / "backup", KEY)
    restored = restore_backup(tmp_path / "backup", tmp_path / "other", KEY)

    assert made.missing == (() if has_copy else (BERLIN,))
    assert made.problem.startswith("the sessions of •••4567") is not has_copy
    assert restored.from_copies == has_copy
    assert session_of(tmp_path / "other", PARIS) == PARIS.encode()
    if has_copy:
        assert session_of(tmp_path / "other", BERLIN) == BERLIN.encode()


# --- by themselves ----------------------------------------------------------------------------------------------------


class FakeTroubles:
    def __init__(self):
        self.troubles = []
        self.standing = set()

    async def raise_trouble(self, reason, detail=""):
        self.troubles.append((reason, detail))
        self.standing.add(reason)

    async def clear_trouble(self, reason):
        if reason in self.standing:  # an end is reported only after a loss was
            self.standing.remove(reason)
            self.troubles.append((reason, "over"))


def scheduled(tmp_path, hours, make=None, standing=(), accounts=2):
    """Run the schedule for some hours. Returns the hours at which a backup was made, and the alerts."""
    told, at = FakeTroubles(), []
    told.standing.update(standing)

    async def main():
        loop = asyncio.get_running_loop()
        begun = loop.time()

        def create(_data_dir, target, _key, _is_given_up):
            if make is not None:
                make(len(at))
            at.append(round((loop.time() - begun) / 3600, 1))
            target.touch()
            return create_module.BackupReport(target, 1, False, accounts, ())

        clock = lambda: NOW + timedelta(seconds=loop.time() - begun)
        task = asyncio.create_task(BackupSchedule(tmp_path, tmp_path, None, told, clock=clock, create=create).run())
        await asyncio.sleep(hours * 3600)
        task.cancel()

    create_module = create
    run_virtual(main())
    return at, told.troubles


def test_one_is_made_each_day_and_a_week_is_kept(tmp_path):
    at, troubles = scheduled(tmp_path, 10 * 24 + 1)

    assert len(at) == 11
    assert all(23.9 < later - earlier < 25.1 for earlier, later in itertools.pairwise(at))
    assert len(backups_in(tmp_path)) == KEEP
    assert troubles == []


def test_one_without_accounts_replaces_none(tmp_path):
    scheduled(tmp_path, 10 * 24)
    before = [path.name for _, path in backups_in(tmp_path)]
    at, troubles = scheduled(tmp_path, 30 * 24, accounts=0)
    assert len(at) > 7
    assert [path.name for _, path in backups_in(tmp_path)] == before
    assert troubles == []


async def test_a_stop_waits_for_no_whole_backup(tmp_path, data_dir, monkeypatch):
    monkeypatch.setattr("switchboard.backup.schedule.FIRST_SECONDS", 0)
    begun, go_on, copied = threading.Event(), threading.Event(), []

    def slow(profile, target):
        copied.append(profile)
        begun.set()
        go_on.wait(10)
        return copy_session(profile, target)

    monkeypatch.setattr(create, "copy_session", slow)
    (tmp_path / "backups").mkdir()
    task = asyncio.create_task(BackupSchedule(data_dir, tmp_path / "backups", None, FakeTroubles()).run())
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    await asyncio.wait([task])
    go_on.set()
    await asyncio.get_running_loop().shutdown_default_executor()

    assert len(copied) == 1
    assert names_in(tmp_path / "backups") == []
    assert not list(data_dir.glob(".backup-*"))


def test_a_restart_makes_none_anew(tmp_path):
    (tmp_path / f"switchboard-{NOW - timedelta(hours=20):%Y%m%dT%H%M%SZ}.tar.gz").touch()
    at, _ = scheduled(tmp_path, 3)
    assert at == []
    at, _ = scheduled(tmp_path, 6)
    assert len(at) == 1


def test_one_that_fails_is_told_once_and_tried_again(tmp_path):
    tries = []

    def make(_):
        tries.append(1)
        if len(tries) < 4:
            raise BackupError("No space left on device")

    at, troubles = scheduled(tmp_path, 5, make)

    assert (len(tries), len(at)) == (4, 1)
    assert troubles == [(Trouble.BACKUP, "No space left on device"), (Trouble.BACKUP, "over")]


def test_one_that_failed_in_an_earlier_run_is_over_with_the_next_whole_one(tmp_path):
    at, troubles = scheduled(tmp_path, 1, standing=[Trouble.BACKUP])
    assert len(at) == 1
    assert troubles == [(Trouble.BACKUP, "over")]


def test_backups_of_the_future_go_first_and_strange_files_stay(tmp_path):
    (tmp_path / "notes.txt").touch()
    for day in range(KEEP):
        (tmp_path / f"switchboard-209901{day + 1:02}T000000Z.tar.gz").touch()
    (tmp_path / f"switchboard-{NOW:%Y%m%dT%H%M%SZ}.tar.gz.age").touch()
    remove_old(tmp_path, NOW)
    assert (tmp_path / f"switchboard-{NOW:%Y%m%dT%H%M%SZ}.tar.gz.age").exists()
    assert (tmp_path / "notes.txt").exists()
    assert len(backups_in(tmp_path)) == KEEP


# --- as commands ------------------------------------------------------------------------------------------------------


def command(tmp_path, *args, **settings):
    env = {"PYTHONPATH": str(ROOT)} | settings
    done = subprocess.run(
        [sys.executable, "-m", "switchboard", *args],
        env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_the_commands(tmp_path, data_dir):
    here, there = {"DATA_DIR": str(data_dir), "PROFILE_KEY": KEY}, {"DATA_DIR": "other", "PROFILE_KEY": KEY}
    with lock_data_dir(data_dir):  # as while it runs
        code, out, problem = command(tmp_path, "backup", "backup.tar.gz.age", **here)
    assert (code, problem) == (0, "")
    assert "2 accounts" in out
    assert "encrypted; read back and compared" in out
    code, out, problem = command(tmp_path, "restore-backup", "backup.tar.gz.age", **there)
    assert (code, problem) == (0, "")
    assert out.startswith("Restored 2 accounts")
    assert session_of(tmp_path / "other", BERLIN) == BERLIN.encode()


def test_what_is_wrong_is_one_line_and_code_2(tmp_path, data_dir):
    (tmp_path / "text").write_text("hello")
    (tmp_path / "there").touch()
    here, there = {"DATA_DIR": str(data_dir)}, {"DATA_DIR": "other"}
    for args, settings, why in (
        (("backup", "there"), here, "exists already"),
        (("backup", "no/such/folder"), here, "is no folder"),
        (("backup", "x"), there, "nothing to back up"),
        (("restore-backup", "text"), there, "no backup of Switchboard"),
        (("restore-backup", "nothing"), there, "no such file"),
        (("restore-backup", "."), there, "Is a directory"),
        (("restore-backup", "text"), here, "is not empty"),
    ):
        code, out, problem = command(tmp_path, *args, **settings)
        assert (code, out) == (2, "")
        assert why in problem
        assert problem.count("\n") == 1


def test_a_backup_that_lacks_a_session_says_so_and_is_worth_another_try(tmp_path, data_dir):
    shutil.rmtree(Profile.of(data_dir, PARIS).folder)
    code, out, problem = command(tmp_path, "backup", "backup", DATA_DIR=str(data_dir))
    assert code == 75
    assert "•••5678" in problem
    assert PARIS not in out + problem


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_it_is_made_by_the_user_whose_data_it_is(tmp_path, data_dir):
    os.chown(data_dir, 12345, 12345)
    with pytest.raises(BackupError, match="belongs to uid 12345"):
        create_backup(data_dir, tmp_path / "backup")


def test_unpacking_by_hand_says_the_same(tmp_path, data_dir):
    create_backup(data_dir, tmp_path / "backup")
    with gzip.open(tmp_path / "backup") as file:
        assert file.read(1)
    (tmp_path / "folder").mkdir()
    assert unpack(tmp_path / "backup", tmp_path / "folder", None).accounts == 2


async def test_where_no_backups_are_made_any_more_what_was_reported_of_them_is_over():
    cleared = []

    class Told:
        async def raise_trouble(self, reason, detail=""):
            raise AssertionError

        async def clear_trouble(self, reason):
            cleared.append(reason)

    await app._scheduled(None, Told())
    assert cleared == [Trouble.BACKUP]


def test_what_a_killed_run_left_unfinished_goes_with_the_old_ones(tmp_path):
    write(tmp_path / ".switchboard-20250401T120000Z.tar.gz.age.0123abcd.part")
    write(tmp_path / ".another.0123abcd.part")
    remove_old(tmp_path, NOW)
    assert names_in(tmp_path) == [".another.0123abcd.part"]


@pytest.fixture
def main_here(monkeypatch):
    """Run a command in this process, whose log and umask stay as they are."""
    monkeypatch.setattr("switchboard.__main__.set_up_logging", lambda *_, **__: None)
    monkeypatch.setattr(os, "umask", lambda _: 0o077)
    return main


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_the_command_and_leaves_nothing(tmp_path, data_dir, monkeypatch, main_here, capfd, number):
    def pack_until(folder, manifest, target, key):
        write(target)
        signal.raise_signal(number)

    monkeypatch.setattr(create, "pack", pack_until)
    monkeypatch.setenv("DATA_DIR", str(data_dir))
    monkeypatch.chdir(tmp_path)
    before = names_in(data_dir)
    assert main_here(["backup", str(tmp_path / "backup")]) == 75
    assert capfd.readouterr().err == f"{number.name}: interrupted\n"
    assert names_in(tmp_path) == ["data"]
    assert set(names_in(data_dir)) - set(before) <= {"switchboard.lock", "names.key", "run"}
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize(
    ("error", "transient"),
    [(sqlite3.OperationalError("database or disk is full"), True), (OSError(errno.ENOSPC, "No space left"), True)],
)
def test_a_copy_that_time_may_mend_says_so(tmp_path, data_dir, monkeypatch, error, transient):
    if isinstance(error, sqlite3.Error):
        error.sqlite_errorcode = sqlite3.SQLITE_FULL

    def refused(*_, **__):
        raise error

    monkeypatch.setattr(sqlite3, "connect", refused)
    with pytest.raises(StorageError) as told:
        copy_database(data_dir / DATABASE, tmp_path / "copy")
    assert told.value.transient is transient


def test_a_chat_is_told_no_path_of_the_server(tmp_path):
    def make(_):
        raise StorageError(f"{tmp_path}/switchboard.sqlite: disk I/O error")

    _, troubles = scheduled(tmp_path, 1, make)
    assert troubles == [(Trouble.BACKUP, "BACKUP_DIR/switchboard.sqlite: disk I/O error")]


def test_its_folder_is_made_and_one_without_a_parent_is_named_without_its_path(tmp_path):
    at, troubles = scheduled(tmp_path / "backups", 1)
    assert (len(at), troubles) == (1, [])
    assert stat.S_IMODE((tmp_path / "backups").stat().st_mode) == 0o700
    at, troubles = scheduled(tmp_path / "no" / "backups", 1)
    assert (at, troubles) == ([], [(Trouble.BACKUP, "BACKUP_DIR: No such file or directory")])
