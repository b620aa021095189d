"""Creates a backup of a DATA_DIR, even of a running program, and verifies it before it gets its name.

Everything is collected in a folder of DATA_DIR (same disk, private), packed beside the target, unpacked
again, compared, and renamed: a file with the target's name is complete.
"""

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path

from controller.accounts.e164 import mask
from controller.chromium.profile.live_copy import BusyProfileError, copy_session
from controller.chromium.profile.names import KEY_FILE, sync_folder
from controller.chromium.profile.profile import Profile
from controller.chromium.profile.vault import Vault, read_key
from handlers.texts.vocabulary import count
from storage.online_copy import accounts_in, check_copy, copy_database
from switchboard.backup.archive import FORMAT, BackupError, Manifest, files_below, pack, unpack

DATABASE = "switchboard.sqlite"

_WORK = ".backup-"
_ABANDONED_SECONDS = 86400.0


@dataclass(frozen=True, slots=True)
class BackupReport:
    """A backup that was created and verified. size: bytes."""

    path: Path
    size: int
    is_encrypted: bool
    accounts: int
    missing: tuple[str, ...]

    @property
    def summary(self) -> str:
        """Its contents, in one line for people."""
        how = "encrypted" if self.is_encrypted else "not encrypted: PROFILE_KEY is not set"
        return (
            f"{self.path}: {count(self.accounts, 'account')}, {self.size / 1e6:.1f} MB, {how}; read back and compared"
        )

    @property
    def problem(self) -> str:
        """Which sessions are not included, in one line; "" for none."""
        if not self.missing:
            return ""
        numbers = ", ".join(mask(number) for number in self.missing)
        return f"the sessions of {numbers} could not be copied, and would need a new code after a restore: try again"


def create_backup(
    data_dir: Path, target: Path, key: str | None = None, is_given_up: Callable[[], bool] = lambda: False
) -> BackupReport:
    """Back DATA_DIR up to a new file. Blocking. Raises BackupError, StorageError, ProfileError or OSError.

    is_given_up: polled between accounts and steps, so that a stopping program need not wait for completion.
    """
    read_key(key)
    data_dir, target = data_dir.absolute(), target.absolute()
    _refuse(data_dir, target)
    _remove_abandoned(data_dir)
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    work = Path(tempfile.mkdtemp(dir=data_dir, prefix=_WORK))
    try:
        manifest = _gather(data_dir, work / "new", is_given_up)
        pack(work / "new", manifest, part, key)
        _refuse_given_up(is_given_up)
        _read_back(part, work / "back", manifest, key)
        part.rename(target)
        sync_folder(target.parent)
    except BackupError:
        raise
    except OSError as error:
        if error.strerror is None:
            raise  # ours, so it is a line for people already
        raise BackupError(f"{target}: no backup was made: {error.strerror}", error.errno) from error
    finally:
        with suppress(OSError):
            part.unlink()
        shutil.rmtree(work, ignore_errors=True)
    return BackupReport(target, target.stat().st_size, key is not None, manifest.accounts, manifest.missing)


def _refuse(data_dir: Path, target: Path) -> None:
    if not (data_dir / DATABASE).is_file():
        raise BackupError(f"DATA_DIR {data_dir} holds no {DATABASE}: there is nothing to back up")
    owners = {data_dir.stat().st_uid, (data_dir / DATABASE).stat().st_uid} - {os.geteuid(), 0}
    if not owners and (data_dir / DATABASE).stat().st_uid != os.geteuid():
        owners = {0}  # a volume that is root's may hold our database, and not the other way round
    if owners:
        raise BackupError(f"DATA_DIR {data_dir} belongs to uid {min(owners)}: make the backup as that user")
    if target.exists():
        raise BackupError(f"{target} exists already: a backup never replaces a file")
    if not target.parent.is_dir():
        raise BackupError(f"{target.parent} is no folder")


def _remove_abandoned(data_dir: Path) -> None:
    """Delete the remains of a backup that was killed."""
    for path in data_dir.glob(f"{_WORK}*"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


def _refuse_given_up(is_given_up: Callable[[], bool]) -> None:
    if is_given_up():
        raise BackupError("given up: the program stops")


def _gather(data_dir: Path, folder: Path, is_given_up: Callable[[], bool]) -> Manifest:
    """Collect the backup's contents in a new folder."""
    folder.mkdir(mode=0o700)
    copy_database(data_dir / DATABASE, folder / DATABASE)
    accounts = accounts_in(folder / DATABASE)
    without = []
    for number in accounts:
        _refuse_given_up(is_given_up)
        if not _gather_account(data_dir, number, folder):
            without.append(number)
    missing = tuple(number for number in without if accounts[number])
    if accounts:
        shutil.copyfile(data_dir / KEY_FILE, folder / KEY_FILE)
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    return Manifest(FORMAT, _version(), made_at, len(accounts), missing, files_below(folder))


def _gather_account(data_dir: Path, number: str, folder: Path) -> bool:
    """Copy an account's session and its latest saved copy. Returns whether there is either."""
    profile = Profile.of(data_dir, number)
    has_copy = _gather_saved(data_dir, profile, folder)
    try:
        return copy_session(profile, folder / "profiles" / profile.name) or has_copy
    except BusyProfileError:
        return has_copy


def _gather_saved(data_dir: Path, profile: Profile, folder: Path) -> bool:
    for copy in Vault(data_dir).copies(profile):
        target = folder / "saved" / profile.name / copy.path.name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # it was the oldest, and has just been replaced by a newer one
            shutil.copyfile(copy.path, target)
            return True
    return False


def _read_back(part: Path, folder: Path, manifest: Manifest, key: str | None) -> None:
    folder.mkdir(mode=0o700)
    if unpack(part, folder, key) != manifest:
        raise BackupError("what was written could not be read back")
    check_copy(folder / DATABASE)


def _version() -> str:
    try:
        return version_of("switchboard")
    except PackageNotFoundError:
        return "unknown"
