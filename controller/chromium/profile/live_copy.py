"""Copies the session out of a profile while its browser may be writing to it.

The copy is what a kill at one moment would have left, which Chromium is designed to survive: its databases are
append-only logs beside files that are written once. So the files are listed, copied, and listed again: a log may have
grown meanwhile, and is cut to its length; if anything else has changed, the copy starts over.
"""

import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from controller.chromium.profile.names import ProfileError
from controller.chromium.profile.profile import SESSION_PARTS, Profile

_TRIES = 12
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0
_GROWS = re.compile(r"\d+\.log")
"""A write-ahead log of LevelDB: append-only, and read up to its last complete record."""
_NO_CONTENT = {"LOCK", "LOG", "LOG.old"}
"""LevelDB's own lock and log files."""


class BusyProfileError(ProfileError):
    """A browser kept writing to the profile."""


def copy_session(profile: Profile, target: Path) -> bool:
    """Copy the session to a new folder; returns False if the profile holds no session. Blocking.

    Raises BusyProfileError, OSError; nothing is left of the folder in that case.
    """
    pause = _FIRST_PAUSE
    for _ in range(_TRIES):
        before = _listing(profile.folder)
        if not any("IndexedDB" in name or "Local Storage" in name for name in before):
            return False
        try:
            for name, (size, _) in before.items():
                _copy(profile.folder / name, target / name, size)
            if _is_same(before, _listing(profile.folder)):
                return True
        except FileNotFoundError:
            pass  # it disappeared during the copy, together with its contents
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise
        shutil.rmtree(target)
        time.sleep(pause)
        pause = min(_LONGEST_PAUSE, pause * 2)
    raise BusyProfileError("its browser wrote to it all the time")


def _listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and modification time of every relevant file, by its path in the profile."""
    found = {}
    for path in _files(folder):
        try:
            found_stat = path.lstat()
        except FileNotFoundError:
            continue
        found[path.relative_to(folder).as_posix()] = (found_stat.st_size, found_stat.st_mtime_ns)
    return found


def _files(folder: Path) -> Iterator[Path]:
    for part in SESSION_PARTS:
        place = folder / part
        if place.is_file() and not place.is_symlink():
            yield place
        for base, _, names in os.walk(place):
            paths = (Path(base) / name for name in names if name not in _NO_CONTENT)
            yield from (path for path in paths if path.is_file() and not path.is_symlink())


def _copy(source: Path, target: Path, size: int) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with source.open("rb") as reader, os.fdopen(descriptor, "wb") as writer:
        while size > 0 and (chunk := reader.read(min(size, 1 << 20))):
            writer.write(chunk)
            size -= len(chunk)


def _is_same(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> bool:
    if before.keys() != after.keys():
        return False
    for name, size_and_time in before.items():
        grows = _GROWS.fullmatch(name.rpartition("/")[2]) is not None
        if not (after[name][0] >= size_and_time[0] if grows else after[name] == size_and_time):
            return False
    return True
