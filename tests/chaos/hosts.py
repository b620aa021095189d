"""Faults of a host or container: limits of memory and processes, proxies, a full disk, signals, PID 1.

Each row is a separate program with its own stand-ins, on short durations. A row that needs what is missing here (a
control group, a mount, root) is reported as skipped. `python -m tests.chaos --only host:` runs these alone.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path

import psutil

from tests.chaos.table import Row
from tests.e2e.harness import ADMIN, NUMBER, ROOT, Program, World, left_behind, world
from tests.proxies import http_proxy

OTHER = "+491511234568"
MEMORY_MIB = 700
DEATHS = 20
STOP_SECONDS = 40.0
_GROUPS = Path("/sys/fs/cgroup")


class NotHereError(Exception):
    """The row cannot be run here. Its text is the reason."""


# --- control groups ---------------------------------------------------------------------------------------------------


class Group:
    """A control group of version 1 or 2 with one controller."""

    def __init__(self, controller: str) -> None:
        old = _GROUPS / controller
        self.path = (old if old.is_dir() else _GROUPS) / f"switchboard-{os.getpid()}-{controller}"
        self.is_old = old.is_dir()

    def command(self, *words: str) -> list[str]:
        """Return the command line that runs a command in this group."""
        return ["sh", "-c", f'echo $$ > {self.path}/cgroup.procs; exec "$@"', "sh", *words]

    def limit(self, value: object) -> None:
        """Set the limit: bytes, or a count of processes, or `max`."""
        name = "pids.max" if "pids" in self.path.name else "memory.limit_in_bytes" if self.is_old else "memory.max"
        (self.path / name).write_text(str(value))

    @property
    def processes(self) -> int:
        return int((self.path / "pids.current").read_text())


@asynccontextmanager
async def group(controller: str) -> AsyncIterator[Group]:
    made = Group(controller)
    try:
        made.path.mkdir()
        made.limit("max" if controller == "pids" else MEMORY_MIB << 20)
    except OSError as error:
        raise NotHereError(f"no control group of {controller} can be made here ({error.strerror})") from error
    try:
        yield made
    finally:
        for _ in range(50):
            with suppress(OSError):
                made.path.rmdir()
                break
            await asyncio.sleep(0.1)


# --- shared helpers ---------------------------------------------------------------------------------------------------


def browser(here: World, program: Program, number: str = NUMBER) -> psutil.Process:
    """The browser's first process of an account."""
    name = here.profile_name(number)
    for each in program.family():
        with suppress(psutil.NoSuchProcess):
            words = each.cmdline()
            is_first = not any(word.startswith("--type=") for word in words)
            if is_first and any(word.endswith(f"/{name}") and "--user-data-dir" in word for word in words):
                return each
    raise AssertionError("no browser is there")


def newest(here: World, number: str = NUMBER) -> tuple[str, str, str, int, int]:
    """State, reason, detail, attempts and errors in the database."""
    return here.rows("SELECT state, reason, detail, attempts, errors FROM accounts WHERE number = ?", number)[0]


def details(here: World, after: int) -> list[str]:
    return [detail for (detail,) in here.rows("SELECT detail FROM transitions WHERE id > ? ORDER BY id", after)]


def mark(here: World) -> int:
    return here.rows("SELECT coalesce(max(id), 0) FROM transitions")[0][0]


async def back(here: World, row: Row, after: int, since: float, within: float = 60) -> None:
    """Wait until the account is CONNECTED by a transition after `after`; record how long it took."""
    sql = "SELECT 1 FROM transitions WHERE id > ? AND number = ? AND to_state = 'CONNECTED'"
    await here.until(lambda: here.rows(sql, after, NUMBER) and newest(here)[0] == "CONNECTED", within)
    row.back = time.monotonic() - since
    row.errors, row.attempts = max(row.errors, newest(here)[4]), max(row.attempts, newest(here)[3])


async def told(here: World, row: Row, since: float, *words: str) -> None:
    """Wait until the chat shows these words; record when."""
    await here.until(lambda: here.says(*words), 60)
    row.detected = time.monotonic() - since


