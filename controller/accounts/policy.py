"""The numbers and choices of the lifecycle. Every field is a setting; docs/settings and .env.example name them."""

from dataclasses import dataclass
from enum import StrEnum, unique

from controller.accounts.reasons import TRAITS, VERDICTS, Reason, Remedy, State, Then, Traits, Verdict


@unique
class Takeover(StrEnum):
    """What to do when WhatsApp says that the session is open elsewhere."""

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
    """The numbers of the lifecycle, in seconds where they are durations. Defaults and names: docs of the settings."""

    delays: tuple[float, ...] = (1, 2, 4, 8, 16, 30)
    max_attempts: int = 10
    breaker_threshold: int = 5
    breaker_cooldown: float = 60
    suspended_retry: float = 0
    qr_debounce: float = 2
    qr_timeout: float = 120
    qr_rounds: int = 2
    """So many times `qr_timeout` may pass without a scan, each in a browser of its own; then linking stops (L6)."""
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
    """However well it moves."""
    passkey_timeout: float = 600
    """For a person: to give a passkey, or to answer a dialog."""
    log_out_timeout: float = 15
    reloads: int = 3
    """So many reloads within `reload_window` are a page's own business; one more, and it reloads itself (L1)."""
    reload_window: float = 300
    flaps: int = 5
    """So many losses within `flap_window` may mend themselves unsaid; one more, and it flaps (L16)."""
    flap_window: float = 3600
    takeover: Takeover = Takeover.ASK
    dialogs: Dialogs = Dialogs.ASK

    @property
    def attempt_limit(self) -> float:
        """Seconds that an attempt may take with everything that it can wait for, whatever stages it goes through."""
        return 3 * self.connect_timeout + self.qr_timeout + self.passkey_timeout + self.sync_limit

    def traits(self, reason: Reason) -> Traits:
        """Return what a reason means under this policy."""
        return VERDICTS_OF[self.takeover].get(reason) or TRAITS[reason]

    def verdict(self, reason: Reason) -> Verdict | None:
        """Return where an end by this reason leads under this policy; None for a reason that ends nothing."""
        return VERDICTS_OF[self.takeover].get(reason) or VERDICTS.get(reason)


VERDICTS_OF: dict[Takeover, dict[Reason, Verdict]] = {
    Takeover.ASK: {},
    # Always taken back: as any other loss, with the takeover in its retry.
    Takeover.ALWAYS: {
        Reason.CONFLICT: Verdict(State.DISCONNECTED, Then.BACKOFF, remedy=Remedy.USE_HERE),
    },
    Takeover.NEVER: {},
}
"""What differs from `VERDICTS` by the choice of TAKEOVER."""
