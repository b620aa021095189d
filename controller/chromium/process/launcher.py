"""The program that runs between Playwright and the browser: takes the lock, writes the pid file, becomes the browser.

It is run by path with `python -I -S`, before the browser exists, so it imports the standard library only. Its order is
the whole point: lock, then pid file, then check of the ticket, then `exec`; so whoever removes the ticket and then
reads the pid file has either prevented the browser or knows which process to end.
Not here: the browser's arguments (`flags`), and how processes are ended (`tree`).
"""

import argparse
import contextlib
import ctypes
import fcntl
import json
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

REFUSAL = "switchboard launcher: "
"""The prefix of every error on stderr: Playwright includes the browser's stderr in its own error's text."""
IN_USE = REFUSAL + "profile in use"

_PR_SET_PDEATHSIG = 1
_LOCK_SECONDS = 2.0
"""A browser that was just ended may hold its lock for another moment, until the last of its processes is gone."""
_MERGED = ("--disable-features=", "--enable-features=")
_PASSED_ON = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|XDG_\w+|LD_LIBRARY_PATH|FONTCONFIG_\w+|DISPLAY"
    r"|DBUS_SESSION_BUS_ADDRESS|SSL_CERT_\w+|(?i:https?_proxy|no_proxy|all_proxy)|NODE_EXTRA_CA_CERTS"
    r"|PW_\w+|PLAYWRIGHT_\w+|CHROME_\w+|CHROMIUM_FLAGS|GOOGLE_API_KEY"
)


def start_ticks(pid: int | str = "self") -> int | None:
    """Return when a process started, in clock ticks since boot; None if it is gone. Unlike a date it is stable."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[19])


def boot_id() -> str:
    """Return the id of this boot of this machine: pids and ticks of another one are meaningless here."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def merged_features(arguments: Iterable[str]) -> Iterator[str]:
    """Merge repeated feature lists, since a browser obeys only the last: Playwright's, ours and the operator's."""
    kept: list[str] = []
    lists: dict[str, list[str]] = {}
    for argument in arguments:
        name = next((prefix for prefix in _MERGED if argument.startswith(prefix)), None)
        if name is None:
            kept.append(argument)
        else:
            lists.setdefault(name, []).extend(argument.removeprefix(name).split(","))
    for name, features in lists.items():
        yield name + ",".join(dict.fromkeys(filter(None, features)))
    yield from kept


def passed_on(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that a browser needs; the others may contain our secrets."""
    return {name: value for name, value in environment.items() if _PASSED_ON.fullmatch(name)}


def clear_singleton(profile: Path) -> str | None:
    """Remove Chromium's own lock, left behind by a kill or a moved container. Our lock must be held.

    Returns who holds it, if that is a living process on this host.
    """
    lock = profile / "SingletonLock"
    if lock.is_symlink():
        host, _, pid = lock.readlink().name.rpartition("-")
        if host == socket.gethostname() and pid.isdigit() and _uses(int(pid), profile):
            return f"process {pid}"
    stale_socket = profile / "SingletonSocket"
    if stale_socket.is_symlink():
        folder = stale_socket.readlink().parent
        if "chrom" in folder.name.lower() and folder != profile:
            _remove_socket(folder)
    for name in ("SingletonLock", "SingletonCookie", "SingletonSocket"):
        (profile / name).unlink(missing_ok=True)
    return None


def _remove_socket(folder: Path) -> None:
    """Remove the folder of Chromium's own socket, and only that: a link may lead anywhere."""
    with contextlib.suppress(OSError):
        for name in ("SingletonSocket", "SingletonCookie"):
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()


def _uses(pid: int, profile: Path) -> bool:
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"--user-data-dir=" + os.fsencode(profile) in arguments


def main(argv: Sequence[str] | None = None) -> None:
    """Become the program after `--`, or exit with the reason on stderr."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True, help="with whose end the program must end")
    parser.add_argument("--kill", action="store_true", help="end with it at once, whatever the program would do")
    parser.add_argument("--pid-file", type=Path, required=True)
    parser.add_argument("--owner", required=True, help="the controller, as <pid>:<start ticks>")
    parser.add_argument("--ticket", type=Path, required=True, help="without this file nothing is started any more")
    parser.add_argument("--lock", type=Path, help="flock to take and to hand on")
    parser.add_argument("--profile", type=Path)
    parser.add_argument("--temporary", help="TMPDIR for the program")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(argv)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command

    _own_group()
    _end_with(options.parent, signal.SIGKILL if options.kill else signal.SIGTERM)
    if options.lock is not None:
        _take(options.lock, options.pid_file)
    if options.profile is not None and (holder := clear_singleton(options.profile)):
        sys.exit(f"{IN_USE} by {holder}")
    _leave_identity(options.pid_file, options.owner, options.ticket.name)
    if not options.ticket.exists():
        options.pid_file.unlink(missing_ok=True)
        # Playwright reads a browser's output; its own driver's would go to the controller's log verbatim.
        sys.exit(f"{REFUSAL}not wanted any more" if options.profile is not None else 1)
    environment = passed_on(os.environ)
    if options.temporary:
        environment["TMPDIR"] = options.temporary
    try:
        os.execvpe(command[0], [command[0], *merged_features(command[1:])], environment)  # noqa: S606 - no shell is the point
    except OSError as error:
        options.pid_file.unlink(missing_ok=True)
        sys.exit(f"{REFUSAL}cannot run {command[0]}: {error.strerror}")


def _own_group() -> None:
    # Ctrl-C in the terminal is meant for the controller only, and a signal must reach the whole tree.
    if os.getpgrp() != os.getpid():
        os.setsid()


def _end_with(parent: int, by: signal.Signals) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, by, 0, 0, 0)
    if os.getppid() != parent:  # the parent exited before we could check
        sys.exit(f"{REFUSAL}its parent is gone")


def _take(lock: Path, pid_file: Path) -> None:
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + _LOCK_SECONDS
    while not _is_taken(descriptor):
        if time.monotonic() < deadline:
            time.sleep(0.02)
            continue
        try:
            holder = f" by process {json.loads(pid_file.read_text(encoding='ascii'))['pid']}"
        except (OSError, ValueError, KeyError):
            holder = ""
        sys.exit(IN_USE + holder)
    os.set_inheritable(descriptor, True)  # noqa: FBT003 - positional only; so the browser holds it while it lives


def _is_taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _leave_identity(pid_file: Path, owner: str, ticket: str) -> None:
    pid, start = owner.split(":")
    identity = {
        "boot": boot_id(),
        "pid": os.getpid(),
        "start": start_ticks(),
        "ticket": ticket,
        "owner": {"pid": int(pid), "start": int(start)},
    }
    new = pid_file.with_suffix(".new")
    new.write_text(json.dumps(identity), encoding="ascii")
    new.replace(pid_file)


if __name__ == "__main__":
    main()
