"""Where an account's browser stores its session, and the files beside it.

        DATA_DIR/profiles/<name>/            the browser's own folder, with our version stamp in it
        DATA_DIR/profiles/.<name>.before-<UTC time>/   set aside by a restore
    DATA_DIR/saved/<name>/               its saved copies: see `vault`
        DATA_DIR/run/<name>.lock             locked (flock) by the browser for as long as it lives
        DATA_DIR/run/<name>.json             who has locked it: see `tree.PidFile`
        DATA_DIR/run/<name>.clean            a linked session was closed cleanly: it may be saved
        DATA_DIR/run/<name>.<nonce>.sh       the ticket of one launch: see `launch_script`
        DATA_DIR/run/<name>.epoch            what the folder holds, where profiles are archived: see `history.Record`

The name reveals nothing about the number: see `names`. The processes that use a profile are in
`controller.chromium.process`.
"""

import contextlib
import fcntl
import json
import logging
import os
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from controller.chromium.process.launcher import clear_singleton
from controller.chromium.process.tree import PidFile
from controller.chromium.profile.history import Record
from controller.chromium.profile.names import name_of, sync_folder

log = logging.getLogger(__name__)

_CACHES = (
    # Of the page's own data only what can be downloaded again: Service Worker/CacheStorage also holds keys.
    "Cache",
    "Code Cache",
    "GPUCache",
    "DawnGraphiteCache",
    "DawnWebGPUCache",
    "Service Worker/ScriptCache",
)
SESSION_PARTS = (
    "Default/IndexedDB",
    "Default/Local Storage",
    "Default/WebStorage",
    "Default/Service Worker",
    "Default/Network/Cookies",
    "Default/Network/Cookies-journal",
    "Default/Cookies",
    "Default/Cookies-journal",
    "switchboard.json",
)
"""What is needed to restore a session; the rest of a profile is caches, which are rebuilt."""
_STORES = ("Local Storage", "WebStorage")
_SESSION_MARKS = (b"last-wid", b"WALid", b"WALID")
"""Keys in the page's localStorage once it is linked: stored verbatim in Chromium's files."""
_LONGEST_NUMBER = 15
TIME = "%Y%m%dT%H%M%S.%fZ"
"""Format of times in the names of copies and of what is set aside. UTC."""
_STAMP = "switchboard.json"


