"""The devices known to the stand-in's WhatsApp, by their keys, and the proof that a page holds those keys.

A device is linked by a scan and removed by a logout; a page is that device only while it can answer a challenge
with both private keys: the identity key (Ed25519, in IndexedDB as a CryptoKey) and the noise key (X25519, wrapped
in localStorage). The real protocol is Noise and Signal; this reproduces their consequence, not their messages.
Not here: sockets and HTTP.
"""

import hashlib
import json
import os
import time
from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey


@dataclass(frozen=True, slots=True)
class Keys:
    """A page's public keys, base64 as in its QR."""

    static: str
    identity: str


@dataclass(slots=True)
class Seen:
    """What the server last saw of a device; lost when the process ends."""

    state: str | None = None  # as the page last reported; None without a socket, unless a reason was reported
    synced: bool = False
    since: float = field(default_factory=time.time)  # unix seconds of the last change of `state`
    queries: int = 0  # light queries, whether answered or not
    presences: int = 0  # times the page reported "available"


@dataclass(slots=True)
class Device:
    """One linked device of a number."""

    number: str  # E.164 with +
    device_id: int  # counts up for each number; the phone itself is 0
    keys: Keys
    linked_at: float  # unix seconds
    waiting: list[dict[str, Any]] = field(default_factory=list)  # messages to deliver when it is next online
    seen: Seen = field(default_factory=Seen)

    @property
    def wid(self) -> str:
        """Return the device's address, e.g. 4915112345678:3@c.us."""
        return f"{self.number.removeprefix('+')}:{self.device_id}@c.us"

    @property
    def lid(self) -> str:
        """Return the account's hidden address, which never changes for a number."""
        digest = hashlib.sha256(self.number.encode()).digest()
        return f"{int.from_bytes(digest[:6], 'big')}:{self.device_id}@lid"


class Challenge:
    """A challenge that only the holder of both private keys can answer."""

    def __init__(self) -> None:
        self._nonce = os.urandom(32)
        self._ephemeral = X25519PrivateKey.generate()

    def as_json(self) -> dict[str, str]:
        """Return what the page needs in order to answer."""
        return {
            "nonce": b64encode(self._nonce).decode(),
            "ephemeral": b64encode(self._ephemeral.public_key().public_bytes_raw()).decode(),
        }

    def is_answered_by(self, keys: Keys, answer: dict[str, Any]) -> bool:
        """Check the signature of the identity key over the secret shared with the noise key."""
        try:
            shared = self._ephemeral.exchange(X25519PublicKey.from_public_bytes(b64decode(keys.static)))
            message = hashlib.sha256(self._nonce + shared).digest()
            identity = Ed25519PublicKey.from_public_bytes(b64decode(keys.identity))
            identity.verify(b64decode(str(answer.get("signature"))), message)
        except (InvalidSignature, ValueError):
            return False
        return True


class Devices:
    """The registry; also saved to a file, if given, so that a restarted stand-in knows its devices."""

    def __init__(self, state_file: Path | None = None) -> None:
        self._file = state_file
        self._devices: dict[Keys, Device] = {}
        self._last_id: dict[str, int] = {}
        if state_file is not None and state_file.exists():
            self._load(json.loads(state_file.read_text()))

    def all(self) -> list[Device]:
        """Return the devices in the order they were linked."""
        return list(self._devices.values())

    def of_number(self, number: str) -> list[Device]:
        """Return the devices linked to a number, oldest first."""
        return [device for device in self._devices.values() if device.number == number]

    def find(self, keys: Keys) -> Device | None:
        """Return the device that has these keys."""
        return self._devices.get(keys)

    def link(self, number: str, keys: Keys) -> Device:
        """Register a page's keys as a new device of the number; equal keys are never two devices."""
        self._devices.pop(keys, None)
        self._last_id[number] = self._last_id.get(number, 0) + 1
        device = Device(number, self._last_id[number], keys, time.time())
        self._devices[keys] = device
        self.save()
        return device

    def forget(self, device: Device) -> None:
        """Revoke a device; its keys are invalid from now on."""
        self._devices.pop(device.keys, None)
        self.save()

    def save(self) -> None:
        """Write the state file, if there is one."""
        if self._file is None:
            return
        rows = [asdict(device) for device in self._devices.values()]
        for row in rows:
            del row["seen"]
        state = {"devices": rows, "last_id": self._last_id}
        draft = self._file.with_name(self._file.name + ".new")
        draft.write_text(json.dumps(state, indent=1))
        draft.replace(self._file)

    def _load(self, state: dict[str, Any]) -> None:
        self._last_id = dict(state["last_id"])
        for row in state["devices"]:
            device = Device(**{**row, "keys": Keys(**row["keys"])})
            self._devices[device.keys] = device
