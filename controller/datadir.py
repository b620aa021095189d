"""DATA_DIR is one program's at a time: made 0700, and held by a lock that ends with the process, however it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DataDirError(OSError):
    """DATA_DIR cannot be used. Its text is one line for people."""


@contextmanager
def held(data_dir: Path) -> Iterator[Path]:
    """Make DATA_DIR where need be and hold it. Raises DataDirError: another program has it, or no way to write."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        data_dir.chmod(0o700)
        lock = os.open(data_dir / "switchboard.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DataDirError(f"DATA_DIR {data_dir} cannot be used: {error.strerror}") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 32, 0).decode(errors="replace").strip() or "unknown"
            raise DataDirError(
                f"DATA_DIR {data_dir} is in use by another Switchboard (process {holder}):"
                " stop that one, or give this one a DATA_DIR of its own"
            ) from None
        os.truncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        yield data_dir
    finally:
        os.close(lock)
