"""The whole program as in production: a separate process, real Chromium, real HTTP, between both stand-ins.

Nothing of the product is imported here; it is observed through the chat, the phones, its exit code and its files.
"""

import asyncio
import contextlib
import hashlib
import hmac
import io
import os
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import zxingcpp
from PIL import Image

from sandbox.telegram import TelegramStandIn
from sandbox.whatsapp import Options, PhoneError, Timings, WhatsAppStandIn
from tests.sandbox.telegram.validation import all_problems

ROOT = Path(__file__).resolve().parents[2]
ADMIN, OPERATOR, STRANGER = 1001, 1002, 1003
NUMBER = "+491511234567"

FAST = {
    "RECONNECT_DELAYS": "0.2,0.4,0.8,1.6",
    "BREAKER_COOLDOWN_SECONDS": "3",
    "HEALTH_CHECK_SECONDS": "1",
    "PROBE_TIMEOUT_SECONDS": "3",
    "KEEP_ALIVE_SECONDS": "2",
    "STALE_AFTER_SECONDS": "20",
    "STABLE_AFTER_SECONDS": "5",
    "QR_DEBOUNCE_SECONDS": "0.3",
    "CONNECT_TIMEOUT_SECONDS": "20",
    "SYNC_TIMEOUT_SECONDS": "20",
}
"""The program with short durations: what takes minutes in production takes seconds."""
PATIENCE = 90.0
"""Seconds to wait for anything: a chat whose budget is used up gets the rest a minute later."""


class Program:
    """The product's process. `lines` is its output so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reader = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.lines.append(line.decode(errors="replace").rstrip())

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def exits(self, within: float) -> int:
        """Wait until it has exited; return its exit code. Raises TimeoutError.

        The process's own `wait` would also wait until nobody else has its log open.
        """
        async with asyncio.timeout(within):
            while self.process.returncode is None:  # noqa: ASYNC110 - see above
                await asyncio.sleep(0.02)
        return self.process.returncode

    async def ended(self, within: float = 90) -> int:
        """Its exit code, once it has exited by itself and its log is complete. Raises TimeoutError, AssertionError."""
        code = await self.exits(within)
        if not (await asyncio.wait({self._reader}, timeout=60))[0]:
            raise AssertionError("it has ended, and another process still has its log open")
        self._reader.result()
        return code

    def family(self) -> list[psutil.Process]:
        """Its processes: itself and all its descendants."""
        try:
            me = psutil.Process(self.process.pid)
            return [me, *me.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def browser(self) -> psutil.Process:
        """The only account's browser."""
        for process in self.family():
            with contextlib.suppress(psutil.Error):  # it ends just now
                if any("--user-data-dir" in part for part in process.cmdline()):
                    return process
        raise AssertionError("no browser is open")


