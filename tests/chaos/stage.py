"""The stage: the whole program with accounts in real Chromium between both stand-ins, and ways to observe it.

Nothing of the product is imported: facts come from its database, the chat as people see it, the phones and /proc.
Not here: faults, and what is expected of them.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from sandbox.whatsapp import PhoneError
from tests.e2e.harness import ADMIN, Program, World, world

CITIES = (
    "Berlin", "Paris", "Rome", "Oslo", "Vienna", "Madrid", "Lisbon", "Dublin", "Athens", "Warsaw", "Prague", "Riga",
)  # fmt: skip
PAGE_SPEED = 10
_POLL = 0.05
_ALARM = "🚨"
_INCIDENT_SECONDS = 6.0
_CALM_SECONDS = 3.0
_WAIT_THEIR_TURN = ("Cards.", "LiveMessage.", "Answers.", "Codes.", "AlertWorker.", "Worker.")
"""Tasks with something to send in a chat that has used up this minute's budget: they wait on purpose."""
_TROUBLE = ("Traceback (most", "could not be handled", "Task was destroyed", "never retrieved", "cannot be ended")


class StageError(Exception):
    """Something did not happen in time. Its text is one line."""


@dataclass(frozen=True, slots=True)
class Account:
    """One account of the stage, with its own operator whose private chat nobody else uses."""

    number: str
    name: str
    operator: int


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the product's transition log. at: unix seconds, by the controller's clock."""

    id: int
    at: float
    state: str
    reason: str
    cause: str | None
    detail: str
    attempts: int
    errors: int


@dataclass(frozen=True, slots=True)
class Census:
    """All that exists of the program now, as far as it may be left behind."""

    processes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    trouble: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        return not (self.processes or self.files or self.tasks or self.trouble)

    def __str__(self) -> str:
        return "; ".join((*self.processes, *self.files, *self.tasks, *self.trouble)) or "0"


@dataclass
class Stage:
    """A running program and its accounts."""

    here: World
    accounts: list[Account]
    settings: dict[str, str]
    alert_chat: int
    on_tmpfs: bool
    patience: float
    """The factor for the contract's seconds: 1 for measurements, more on a busy machine."""
    program: Program = field(init=False)
    running: AsyncExitStack | None = None
    read_lines: int = 0
    noted: int = 0
    """The newest message of the alert chat before the current fault."""
    logs: list[str] = field(default_factory=list)
    """The output of earlier runs of the program."""
    calm: Counter[str] = field(default_factory=Counter)
    """The program's tasks while all accounts are CONNECTED and nothing happens."""

    # --- the program --------------------------------------------------------------------------------------------------

    async def start(self, module: str = "tests.chaos.inside", **more: str) -> None:
        self.running = AsyncExitStack()
        self.program = await self.running.enter_async_context(self.here.program(module, **(self.settings | more)))
        self.read_lines = 0

    async def stop(self) -> int:
        """Send SIGTERM, if it is still running. Returns the exit code."""
        assert self.running is not None
        await self.running.aclose()
        self.running = None
        self.logs += self.program.lines
        code = self.program.process.returncode
        return -1 if code is None else code

    def setting(self, name: str) -> float:
        return float(self.settings[name])

    async def peep(self, question: str = "tasks") -> Any:
        """Query the debugging hook (see `inside`)."""
        try:
            async with asyncio.timeout(10):
                reader, writer = await asyncio.open_unix_connection(self.settings["CHAOS_PEEPHOLE"])
                writer.write(question.encode() + b"\n")
                told = json.loads(await reader.readline())
                writer.close()
        except (OSError, ValueError, TimeoutError) as error:
            raise StageError(f"the program does not answer: {error or 'no answer in 10 s'}") from error
        return told

    # --- people -------------------------------------------------------------------------------------------------------

    async def says(self, account: Account, text: str) -> None:
        """Send a text to the bot as the account's operator."""
        await self.here.client.send(account.operator, text)

    async def scan(self, account: Account, *, as_: str | None = None, within: float = 45) -> None:
        """Read the picture in the operator's chat and scan it; read it again if the code has expired meanwhile."""

        def scanned() -> bool:
            for photo in self.here.chat(account.operator):
                with contextlib.suppress(PhoneError, ValueError):  # expired, or a picture of a page
                    if photo["photo"]:
                        self.here.phones.scan(self.here.decode(photo), as_ or account.number)
                        return True
            return False

        await self.until(scanned, f"a living code in {account.name}'s chat", within)

    async def link(self, account: Account) -> None:
        mark = self.mark(account)
        await self.says(account, f"/link {account.number} {account.name}")
        await self.scan(account, within=45 * self.patience)
        await self.until_back(account, mark, 60 * self.patience)

    async def reset(self, account: Account) -> None:
        """Reset the counters to zero, which only an operator's command or a calm minute does."""
        newest = self.newest(account)
        if newest is not None and newest.state == "CONNECTED" and (newest.attempts, newest.errors) == (0, 0):
            return
        mark = self.mark(account)
        await self.says(account, f"/suspend {account.number}")
        await self.until(lambda: self.state(account) == "SUSPENDED", f"{account.name} suspended", 30 * self.patience)
        await self.says(account, f"/reconnect {account.number}")
        await self.until_back(account, mark, 60 * self.patience)

    # --- facts --------------------------------------------------------------------------------------------------------

    def log(self, account: Account, after: int = 0) -> list[Transition]:
        rows = self.here.rows(
            "SELECT id, at, to_state, reason, cause, detail, attempt, errors FROM transitions"
            " WHERE number = ? AND id > ? ORDER BY id",
            account.number,
            after,
        )
        return [Transition(row[0], datetime.fromisoformat(row[1]).timestamp(), *row[2:]) for row in rows]

    def newest(self, account: Account) -> Transition | None:
        with contextlib.suppress(Exception):  # the database may be in the middle of its first start
            if found := self.log(account):
                return found[-1]
        return None

    def mark(self, account: Account) -> int:
        newest = self.newest(account)
        return 0 if newest is None else newest.id

    def state(self, account: Account) -> str:
        newest = self.newest(account)
        return "" if newest is None else newest.state

    def is_online(self, account: Account) -> bool:
        """Whether the phone sees its linked device as active."""
        return any(each["number"] == account.number and each["online"] for each in self.here.phones.devices())

    def alerts(self, after: int) -> list[dict[str, Any]]:
        """Alerts in their chat: messages with sound, except answers to button presses."""

        return [
            message
            for message in self.here.client.from_bot(self.alert_chat)
            if message["message_id"] > after and not message["silent"] and _first_words(message).startswith(_ALARM)
        ]

    def calmest(self) -> Account:
        """The account with the fewest sounding alerts: one that sounds often is reported by edits alone for an hour."""
        sounded = [each["text"] for each in self.here.client.from_bot(self.alert_chat) if not each["silent"]]
        heard = Counter(a for text in sounded for a in self.accounts if a.name in text)  # also those that are over
        return min(self.accounts, key=lambda account: heard[account])

    async def incident_over(self) -> None:
        """Wait until the next alert will be a separate message: alerts of a chat within 5 s are joined."""

        def age() -> float:
            newest = max((m["edited"] or m["date"] for m in self.here.client.from_bot(self.alert_chat)), default=0.0)
            return time.time() - float(newest)

        await self.until(lambda: age() > _INCIDENT_SECONDS, "an end of the incident before", 60)

    def last_message(self) -> int:
        return max((m["message_id"] for m in self.here.client.from_bot(self.alert_chat)), default=0)

    async def until(self, met: Callable[[], Any], what: str, within: float) -> Any:
        deadline = time.monotonic() + within
        while not (found := met()):
            if time.monotonic() > deadline:
                raise StageError(f"not within {within:g} s: {what}")
            if self.running is not None and self.program.process.returncode is not None:
                raise StageError(f"the program ended ({self.program.process.returncode}) instead of: {what}")
            await asyncio.sleep(_POLL)
        return found

    async def until_back(self, account: Account, after: int, within: float) -> Transition:
        """Wait until it is CONNECTED again, for the product and for the phone."""

        def back() -> Transition | None:
            newest = self.newest(account)
            fresh = newest is not None and newest.id > after and newest.state == "CONNECTED"
            return newest if fresh and self.is_online(account) else None

        found: Transition = await self.until(back, f"{account.name} connected", within)
        return found

    # --- processes and files ------------------------------------------------------------------------------------------

    def browser(self, account: Account) -> psutil.Process:
        """The account's browser, its first process."""
        folder = f"--user-data-dir={self.here.data_dir / 'profiles' / self.here.profile_name(account.number)}"
        found = [
            process
            for process in psutil.process_iter(["cmdline"])
            if folder in (words := process.info["cmdline"] or []) and not any(w.startswith("--type=") for w in words)
        ]
        if len(found) != 1:
            raise StageError(f"{account.name} has {len(found)} browsers")
        return found[0]

    def parts(self, account: Account, *kinds: str) -> list[psutil.Process]:
        """Processes of the account's browser by --type or --utility-sub-type."""
        wanted = {f"--type={kind}" for kind in kinds} | {f"--utility-sub-type={kind}" for kind in kinds}
        return [each for each in self.browser(account).children(recursive=True) if wanted & set(_words(each))]

    def node(self) -> psutil.Process:
        """Playwright's driver process."""
        return next(each for each in self.program.family() if "run-driver" in _words(each))

    def census(self) -> Census:
        """Everything that should not exist. Accounts that are CONNECTED or CONNECTING have one browser each."""
        open_now = {
            self.here.profile_name(a.number) for a in self.accounts if self.state(a) in {"CONNECTED", "CONNECTING"}
        }
        family = {each.pid for each in self.program.family()} if self.running is not None else set()
        processes, leaders = [], []
        for process in psutil.process_iter(["cmdline", "status", "ppid"]):
            words = process.info["cmdline"] or []
            if process.info["status"] == psutil.STATUS_ZOMBIE:
                if process.info["ppid"] == self.program.process.pid and self.running is not None:
                    processes.append(f"zombie {process.pid}")
                continue
            if process.pid == os.getpid() or not any(str(self.here.data_dir) in word for word in words):
                continue
            folder = next((w for w in words if w.startswith("--user-data-dir=")), None)
            if folder is not None and not any(word.startswith("--type=") for word in words):
                leaders.append(Path(folder).name)
            if process.pid not in family:
                processes.append(f"orphan {process.pid}")
        processes += [f"browser of …{d[-4:]} ×{leaders.count(d)}" for d in sorted(set(leaders)) if leaders.count(d) > 1]
        processes += [f"browser of …{name[-4:]}" for name in sorted(set(leaders) - open_now)]
        return Census(tuple(processes), tuple(self._files(open_now)), trouble=tuple(self._trouble()))

    def _files(self, open_now: set[str]) -> list[str]:
        run = self.here.data_dir / "run"
        names = {path.name for path in run.iterdir()} if run.exists() else set()
        wanted = {f"{self.here.profile_name(a.number)}.{kind}" for a in self.accounts for kind in ("lock", "clean")}
        wanted |= {f"{name}.json" for name in open_now}
        drivers = {name.split(".")[1] for name in names if name.startswith("playwright.")}
        found = sorted(name for name in names if not name.startswith("playwright.") and name not in wanted)
        if len(drivers) > (1 if self.running is not None else 0):
            found.append(f"{len(drivers)} × playwright.*")
        profiles = self.here.data_dir / "profiles"
        if self.running is None and profiles.exists():
            found += [f"{path.name} of …{path.parent.name[-4:]}" for path in profiles.glob("*/Singleton*")]
        left = [path.name for path in self._temporary.iterdir()]
        if self.running is None:
            found += left
        elif len(left) > 4 * len(self.accounts) + 4:
            found.append(f"{len(left)} temporary files")
        return found

    def _trouble(self) -> list[str]:
        """Log lines that only a fault of the program itself causes."""
        lines, self.read_lines = self.program.lines[self.read_lines :], len(self.program.lines)
        return [line[:160] for line in lines if any(word in line for word in _TROUBLE)]

    async def settled(self, within: float = 12) -> Census:
        """The census once it is clean, or what is still left after a while. Log errors are never forgotten."""
        deadline = time.monotonic() + within * self.patience
        trouble: tuple[str, ...] = ()
        while True:
            tasks = Counter[str]()
            if self.calm and self.running is not None:
                tasks = Counter(await self.peep()) - self.calm
                for name in [name for name in tasks if name.startswith(_WAIT_THEIR_TURN)]:
                    del tasks[name]
            census = self.census()
            trouble += census.trouble
            left = replace(census, tasks=tuple(f"{n} × task {name}" for name, n in tasks.items()), trouble=trouble)
            if not (left.processes or left.files or left.tasks) or time.monotonic() > deadline:
                return left
            await asyncio.sleep(0.3)

    @property
    def _temporary(self) -> Path:
        return self.here.data_dir.parent / "t"


