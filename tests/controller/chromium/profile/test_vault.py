"""Saved profiles are restored unchanged, are encrypted if a key is set, and survive every failure."""

import fcntl
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from controller.chromium.chromium_driver import ChromiumDriver, ChromiumOptions
from controller.chromium.profile.profile import Profile
from controller.chromium.profile.vault import KEEP, Vault, VaultError, new_key
from switchboard.data_dir import lock_data_dir

ROOT = Path(__file__).resolve().parents[4]
SECRET = b"the session's key" * 1000


@pytest.fixture
def profile(tmp_path):
    profile = Profile.of(tmp_path, "+491511234567")
    profile.prepare()
    default = profile.folder / "Default"
    for name in ("IndexedDB", "Local Storage", "Cache"):
        (default / name / "deep").mkdir(parents=True)
        (default / name / "deep" / "000003.log").write_bytes(SECRET)
    (default / "Network").mkdir()
    (default / "Network" / "Cookies").write_bytes(SECRET)
    return profile


def restored(profile):
    return {
        str(file.relative_to(profile.folder)): file.read_bytes() for file in profile.folder.rglob("*") if file.is_file()
    }


KEPT = {
    "Default/IndexedDB/deep/000003.log": SECRET,
    "Default/Local Storage/deep/000003.log": SECRET,
    "Default/Network/Cookies": SECRET,
}


