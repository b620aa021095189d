"""Renames what earlier versions named by number: folders, saved copies, marker files. Once, at start.

If something renamed before exists under its number again, an earlier version has used it since: that one is newer.
"""

import asyncio
import logging
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

from controller.chromium.profile.orphans import make_free
from controller.chromium.profile.profile import TIME, Profile, run_folder

log = logging.getLogger(__name__)

_NUMBERED = re.compile(r"\.?(\d{1,15})(?=\.|$)")


async def rename_numbered(data_dir: Path) -> int:
    """Rename everything named by number, once its users have ended. Returns the number of accounts.

    Raises DriverError if a living process uses one, ProfileError, OSError.
    """
    found = await asyncio.to_thread(_numbers, data_dir)
    for digits in found:
        await make_free(Profile(run_folder(data_dir).parent, digits))
    return await asyncio.to_thread(rename_unused, data_dir)


def rename_unused(data_dir: Path) -> int:
    """Rename what is named by number and not in use. Blocking. Returns the number of accounts."""
    renamed = 0
    for digits in _numbers(data_dir):
        old = Profile(data_dir.absolute(), digits)
        if not old.is_locked():
            _rename(old, Profile.of(data_dir, digits))
            renamed += 1
    if renamed:
        log.info("Renamed what belongs to %d accounts: its name was their number", renamed)
    return renamed


def _numbers(data_dir: Path) -> list[str]:
    folders = (data_dir / "profiles", data_dir / "saved", run_folder(data_dir))
    names = [path.name for folder in folders if folder.is_dir() for path in folder.iterdir()]
    return sorted({match[1] for name in names if (match := _NUMBERED.match(name))})


def _rename(old: Profile, new: Profile) -> None:
    new.prepare()
    if old.folder.is_dir():
        if any(new.folder.iterdir()):
            new.folder.rename(new.aside(f"{datetime.now(UTC):{TIME}}"))
        else:
            new.folder.rmdir()
        old.folder.rename(new.folder)
    for aside in old.folder.parent.glob(f".{old.name}.*"):
        if aside.name.endswith(".restoring"):
            shutil.rmtree(aside, ignore_errors=True)
        else:
            aside.rename(aside.with_name(aside.name.replace(old.name, new.name, 1)))
    if old.saved.is_dir():
        new.saved.mkdir(mode=0o700, exist_ok=True)
        for copy in old.saved.iterdir():
            copy.rename(new.saved / copy.name)
        old.saved.rmdir()
    for path in old.run.glob(f"{old.name}.*"):
        if path.suffix == ".clean":
            path.rename(new.run / f"{new.name}.clean")
        else:
            path.unlink(missing_ok=True)