def _first_words(message: dict[str, Any]) -> str:
    return str((message["history"] or [message])[0]["text"])


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@asynccontextmanager
async def stage(
    folder: Path,
    *,
    accounts: int,
    settings: Mapping[str, str],
    pings: Mapping[str, float],
    patience: float = 1.0,
    unlinked: int = 0,
    calm: float = _CALM_SECONDS,
) -> AsyncIterator[Stage]:
    """Run both stand-ins, the program, and so many accounts.

    unlinked: how many, the last ones, nobody has linked. calm: seconds until its tasks are those at rest.
    """
    cast = [Account(f"+49151123456{n:02}", name, 2000 + n) for n, name in enumerate(CITIES[:accounts], start=1)]
    temporary = folder / "t"
    temporary.mkdir()
    async with world(folder, speed=PAGE_SPEED, **pings) as here:
        for account in cast:
            here.client.add_user(account.operator, f"Operator {account.name}")
        group = here.client.add_group("Alerts", [ADMIN], admin=True)
        given = dict(settings) | {
            "TELEGRAM_OPERATOR_IDS": ",".join(str(account.operator) for account in cast),
            "TELEGRAM_ALERT_CHAT_ID": str(group["id"]),
            "TMPDIR": str(temporary),
            "CHAOS_PEEPHOLE": str(folder / "peephole"),
        }
        with _tmpfs(here.data_dir, megabytes=1500) as on_tmpfs:
            made = Stage(here, cast, given, group["id"], on_tmpfs, patience)
            await made.start()
            try:
                await asyncio.gather(*(made.link(account) for account in cast[: accounts - unlinked]))
                await asyncio.sleep(calm)
                made.calm = Counter(await made.peep())
                yield made
            finally:
                if made.running is not None:
                    await made.stop()


@contextlib.contextmanager
def _tmpfs(folder: Path, megabytes: int) -> Any:
    """Mount a small file system there, if this user may: only then can the disk be full."""
    folder.mkdir(mode=0o700)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=False, capture_output=True)
