"""`python -m switchboard`: runs the program or one of its subcommands; every error is one clear line.

Exit codes: 0 after a requested stop, 2 for what a person must fix first, 75 for transient errors (a
locked database, a full disk, a backup that lacks a session), which are worth a later restart, 1 for a bug.
"""

import argparse
import asyncio
import errno
import gc
import io
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TextIO

from controller.driver import DriverError
from switchboard.data_dir import DataDirError, lock_data_dir
from switchboard.logs import hide, logs_json, one_line, redacted, say, set_up_logging
from switchboard.settings import (
    SettingsError,
    choose_env_file,
    log_format,
    read_host_settings,
    read_profile_settings,
    read_settings,
)

EXIT_MEND = 2
EXIT_LATER = 75
EXIT_BUG = 1
MOST_FILES = 65536
"""Open files; some programs go through all that they might have."""

_FOR_A_PERSON = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG}
"""What the system refuses until somebody changes a path or its rights."""


class _InterruptedError(KeyboardInterrupt):
    """A signal ended a command that does not serve: what it has begun is cleaned up."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run what the command line requests; return the exit code."""
    _make_right_what_is_inherited()
    try:
        code = _main(argv)
    finally:
        _flush(sys.stderr)
    failure = _flush(sys.stdout)
    if failure is None or isinstance(failure, BrokenPipeError):  # who read it has enough
        return code
    return _ended_by(failure)


def _make_right_what_is_inherited() -> None:
    """Open standard streams that are closed, and undo what a careless parent does to signals.

    Whatever is opened next would be standard error for all processes that we start. Signals that are blocked end
    nothing, and a child whose SIGCHLD is ignored has no exit code.
    """
    os.umask(0o077)
    _raise_limit_of_files()
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003 - this one, the lowest that is free
            setattr(sys, name, os.fdopen(number, "w" if number else "r"))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _raise_limit_of_files() -> None:
    """Allow as many open files as the system lets us: systemd and shells start with 1,024, and allow far more.

    Each account takes a few.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _flush(stream: TextIO) -> OSError | None:
    """Write what is buffered; return why that failed. Python's own flush at exit would replace the exit code."""
    try:
        stream.flush()
    except OSError as error:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        return error
    return None


