"""One page's socket, from its first frame to its last: login, refs, pings, queries and the phones' actions on it.

`Hub` is the state shared by all open pages and phones of one stand-in: devices, switches, and who is unreachable.

Frames are JSON objects with a `type`. Their names follow the real protocol's stanzas where one exists (pair-device,
pair-success, success, failure, stream-error); their form is the stand-in's own. Not here: HTTP.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from sandbox.whatsapp.devices import Challenge, Device, Devices, Keys
from sandbox.whatsapp.options import Options
from sandbox.whatsapp.switches import Switches

Frame = dict[str, Any]

LOGGED_OUT = 401
TEMPORARILY_BANNED = 402
OUTDATED = 405
BAN_CODE = 101  # sent to too many people
LINK_CODE_LETTERS = "123456789ABCDEFGHJKLMNPQRSTVWXYZ"
SEND_DEADLINE = 10.0


@dataclass(slots=True)
class LinkCode:
    """A pairing code that a page shows; it is entered on the phone."""

    code: str  # eight characters
    number: str
    page: str
    ends: float  # by the loop's clock


@dataclass(slots=True)
class Hub:
    """The shared state of one stand-in."""

    options: Options
    switches: Switches
    devices: Devices
    pages: dict[str, PageSession] = field(default_factory=dict)  # open sockets by page id
    silenced: set[str] = field(default_factory=set)  # numbers that are not answered
    cut_off: set[str] = field(default_factory=set)  # numbers whose network is lost
    passkeys: set[str] = field(default_factory=set)  # numbers whose next scan requires a passkey
    next_pages: dict[str, dict[str, object]] = field(default_factory=dict)  # number → switches of its next pages
    link_codes: list[LinkCode] = field(default_factory=list)

    def is_silent(self, number: str | None) -> bool:
        """Return whether the server does not answer this number's page (None: a page that is not linked)."""
        if number is not None and self.switches.choice("dead_socket") != "off":
            return True
        return self.switches.flag("silence") or number in self.silenced or number in self.cut_off

    def pages_of(self, number: str) -> list[PageSession]:
        """Return the open sockets logged in as a number."""
        return [page for page in self.pages.values() if page.device and page.device.number == number]