async def stop(here: World, program: Program, row: Row, number: signal.Signals = signal.SIGTERM) -> None:
    began = time.monotonic()
    program.send(number)
    try:
        code = await program.ended(STOP_SECONDS + 10)  # if something hangs in it, it says so at 40 s
    except TimeoutError:
        row.wrong.append(f"it has not ended: {program.text.splitlines()[-1]}")
        return
    if code != 0:
        row.wrong.append(f"it ended with {code}: {program.text.splitlines()[-1]}")
    while (left := left_behind(here.data_dir)) and time.monotonic() < began + STOP_SECONDS:  # noqa: ASYNC110 - processes send no event
        await asyncio.sleep(0.1)
    if left:
        row.left = f"{len(left)} processes"
        row.wrong.append("something is left behind")
    if "Traceback" in program.text:
        row.wrong.append("a traceback is in the log")


# --- the rows ---------------------------------------------------------------------------------------------------------


async def _out_of_memory(here: World, row: Row) -> None:
    """A page exhausts the group's memory: the kernel kills it, and the account's reason says so."""
    async with (
        group("memory") as limits,
        here.program(
            command=limits.command(sys.executable, "-m", "switchboard"),
            ACCOUNT_MEMORY_LIMIT_MIB="100000",
            HOST_FREE_MEMORY_MIB="50",
        ) as program,
    ):
        await here.link()
        await here.link(OTHER, "Support Paris")
        after, since = mark(here), time.monotonic()
        here.phones.harm("memory", NUMBER)
        sql = "SELECT detail FROM transitions WHERE id > ? AND number = ?"
        found = await here.until(lambda: here.rows(sql, after, NUMBER), 60)
        row.detected, row.layer = time.monotonic() - since, found[0][0]
        if f"for want of memory (the limit is {MEMORY_MIB} MiB)" not in row.layer:
            row.wrong.append("the reason does not name the limit")
        await back(here, row, after, since, 200)  # for a minute or two no browser is started after such a kill
        if here.newest_state(OTHER) != "CONNECTED":
            row.wrong.append("the other account went down")
        await stop(here, program, row)


async def _out_of_processes(here: World, row: Row) -> None:
    """No browser can be started: the limit is named in an alert, nothing connected is closed, and it recovers."""
    async with (
        group("pids") as limits,
        here.program(command=limits.command(sys.executable, "-m", "switchboard")) as program,
    ):
        await here.link()
        await here.link(OTHER, "Support Paris")
        killed = browser(here, program)
        threads = sum(each.num_threads() for each in (killed, *killed.children(recursive=True)))
        after, since = mark(here), time.monotonic()
        limits.limit(limits.processes - threads + 4)
        killed.kill()
        await told(here, row, since, "allows no more processes")
        row.layer = next((each for each in details(here, after) if "no more processes" in each), "–")
        if here.newest_state(OTHER) != "CONNECTED":
            row.wrong.append("the other account went down")
        limits.limit("max")
        cured = time.monotonic()
        await here.client.send(ADMIN, f"/reconnect {NUMBER}")
        await back(here, row, after, cured, 120)
        await stop(here, program, row)


async def _proxy_away(here: World, row: Row) -> None:
    """Only the account whose proxy is down waits, consumes no attempts, and recovers without help."""
    async with here.program() as program:
        await here.link()
        await here.link(OTHER, "Support Paris")
        async with http_proxy("ada:hunter2") as proxy:
            await _goes_through(here, proxy.url("ada:hunter2"))
        after, since = mark(here), time.monotonic()  # it is down, and its connections are closed
        browser(here, program).kill()
        await told(here, row, since, "own proxy does not let it through")
        await asyncio.sleep(3)
        row.errors, row.attempts = newest(here)[4], newest(here)[3]
        row.layer = newest(here)[2]
        await asyncio.sleep(12)
        if newest(here)[0] == "CONNECTED" or (newest(here)[4], newest(here)[3]) != (row.errors, row.attempts):
            row.wrong.append(f"it stands as {newest(here)}")
        if here.newest_state(OTHER) != "CONNECTED":
            row.wrong.append("the other account went down")
        async with http_proxy("ada:hunter2", proxy.port):
            await back(here, row, after, time.monotonic())
            await here.until(lambda: here.says("proxies of all accounts let them through"), 60)
        _secret(here, program, row)
        await stop(here, program, row)


