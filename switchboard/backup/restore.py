"""Restores a backup into an empty DATA_DIR: completely and verified, or not at all."""

import logging
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from controller.chromium.profile.names import ProfileError, sync_folder
from controller.chromium.profile.profile import Profile
from controller.chromium.profile.vault import Vault, read_key
from handlers.texts.vocabulary import count
from storage.online_copy import check_copy
from switchboard.backup.archive import BackupError, Manifest, unpack
from switchboard.backup.create import DATABASE
from switchboard.data_dir import DataDirError, lock_data_dir

log = logging.getLogger(__name__)

_WORK = ".restoring"
_MOVING = "moving"
"""What the unpacked backup is called, once it is complete, while it moves to its place."""
_NOT_DATA = {"switchboard.lock", "lost+found", _WORK}
_ORDER = ("names.key", "saved", "profiles", DATABASE)
"""The database comes last: without it, a DATA_DIR has no accounts."""


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """The result of a restore. from_copies: accounts whose session came from an older saved copy."""

    manifest: Manifest
    from_copies: int

    @property
    def summary(self) -> str:
        """What was restored, in a few words for people."""
        older = f" {self.from_copies} of them from older saved copies." if self.from_copies else ""
        return (
            f"Restored {count(self.manifest.accounts, 'account')} as of {self.manifest.made_at}, read back and"
            f" compared.{older}"
            " Make sure that the program it was made of is stopped for good before you start this one:"
            " two of them end each other’s sessions."
        )


def restore_backup(source: Path, data_dir: Path, key: str | None = None) -> RestoreReport:
    """Restore a backup into an empty DATA_DIR. Blocking.

    Raises BackupError, DataDirError, StorageError or ProfileError, leaving DATA_DIR as empty as it was. What one that
    was killed has left is removed.
    """
    read_key(key)
    source, data_dir = source.absolute(), data_dir.absolute()
    with lock_data_dir(data_dir):
        if _is_half_restored(data_dir):
            log.warning("An earlier restore was killed before it was complete: what it left is removed")
            _undo(data_dir)
        there = sorted(path.name for path in data_dir.iterdir() if path.name not in _NOT_DATA)
        if there:
            raise BackupError(f"DATA_DIR {data_dir} is not empty (it holds {there[0]}): restore into an empty one")
        work = data_dir / _WORK
        shutil.rmtree(work, ignore_errors=True)
        try:
            (work / "new").mkdir(mode=0o700, parents=True)
            manifest = unpack(source, work / "new", key)
            _check(source, work / "new")
            _close_to_others(work / "new")
            from_copies = _complete(work / "new", key)
            moving = (work / "new").rename(work / _MOVING)
            sync_folder(work)
            for name in _ORDER:
                if (moving / name).exists():
                    (moving / name).rename(data_dir / name)
            sync_folder(data_dir)
        except BaseException as error:
            _undo(data_dir)
            if isinstance(error, OSError) and error.strerror is not None:
                raise BackupError(f"{data_dir}: nothing was restored: {error.strerror}", error.errno) from error
            raise
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return RestoreReport(manifest, from_copies)


def refuse_half_restored(data_dir: Path) -> None:
    """Refuse to begin a DATA_DIR anew where a restore was killed before it was complete. Raises DataDirError."""
    if _is_half_restored(data_dir):
        raise DataDirError(
            f"DATA_DIR {data_dir} is half restored: `switchboard restore-backup` was killed there. Run it again"
        )


def _is_half_restored(data_dir: Path) -> bool:
    """Return whether a restore was killed while it moved things to their place: the database would be the last."""
    return (data_dir / _WORK / _MOVING).exists() and not (data_dir / DATABASE).exists()


def _check(source: Path, folder: Path) -> None:
    if not (folder / DATABASE).is_file():
        raise BackupError(f"{source} holds no database")
    check_copy(folder / DATABASE)


def _close_to_others(folder: Path) -> None:
    """Make it private, whatever the modes in the archive, and durable against power failures."""
    for base, folders, files in os.walk(folder):
        for name in folders:
            (Path(base) / name).chmod(0o700)
        for name in files:
            with (Path(base) / name).open("rb") as file:
                os.fchmod(file.fileno(), 0o600)
                os.fsync(file.fileno())


def _complete(folder: Path, key: str | None) -> int:
    """Fill in accounts whose session is missing from their latest saved copy. Returns how many."""
    vault, count = Vault(folder, key), 0
    saved = folder / "saved"
    for each in sorted(saved.iterdir()) if saved.exists() else ():
        profile = Profile(folder, each.name)
        if not profile.folder.exists():
            with suppress(ProfileError):  # encrypted with another key, or damaged: `/restore` will report it
                vault.restore(profile, vault.find(profile, None))
                count += 1
    return count


def _undo(data_dir: Path) -> None:
    """Remove what has moved to its place."""
    for name in _ORDER:
        path = data_dir / name
        if (data_dir / _WORK / _MOVING / name).exists():  # what is in its place is somebody else's
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
