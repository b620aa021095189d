"""The history of each phone: what somebody did on the page, and what became of its linked device.

Contents: turning two snapshots of the WhatsApp stand-in into readable lines, and storing them. Not here:
polling the stand-in (`server`), and the product's own view, which is in the chat: this is the other side's view.
"""

import itertools
import secrets
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

KEPT = 500
LinkState = Literal["none", "away", "busy", "good"]
"""State of a phone's linked device: none is linked, it has no page open, its page is connecting, it is connected."""
Kind = Literal["you", "good", "busy", "bad"]

CONFLICT = "CONFLICT"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. at: seconds since 1970. phone: a number, None if it concerns all. seconds: how long it was away.

    link_state: the phone's new state, if it changed.
    """

    number: int
    at: float
    phone: str | None
    kind: Kind
    text: str
    link_state: LinkState | None = None
    seconds: float | None = None


@dataclass(slots=True)
class _Phone:
    """One number in the last snapshot. down_since: when it stopped being connected, None while it is.

    fresh: it was linked, and its page has not been away yet: the program may load it once more to save the link.
    """

    link_state: LinkState = "none"
    page: str | None = None
    state: str | None = None
    down_since: float | None = None
    device_id: int | None = None
    fresh: bool = False


@dataclass(slots=True)
class Timeline:
    """The lines, oldest first. now: returns seconds since 1970."""

    now: Callable[[], float]
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    _phones: dict[str, _Phone] = field(default_factory=dict)
    _entries: deque[Entry] = field(default_factory=lambda: deque(maxlen=KEPT))
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def since(self, number: int) -> list[dict[str, Any]]:
        """Return the entries after `number`, ready for JSON."""
        return [asdict(entry) for entry in self._entries if entry.number > number]

    def did(self, text: str, phone: str | None = None) -> None:
        """Record what somebody did on the page."""
        self._add(phone, "you", text)
        for number, each in self._phones.items():
            if phone in {None, number}:
                each.fresh = False

    def look(self, devices: Iterable[dict[str, Any]]) -> None:
        """Compare the stand-in's devices, as returned by `/phone/devices`, with the last snapshot."""
        newest = {str(device["number"]): device for device in devices}
        for number in newest.keys() | self._phones.keys():
            self._compare(number, self._phones.setdefault(number, _Phone()), newest.get(number))

    def _compare(self, number: str, before: _Phone, device: dict[str, Any] | None) -> None:
        link_state = _link_state(device)
        page = device["page"] if device else None
        state = device["state"] if device else None
        device_id = int(device["device_id"]) if device else None
        if device is None:
            if before.link_state != "none":
                self._add(number, "bad", "No longer linked: the device is gone", link_state)
            before.down_since = None
        elif before.device_id != device_id:
            self._add(number, "good", "Linked as a new device", link_state)
            before.down_since = None  # its first connection is not a reconnection
            before.fresh = True
        elif link_state != before.link_state:
            self._moved(number, before, link_state, state)
        elif link_state == "good" and page != before.page:
            self._add(number, "good", "The page was loaded anew and is connected")
        elif state != before.state and state == CONFLICT:
            self._add(number, "bad", "Opened somewhere else: conflict")
        before.link_state, before.page, before.state, before.device_id = link_state, page, state, device_id

    def _moved(self, number: str, before: _Phone, link_state: LinkState, state: str | None) -> None:
        if link_state == "good":
            away = None if before.down_since is None else round(self.now() - before.down_since, 1)
            before.down_since = None
            self._add(number, "good", "Connected", link_state, away)
            return
        if before.link_state == "good":
            before.down_since = self.now()
        if link_state == "away" and before.fresh:
            before.fresh, before.down_since = False, None
            self._add(number, "busy", "Its page closed; after a new link it is loaded once more", link_state)
        elif link_state == "away":
            self._add(number, "bad", "Its page is gone", link_state)
        elif before.link_state == "good":
            text = "Opened somewhere else: conflict" if state == CONFLICT else "The connection is gone"
            self._add(number, "bad", text, link_state)
        else:
            self._add(number, "busy", "A page opens and connects", link_state)

    def _add(
        self,
        phone: str | None,
        kind: Kind,
        text: str,
        link_state: LinkState | None = None,
        seconds: float | None = None,
    ) -> None:
        self._entries.append(Entry(next(self._numbers), self.now(), phone, kind, text, link_state, seconds))


def _link_state(device: dict[str, Any] | None) -> LinkState:
    if device is None:
        return "none"
    if device["online"]:
        return "good"
    return "busy" if device["page"] else "away"


def act_of(path: str, body: dict[str, Any]) -> str | None:
    """Describe what a request to the WhatsApp stand-in does, for people; None for a read-only request."""
    if path == "switches":
        return _switched(body)
    on = {"network": body.get("lost", True), "silence": body.get("on", True)}
    words = {
        "phone/crash": "You crashed its page",
        "phone/hang": "You let its page hang",
        "phone/leave": "You led its page elsewhere",
        "phone/reload": "You reloaded its page",
        "phone/conflict": "You opened its session somewhere else",
        "phone/logout": "You logged it out on the phone",
        "phone/message": "You sent it a message",
        "phone/network": "You took its network away" if on["network"] else "You gave its network back",
        "phone/silence": "You let the server fall silent" if on["silence"] else "You let the server answer again",
        "phone/passkey": "You gave the passkey"
        if body.get("action") == "approve"
        else "You let the next scan ask for a passkey",
        "phone/state": f"You ended its stream: {body.get('state')}",
    }
    return words.get(path)


def _switched(body: dict[str, Any]) -> str | None:
    if body.get("reset") is True:
        return "You set every nasty case back to normal"
    if "name" not in body:
        return None
    name, value = str(body["name"]).replace("_", " "), body.get("value")
    told = {True: "on", False: "off"}.get(value, str(value)) if isinstance(value, bool) else str(value)
    return f"You switched “{name}”: {told}"
