"""Durations used on the stage: the product's settings, shortened, and the page's pings. Plain values."""

from collections.abc import Mapping
from dataclasses import dataclass

DEFAULTS = {
    "RECONNECT_DELAYS": "1,2,4,8,16,30",
    "BREAKER_COOLDOWN_SECONDS": "60",
    "HEALTH_CHECK_SECONDS": "30",
    "PROBE_TIMEOUT_SECONDS": "10",
    "KEEP_ALIVE_SECONDS": "60",
    "STALE_AFTER_SECONDS": "300",
    "STABLE_AFTER_SECONDS": "60",
    "QR_DEBOUNCE_SECONDS": "2",
    "CONNECT_TIMEOUT_SECONDS": "60",
    "SYNC_TIMEOUT_SECONDS": "180",
}
"""The product's own defaults, as documented and in .env.example, but for STABLE_AFTER_SECONDS (300): the counters of an
account are zero again before its next row."""

SHORT = DEFAULTS | {
    "RECONNECT_DELAYS": "0.2,0.4,0.8,1.6",
    "HEALTH_CHECK_SECONDS": "1.5",
    "KEEP_ALIVE_SECONDS": "2",
    "STALE_AFTER_SECONDS": "30",
    "CONNECT_TIMEOUT_SECONDS": "20",
}
"""For the short form. Probes keep their time: shorter ones would fail before an endless loop is recognised."""

# The page pings its server and waits so long for an answer; a restored session syncs long enough to be interrupted.
TRUE_PINGS = {"ping_every": 20.0, "ping_timeout": 13.0, "sync": 1.0}
QUICK_PINGS = {"ping_every": 2.0, "ping_timeout": 3.0, "sync": 1.0}


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast everything goes. settings: the product's; pings: the page's; patience: the factor for limits."""

    settings: Mapping[str, str]
    pings: Mapping[str, float]
    patience: float = 1.0


MEASURED = Pace(DEFAULTS, TRUE_PINGS)
QUICK = Pace(SHORT, QUICK_PINGS, patience=5.0)
"""The short form runs among other tests: it shows detection and recovery of each fault, but does not measure speed."""
