"""Timings and start options of the WhatsApp stand-in: plain values, no behaviour.

Times are seconds, by default the real ones, as measured on the real page by others (docs/stand-ins-whatsapp.md
names each source). `Timings.scaled` shortens what one waits for, but not the time limits of actions.
"""

from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

LIMITS = frozenset({"first_ref", "next_ref", "ping_timeout", "link_code_life", "passkey_life", "brief"})
"""Durations within which somebody must act or answer: if shortened, they would only be missed on a busy machine."""


@dataclass(frozen=True, slots=True)
class Timings:
    """All durations of the page and its server, in seconds."""

    load_cold: float = 5.0  # first byte → modules, with an empty profile
    load_restored: float = 2.0  # the same with a cached page and a saved session
    debug: float = 0.3  # modules → window.Debug.VERSION
    open: float = 0.4  # a new socket stays in OPENING
    pairing: float = 0.5  # PAIRING → UNPAIRED
    qr_drawn: float = 9.0  # UNPAIRED → the QR is drawn on the canvas
    first_ref: float = 60.0
    next_ref: float = 20.0
    link: float = 1.5  # scan → the socket opens again as a linked device
    first_sync: float = 3.0  # CONNECTED → hasSynced after a scan
    sync: float = 1.2  # the same for a restored session
    chat_list: float = 1.6  # CONNECTED → the chat list is shown
    ping_every: float = 20.0
    ping_timeout: float = 13.0  # together: out of CONNECTED within 33 s of silence
    offline_grace: float = 3.0  # the browser says offline → OPENING
    reconnect: float = 1.0  # first pause before a new socket; doubles up to ten of it
    link_code_life: float = 180.0  # life of a pairing code
    passkey_life: float = 600.0  # life of a WebAuthn request
    passkey_late: float = 3.0  # identity known, or all loaded → a passkey is requested (switch passkey_at)
    brief: float = 0.8  # a transient display (switch brief_sight)
    taken_again: float = 2.0  # "Use here" → the other browser has the session again (switch other_browser)
    logout: float = 0.5  # Cmd 'logout' → the page navigates away

    def scaled(self, speed: float) -> "Timings":
        """Return the same timings `speed` times faster, with LIMITS unchanged."""
        return replace(self, **{name: each / speed for name, each in asdict(self).items() if name not in LIMITS})

    def with_given(self, given: dict[str, float | None]) -> "Timings":
        """Return a copy in which every duration that is not None in `given` replaces the default, unscaled."""
        known = {each.name for each in fields(self)}
        return replace(self, **{k: v for k, v in given.items() if k in known and v is not None})


@dataclass(frozen=True, slots=True)
class Heavy:
    """The page's weight besides what drivers touch. stored: MiB in IndexedDB; code: functions in its bundle."""

    chats: int = 5000
    stored: int = 150
    code: int = 20_000


@dataclass(frozen=True, slots=True)
class Options:
    """Everything that is fixed while a stand-in runs; what can change is a switch (switches.py)."""

    port: int = 0  # 0 = any free one
    tls: bool = False  # https with our own certificate for web.whatsapp.com and localhost
    refs: int = 6
    timings: Timings = field(default_factory=Timings)
    state_file: Path | None = None  # the devices are saved there across restarts
    version: str = "2.3000.1045220589"  # the page's version
    switches: dict[str, object] = field(default_factory=dict)  # name → initial value
    listened: bool = False  # no sync ends before a client listens to it: however slow it is, it misses none
    heavy: Heavy | None = None  # as heavy as the page of a busy account
