"""The numbers and choices of the lifecycle. Every field is a setting; docs/settings and .env.example name them."""

from dataclasses import dataclass
from enum import StrEnum, unique


@unique
class Takeover(StrEnum):
    """What to do when WhatsApp says that the session is open elsewhere."""

    ASK = "ask"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Policy:
    """The numbers of the lifecycle, in seconds where they are durations. Defaults and names: docs of the settings."""

    delays: tuple[float, ...] = (1, 2, 4, 8, 16, 30)
    max_attempts: int = 10
    breaker_threshold: int = 5
    breaker_cooldown: float = 60
    suspended_retry: float = 0
    qr_debounce: float = 2
    qr_timeout: float = 120
    health_check: float = 30
    probe_timeout: float = 10
    failed_probes: int = 2
    keep_alive: float = 60
    stale_after: float = 300
    stable_after: float = 60
    connect_timeout: float = 60
    sync_timeout: float = 180
    passkey_timeout: float = 600
    takeover: Takeover = Takeover.ASK