async def _proxy_refuses(here: World, row: Row) -> None:
    """A proxy that requires a new password is named with 407; setting the new password fixes it."""
    async with here.program() as program, http_proxy("ada:hunter2") as proxy:
        await here.link()
        await _goes_through(here, proxy.url("ada:hunter2"))
        proxy.wanted = "ada:hunter3"
        after, since = mark(here), time.monotonic()
        browser(here, program).kill()
        await told(here, row, since, "own proxy does not let it through", "(407)")
        row.layer = "the proxy wants another user or password (407)"
        await here.client.send(ADMIN, f"/proxy {NUMBER} {proxy.url('ada:hunter2')}")
        await here.until(lambda: here.says("cannot be reached through"), 30)
        cured = time.monotonic()
        await here.client.send(ADMIN, f"/proxy {NUMBER} {proxy.url('ada:hunter3')}")
        await back(here, row, after, cured)
        _secret(here, program, row)
        await stop(here, program, row)


async def _goes_through(here: World, address: str) -> None:
    after = mark(here)
    await here.client.send(ADMIN, f"/proxy {NUMBER} {address}")
    await here.until(lambda: here.says("goes through", "WhatsApp can be reached through it"), 30)
    sql = "SELECT 1 FROM transitions WHERE id > ? AND number = ? AND to_state = 'CONNECTED'"
    await here.until(lambda: here.rows(sql, after, NUMBER), 60)


