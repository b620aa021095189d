"""Profile names reveal nothing about a number; what earlier versions named by number is renamed once."""

import asyncio
import fcntl
import stat
import subprocess
import sys

import psutil
import pytest

from controller.accounts.reports import Code, Ready
from controller.chromium.profile.names import KEY_FILE, NAME, ProfileError, name_of
from controller.chromium.profile.numbered import rename_numbered, rename_unused
from controller.chromium.profile.profile import Profile
from controller.driver import DriverError
from tests.controller.chromium.conftest import ACCOUNT
from tests.e2e.secrets import everything, words_of

DIGITS = ACCOUNT.removeprefix("+")


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_text(errors="replace") if path.is_file() else None
        for path in folder.rglob("*")
    }


def write(path, text="x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def of_earlier_version(tmp_path):
    """A DATA_DIR in which everything is called by the account's number."""
    write(tmp_path / "profiles" / DIGITS / "Default" / "IndexedDB" / "1.log", "the session")
    write(tmp_path / "profiles" / f".{DIGITS}.before-20250101T000000.000000Z" / "Default" / "x", "before")
    write(tmp_path / "profiles" / f".{DIGITS}.restoring" / "x")
    write(tmp_path / "saved" / DIGITS / "20250102T000000.000000Z.tar.gz", "a copy")
    for kind in ("lock", "clean", "json", "new", "0123456789abcdef.sh"):
        write(tmp_path / "run" / f"{DIGITS}.{kind}", "")
    write(tmp_path / "run" / "playwright.0123abcd.json")
    return tmp_path


def test_a_name_is_stable_differs_by_account_and_host_and_holds_no_digit(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    name = name_of(here, DIGITS)

    assert name == name_of(here, DIGITS)
    assert len({name, name_of(here, DIGITS[:-1]), name_of(there, DIGITS)}) == 3
    assert NAME.fullmatch(name)
    assert stat.S_IMODE((here / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in here.iterdir()] == [KEY_FILE]


@pytest.mark.parametrize("damage", ["missing", "empty"])
def test_profiles_are_not_made_anew_where_the_secret_of_their_names_is_lost(tmp_path, damage):
    Profile.of(tmp_path, ACCOUNT).prepare()
    (tmp_path / KEY_FILE).unlink()
    if damage == "empty":
        (tmp_path / KEY_FILE).touch()

    with pytest.raises(ProfileError, match="put it back from a backup"):
        Profile.of(tmp_path, ACCOUNT)


async def test_what_is_called_by_a_number_is_renamed_once(of_earlier_version):
    assert await rename_numbered(of_earlier_version) == 1
    assert await rename_numbered(of_earlier_version) == 0

    profile = Profile.of(of_earlier_version, ACCOUNT)
    found = tree(of_earlier_version)
    assert not [path for path in found if DIGITS in path]
    assert found[f"profiles/{profile.name}/Default/IndexedDB/1.log"] == "the session"
    assert found[f"profiles/.{profile.name}.before-20250101T000000.000000Z/Default/x"] == "before"
    assert found[f"saved/{profile.name}/20250102T000000.000000Z.tar.gz"] == "a copy"
    assert {path for path in found if path.startswith("run/")} == {
        "run/playwright.0123abcd.json", f"run/{profile.name}.clean",
    }  # fmt: skip


async def test_a_profile_that_an_earlier_version_made_since_is_the_newer_one(of_earlier_version):
    profile = Profile.of(of_earlier_version, ACCOUNT)
    write(profile.folder / "Default" / "IndexedDB" / "1.log", "older")
    write(profile.saved / "20250101T000000.000000Z.tar.gz", "an older copy")

    assert await rename_numbered(of_earlier_version) == 1

    asides = profile.folder.parent.glob(f".{profile.name}.before-*")
    assert (profile.folder / "Default" / "IndexedDB" / "1.log").read_text() == "the session"
    assert "older" in [tree(aside).get("Default/IndexedDB/1.log") for aside in asides]
    assert len(list(profile.saved.iterdir())) == 2


async def test_a_browser_that_somebody_else_has_open_on_it_is_respected(of_earlier_version):
    folder = of_earlier_version / "profiles" / DIGITS
    somebodys = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "print(flush=True); import time; time.sleep(60)", f"--user-data-dir={folder}",
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert somebodys.stdout is not None
        await somebodys.stdout.readline()
        with pytest.raises(DriverError, match=f"profile in use by process {somebodys.pid}"):
            await rename_numbered(of_earlier_version)
    finally:
        somebodys.kill()
        await somebodys.wait()
    assert folder.is_dir()


def test_commands_leave_what_is_locked(of_earlier_version):
    with (of_earlier_version / "run" / f"{DIGITS}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert rename_unused(of_earlier_version) == 0
    assert rename_unused(of_earlier_version) == 1


@pytest.mark.chromium
async def test_a_session_lives_on_under_its_new_name_and_no_process_shows_the_number(rig, stand_in):
    session = await rig.linked(stand_in)
    await session.close()
    profile = Profile.of(rig.data_dir, ACCOUNT)
    profile.folder.rename(profile.folder.with_name(DIGITS))  # as an earlier version left it
    await rig.driver.end_orphans()

    before = len(rig.reports)
    await rig.open(ACCOUNT)
    await rig.seen(Ready, after=before)

    assert not [report for report in rig.reports[before:] if isinstance(report, Code)]
    family = psutil.Process().children(recursive=True)
    assert family
    assert not [words for each in family for words in words_of(each) if DIGITS in words]
    assert not [path for path in everything(rig.data_dir) if DIGITS in path.name]
