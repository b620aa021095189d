"""The program that runs between Playwright and the browser: takes the lock, writes the pid file, becomes the browser.

It is run by path with `python -I -S`, before the browser exists, and once for every launch: so it imports only a few
modules of the standard library that load at once (argparse, json, pathlib, re and socket would take 50 ms of processor
time, a sixth of a browser's start). Its order is the whole point: lock, then pid file, then check of the ticket, then
`exec`; so whoever removes the ticket and then reads the pid file has either prevented the browser or knows which
process to end.
Not here: the browser's arguments (`flags`), and how processes are ended (`tree`).
"""

import ctypes
import fcntl
import os
import sys
import time

REFUSAL = "switchboard launcher: "
"""The prefix of every error on stderr: Playwright includes the browser's stderr in its own error's text."""
IN_USE = REFUSAL + "profile in use"

_PR_SET_PDEATHSIG = 1
_SIGKILL, _SIGTERM = 9, 15
_LOCK_SECONDS = 2.0
"""A browser that was just ended may hold its lock for another moment, until the last of its processes is gone."""
_MERGED = ("--disable-features=", "--enable-features=")
_PASSED_ON = frozenset({
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DISPLAY",
    "DBUS_SESSION_BUS_ADDRESS", "NODE_EXTRA_CA_CERTS", "CHROMIUM_FLAGS", "GOOGLE_API_KEY",
})  # fmt: skip
_FAMILIES_PASSED_ON = ("LC_", "XDG_", "FONTCONFIG_", "SSL_CERT_", "PW_", "PLAYWRIGHT_", "CHROME_")
_PROXIES = frozenset({"http_proxy", "https_proxy", "no_proxy", "all_proxy"})
"""In capitals or not."""
_REQUIRED = ("parent", "pid-file", "owner", "ticket")
_OPTIONAL = ("lock", "profile", "temporary")

Path = str | os.PathLike[str]


def start_ticks(pid: int | str = "self") -> int | None:
    """Return when a process started, in clock ticks since boot; None if it is gone. Unlike a date it is stable."""
    try:
        stat = _read(f"/proc/{pid}/stat")
    except OSError:
        return None
    return int(stat.rpartition(b")")[2].split()[19])


def boot_id() -> str:
    """Return the id of this boot of this machine: pids and ticks of another one are meaningless here."""
    return _read("/proc/sys/kernel/random/boot_id").decode("ascii").strip()


def merged_features(arguments: list[str]) -> list[str]:
    """Merge repeated feature lists, since a browser obeys only the last: Playwright's, ours and the operator's."""
    kept: list[str] = []
    lists: dict[str, list[str]] = {}
    for argument in arguments:
        name = next((prefix for prefix in _MERGED if argument.startswith(prefix)), None)
        if name is None:
            kept.append(argument)
        else:
            lists.setdefault(name, []).extend(argument.removeprefix(name).split(","))
    merged = [name + ",".join(dict.fromkeys(filter(None, features))) for name, features in lists.items()]
    return [*merged, *kept]


def passed_on(environment: "os._Environ[str] | dict[str, str]") -> dict[str, str]:
    """Return the environment variables that a browser needs; the others may contain our secrets."""
    return {name: value for name, value in environment.items() if _is_passed_on(name)}


def _is_passed_on(name: str) -> bool:
    of_family = name.isidentifier() and name.startswith(_FAMILIES_PASSED_ON) and name not in _FAMILIES_PASSED_ON
    return name in _PASSED_ON or of_family or name.lower() in _PROXIES


def clear_singleton(profile: Path) -> str | None:
    """Remove Chromium's own lock, left behind by a kill or a moved container. Our lock must be held.

    Returns who holds it, if that is a living process on this host.
    """
    lock, cookie, socket = (os.path.join(profile, f"Singleton{name}") for name in ("Lock", "Cookie", "Socket"))
    if os.path.islink(lock):
        host, _, pid = os.path.basename(os.readlink(lock)).rpartition("-")
        if host == os.uname().nodename and pid.isdigit() and _uses(int(pid), profile):
            return f"process {pid}"
    if os.path.islink(socket):
        folder = os.path.dirname(os.readlink(socket))
        if "chrom" in os.path.basename(folder).lower() and folder != os.fspath(profile):
            _remove_socket(folder)
    for path in (lock, cookie, socket):
        _remove(path)
    return None


