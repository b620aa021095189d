"""The lifecycle's limits and choices. Every field is a setting; see docs/settings.md and .env.example."""

from dataclasses import dataclass
from enum import StrEnum, unique

from controller.accounts.reasons import TRAITS, VERDICTS, Reason, Remedy, State, Then, Traits, Verdict


@unique
class Takeover(StrEnum):
    """What to do when WhatsApp reports that the session is open elsewhere."""

    ASK = "ask"
    ALWAYS = "always"
    NEVER = "never"


@unique
class Dialogs(StrEnum):
    """What to do with a dialog that covers the page and is known to be harmless."""

    ASK = "ask"
    CONTINUE = "continue"


@dataclass(frozen=True, slots=True)
class Policy:
    """The lifecycle's limits; durations are in seconds. docs/settings.md has their names and defaults."""

    delays: tuple[float, ...] = (1, 2, 4, 8, 16, 30)
    max_attempts: int = 10
    breaker_threshold: int = 5
    breaker_cooldown: float = 60
    suspended_retry: float = 0
    qr_debounce: float = 2
    qr_timeout: float = 120
    qr_rounds: int = 2
    """How often `qr_timeout` may pass without a scan, each time in a new browser, before linking stops (L6)."""
    health_check: float = 30
    probe_timeout: float = 10
    failed_probes: int = 2
    keep_alive: float = 60
    stale_after: float = 300
    stable_after: float = 300
    connect_timeout: float = 60
    sync_timeout: float = 180
    """Since the last progress."""
    sync_limit: float = 1800
    """In total, however steady the progress."""
    passkey_timeout: float = 600
    """For a person to provide a passkey or answer a dialog."""
    log_out_timeout: float = 15
    reloads: int = 3
    """How many reloads within `reload_window` are tolerated; with one more the page counts as reloading itself (L1)."""
    reload_window: float = 300
    flaps: int = 5
    """How many losses within `flap_window` may recover silently; with one more the connection is flapping (L16)."""
    flap_window: float = 3600
    takeover: Takeover = Takeover.ASK
    dialogs: Dialogs = Dialogs.ASK

    @property
    def attempt_limit(self) -> float:
        """Seconds that an attempt may take in total, including everything it may wait for, across all stages."""
        return 3 * self.connect_timeout + self.qr_timeout + self.passkey_timeout + self.sync_limit

    def traits(self, reason: Reason) -> Traits:
        """Return what a reason means under this policy."""
        return VERDICTS_OF[self.takeover].get(reason) or TRAITS[reason]

    def verdict(self, reason: Reason) -> Verdict | None:
        """Return what follows an end for this reason under this policy; None for a reason that ends nothing."""
        return VERDICTS_OF[self.takeover].get(reason) or VERDICTS.get(reason)


VERDICTS_OF: dict[Takeover, dict[Reason, Verdict]] = {
    Takeover.ASK: {},
    # Always taken back: like any other loss, and its retry takes over.
    Takeover.ALWAYS: {
        Reason.CONFLICT: Verdict(State.DISCONNECTED, Then.BACKOFF, remedy=Remedy.USE_HERE),
    },
    Takeover.NEVER: {},
}
"""How each value of TAKEOVER overrides `VERDICTS`."""