async def _ended(processes: list[psutil.Process], within: float) -> list[psutil.Process]:
    """Wait until these have ended, whether or not somebody has reaped them yet; return those that have not.

    Not by `psutil.wait_procs`, which waits for init to reap them, and blocks the loop in which all stand-ins run.
    """
    ends_at = time.monotonic() + within
    while (left := [each for each in processes if _lives(each)]) and time.monotonic() < ends_at:  # noqa: ASYNC110 - not ours
        await asyncio.sleep(0.05)
    return left


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class World:
    """Both stand-ins, and programs between them on one DATA_DIR."""

    def __init__(self, telegram: TelegramStandIn, whatsapp: WhatsAppStandIn, data_dir: Path) -> None:
        self.telegram, self.whatsapp, self.data_dir = telegram, whatsapp, data_dir
        self.client, self.phones = telegram.client, whatsapp.phones

    @asynccontextmanager
    async def program(
        self, module: str = "switchboard", *, command: Sequence[str] = (), **settings: str
    ) -> AsyncIterator[Program]:
        """Run the product; at the end of the block all of it is killed, whatever happened. command: replaces it."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        process = await asyncio.create_subprocess_exec(
            *(command or (sys.executable, "-m", module)),
            cwd=self.data_dir.parent,
            env=kept | {
                "PYTHONPATH": str(ROOT),
                "TELEGRAM_BOT_TOKEN": self.telegram.token,
                "TELEGRAM_API_URL": self.telegram.url,
                "TELEGRAM_ADMIN_IDS": str(ADMIN),
                "TELEGRAM_OPERATOR_IDS": str(OPERATOR),
                "WHATSAPP_WEB_URL": self.whatsapp.url,
                "DATA_DIR": str(self.data_dir),
            } | FAST | settings,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        program = Program(process)
        try:
            yield program
        except BaseException:
            sys.stdout.write(program.text)
            raise
        finally:
            others = program.family()[1:]
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                try:
                    await program.exits(40)
                except TimeoutError:
                    os.killpg(process.pid, signal.SIGKILL)
            left = await _ended(others, 60)
        assert not left, f"processes of it live on: {left}"

    # --- what a person sees and does ----------------------------------------------------------------------------------

    def chat(self, user: int = ADMIN) -> list[dict[str, Any]]:
        """The bot's current messages in a person's chat, oldest first."""
        return self.client.from_bot(user)

    def qr(self, user: int = ADMIN) -> dict[str, Any] | None:
        """The message with the QR picture in the chat, if there is one now."""
        return next((message for message in self.chat(user) if message["photo"]), None)

    def says(self, *words: str, user: int = ADMIN) -> dict[str, Any] | None:
        """The bot's newest message that contains all these words."""
        for message in reversed(self.chat(user)):
            text = message["text"] or ""
            if all(word in text for word in words):
                return message
        return None

    async def until(self, condition: Callable[[], Any], within: float = PATIENCE) -> Any:
        """Wait until a condition holds; fail, showing the chat, if it does not in time."""
        deadline = time.monotonic() + within
        while not (found := condition()):
            if time.monotonic() > deadline:
                shown = "\n".join(f"- {m['text']!r} {'[photo]' if m['photo'] else ''}" for m in self.chat())
                raise AssertionError(f"it did not come within {within} s; the chat:\n{shown}")
            await asyncio.sleep(0.02)
        return found

    async def until_connected(self, number: str = NUMBER, *, after: int = 0, within: float = PATIENCE) -> None:
        """Wait until the account's newest transition is CONNECTED, after the first `after` ones."""
        await self.until(
            lambda: len(self.transitions(number)) > after and self.newest_state(number) == "CONNECTED", within
        )

    async def link(self, number: str = NUMBER, name: str = "Support Berlin", user: int = ADMIN) -> None:
        """Link an account as a person does: /link, read the picture, scan it, see it connected."""
        await self.client.send(user, f"/link {number} {name}")
        await self.scan(number, user)
        await self.until_connected(number)

    async def scan(self, number: str = NUMBER, user: int = ADMIN) -> None:
        """Scan the code that is in the chat, again if it has expired before a phone could."""

        def scanned() -> bool:
            message = self.qr(user)
            try:
                self.phones.scan(self.decode(message or {}), number)
            except (PhoneError, LookupError, ValueError):  # expired, not there yet, or blanked
                return False
            return True

        await self.until(scanned)

    def drawn(self) -> str | None:
        """The code drawn by the only page that shows one; None while it is drawing, or between two sockets."""
        shown = self.phones.codes()
        return shown[0]["qr"] if len(shown) == 1 else None

    def decode(self, message: dict[str, Any]) -> str:
        """The code that a phone reads in the chat's picture (re-encoded as JPEG, as Telegram does)."""
        return decode(self.client.picture(message))

    def profile_name(self, number: str) -> str:
        """The name of an account's profile folder: a keyed hash of its digits, as letters."""
        key = (self.data_dir / "names.key").read_bytes()
        code = hmac.new(key, number.removeprefix("+").encode(), hashlib.sha256).hexdigest()[:20]
        return code.translate(str.maketrans("0123456789abcdef", "bcdfghjklmnpqrst"))

    # --- what it has stored -------------------------------------------------------------------------------------------

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        path = self.data_dir / "switchboard.sqlite"
        if not path.exists():
            return []
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return connection.execute(sql, parameters).fetchall()
        finally:
            connection.close()

    def transitions(self, number: str = NUMBER) -> list[tuple[str, str, str]]:
        return self.rows("SELECT from_state, to_state, reason FROM transitions WHERE number = ? ORDER BY id", number)

    def newest_state(self, number: str = NUMBER) -> str | None:
        try:
            rows = self.transitions(number)
        except sqlite3.OperationalError:
            return None
        return rows[-1][1] if rows else None


def decode(picture: bytes) -> str:
    """Read the only QR code in a picture."""
    with Image.open(io.BytesIO(picture)) as image:
        (found,) = zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode))
    return found.text


def left_behind(data_dir: Path) -> list[str]:
    """Processes, of any user, that still work on this DATA_DIR."""
    return [
        " ".join(process.info["cmdline"])[:200]
        for process in psutil.process_iter(["cmdline"])
        if process.pid != os.getpid() and any(str(data_dir) in part for part in process.info["cmdline"] or [])
    ]


@asynccontextmanager
async def world(tmp_path: Path, *, speed: float = 10, **timings: float) -> AsyncIterator[World]:
    """Run both stand-ins, with an admin, an operator and a stranger."""
    durations = Timings().scaled(speed).with_given(timings)
    async with TelegramStandIn(0) as telegram, WhatsAppStandIn(Options(timings=durations)) as whatsapp:
        telegram.client.add_user(ADMIN, "Ada")
        telegram.client.add_user(OPERATOR, "Otto")
        telegram.client.add_user(STRANGER, "Sam")
        yield World(telegram, whatsapp, tmp_path / "data")
        assert all_problems(telegram.client.requests()) == [], "a request that Telegram would not understand"