def _main(argv: Sequence[str] | None) -> int:
    set_up_logging("INFO", "console")  # until the settings are read
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show
    args = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = args.run
    try:
        try:
            choose_env_file(args.env_file)
            with _signals_interrupt():
                return command(args)
        except (SettingsError, DriverError, OSError) as error:
            return _ended_by(error)
    except KeyboardInterrupt as interruption:
        if command is _serve:  # before anything was begun that would have to be ended
            return 0
        say(f"{str(interruption) or 'SIGINT'}: interrupted")
        return EXIT_LATER
    except Exception:
        logging.getLogger("switchboard").exception("A bug ended the program")  # the log redacts secrets
        return EXIT_BUG


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end a command as SIGINT does. Whoever serves has handlers of its own."""

    def interrupt(number: int, _: object) -> None:
        raise _InterruptedError(signal.Signals(number).name)

    numbers = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is signal.SIG_DFL]
    for each in numbers:
        signal.signal(each, interrupt)
    try:
        yield
    finally:
        for each in numbers:
            signal.signal(each, signal.SIG_DFL)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="switchboard", description="Keeps your WhatsApp accounts linked.")
    parser.add_argument("--version", action="version", version=f"switchboard {_version()}")
    where = "where settings are, if not in .env here"
    parser.add_argument("--env-file", type=Path, metavar="FILE", help=where)
    parser.set_defaults(run=_serve)
    commands = parser.add_subparsers(metavar="COMMAND")
    each = commands.add_parser("check", help="look whether everything is there that the program needs")
    each.add_argument("--json", action="store_true", help="for machines")
    role = each.add_mutually_exclusive_group()
    role.add_argument("--listen", metavar="ADDRESS", help="check this machine as the first of many: see `host`")
    role.add_argument("--join", metavar="ADDRESS", help="check this machine as one that joins others: see `host`")
    each.set_defaults(run=_check)
    each = commands.add_parser("status", help="list the accounts and where they are, also while the program runs")
    each.add_argument("--json", action="store_true", help="for machines")
    each.set_defaults(run=_status)
    each = commands.add_parser(
        "host", help="let this machine run browsers for a controller (needs switchboard[cluster])"
    )
    role = each.add_mutually_exclusive_group(required=True)
    role.add_argument("--listen", metavar="ADDRESS", help="be the first machine: this machine's own address[:port]")
    role.add_argument("--join", metavar="ADDRESS", help="join the machine that listens at this address[:port]")
    each.add_argument("--name", help="what it is called in the chat; the machine's name if not said")
    each.set_defaults(run=_host)
    each = commands.add_parser("new-key", help="print a key for PROFILE_KEY")
    each.set_defaults(run=_new_key)
    each = commands.add_parser("saved", help="list the saved copies of an account's profile")
    each.add_argument("number", help="such as +491511234567")
    each.set_defaults(run=_saved)
    each = commands.add_parser("restore", help="put a saved copy in the place of an account's profile")
    each.add_argument("number", help="such as +491511234567")
    each.add_argument("copy", nargs="?", help="as `saved` names it; the newest if none is named")
    each.set_defaults(run=_restore)
    each = commands.add_parser("backup", help="back everything up into one file, also while the program runs")
    each.add_argument("file", type=Path, help="the file to make; it must not exist yet")
    each.set_defaults(run=_backup)
    each = commands.add_parser("restore-backup", help="restore a backup into an empty DATA_DIR")
    each.add_argument("file", type=Path, help="as `backup` made it")
    each.set_defaults(run=_restore_backup)
    for each in commands.choices.values():  # behind the command, too
        each.add_argument("--env-file", type=Path, metavar="FILE", help=where, default=argparse.SUPPRESS)
    return parser


def _serve(_: argparse.Namespace) -> int:
    set_up_logging("INFO", log_format())
    settings = read_settings()
    set_up_logging(settings.log_level, settings.log_format, full_numbers=settings.log_full_numbers)
    hide(settings.secrets())
    gc.disable()  # modules loaded at start stay: collecting them again and again takes a tenth of the start
    from controller.chromium.profile.names import ProfileError
    from handlers.chat.errors import TokenRefusedError
    from storage.database import StorageError
    from switchboard.app import serve  # the rest of the program is loaded only once it can run

    gc.freeze()
    gc.enable()
    try:
        asyncio.run(serve(settings))
    except (StorageError, ProfileError, TokenRefusedError) as error:
        return _ended_by(error)
    return 0


def _host(args: argparse.Namespace) -> int:
    from switchboard.cluster import run_host

    run_host(read_host_settings(), join=args.join, listen=args.listen, name=args.name)
    return 0


def _version() -> str:
    try:
        return version("switchboard")
    except PackageNotFoundError:
        return "unknown (it is not installed)"


def _check(args: argparse.Namespace) -> int:
    from switchboard.check.run import run_check

    return run_check(in_json=args.json, listen=args.listen, join=args.join)


def _status(args: argparse.Namespace) -> int:
    from storage.database import StorageError
    from switchboard.status import run_status

    try:
        return run_status(read_profile_settings(), in_json=args.json)
    except StorageError as error:
        return _ended_by(error)


def _new_key(_: argparse.Namespace) -> int:
    from controller.chromium.profile.vault import new_key

    sys.stdout.write(f"{new_key()}\n")
    return 0


def _saved(args: argparse.Namespace) -> int:
    from controller.chromium.profile.names import ProfileError
    from controller.chromium.profile.numbered import rename_unused
    from controller.chromium.profile.profile import Profile
    from controller.chromium.profile.vault import Vault

    settings = read_profile_settings()
    try:
        with suppress(DataDirError), lock_data_dir(settings.data_dir):  # a running program has renamed them already
            rename_unused(settings.data_dir)
        copies = Vault(settings.data_dir, settings.vault_key).copies(Profile.of(settings.data_dir, args.number))
    except (ProfileError, ValueError) as error:
        return _ended_by(error)
    for copy in copies:
        locked = ", encrypted" if copy.is_encrypted else ""
        sys.stdout.write(f"{copy.name}  {copy.at:%Y-%m-%d %H:%M} UTC, {copy.size / 1e6:.1f} MB{locked}\n")
    if not copies:
        sys.stdout.write(f"No copy of {args.number} is saved.\n")
    return 0


def _restore(args: argparse.Namespace) -> int:
    from controller.chromium.profile.names import ProfileError
    from controller.chromium.profile.numbered import rename_unused
    from controller.chromium.profile.profile import Profile
    from controller.chromium.profile.vault import Vault

    settings = read_profile_settings()
    try:
        vault = Vault(settings.data_dir, settings.vault_key)
        with lock_data_dir(settings.data_dir):
            rename_unused(settings.data_dir)
            profile = Profile.of(settings.data_dir, args.number)
            copy = vault.find(profile, args.copy)
            aside = vault.restore(profile, copy)
    except (ProfileError, ValueError) as error:
        return _ended_by(error)
    kept = f" The profile that was there is kept as {aside.name}." if aside else ""
    sys.stdout.write(f"Restored {args.number} as of {copy.at:%Y-%m-%d %H:%M} UTC.{kept}\n")
    return 0


def _backup(args: argparse.Namespace) -> int:
    from controller.chromium.profile.names import ProfileError
    from controller.chromium.profile.numbered import rename_unused
    from storage.database import StorageError
    from switchboard.backup.archive import BackupError
    from switchboard.backup.create import create_backup

    settings = read_profile_settings()
    try:
        if settings.data_dir.is_dir():
            with suppress(DataDirError), lock_data_dir(settings.data_dir):  # a running program has renamed them already
                rename_unused(settings.data_dir)
        made = create_backup(settings.data_dir, args.file, settings.vault_key)
    except (BackupError, StorageError, ProfileError) as error:
        return _ended_by(error)
    sys.stdout.write(f"{made.summary}\n")
    if made.problem:
        say(made.problem)
        return EXIT_LATER
    return 0


def _restore_backup(args: argparse.Namespace) -> int:
    from controller.chromium.profile.names import ProfileError
    from storage.database import StorageError
    from switchboard.backup.archive import BackupError
    from switchboard.backup.restore import restore_backup

    settings = read_profile_settings()
    try:
        restored = restore_backup(args.file, settings.data_dir, settings.vault_key)
    except (BackupError, StorageError, ProfileError) as error:
        return _ended_by(error)
    sys.stdout.write(f"{restored.summary}\n")
    return 0


def _ended_by(error: Exception) -> int:
    """Explain in one line what ended the program; return whether a person must fix it, rather than time."""
    from storage.database import StorageError, is_transient

    is_systems = isinstance(error, OSError) and type(error).__module__ == OSError.__module__  # no message of ours
    if is_systems and not is_transient(error) and getattr(error, "errno", None) not in _FOR_A_PERSON:
        raise error  # nobody foresaw it: a bug
    transient = error.transient if isinstance(error, DataDirError | StorageError | DriverError) else is_transient(error)
    text = str(error) or type(error).__name__
    if is_systems and isinstance(error, OSError) and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
    if logs_json():
        logging.getLogger("switchboard").critical("%s", text)
    else:
        say(one_line(redacted(text)))
    return EXIT_LATER if transient else EXIT_MEND


if __name__ == "__main__":
    sys.exit(main())
