"""Actions of people on their phones, and network failures: the implementation of the HTTP control.

Each method is one action; all return a JSON object, and raise PhoneError with an HTTP status if it is impossible.
"""

import asyncio
import time
import uuid
from typing import Any

from sandbox.whatsapp.devices import Device
from sandbox.whatsapp.session import Hub, PageSession
from sandbox.whatsapp.switches import HARMS, LIVE, SERVED, TABLE

STATES = (
    "OPENING",
    "PAIRING",
    "UNPAIRED",
    "UNPAIRED_IDLE",
    "CONNECTED",
    "TIMEOUT",
    "CONFLICT",
    "UNLAUNCHED",
    "PROXYBLOCK",
    "TOS_BLOCK",
    "SMB_TOS_BLOCK",
    "DEPRECATED_VERSION",
)
QR_PREFIX = "https://wa.me/settings/linked_devices#"
QR_SUFFIX = ",https://faq.whatsapp.com/r/ld"
QR_PARTS = (4, 5)  # wa-js omits the last one
SHORTEST, LONGEST = 8, 15  # digits of a number

Answer = dict[str, Any]


class PhoneError(Exception):
    """An action that is impossible; `status` is the appropriate HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def normalised(number: object) -> str:
    """Return a number as +digits, or raise PhoneError 400."""
    digits = "".join(filter(str.isdigit, str(number)))
    if not SHORTEST <= len(digits) <= LONGEST:
        raise PhoneError(400, f"{number!r} is no phone number; write one like +4915112345678")
    return f"+{digits}"


def other_form(number: str) -> str:
    """Return WhatsApp's form of a number usually written differently: +54 9 …, +52 1 …, +55 .. without its 9."""
    if number.startswith("+549"):
        return "+54" + number[4:]
    if number.startswith("+54"):
        return "+549" + number[3:]
    if number.startswith("+521"):
        return "+52" + number[4:]
    if number.startswith("+52"):
        return "+521" + number[3:]
    if number.startswith("+55"):
        return number[:5] + (
            number[6:] if number[5] == "9" and len(number) == len("+5511987654321") else "9" + number[5:]
        )
    return number