class PageSession:
    """A page as the server sees it. `run` owns every task; `tell` never waits."""

    def __init__(self, hub: Hub, page: str, socket: web.WebSocketResponse, reset: Callable[[], None]) -> None:
        self.page = page
        self.reset = reset  # breaks the connection abruptly, like a network failure
        self.keys: Keys | None = None
        self.device: Device | None = None
        self.state: str | None = None
        self.ref: str | None = None  # the only code that can be scanned now
        self.ref_ends: float = 0.0  # by the loop's clock
        self.drawn: str | None = None  # the string on the page's canvas
        self.passkey_for: str | None = None  # the number whose scan is waiting for an assertion
        self.waiting_device: Device | None = None  # or the device waiting for it, which is already linked
        self._hub = hub
        self._socket = socket
        self._out: asyncio.Queue[Frame] = asyncio.Queue()
        self._tasks: asyncio.TaskGroup
        self._challenge: Challenge | None = None
        self._handlers: dict[str, Callable[[Frame], None]] = {
            "hello": self._hello,
            "answer": self._answer,
            "state": self._report,
            "ping": lambda frame: self.tell({"type": "pong", "id": frame.get("id")}),
            "query-exists": self._query_exists,
            "link-code": self._link_code,
            "drawn": self._note_drawn,
            "presence": self._presence,
            "passkey-answer": lambda _: self._passkey_answered(),
            "passkey-asked": self._asks_for_passkey,
            "logout": self._leave,
        }

    @property
    def number(self) -> str | None:
        """Return the number logged in here."""
        return self.device.number if self.device else None

    # ---- the socket

    async def run(self) -> None:
        """Serve the socket until it closes; leaves no task behind."""
        self._hub.pages[self.page] = self
        try:
            async with asyncio.TaskGroup() as self._tasks:
                background = [self._tasks.create_task(self._write())]
                async for message in self._socket:
                    if message.type is WSMsgType.TEXT:
                        self._take(message.data, background)
                for task in background:
                    task.cancel()
        finally:
            self._gone()

    def tell(self, frame: Frame) -> None:
        """Send a frame, unless the server is silent for this page."""
        if not self._hub.is_silent(self.number):
            self._out.put_nowait(frame)

    def order(self, action: str, **more: Any) -> None:
        """Make the page do what no server could (reload, crash, leak), even while silenced."""
        self._out.put_nowait({"type": "order", "action": action, **more})

    def turn(self, name: str, value: object) -> None:
        """Apply a switch to the page at once, even while silenced."""
        self._out.put_nowait({"type": "switch", "name": name, "value": value})

    async def hang_up(self, code: int) -> None:
        """Close the socket from the server's side, like on a restart."""
        await self._socket.close(code=code)

    async def _write(self) -> None:
        try:
            while True:
                frame = await self._out.get()
                async with asyncio.timeout(SEND_DEADLINE):
                    await self._socket.send_json(frame)
        except (TimeoutError, ConnectionError):
            self.reset()  # the page is gone or does not read; the reader ends with it

    def _take(self, text: str, background: list[asyncio.Task[None]]) -> None:
        frame = json.loads(text)
        handler = self._handlers.get(str(frame.get("type")))
        if handler is not None:
            handler(frame)
        if frame.get("type") == "hello" and frame.get("wid") is None:
            background.append(self._tasks.create_task(self._rotate_refs()))

    def _gone(self) -> None:
        if self._hub.pages.get(self.page) is self:
            del self._hub.pages[self.page]
        if self.device is not None and not self._hub.pages_of(self.device.number):
            seen = self.device.seen
            if seen.state in {"CONNECTED", "OPENING", "PAIRING"}:
                seen.state, seen.since = None, time.time()

    # ---- linking

    def _hello(self, frame: Frame) -> None:
        self.keys = Keys(static=str(frame["static"]), identity=str(frame["identity"]))
        if self._hub.switches.flag("outdated"):
            self.tell({"type": "failure", "reason": OUTDATED})
        elif frame.get("wid") is None:
            self.tell({"type": "pair-device"})
        else:
            self._challenge = Challenge()
            self.tell({"type": "challenge", **self._challenge.as_json()})

    async def _rotate_refs(self) -> None:
        timings = self._hub.options.timings
        loop = asyncio.get_running_loop()
        for index in range(self._hub.options.refs):
            life = timings.first_ref if index == 0 else timings.next_ref
            self.ref = "2@" + b64encode(os.urandom(96)).decode()
            self.ref_ends = loop.time() + life
            self.tell({"type": "ref", "ref": self.ref, "life": life})
            await asyncio.sleep(life)
            if self.device is not None or self.passkey_for is not None:
                return
        self.ref = None
        self.tell({"type": "refs-over"})

    def _note_drawn(self, frame: Frame) -> None:
        self.drawn = str(frame.get("qr"))

    def ask_for_passkey(self, number: str) -> None:
        """Answer a scan with a WebAuthn request in the page instead of linking it."""
        self.ref, self.passkey_for = None, number
        self.tell(
            {
                "type": "passkey",
                "rpId": "whatsapp.com",
                "challenge": b64encode(os.urandom(32)).decode(),
                "timeout": self._hub.options.timings.passkey_life,
            }
        )

    def _asks_for_passkey(self, frame: Frame) -> None:
        device = self._hub.devices.find(Keys(static=str(frame["static"]), identity=str(frame["identity"])))
        self.waiting_device, self.passkey_for = device, device.number if device else None

    def _passkey_answered(self) -> None:
        if self.passkey_for is not None:
            self.link(self.passkey_for)

    def approve(self) -> None:
        """Let a session that requested a passkey continue."""
        self.waiting_device = self.passkey_for = None
        self.tell({"type": "passkey-approved"})

    def link(self, number: str) -> Device:
        """Make this page a device of the number; the page reopens its socket as that device."""
        assert self.keys is not None
        device = self._hub.devices.link(number, self.keys)
        self.ref, self.passkey_for = None, None
        switches = self._hub.next_pages.get(number, {})
        self.tell({"type": "pair-success", "wid": device.wid, "lid": device.lid, "switches": switches})
        return device

    def _link_code(self, frame: Frame) -> None:
        digits = "".join(filter(str.isdigit, str(frame.get("phone", ""))))
        code = "".join(secrets.choice(LINK_CODE_LETTERS) for _ in range(8))
        ends = asyncio.get_running_loop().time() + self._hub.options.timings.link_code_life
        self._hub.link_codes = [each for each in self._hub.link_codes if each.page != self.page]
        self._hub.link_codes.append(LinkCode(code, f"+{digits}", self.page, ends))
        self._result(frame, {"code": code})

    # ---- login and queries

    def _answer(self, frame: Frame) -> None:
        hub = self._hub
        device = hub.devices.find(self.keys) if self.keys else None
        if device is None or self._challenge is None or self.keys is None:
            self.tell({"type": "failure", "reason": LOGGED_OUT})
            return
        self.device = device  # from here on, silencing the number takes effect
        if hub.switches.flag("refuse_restore") or not self._challenge.is_answered_by(self.keys, frame):
            hub.devices.forget(device)
            self.tell({"type": "failure", "reason": LOGGED_OUT})
        elif seconds := hub.switches.number("ban"):
            self.ban(seconds)
        else:
            for other in hub.pages_of(device.number):
                if other is not self and other.device is device:
                    other.stream_error("CONFLICT")
            self.tell({"type": "success", "wid": device.wid, "lid": device.lid, "pushname": "Sandbox phone"})
            for message in device.waiting:
                self.tell({"type": "message", **message})
            if not hub.is_silent(device.number):
                device.waiting.clear()

    def _report(self, frame: Frame) -> None:
        state, synced = str(frame["state"]), frame.get("synced") is True
        self.state = state
        if self.device is not None:
            seen = self.device.seen
            if seen.state != state:
                seen.state, seen.since = state, time.time()
            seen.synced = synced

    def _query_exists(self, frame: Frame) -> None:
        if self.device is not None:
            self.device.seen.queries += 1
        user = str(frame.get("wid", "")).partition("@")[0].partition(":")[0]
        known = user.isdigit() and len(user) >= 7  # noqa: PLR2004 - the shortest number there is
        self._result(frame, {"exists": known, "wid": f"{user}@c.us"})

    def _presence(self, frame: Frame) -> None:
        if self.device is not None and frame.get("available") is True:
            self.device.seen.presences += 1

    def _leave(self, frame: Frame) -> None:
        self._result(frame, {})
        self.log_out("user_initiated")

    def _result(self, frame: Frame, result: Frame) -> None:
        self.tell({"type": "result", "id": frame.get("id"), **result})

    # ---- actions of phones and other clients

    def stream_error(self, state: str) -> None:
        """End the stream with the reason that the page shows as its socket state."""
        self.tell({"type": "stream-error", "state": state})

    def ban(self, seconds: float) -> None:
        """Ban the account temporarily; the stanza's members are the real protocol's, `expire` is the seconds left."""
        self.tell({"type": "failure", "reason": TEMPORARILY_BANNED, "code": BAN_CODE, "expire": seconds})

    def log_out(self, reason: str) -> None:
        """Revoke the device; the page clears itself and navigates to post_logout=1."""
        if self.device is not None:
            self._hub.devices.forget(self.device)
        self.tell({"type": "logout", "reason": reason})
