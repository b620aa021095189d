"""What is no longer needed is deleted in time; what a known account uses never is."""

import fcntl
import os
from datetime import UTC, datetime, timedelta

import pytest

from controller.chromium.profile.profile import TIME, Profile
from controller.chromium.profile.tidy import ASIDE_DAYS, ASIDE_KEPT, UNUSED_DAYS, tidy
from controller.chromium.profile.vault import Vault, new_key

OURS, GONE = "+491511234567", "+33612345678"
NOW = datetime.now(UTC)


def used(data_dir, number, days_ago):
    """A profile with a session and a copy, last used so many days ago."""
    profile = Profile.of(data_dir, number)
    profile.prepare()
    (profile.folder / "Default" / "IndexedDB").mkdir(parents=True)
    (profile.folder / "Default" / "IndexedDB" / "1.log").write_text("keys")
    Vault(data_dir).save(profile)
    profile.lock.touch()
    at = (NOW - timedelta(days=days_ago)).timestamp()
    for folder in (profile.folder, profile.saved):
        for path in (*folder.rglob("*"), folder):
            os.utime(path, (at, at))
    os.utime(profile.lock, (at, at))
    return profile


def put_aside(profile, ago):
    aside = profile.aside(f"{NOW - ago:{TIME}}")
    (aside / "Default" / "IndexedDB").mkdir(parents=True)
    (aside / "Default" / "IndexedDB" / "1.log").write_text("before")
    return aside


@pytest.mark.parametrize(("days", "stays"), [(UNUSED_DAYS - 1, True), (UNUSED_DAYS + 1, False)])
def test_what_no_account_refers_to_is_removed_after_its_time(tmp_path, days, stays):
    ours, gone = used(tmp_path, OURS, 400), used(tmp_path, GONE, days)
    tidy(tmp_path, Vault(tmp_path), [OURS], NOW)
    tidy(tmp_path, Vault(tmp_path), [OURS], NOW)  # the files about a profile go once it is gone
    assert [gone.folder.exists(), gone.saved.exists(), gone.lock.exists()] == [stays] * 3
    assert all(path.exists() for path in (ours.folder, ours.saved, ours.lock))


def test_what_a_browser_has_open_stays_whoever_it_belongs_to(tmp_path):
    gone = used(tmp_path, GONE, 400)
    used(tmp_path, OURS, 0)
    with gone.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        tidy(tmp_path, Vault(tmp_path), [OURS], NOW)
        assert gone.folder.exists()


@pytest.mark.parametrize("accounts", [[], ["+4915100000000"]])
def test_where_no_session_is_an_accounts_none_is_deleted(tmp_path, accounts):
    """The database was copied without its -wal file, or names.key is another one: all would be gone at once."""
    profiles = [used(tmp_path, number, 400) for number in (OURS, GONE)]
    assert tidy(tmp_path, Vault(tmp_path), accounts, NOW) == 2
    assert all(profile.folder.exists() and profile.saved.exists() for profile in profiles)
    assert tidy(tmp_path, Vault(tmp_path), [OURS], NOW) == 0
    assert [profile.folder.exists() for profile in profiles] == [True, False]


def test_what_restores_set_aside_is_kept_for_a_week_and_the_newest_alone(tmp_path):
    profile = used(tmp_path, OURS, 0)
    many = [put_aside(profile, timedelta(hours=hour)) for hour in range(1, 6)]
    old = put_aside(Profile.of(tmp_path, GONE), timedelta(days=ASIDE_DAYS + 1))
    tidy(tmp_path, Vault(tmp_path), [OURS], NOW)
    assert [aside.exists() for aside in many] == [place < ASIDE_KEPT for place in range(5)]
    assert not old.exists()


def test_a_key_that_comes_later_covers_what_is_there(tmp_path):
    profile = used(tmp_path, OURS, 0)
    aside, fresh = put_aside(profile, timedelta(hours=1)), put_aside(profile, timedelta(seconds=1))
    vault = Vault(tmp_path, new_key())
    tidy(tmp_path, vault, [OURS], NOW)
    assert {path.name.endswith(".tar.gz.age") for path in profile.saved.iterdir()} == {True}
    assert not aside.exists()
    assert fresh.exists(), "a restore may be at it"
    undone = vault.find(profile, f"before-{NOW - timedelta(hours=1):{TIME}}")
    vault.restore(profile, undone)
    assert (profile.folder / "Default" / "IndexedDB" / "1.log").read_text() == "before"
    tidy(tmp_path, vault, [OURS], NOW + timedelta(days=ASIDE_DAYS + 1))
    assert not [path for path in profile.saved.iterdir() if path.name.startswith("before-")]