class Phones:
    """All phones at once; a number needs no set-up."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    # ---- linking

    def scan(self, qr: str, as_: str) -> Answer:
        """Scan a code as a number, linking the page that shows it; 404 for an expired or unknown code."""
        number = normalised(as_)
        parts = qr.strip().removeprefix(QR_PREFIX).removesuffix(QR_SUFFIX).split(",")
        if len(parts) not in QR_PARTS:
            raise PhoneError(400, f"a code has five parts with commas between, this one has {len(parts)}")
        ref, static, identity = parts[:3]
        page = next((page for page in self._hub.pages.values() if page.ref == ref), None)
        if page is None or page.keys is None:
            raise PhoneError(404, "this code is dead or was never shown")
        if (page.keys.static, page.keys.identity) != (static, identity):
            raise PhoneError(400, "the code's keys are not those of the page that shows it")
        return self._linked_by(page, number)

    def link_code(self, number: str, code: str) -> Answer:
        """Enter a pairing code on the phone; 404 for a wrong or expired one."""
        owner = normalised(number)
        plain = code.replace("-", "").replace(",", "").upper()
        now = asyncio.get_running_loop().time()
        for each in self._hub.link_codes:
            page = self._hub.pages.get(each.page)
            if (each.code, each.number) == (plain, owner) and each.ends > now and page is not None:
                self._hub.link_codes.remove(each)
                return self._linked_by(page, owner)
        raise PhoneError(404, "this pairing code is dead, wrong, or for another number")

    def passkey(self, number: str, action: str = "require") -> Answer:
        """Require a passkey for the number's next scan, or not, or provide the assertion that a page is waiting for."""
        owner = normalised(number)
        if action == "require":
            self._hub.passkeys.add(owner)
        elif action == "forget":
            self._hub.passkeys.discard(owner)
        elif action == "approve":
            waiting = [page for page in self._hub.pages.values() if page.passkey_for == owner]
            if not waiting:
                raise PhoneError(409, f"no page waits for a passkey of {owner}")
            self._hub.passkeys.discard(owner)
            page = waiting[-1]
            device = page.waiting_device
            if device is None:
                return self._as_json(page.link(owner))
            page.approve()
            return self._as_json(device)
        else:
            raise PhoneError(400, f"action is require, forget or approve, not {action!r}")
        return {"number": owner, "passkey": owner in self._hub.passkeys}

    def codes(self) -> list[Answer]:
        """Return what can be scanned now: page, the string on its canvas, seconds left; and pairing codes."""
        now = asyncio.get_running_loop().time()
        shown = [
            {"page": page.page, "qr": page.drawn, "ref": page.ref, "ends_in": round(page.ref_ends - now, 1)}
            for page in self._hub.pages.values()
            if page.ref
        ]
        typed = [
            {"page": each.page, "number": each.number, "link_code": each.code, "ends_in": round(each.ends - now, 1)}
            for each in self._hub.link_codes
            if each.ends > now and each.page in self._hub.pages
        ]
        return shown + typed

    def _linked_by(self, page: PageSession, number: str) -> Answer:
        if number in self._hub.passkeys or self._hub.switches.flag("passkey"):
            page.ask_for_passkey(number)
            return {"number": number, "passkey": True, "page": page.page, "says": "Continue on WhatsApp Web"}
        return self._as_json(page.link(other_form(number) if self._hub.switches.flag("trunk_digit") else number))

    # ---- a linked device

    def devices(self) -> list[Answer]:
        """Return every linked device with its last seen state."""
        return [self._as_json(device) for device in self._hub.devices.all()]

    def logout(self, number: str, reason: str = "primary_initiated") -> Answer:
        """Log out all devices of the number on the phone; reason: one of WhatsApp's names, or 0 to 3."""
        devices = self._devices_of(number)
        for page in self._hub.pages_of(devices[0].number):
            page.log_out(reason)
        for device in devices:
            self._hub.devices.forget(device)
        return {"number": devices[0].number, "logged_out": len(devices)}

    def state(self, state: str, *, number: str | None = None, page: str | None = None) -> Answer:
        """End the streams of pages with a state, e.g. PROXYBLOCK; of a number, of one page, or of all."""
        if state not in STATES:
            raise PhoneError(400, f"no state {state!r}; there are {', '.join(STATES)}")
        pages = self._pages(number, page)
        for each in pages:
            each.stream_error(state)
        return {"state": state, "pages": [each.page for each in pages]}

    def conflict(self, number: str) -> Answer:
        """Take over the session with another web client: the page shows CONFLICT until its takeover()."""
        return self.state("CONFLICT", number=number)

    def message(
        self, number: str, body: str = "Hello", sender: str = "+4915112345678", *, from_me: bool = False
    ) -> Answer:
        """Send a message to the number or, with from_me, from its owner's phone; stored while the device is offline."""
        other = normalised(sender).removeprefix("+") + "@c.us"
        message = {
            "id": uuid.uuid4().hex[:20].upper(),
            "remote": other,
            "from_me": from_me,
            "body": body,
            "t": int(time.time()),
        }
        for device in self._devices_of(number):
            pages = self._online(device)
            if not pages or self._hub.is_silent(device.number):
                device.waiting.append(message)
            for page in pages:
                page.tell({"type": "message", **message})
        return {"id": message["id"], "from": other}

    # ---- the network and the page

    def silence(self, number: str | None = None, *, on: bool = True) -> Answer:
        """Make the server stop answering a number (None: everybody); the socket stays open."""
        if number is None:
            self._hub.switches.set("silence", on)
        else:
            self._toggle(self._hub.silenced, normalised(number), on=on)
        return {"number": number, "silence": on}

    def network(self, number: str, *, lost: bool = True, how: str = "quiet") -> Answer:
        """Cut a number's network: `quiet` lets the socket die silently, `reset` breaks it at once."""
        if how not in {"quiet", "reset"}:
            raise PhoneError(400, f"how is quiet or reset, not {how!r}")
        owner = normalised(number)
        self._toggle(self._hub.cut_off, owner, on=lost)
        for page in self._hub.pages_of(owner):
            if how == "reset":
                page.reset()
        return {"number": owner, "lost": lost}

    def reload(self, number: str | None = None, page: str | None = None, *, post_logout: bool = False) -> Answer:
        """Reload pages; post_logout adds the URL parameter although nobody was logged out."""
        pages = self._pages(number, page)
        for each in pages:
            each.order("reload", post_logout=post_logout)
        return {"pages": [each.page for each in pages]}

    def crash(self, number: str | None = None, page: str | None = None) -> Answer:
        """Crash the renderer of pages."""
        return self._order("crash", number, page)

    def hang(self, number: str | None = None, page: str | None = None) -> Answer:
        """Hang pages in an endless loop: their renderer no longer answers."""
        return self._order("hang", number, page)

    def leave(self, number: str | None = None, page: str | None = None) -> Answer:
        """Navigate pages to another address, without anything of WhatsApp."""
        return self._order("leave", number, page)

    def harm(self, how: str, number: str | None = None, page: str | None = None) -> Answer:
        """Make open pages attack whatever drives them, in one of the ways of the switch `hostile`."""
        if how not in HARMS:
            raise PhoneError(400, f"how is one of {', '.join(HARMS)}, not {how!r}")
        pages = self._pages(number, page)
        for each in pages:
            each.order("harm", how=how)
        return {"pages": [each.page for each in pages], "how": how}

    def turn(self, name: str, value: str, number: str | None = None, page: str | None = None) -> Answer:
        """Apply a switch that takes effect at once to these open pages only."""
        if name not in LIVE:
            raise PhoneError(400, f"name is one of {', '.join(sorted(LIVE))}, not {name!r}")
        parsed = next(row for row in TABLE if row.name == name).parse(value)
        pages = self._pages(number, page)
        for each in pages:
            each.turn(name, parsed)
        return {"pages": [each.page for each in pages], "name": name, "value": parsed}

    def turn_next(self, name: str, value: str, number: str) -> Answer:
        """Apply a switch to every page that is this number's from now on, and to nobody else's."""
        row = next((row for row in TABLE if row.name == name), None)
        if row is None or name in SERVED or (row.takes == "at once" and name not in LIVE):
            raise PhoneError(400, f"{name!r} is no switch of single pages")
        parsed = row.parse(value)
        owner = normalised(number)
        self._hub.next_pages.setdefault(owner, {})[name] = parsed
        return {"number": owner, "name": name, "value": parsed}

    # ---- helpers

    def _pages(self, number: str | None, page: str | None) -> list[PageSession]:
        if page is not None:
            found = [each for each in self._hub.pages.values() if each.page == page]
        elif number is not None:
            found = self._hub.pages_of(normalised(number))
        else:
            found = list(self._hub.pages.values())
        if not found:
            raise PhoneError(404, f"no open page of {page or number or 'anybody'}")
        return found

    def _order(self, action: str, number: str | None, page: str | None) -> Answer:
        pages = self._pages(number, page)
        for each in pages:
            each.order(action)
        return {"pages": [each.page for each in pages]}

    def _devices_of(self, number: str) -> list[Device]:
        devices = self._hub.devices.of_number(normalised(number))
        if not devices:
            raise PhoneError(404, f"no device is linked to {normalised(number)}")
        return devices

    def _online(self, device: Device) -> list[PageSession]:
        pages = self._hub.pages_of(device.number)
        return [page for page in pages if page.device is device and page.state == "CONNECTED"]

    @staticmethod
    def _toggle(numbers: set[str], number: str, *, on: bool) -> None:
        if on:
            numbers.add(number)
        else:
            numbers.discard(number)

    def _as_json(self, device: Device) -> Answer:
        pages = [page.page for page in self._hub.pages_of(device.number) if page.device is device]
        return {
            "number": device.number,
            "device_id": device.device_id,
            "wid": device.wid,
            "lid": device.lid,
            "linked_at": device.linked_at,
            "online": bool(self._online(device)),
            "state": device.seen.state,
            "synced": device.seen.synced,
            "since": device.seen.since,
            "page": pages[-1] if pages else None,
            "queries": device.seen.queries,
            "presences": device.seen.presences,
        }