@dataclass(frozen=True, slots=True)
class Profile:
    """The paths of one account under one DATA_DIR. name: the base of their names, see `names`.

    host: which of many machines that share DATA_DIR opens it (pids are one machine's); "" if there is only one.
    """

    data_dir: Path
    name: str
    host: str = ""

    @classmethod
    def of(cls, data_dir: Path, account: str, host: str = "") -> "Profile":
        """Locate the profile of an account. account: E.164. Raises ValueError, ProfileError, OSError."""
        digits = account.removeprefix("+")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST_NUMBER):
            raise ValueError(f"an account is a + and at most {_LONGEST_NUMBER} digits")
        return cls(data_dir.absolute(), name_of(data_dir.absolute(), digits), host)

    @property
    def folder(self) -> Path:
        """The browser's --user-data-dir."""
        return self.data_dir / "profiles" / self.name

    @property
    def saved(self) -> Path:
        """The folder of its saved copies."""
        return self.data_dir / "saved" / self.name

    def aside(self, time: str) -> Path:
        """Return the path of a profile that is set aside. time: as in `TIME`."""
        return self.folder.with_name(f".{self.name}.before-{time}")

    @property
    def run(self) -> Path:
        """The folder of locks and pid files: outside the profile, so that a copy of it contains none."""
        return run_folder(self.data_dir)

    @property
    def _own_run(self) -> Path:
        return run_folder(self.data_dir, self.host)

    @property
    def lock(self) -> Path:
        """The file that the browser locks."""
        return self.run / f"{self.name}.lock"

    @property
    def pid_file(self) -> Path:
        """The file that identifies the browser."""
        return self._own_run / f"{self.name}.json"

    def ticket(self, nonce: str) -> Path:
        """Return the file that one launch needs in order to proceed."""
        return self._own_run / f"{self.name}.{nonce}.sh"

    def prepare(self) -> None:
        """Create missing folders, readable only by us."""
        for folder in (self.data_dir, self.folder.parent, self.folder, self.run, self._own_run):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if folder != self.data_dir:
                folder.chmod(0o700)

    @property
    def _clean(self) -> Path:
        return self.run / f"{self.name}.clean"

    def mark_clean(self) -> None:
        """Record that a linked session was closed cleanly, with everything written to disk."""
        self._clean.touch(mode=0o600)

    def take_clean_mark(self) -> bool:
        """Return whether the session was closed cleanly, and remove the mark: a browser is about to open."""
        try:
            self._clean.unlink()
        except FileNotFoundError:
            return False
        return True

    @property
    def is_clean(self) -> bool:
        """Whether the last session was linked and closed cleanly."""
        return self._clean.exists()

    @property
    def _epoch(self) -> Path:
        return self.run / f"{self.name}.epoch"

    def record(self) -> Record | None:
        """Return what the folder holds; None if that was never recorded. Raises OSError."""
        try:
            return Record(**json.loads(self._epoch.read_text("utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            return Record(-1, -1)  # it cannot be told, so it is never the newest

    def put_record(self, record: Record) -> None:
        """Record what the folder holds, so that it survives a power failure. Raises OSError."""
        new = self._epoch.with_suffix(".epoch-new")
        with new.open("w", encoding="utf-8") as file:
            json.dump(asdict(record), file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._epoch)
        sync_folder(self.run)

    def forget_record(self) -> None:
        """Delete the record of what the folder holds. Raises OSError."""
        self._epoch.unlink(missing_ok=True)

    def set_aside(self) -> None:
        """Move the browser's folder away for good; the next one starts empty. No browser may be open."""
        self.take_clean_mark()
        with contextlib.suppress(FileNotFoundError):
            self.folder.rename(self.aside(f"{datetime.now(UTC):{TIME}}"))

    def delete(self) -> None:
        """Delete the browser's folder, those set aside and our files about it. No browser may be open."""
        for folder in (self.folder, *self.folder.parent.glob(f".{self.name}.*")):
            shutil.rmtree(folder, ignore_errors=True)
        self.take_clean_mark()

    def has_session(self) -> bool:
        """Return whether the page seems to have stored a linked session here. True if in doubt.

        An open browser creates and renames files there, which is doubt.
        """
        try:
            found = [path for place in _STORES for path in (self.folder / "Default" / place).rglob("*")]
            return any(path.is_file() and _holds_session(path) for path in found)
        except OSError:
            return True

    def drop_caches(self) -> None:
        """Drop caches so that the next load is a fresh one; the keys stay. No browser may be open."""
        for name in _CACHES:
            shutil.rmtree(self.folder / "Default" / name, ignore_errors=True)

    def clear_leftovers(self) -> None:
        """Remove what a dead browser has left: its own lock and our pid file."""
        clear_singleton(self.folder)
        self.pid_file.unlink(missing_ok=True)

    def holder(self) -> PidFile | None:
        """Return the process that holds the lock, if it is known and alive."""
        found = PidFile.read(self.pid_file)
        return found if found is not None and found.process.is_alive() else None

    def is_locked(self) -> bool:
        """Whether a browser of ours is running on this profile."""
        if not self.lock.exists():
            return False
        descriptor = os.open(self.lock, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def stamp(self) -> str | None:
        """Return the version of the browser that last opened this profile; None if there was none."""
        try:
            stamp = json.loads((self.folder / _STAMP).read_text(encoding="utf-8"))
            return str(stamp["browser"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put_stamp(self, version: str) -> None:
        """Record which browser opens this profile: a profile does not always survive a different one."""
        before = self.stamp()
        if before == version:
            return
        if before is not None:
            log.info("A profile made by browser %s is opened by %s", before, version)
        new = self.folder / f"{_STAMP}.new"
        new.write_text(json.dumps({"browser": version}) + "\n", encoding="utf-8")
        new.replace(self.folder / _STAMP)


def _holds_session(path: Path) -> bool:
    stored = path.read_bytes()
    return any(mark in stored for mark in _SESSION_MARKS)


def recorded(data_dir: Path) -> list[Profile]:
    """Return the profiles whose folders have a `history.Record`. Blocking."""
    return [Profile(data_dir.absolute(), path.stem) for path in run_folder(data_dir).glob("*.epoch")]


def run_folder(data_dir: Path, host: str = "") -> Path:
    """Locate the folder of locks and pid files; the latter lie apart for each of many machines, by its name."""
    return data_dir.absolute() / "run" / host
