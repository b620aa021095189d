"""Checks of this host: DATA_DIR and its disk, the database, temporary files, memory, processes, open files."""

import os
import platform
import resource
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from controller.host.limits import HostLimits
from controller.host.resource_watch import FEWEST_FILES, free_files
from handlers.texts.vocabulary import count
from storage.database import is_transient
from storage.migrations import MIGRATIONS
from storage.summary import open_read_only
from switchboard.check.findings import Finding, Verdict
from switchboard.data_dir import DataDirError, lock_data_dir, lock_holder
from switchboard.settings import Settings

MIB = 1 << 20
LEAST_FILES = 4096
"""Open files needed for some ten accounts."""
FOR_A_BROWSER = 60
"""Approximate number of processes and threads of one browser."""


def check_host(settings: Settings) -> Iterator[Finding]:
    """Yield findings. Changes nothing, except that it creates DATA_DIR."""
    yield from check_machine(settings.data_dir, settings.host_free_memory_mib, settings.host_free_disk_mib)
    yield _database(settings.data_dir / "switchboard.sqlite")
    if settings.backup_dir is not None:
        yield _backups(settings.backup_dir)


def check_machine(data_dir: Path, free_memory_mib: int, free_disk_mib: int) -> Iterator[Finding]:
    """Yield findings about whatever runs browsers. Creates DATA_DIR. free_…: what each must leave."""
    yield _platform()
    yield _data_dir(data_dir)
    yield _execution(data_dir)
    yield _temporary()
    yield _disk(data_dir, free_disk_mib)
    limits = HostLimits()
    yield _memory(free_memory_mib, limits)
    yield _processes(limits)
    yield _files()


def _platform() -> Finding:
    system, machine = platform.system(), platform.machine()
    text = f"Python {platform.python_version()} on {system} {machine}"
    if system != "Linux":
        return Finding("platform", Verdict.MEND, f"{text}: only Linux will do")
    if os.geteuid() == 0:
        return Finding("platform", Verdict.NOTE, f"{text}, as root: browsers run without their sandbox")
    return Finding("platform", Verdict.GOOD, text)


def _data_dir(data_dir: Path) -> Finding:
    try:
        with lock_data_dir(data_dir):
            return Finding("DATA_DIR", Verdict.GOOD, f"{data_dir.absolute()} is ours, writable, and can be locked")
    except DataDirError as error:
        if (pid := lock_holder(data_dir)) is not None:
            return Finding(
                "DATA_DIR", Verdict.NOTE, f"{data_dir.absolute()} is in use by a Switchboard (process {pid})"
            )
        return Finding("DATA_DIR", Verdict.LATER if error.transient else Verdict.MEND, str(error))


def _execution(data_dir: Path) -> Finding:
    """Execute a script in DATA_DIR, as every browser launch does."""
    script = data_dir / f".check-{secrets.token_hex(4)}.sh"
    try:
        descriptor = os.open(script, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700)
    except OSError as error:
        verdict = Verdict.LATER if is_transient(error) else Verdict.MEND
        return Finding("execution", verdict, f"no script can be written in {data_dir}: {error.strerror}")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(b"#!/bin/sh\nexit 0\n")
        subprocess.run([script], check=True, timeout=10)
    except PermissionError:
        return Finding(
            "execution", Verdict.MEND, f"{data_dir} is mounted noexec: browsers are started by scripts there"
        )
    except (OSError, subprocess.SubprocessError) as error:
        verdict = Verdict.LATER if is_transient(error) else Verdict.MEND
        return Finding("execution", verdict, f"a script in {data_dir} cannot be run: {error}")
    finally:
        with suppress(OSError):
            script.unlink()
    return Finding("execution", Verdict.GOOD, "scripts in DATA_DIR can be run")