@pytest.mark.parametrize("key", [None, new_key()], ids=["plain", "encrypted"])
def test_a_copy_restores_what_a_session_needs_and_moves_the_present_aside(tmp_path, profile, key):
    vault = Vault(tmp_path, key)
    copy = vault.save(profile)
    assert copy == vault.copies(profile)[0]
    assert stat.S_IMODE(copy.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(copy.path.parent.stat().st_mode) == 0o700
    assert copy.is_encrypted == (key is not None)
    (profile.folder / "Default" / "IndexedDB" / "deep" / "000003.log").write_bytes(b"broken")
    aside = vault.restore(profile, copy)
    assert restored(profile) == KEPT
    assert stat.S_IMODE(profile.folder.stat().st_mode) == 0o700
    if key is None:
        assert (aside / "Default" / "IndexedDB" / "deep" / "000003.log").read_bytes() == b"broken"
    else:  # as an encrypted copy that only its name brings back
        assert [path.name for path in profile.folder.parent.iterdir()] == [profile.name]
        assert aside.read_bytes().startswith(b"age-encryption.org/")
        assert vault.copies(profile) == [copy]
        vault.restore(profile, vault.find(profile, aside.name.partition(".tar")[0]))
        assert restored(profile)["Default/IndexedDB/deep/000003.log"] == b"broken"


def test_copies_that_are_older_than_their_key_are_encrypted(tmp_path, profile):
    older, key = Vault(tmp_path).save(profile), new_key()
    vault = Vault(tmp_path, key)
    assert vault.encrypt(profile) == 1
    assert vault.encrypt(profile) == 0
    (copy,) = vault.copies(profile)
    assert (copy.name, copy.is_encrypted, copy.at) == (older.name, True, older.at)
    assert [path.name for path in profile.saved.iterdir()] == [copy.path.name]
    assert stat.S_IMODE(copy.path.stat().st_mode) == 0o600
    vault.restore(profile, copy)
    assert restored(profile) == KEPT


def test_a_copy_that_cannot_be_encrypted_stays_as_it_is(tmp_path, profile, monkeypatch):
    older = Vault(tmp_path).save(profile)
    vault = Vault(tmp_path, new_key())

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("controller.chromium.profile.vault.pyrage.encrypt_io", full)
    with pytest.raises(VaultError, match="No space left"):
        vault.encrypt(profile)
    assert list(profile.saved.iterdir()) == [older.path]


def test_a_copy_restores_where_nothing_is_left(tmp_path, profile):
    vault = Vault(tmp_path)
    copy = vault.save(profile)
    profile.folder.rename(tmp_path / "lost")
    assert vault.restore(profile, copy) is None
    assert restored(profile) == KEPT


def test_an_encrypted_copy_holds_nothing_readable_and_needs_its_key(tmp_path, profile):
    copy = Vault(tmp_path, new_key()).save(profile)
    data = copy.path.read_bytes()
    assert data.startswith(b"age-encryption.org/")
    assert b"000003.log" not in data
    before = restored(profile)
    for wrong, why in ((None, "PROFILE_KEY is needed"), (new_key(), "could not be restored")):
        with pytest.raises(VaultError, match=why):
            Vault(tmp_path, wrong).restore(profile, copy)
    assert restored(profile) == before


def test_a_broken_copy_leaves_the_profile_in_its_place(tmp_path, profile):
    vault = Vault(tmp_path)
    copy = vault.save(profile)
    copy.path.write_bytes(copy.path.read_bytes()[:200])
    before = restored(profile)
    with pytest.raises(VaultError, match="could not be restored"):
        vault.restore(profile, copy)
    assert restored(profile) == before
    assert sorted(path.name for path in profile.folder.parent.iterdir()) == [profile.name]


@pytest.mark.parametrize("key", [None, new_key()], ids=["plain", "encrypted"])
def test_a_copy_with_one_wrong_bit_is_refused_or_harmless(tmp_path, profile, key):
    (profile.folder / "Default" / "IndexedDB" / "deep" / "000004.ldb").write_bytes(Random(1).randbytes(100_000))
    wanted = restored(profile) | KEPT
    del wanted["Default/Cache/deep/000003.log"]
    vault = Vault(tmp_path, key)
    copy = vault.save(profile)
    whole = copy.path.read_bytes()
    refused = 0
    for at in range(0, len(whole) * 8, len(whole) * 8 // 40):
        damaged = bytearray(whole)
        damaged[at // 8] ^= 1 << at % 8
        copy.path.write_bytes(damaged)
        before = restored(profile)
        try:
            vault.restore(profile, copy)
        except VaultError as error:
            assert str(error).startswith("the copy could not be restored: ")
            assert restored(profile) == before
            refused += 1
        else:
            assert restored(profile) == wanted
    assert refused > 30


def test_the_profile_is_put_back_where_the_copy_cannot_take_its_place(tmp_path, profile, monkeypatch):
    vault = Vault(tmp_path)
    copy = vault.save(profile)
    before, rename = restored(profile), Path.rename

    def refuse(path, to):
        if path.name.endswith(".restoring"):
            raise OSError(28, "No space left on device")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(VaultError, match="No space left"):
        vault.restore(profile, copy)
    assert restored(profile) == before
    assert [path.name for path in profile.folder.parent.iterdir()] == [profile.name]


def test_only_the_newest_copies_are_kept(tmp_path, profile):
    vault = Vault(tmp_path)
    made = [vault.save(profile) for _ in range(KEEP + 2)]
    assert [copy.path for copy in vault.copies(profile)] == [copy.path for copy in reversed(made[-KEEP:])]


def test_copies_of_the_future_go_first_and_the_one_just_made_stays(tmp_path, profile):
    vault = Vault(tmp_path)
    for year in range(2101, 2101 + KEEP):
        vault.save(profile).path.rename(tmp_path / "saved" / profile.name / f"{year}0101T000000.000000Z.tar.gz")
    made = [vault.save(profile) for _ in range(KEEP - 1)]
    assert [copy for copy in vault.copies(profile) if copy.at.year < 2101] == made[::-1]
    assert [copy.at.year for copy in vault.copies(profile)[: 1 - KEEP]] == [2100 + KEEP]
    made.append(vault.save(profile))
    assert vault.copies(profile) == made[::-1]


@pytest.mark.parametrize(("ages", "due"), [([0.5], False), ([1.5], True), ([-365], True), ([-365, 0.5], False)])
def test_a_session_is_saved_each_day_by_copies_of_the_past_alone(tmp_path, profile, ages, due):
    vault = Vault(tmp_path)
    for age in ages:
        at = datetime.now(UTC) - timedelta(days=age)
        vault.save(profile).path.rename(tmp_path / "saved" / profile.name / f"{at:%Y%m%dT%H%M%S.%fZ}.tar.gz")
    profile.put_stamp("1.2.3.4")
    profile.mark_clean()
    ChromiumDriver(ChromiumOptions(page_url="", data_dir=tmp_path))._save_if_due(profile, "1.2.3.4")
    assert len(vault.copies(profile)) == len(ages) + due


def test_a_failed_save_leaves_no_file_and_the_copies_before(tmp_path, profile, monkeypatch):
    vault = Vault(tmp_path)
    first = vault.save(profile)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("controller.chromium.profile.vault.shutil.copyfileobj", full)
    with pytest.raises(VaultError, match="No space left"):
        vault.save(profile)
    assert list(first.path.parent.iterdir()) == [first.path]


def test_what_a_killed_save_has_left_is_removed_by_the_next(tmp_path, profile):
    vault = Vault(tmp_path, new_key())
    left = vault.save(profile).path.with_name(".20250101T000000.000000Z.tar.gz.new")
    left.write_bytes(SECRET)
    vault.save(profile)
    assert not left.exists()
    assert len(list(left.parent.iterdir())) == 2


def test_a_profile_that_holds_no_session_is_not_saved(tmp_path):
    profile = Profile.of(tmp_path, "+491511234567")
    profile.prepare()
    assert Vault(tmp_path).save(profile) is None
    assert Vault(tmp_path).copies(profile) == []


def test_a_wrong_key_is_one_clear_line(tmp_path):
    with pytest.raises(VaultError, match="PROFILE_KEY is no age identity"):
        Vault(tmp_path, "hunter2")


def test_an_open_profile_is_not_replaced(tmp_path, profile):
    vault = Vault(tmp_path)
    copy = vault.save(profile)
    with profile.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(VaultError, match="suspend the account first"):
            vault.restore(profile, copy)


def run(tmp_path, *args, **settings):
    env = {"PYTHONPATH": str(ROOT), "DATA_DIR": str(tmp_path)} | settings
    command = [sys.executable, "-m", "switchboard", *args]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_the_commands_for_saved_profiles(tmp_path, profile):
    code, key, _ = run(tmp_path, "new-key")
    assert (code, key[:16]) == (0, "AGE-SECRET-KEY-1")
    assert run(tmp_path, "saved", "+491511234567")[1] == "No copy of +491511234567 is saved.\n"
    assert run(tmp_path, "restore", "+491511234567") == (2, "", "no copy of this account is saved\n")
    vault = Vault(tmp_path, key)
    older, newer = vault.save(profile), vault.save(profile)
    code, out, _ = run(tmp_path, "saved", "+491511234567", PROFILE_KEY=key)
    assert [line.split("  ")[0] for line in out.splitlines()] == [newer.name, older.name]
    assert "encrypted" in out
    code, out, _ = run(tmp_path, "restore", "+491511234567", older.name, PROFILE_KEY=key)
    assert (code, out.startswith("Restored +491511234567")) == (0, True)
    assert restored(profile) == KEPT
    assert run(tmp_path, "restore", "+491511234567")[2].startswith("the copy is encrypted")
    assert run(tmp_path, "restore", "+491511234567", "nonsense")[2] == "no copy nonsense of this account is saved\n"
    assert run(tmp_path, "saved", "../../etc")[0] == 2


def test_nothing_is_restored_under_a_running_program(tmp_path, profile):
    Vault(tmp_path).save(profile)
    with lock_data_dir(tmp_path):
        code, _, problem = run(tmp_path, "restore", "+491511234567")
    assert (code, problem.count("\n")) == (75, 1)
    assert "in use by another Switchboard" in problem
