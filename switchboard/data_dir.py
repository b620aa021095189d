"""Exclusive access to DATA_DIR: created with mode 0700, and locked until the process ends, however it ends.

It must be ours: one that belongs to another user, or in which somebody else has put something (a link that would
redirect our writing, a database of theirs), is refused before anything in it is opened.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from storage.database import is_transient

_LOCK = "switchboard.lock"
_FOLDERS = ("profiles", "run", "saved")
"""Folders that we create. Others (lost+found on a mounted disk) need not be readable."""

_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


class DataDirError(OSError):
    """DATA_DIR cannot be used. The text is one line for people. transient: whether it may recover by itself."""

    def __init__(self, text: str, *, transient: bool = False) -> None:
        super().__init__(text)
        self.transient = transient


@contextmanager
def lock_data_dir(data_dir: Path) -> Iterator[Path]:
    """Create DATA_DIR if necessary and lock it. Raises DataDirError if it is in use or not writable."""
    lock = _lock(data_dir)
    try:
        yield data_dir
    finally:
        os.close(lock)


def _lock(data_dir: Path) -> int:
    """Take ownership of the folder and return the locked descriptor. Raises DataDirError."""
    lock: int | None = None
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_others(data_dir, data_dir.stat())
        _close_to_others(data_dir)
        for path in _entries(data_dir):
            with suppress(FileNotFoundError):  # a browser of an earlier run may be deleting files
                _refuse_others(path, path.lstat())
        lock = os.open(data_dir / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        _take(lock, data_dir)
        if os.fstatvfs(lock).f_flag & os.ST_NOEXEC:
            raise DataDirError(f"DATA_DIR {data_dir} is mounted noexec, and browsers are started by scripts there")
    except OSError as error:
        if lock is not None:
            os.close(lock)
        if isinstance(error, DataDirError):
            raise
        where = "" if error.filename is None or Path(error.filename) == data_dir else f"{error.filename}: "
        raise DataDirError(
            f"DATA_DIR {data_dir} cannot be used: {where}{error.strerror}", transient=is_transient(error)
        ) from error
    return lock


def _close_to_others(data_dir: Path) -> None:
    """From here on nobody else can put anything there, root and a group that root gave it to excepted."""
    try:
        data_dir.chmod(0o700)
    except PermissionError:
        found = data_dir.stat()
        if found.st_uid != 0 or os.geteuid() == 0:
            raise
        if found.st_mode & stat.S_IWOTH:  # a volume that is root's: Kubernetes gives it to a group (fsGroup)
            raise DataDirError(
                f"DATA_DIR {data_dir} belongs to root, and everybody may write there: chmod o-w, or chown it"
            ) from None


def _take(lock: int, data_dir: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 32, 0).decode(errors="replace").strip() or "unknown"
        raise DataDirError(
            f"DATA_DIR {data_dir} is in use by another Switchboard (process {holder}):"
            " stop that one, or give this one a DATA_DIR of its own",
            transient=True,  # its holder may be shutting down
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        raise DataDirError(
            f"DATA_DIR {data_dir} cannot be used: its file system has no locks (flock, {error.strerror}):"
            " two programs could write there at once. Give it a local disk"
        ) from error
    os.truncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)


def lock_holder(data_dir: Path) -> int | None:
    """Return the id of the process that has locked DATA_DIR, 0 if it is unknown, None if nobody has. Read-only."""
    try:
        lock = os.open(data_dir / _LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(lock, 32, 0).decode(errors="replace").strip()
        return int(text) if text.isdigit() else 0
    except OSError:
        return None
    finally:
        os.close(lock)
    return None


def _entries(data_dir: Path) -> Iterator[Path]:
    """Walk our own files; those in a profile are the browser's."""
    for path in data_dir.iterdir():
        yield path
        if path.name in _FOLDERS and path.is_dir():
            yield from path.iterdir()


def _refuse_others(path: Path, found: os.stat_result) -> None:
    if found.st_uid not in {os.geteuid(), 0}:
        raise DataDirError(
            f"DATA_DIR: {path} belongs to another user (uid {found.st_uid}):"
            f" run as that user, or give this one (uid {os.geteuid()}) a DATA_DIR of its own"
        )