def _database(path: Path) -> Finding:
    try:
        if not path.exists():
            return Finding("database", Verdict.GOOD, "there is none yet: it is made at the first start")
        with closing(open_read_only(path, 2)) as connection:
            ((version,),) = connection.execute("PRAGMA user_version").fetchall()
            ((accounts,),) = connection.execute("SELECT count(*) FROM accounts").fetchall() if version else ((0,),)
    except OSError as error:
        return Finding("database", Verdict.MEND, f"{path}: {error.strerror}")
    except sqlite3.OperationalError as error:
        is_locked = (error.sqlite_errorcode & 0xFF) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
        return Finding("database", Verdict.LATER if is_locked else Verdict.MEND, f"{path}: {error}")
    except sqlite3.Error as error:
        return Finding("database", Verdict.MEND, f"{path}: {error}")
    if version > len(MIGRATIONS):
        return Finding("database", Verdict.MEND, f"{path} was made by a newer version of Switchboard")
    return Finding("database", Verdict.GOOD, f"{count(accounts, 'account')}, schema {version} of {len(MIGRATIONS)}")


def _backups(folder: Path) -> Finding:
    parent = folder if os.path.exists(folder) else folder.absolute().parent  # noqa: PTH110 - never raises
    if not os.path.isdir(parent):  # noqa: PTH112
        return Finding("backups", Verdict.MEND, f"BACKUP_DIR: {parent} is no folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        return Finding("backups", Verdict.MEND, f"BACKUP_DIR: this user may not write in {parent}")
    return Finding("backups", Verdict.GOOD, f"one a day goes to {folder}")


def _temporary() -> Finding:
    try:
        with tempfile.NamedTemporaryFile() as file:
            return Finding("temporary", Verdict.GOOD, f"{Path(file.name).parent} is writable")
    except OSError as error:
        return Finding("temporary", Verdict.MEND, f"no folder for temporary files is writable: {error.strerror}")


def _disk(data_dir: Path, least: int) -> Finding:
    try:
        free, files = shutil.disk_usage(data_dir).free // MIB, free_files(data_dir)
    except OSError as error:
        return Finding("disk", Verdict.MEND, f"{data_dir}: {error.strerror}")
    text = f"{free} MiB are free; HOST_FREE_DISK_MIB is {least}"
    if least and files < FEWEST_FILES:
        return Finding("disk", Verdict.LATER, f"{text}, and {files} more files can be made there (inodes)")
    return Finding("disk", Verdict.GOOD if free >= least else Verdict.LATER, text)


def _memory(least: int, limits: HostLimits) -> Finding:
    free, limit = limits.free_memory() // MIB, limits.memory_limit()
    text = f"{free} MiB are free" + (f" of a limit of {limit // MIB} MiB" if limit else "")
    text += f"; HOST_FREE_MEMORY_MIB is {least}, an account needs about 250"
    return Finding("memory", Verdict.GOOD if free >= least else Verdict.LATER, text)


def _processes(limits: HostLimits) -> Finding:
    free, limit = limits.free_processes(), limits.process_limit()
    own = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    text = "no limit of the container" if free is None else f"{free} more may be started, the limit is {limit}"
    if own != resource.RLIM_INFINITY:
        text += f"; this user's limit is {own}"
    if limit is not None and limit < FOR_A_BROWSER:
        return Finding("processes", Verdict.MEND, f"{text}: one browser needs some {FOR_A_BROWSER}")
    return Finding("processes", Verdict.LATER if free is not None and free < FOR_A_BROWSER else Verdict.GOOD, text)


def _files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    text = f"{soft} files may be open (at most {hard if hard != resource.RLIM_INFINITY else 'any number'})"
    if soft < 256:  # noqa: PLR2004 - a browser alone needs about so many
        return Finding("open files", Verdict.MEND, f"{text}: a browser needs more; raise LimitNOFILE or ulimit -n")
    return Finding("open files", Verdict.GOOD if soft >= LEAST_FILES else Verdict.NOTE, text)


def python_is_for_others() -> Finding | None:
    """Return a finding if this Python is in a home folder, where a service could not run it."""
    real = Path(sys.executable).resolve()
    home = next((folder for folder in real.parents if folder.parent == Path("/home") or folder == Path("/root")), None)
    if home is None:
        return None
    return Finding(
        "python", Verdict.NOTE, f"{real} lies in {home}: a service with ProtectHome cannot run it (203/EXEC)"
    )