def _secret(here: World, program: Program, row: Row) -> None:
    """Check that the password is in no log, no chat and no command line."""
    places = {
        "the log": program.text,
        "the chat": "\n".join(str(m["text"]) for m in here.client.messages(ADMIN) if not m["deleted"]),
        "a command line": "\n".join(" ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])),
    }
    row.wrong += [f"the password is in {place}" for place, text in places.items() if "hunter" in text]


async def _locked(here: World, row: Row) -> None:
    """Another program locks the database during the stop: it exits, and reports what could not be stored."""
    async with here.program() as program:
        await here.link()
        with closing(sqlite3.connect(here.data_dir / "switchboard.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            began = time.monotonic()
            program.send(signal.SIGTERM)
            code = await program.ended(STOP_SECONDS + 5)
            row.detected = time.monotonic() - began
        if code not in {0, 75} or row.detected > STOP_SECONDS:
            row.wrong.append(f"it ended with {code} after {row.detected:.0f} s")
        if "could not be stored before the end" not in program.text:
            row.wrong.append("what was not stored was not told")
        if left := left_behind(here.data_dir):
            row.wrong.append(f"{len(left)} processes live on")
    after, since = mark(here), time.monotonic()
    async with here.program() as program:
        await back(here, row, after, since)
        await stop(here, program, row)
    row.layer, row.note = "database", "detected: until the end"


@contextmanager
def small(place: Path) -> Iterator[None]:
    """A file system with almost no space."""
    place.mkdir()
    if os.geteuid() or _run("mount", "-t", "tmpfs", "-o", "size=4k", "none", str(place)):
        raise NotHereError("a file system of its own cannot be mounted here (root only)")
    try:
        yield
    finally:
        _run("umount", "--lazy", str(place))


def _run(*words: str) -> int:
    return subprocess.run(words, check=False, capture_output=True).returncode


async def _full(here: World, row: Row) -> None:
    """A backup to a full disk fails with one line, leaves nothing there, and affects nothing else."""
    place = here.data_dir.parent / "small"
    with small(place):
        async with here.program(BACKUP_DIR=str(place / "scheduled")) as program:
            await here.link()
            after, since = mark(here), time.monotonic()
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "switchboard", "backup", str(place / "backup.tar.gz"),
                env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "DATA_DIR": str(here.data_dir)},
                cwd=place.parent, stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            line = (await asyncio.wait_for(process.communicate(), 60))[1].decode().strip()
            row.detected, row.layer = time.monotonic() - since, line.rpartition(": ")[2]
            if process.returncode != 75 or len(line.splitlines()) != 1:
                row.wrong.append(f"it ended with {process.returncode}: {line}")
            if rest := [path.name for path in place.rglob("*") if path.is_file()]:
                row.wrong.append(f"left behind: {', '.join(rest)}")
            if mark(here) != after:
                row.wrong.append("an account was disturbed")
            await stop(here, program, row)


async def _hangup(here: World, row: Row) -> None:
    async with here.program() as program:
        await here.link()
        since = time.monotonic()
        await stop(here, program, row, signal.SIGHUP)
        row.detected = time.monotonic() - since
        if "SIGHUP: stopping" not in program.text:
            row.wrong.append("it does not say that it ends for a hangup")
    photos, after, since = len(here.client.requests("sendPhoto")), mark(here), time.monotonic()
    async with here.program() as program:
        await back(here, row, after, since)
        if len(here.client.requests("sendPhoto")) != photos:
            row.wrong.append("a code was shown")
        await stop(here, program, row)
    row.layer, row.note = "controller", "detected: until exit 0"


async def _first_process(here: World, row: Row) -> None:
    """As PID 1, without an init: twenty browsers die, and none of their processes remains a zombie."""
    unshare = shutil.which("unshare")
    command = [str(unshare), "-pf", "--mount-proc", "--kill-child", sys.executable, "-m", "switchboard"]
    if unshare is None or _run(*command[:4], "true"):
        raise NotHereError("no namespace of processes can be made here")
    async with here.program(command=command, STABLE_AFTER_SECONDS="0.1", MAX_RECONNECT_ATTEMPTS="100") as program:
        await here.link()
        most = 0.0
        for _ in range(DEATHS):
            after, since = mark(here), time.monotonic()
            browser(here, program).kill()
            await back(here, row, after, since)
            most = max(most, row.back or 0.0)
        row.back = most
        deadline = time.monotonic() + 10
        while (zombies := _zombies(program)) and time.monotonic() < deadline:  # noqa: ASYNC110 - processes send no event
            await asyncio.sleep(0.2)
        row.left, row.layer = f"{len(zombies)} zombies", "browser"
        if zombies:
            row.wrong.append("zombies are left")
        psutil.Process(program.process.pid).children()[0].send_signal(signal.SIGTERM)
        if (code := await program.ended(STOP_SECONDS)) != 0:
            row.wrong.append(f"it ended with {code}")
    row.note = f"{DEATHS} deaths; back: the slowest"


def _zombies(program: Program) -> list[psutil.Process]:
    found = []
    for each in program.family():
        with contextlib.suppress(psutil.NoSuchProcess):
            if each.status() == psutil.STATUS_ZOMBIE:
                found.append(each)
    return found


Trial = Callable[[World, Row], Awaitable[None]]

TRIALS: dict[str, Trial] = {
    "host: memory limit reached (OOM kill)": _out_of_memory,
    "host: process limit reached": _out_of_processes,
    "host: an account's own proxy is away": _proxy_away,
    "host: a proxy wants another password": _proxy_refuses,
    "host: database locked at the stop": _locked,
    "host: disk full amid a backup": _full,
    "host: SIGHUP": _hangup,
    "host: 20 browsers die under PID 1": _first_process,
}


async def run(names: Sequence[str], done: Callable[[Row], None]) -> None:
    """Run these rows one after another. Never raises for what the program does."""
    for name in names:
        row = Row(name)
        with tempfile.TemporaryDirectory(prefix="sbh") as folder:
            try:
                async with world(Path(folder)) as here:
                    await TRIALS[name](here, row)
            except NotHereError as error:
                row.skipped = str(error)
            except (AssertionError, LookupError, OSError, TimeoutError, StopIteration, psutil.Error) as error:
                row.wrong.append(f"given up: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
        done(row)