def _remove_socket(folder: str) -> None:
    """Remove the folder of Chromium's own socket, and only that: a link may lead anywhere."""
    try:
        for name in ("SingletonSocket", "SingletonCookie"):
            _remove(os.path.join(folder, name))
        os.rmdir(folder)
    except OSError:
        return


def _uses(pid: int, profile: Path) -> bool:
    try:
        arguments = _read(f"/proc/{pid}/cmdline").split(b"\0")
    except OSError:
        return False
    return b"--user-data-dir=" + os.fsencode(profile) in arguments


def _read(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _remove(path: Path) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def main() -> None:
    """Become the program after `--`, or exit with the reason on stderr.

    --parent PID: with whose end the program must end; --kill: by SIGKILL, whatever the program would do. --owner: the
    controller, as <pid>:<start ticks>. --ticket: without this file nothing is started any more. --lock: flock to take
    and to hand on. --temporary: TMPDIR for the program.
    """
    options, command = _parse(sys.argv[1:])
    pid_file, ticket, profile = options["pid-file"], options["ticket"], options.get("profile")

    _own_group()
    _end_with(int(options["parent"]), _SIGKILL if "kill" in options else _SIGTERM)
    if "lock" in options:
        _take(options["lock"], pid_file)
    if profile is not None and (holder := clear_singleton(profile)):
        sys.exit(f"{IN_USE} by {holder}")
    _leave_identity(pid_file, options["owner"], os.path.basename(ticket))
    if not os.path.exists(ticket):
        _remove(pid_file)
        # Playwright reads a browser's output; its own driver's would go to the controller's log verbatim.
        sys.exit(f"{REFUSAL}not wanted any more" if profile is not None else 1)
    environment = passed_on(os.environ)
    if "temporary" in options:
        environment["TMPDIR"] = options["temporary"]
    try:
        os.execvpe(command[0], [command[0], *merged_features(command[1:])], environment)  # noqa: S606 - no shell is the point
    except OSError as error:
        _remove(pid_file)
        sys.exit(f"{REFUSAL}cannot run {command[0]}: {error.strerror}")


def _parse(given: list[str]) -> tuple[dict[str, str], list[str]]:
    """Return the options by name, and the command. Exits with what is missing or unknown."""
    own, command = (given[: (at := given.index("--"))], given[at + 1 :]) if "--" in given else (given, [])
    options: dict[str, str] = {}
    waiting = iter(own)
    for option in waiting:
        name = option.removeprefix("--")
        if name not in (*_REQUIRED, *_OPTIONAL, "kill"):
            sys.exit(f"{REFUSAL}unknown option {option}")
        options[name] = "" if name == "kill" else next(waiting, "")
    if missing := [name for name in _REQUIRED if not options.get(name)] + ([] if command else ["command"]):
        sys.exit(f"{REFUSAL}missing: {', '.join(missing)}")
    return options, command


def _own_group() -> None:
    # Ctrl-C in the terminal is meant for the controller only, and a signal must reach the whole tree.
    if os.getpgrp() != os.getpid():
        os.setsid()


def _end_with(parent: int, by: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, by, 0, 0, 0)
    if os.getppid() != parent:  # the parent exited before we could check
        sys.exit(f"{REFUSAL}its parent is gone")


def _take(lock: str, pid_file: str) -> None:
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + _LOCK_SECONDS
    while not _is_taken(descriptor):
        if time.monotonic() < deadline:
            time.sleep(0.02)
            continue
        sys.exit(IN_USE + _holder(pid_file))
    os.set_inheritable(descriptor, True)  # noqa: FBT003 - positional only; so the browser holds it while it lives


def _holder(pid_file: str) -> str:
    import json  # only now: a launch that succeeds does without

    try:
        return f" by process {json.loads(_read(pid_file))['pid']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _is_taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _leave_identity(pid_file: str, owner: str, ticket: str) -> None:
    """Write who this is, as JSON: numbers, and names of our own that need no escapes (see `tree.PidFile`)."""
    pid, _, start = owner.partition(":")
    new = f"{os.path.splitext(pid_file)[0]}.new"
    with open(new, "w", encoding="ascii") as file:
        file.write(
            f'{{"boot": "{boot_id()}", "pid": {os.getpid()}, "start": {start_ticks()}, "ticket": "{ticket}", '
            f'"owner": {{"pid": {int(pid)}, "start": {int(start)}}}}}'
        )
    os.replace(new, pid_file)


if __name__ == "__main__":
    main()
