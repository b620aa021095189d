"""Why an account is in its state: all reasons, and the one table of what each of them means (rule L11).

Traits belong to the reason: what follows, whether it alerts, what fixes it. Texts, buttons, cards, incidents and the
outage watch derive from them. Drivers detect reasons, `controller.accounts.lifecycle` acts on them, and
`handlers.texts.vocabulary` has their wording.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum, unique


@unique
class State(StrEnum):
    """The six states of an account, as used in the database, the logs and the chat."""

    IDLE = "IDLE"
    """Registered, but never started, or taken out of service."""
    CONNECTING = "CONNECTING"
    """An attempt is running; its `Stage` says how far it is."""
    CONNECTED = "CONNECTED"
    """Linked, synced, socket open."""
    DISCONNECTED = "DISCONNECTED"
    """Was connected or waiting for a scan, and no longer is."""
    ERROR = "ERROR"
    """The last attempt failed; a retry is scheduled."""
    SUSPENDED = "SUSPENDED"
    """No attempts: cooling down, exhausted, or closed by an operator."""


@unique
class Reason(StrEnum):
    """Why an account is in its state."""

    # Why an attempt began.
    ASKED = "asked"
    """An operator used /link or /reconnect."""
    RESUMED = "resumed"
    """The controller started and the account should be connected."""
    RETRY = "retry"
    """The backoff delay is over."""
    RELOADED = "reloaded"
    """The page loaded a new document in the same browser, which is read from scratch."""
    TRIAL = "trial"
    """The breaker's cool-down, or a ban, is over: exactly one attempt."""

    # Why it is connected, or deliberately at rest.
    LINKED = "linked"
    SUSPENDED_BY_OPERATOR = "suspended_by_operator"
    SHUTDOWN = "shutdown"
    """The controller stopped."""
    REMOVED = "removed"
    """The account is being removed from service and forgotten."""
    NOT_LINKED = "not_linked"
    """Its linking was not finished: the controller restarted, or its turn in a queue did not come."""

    # Why an attempt or a connection ended.
    LAUNCH_FAILED = "launch_failed"
    """The browser did not start, or the page did not load."""
    PROFILE_IN_USE = "profile_in_use"
    """Another process has locked the account's profile."""
    ARCHIVE_OUTDATED = "archive_outdated"
    """The newest archive of the profile is older than its last use: only a person may go back to it."""
    DEADLINE = "deadline"
    """A stage of the attempt exceeded its time limit (L7)."""
    RESTORE_FAILED = "restore_failed"
    """The account was linked, yet the page shows a code."""
    PAGE_UNKNOWN = "page_unknown"
    """The page loaded but is not recognised."""
    SESSION_CLOSED = "session_closed"
    """The page, the browser or its process is gone."""
    UNRESPONSIVE = "unresponsive"
    """Two health checks in a row failed in the browser or the page."""
    CONNECTION_LOST = "connection_lost"
    """Two health checks in a row found WhatsApp's socket not connected."""
    NAVIGATED = "navigated"
    """The page went to another address."""
    RELOADS_ITSELF = "reloads_itself"
    """The page keeps reloading itself more often than a working page does."""
    PAGE_MISBEHAVES = "page_misbehaves"
    """The page exceeded its limits (windows, traffic, resources); its browser was ended."""
    SCREEN_LOCKED = "screen_locked"
    """WhatsApp Web's own screen lock asks for its password."""
    STALE = "stale"
    """Nothing was heard within the stale limit (L10)."""
    QR_EXPIRED = "qr_expired"
    """Nobody scanned the code in time (L6)."""
    LOGGED_OUT = "logged_out"
    """The phone removed this linked device, or WhatsApp did."""
    ACCOUNT_LOCKED = "account_locked"
    """WhatsApp removed this linked device because the account is locked on its phone."""
    SYNC_FAILED = "sync_failed"
    """WhatsApp removed this linked device because its chats could not be transferred, or not in time."""
    STORAGE_FULL = "storage_full"
    """WhatsApp removed this linked device because the browser had no space for its data."""
    CONFLICT = "conflict"
    """WhatsApp Web was opened elsewhere with the same session."""
    CONFLICT_LEFT = "conflict_left"
    """The same with TAKEOVER=never, which leaves it there."""
    BANNED = "banned"
    """WhatsApp blocks the account (ban, terms of service)."""
    OUTDATED = "outdated"
    """WhatsApp says that this version of the page is too old."""
    WRONG_NUMBER = "wrong_number"
    """Another account's phone was linked; that link was logged out again."""
    WRONG_NUMBER_STAYS = "wrong_number_stays"
    """Another account's phone was linked, and that link could not be logged out: it may still be active."""
    RECYCLED = "recycled"
    """The controller closed the browser to free resources; it is reopened at once."""
    UNKNOWN = "unknown"
    """None of the above, or a value of another version: treated as transient."""

    # Why no attempts are made, and what a person is asked meanwhile.
    BREAKER_OPEN = "breaker_open"
    """Too many errors: cooling down before one trial (L5)."""
    TRIAL_FAILED = "trial_failed"
    """The trial attempt did not reach CONNECTED."""
    EXHAUSTED = "exhausted"
    """The last allowed attempt was used up (L2)."""
    PASSKEY = "passkey"
    """The page asks for a passkey, which only a person can provide."""
    DIALOG = "dialog"
    """A dialog covers the page and waits for an answer."""
    CONFIRM_NUMBER = "confirm_number"
    """The page shows a number that may be the account's, in another form or changed: only a person knows."""
    FLAPPING = "flapping"
    """The connection is lost and recovers again and again (L16)."""
    WATCHED_IN_PART = "watched_in_part"
    """Connected, but this build of the page can be monitored only in part."""


@unique
class Then(Enum):
    """What follows the end of an attempt or a connection."""

    BACKOFF = "retry by the backoff (L2)"
    AT_ONCE = "first retry at once, then by the backoff"
    REFRESH = "one retry at once with a fresh page, then by the backoff"
    ROUND = "another round of codes by the backoff; after the last round a person is needed (L6)"
    PERSON = "no retry: a person is needed"
    BLOCK_END = "no retry, but one trial when the block ends, where its end is known"


@unique
class Remedy(Enum):
    """What fixes a reason: the button to offer with any message about it."""

    NONE = "nothing"
    LINK = "link it again"
    USE_HERE = "take the session back from elsewhere"
    RECONNECT = "try again"
    CONFIRM = "confirm the number"
    CONTINUE = "dismiss the dialog"
    RESTORE = "restore a saved copy of the session"
    """Offered in addition, if the reason is `restorable` and there is a copy."""
    GO_ON = "go on with what is planned"
    TAKE_WEBHOOK = "remove the webhook that another program has set"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What a reason means, apart from what follows it.

    alert: people are alerted with sound, at once. critical: it stays broken until a person acts, so the alert is
    repeated until acknowledged. remedy: what fixes it. restorable: a saved copy of the session may fix it too.
    ours: caused by our own processes, so it says nothing about WhatsApp. unlinks: the phone has to link it again.
    by_person: an operator's command caused it. persists: it may go on while CONNECTED, so that connecting does not end
    it; `Transition.over` reports its end.
    """

    alert: bool = False
    critical: bool = False
    remedy: Remedy = Remedy.NONE
    restorable: bool = False
    ours: bool = False
    unlinks: bool = False
    by_person: bool = False
    persists: bool = False


@dataclass(frozen=True, slots=True)
class Verdict(Traits):
    """What follows when an attempt or a connection ends for this reason.

    state: the account's next state; connecting: instead of it, if CONNECTED had not been reached (L4). then: what
    follows. A verdict of `State.ERROR` raises the error count; all others only use up attempts. heals: a connection
    that ends so mostly comes back at once, so that its alert makes no sound; what the next attempts do not mend sounds.
    by_page: what the page is, or does, may have caused it, so that the next load is a fresh one.
    """

    state: State
    then: Then
    connecting: State | None = None
    heals: bool = False
    by_page: bool = False

    @property
    def needs_person(self) -> bool:
        """Whether nothing is tried until a person acts, or until the block ends."""
        return self.then in {Then.PERSON, Then.BLOCK_END}

    def state_after(self, *, connected: bool) -> State:
        """Return the account's next state, depending on whether it had reached CONNECTED."""
        return self.state if connected or self.connecting is None else self.connecting


_DOWN, _ERROR = State.DISCONNECTED, State.ERROR
_AGAIN, _LINK = Remedy.RECONNECT, Remedy.LINK

VERDICTS: dict[Reason, Verdict] = {
    Reason.LAUNCH_FAILED: Verdict(_ERROR, Then.BACKOFF, remedy=_AGAIN),
    Reason.PROFILE_IN_USE: Verdict(_ERROR, Then.BACKOFF, remedy=_AGAIN),
    Reason.ARCHIVE_OUTDATED: Verdict(_DOWN, Then.PERSON, alert=True, critical=True, remedy=_LINK, restorable=True),
    Reason.DEADLINE: Verdict(_ERROR, Then.BACKOFF, remedy=_AGAIN, restorable=True, by_page=True),
    Reason.RESTORE_FAILED: Verdict(_ERROR, Then.BACKOFF, remedy=_AGAIN, restorable=True, by_page=True),
    Reason.PAGE_UNKNOWN: Verdict(_ERROR, Then.BACKOFF, alert=True, remedy=_AGAIN, restorable=True, by_page=True),
    Reason.PAGE_MISBEHAVES: Verdict(_ERROR, Then.BACKOFF, alert=True, remedy=_AGAIN, heals=True, by_page=True),
    Reason.SESSION_CLOSED: Verdict(_DOWN, Then.AT_ONCE, connecting=_ERROR, remedy=_AGAIN, ours=True),
    Reason.UNRESPONSIVE: Verdict(_DOWN, Then.BACKOFF, connecting=_ERROR, remedy=_AGAIN, ours=True, by_page=True),
    Reason.RELOADS_ITSELF: Verdict(_DOWN, Then.BACKOFF, connecting=_ERROR, remedy=_AGAIN, ours=True, by_page=True),
    Reason.CONNECTION_LOST: Verdict(_DOWN, Then.BACKOFF, remedy=_AGAIN),
    Reason.NAVIGATED: Verdict(_DOWN, Then.BACKOFF, remedy=_AGAIN, ours=True, by_page=True),
    Reason.STALE: Verdict(_DOWN, Then.BACKOFF, remedy=_AGAIN),
    Reason.QR_EXPIRED: Verdict(_DOWN, Then.ROUND, remedy=_LINK),
    Reason.NOT_LINKED: Verdict(_DOWN, Then.PERSON, remedy=_LINK, unlinks=True),
    Reason.LOGGED_OUT: Verdict(_DOWN, Then.PERSON, alert=True, critical=True, remedy=_LINK, unlinks=True),
    Reason.ACCOUNT_LOCKED: Verdict(_DOWN, Then.PERSON, alert=True, critical=True, unlinks=True),
    Reason.SYNC_FAILED: Verdict(_DOWN, Then.PERSON, alert=True, critical=True, remedy=_LINK, unlinks=True),
    Reason.STORAGE_FULL: Verdict(_DOWN, Then.PERSON, alert=True, critical=True, remedy=_LINK, unlinks=True),
    Reason.SCREEN_LOCKED: Verdict(_DOWN, Then.PERSON, alert=True, critical=True, remedy=_AGAIN, restorable=True),
    Reason.CONFLICT: Verdict(_DOWN, Then.PERSON, alert=True, critical=True, remedy=Remedy.USE_HERE),
    Reason.CONFLICT_LEFT: Verdict(_DOWN, Then.PERSON, alert=True, critical=True, remedy=_AGAIN),
    Reason.BANNED: Verdict(State.SUSPENDED, Then.BLOCK_END, alert=True, critical=True),
    Reason.OUTDATED: Verdict(_DOWN, Then.REFRESH, remedy=_AGAIN, by_page=True),
    Reason.WRONG_NUMBER: Verdict(_DOWN, Then.PERSON, alert=True, critical=True, remedy=_LINK, unlinks=True),
    Reason.WRONG_NUMBER_STAYS: Verdict(_DOWN, Then.PERSON, alert=True, critical=True, remedy=_LINK, unlinks=True),
    Reason.RECYCLED: Verdict(_DOWN, Then.AT_ONCE, remedy=_AGAIN, ours=True),
    Reason.UNKNOWN: Verdict(_DOWN, Then.BACKOFF, remedy=_AGAIN),
}
"""The table of rule L11: every way an attempt or a connection can end, and what follows."""

TRAITS: dict[Reason, Traits] = {
    Reason.ASKED: Traits(by_person=True),
    Reason.RESUMED: Traits(),
    Reason.RETRY: Traits(),
    Reason.RELOADED: Traits(ours=True),
    Reason.TRIAL: Traits(),
    Reason.LINKED: Traits(),
    Reason.SUSPENDED_BY_OPERATOR: Traits(by_person=True, remedy=_AGAIN),
    Reason.SHUTDOWN: Traits(),
    Reason.REMOVED: Traits(by_person=True),
    Reason.BREAKER_OPEN: Traits(alert=True, remedy=_AGAIN, restorable=True),
    Reason.TRIAL_FAILED: Traits(alert=True, critical=True, remedy=_AGAIN, restorable=True),
    Reason.EXHAUSTED: Traits(alert=True, critical=True, remedy=_AGAIN, restorable=True),
    Reason.PASSKEY: Traits(alert=True, remedy=_LINK),
    Reason.DIALOG: Traits(alert=True, remedy=Remedy.CONTINUE, persists=True),
    Reason.CONFIRM_NUMBER: Traits(alert=True, critical=True, remedy=Remedy.CONFIRM, persists=True),
    Reason.FLAPPING: Traits(alert=True, persists=True),
    Reason.WATCHED_IN_PART: Traits(alert=True, persists=True),
    **VERDICTS,
}
"""The traits of every reason."""


_LOGOUT_CODES: dict[str, Reason] = {
    # WhatsApp Web's former numeric codes, as wa-js names them, and today's names.
    "1": Reason.SYNC_FAILED,
    "2": Reason.SYNC_FAILED,
    "3": Reason.ACCOUNT_LOCKED,
    "account_locked": Reason.ACCOUNT_LOCKED,
    "syncd_failure": Reason.SYNC_FAILED,
    "syncd_timeout": Reason.SYNC_FAILED,
    "syncd_error_during_bootstrap": Reason.SYNC_FAILED,
    "critical_sync_timeout": Reason.SYNC_FAILED,
    "history_sync_timeout": Reason.SYNC_FAILED,
    "account_sync_timeout": Reason.SYNC_FAILED,
    "account_sync_error": Reason.SYNC_FAILED,
    "storage_quota_exceeded": Reason.STORAGE_FULL,
}

_CODE_WORDS: dict[str, str] = {
    "0": "its page had a fatal error",
    "1": "its chats could not be brought over",
    "2": "the first load of its chats took too long",
    "3": "the account is locked on its phone",
    "primary_initiated": "it was removed on the phone",
    "user_initiated": "a person logged it out",
    "md_opt_out": "linked devices were turned off on the phone",
    "unknown_companion": "the phone does not know this linked device",
    "invalid_adv_status": "the phone no longer vouches for this linked device",
    "client_version_outdated": "its page was too old",
    "primary_identity_key_change": "WhatsApp was set up anew on the phone",
    "storage_quota_exceeded": "the browser had no room for its data",
    "client_fatal_error": "its page had a fatal error",
    "cache_storage_open_failed": "the browser could not open its storage",
    "web_fail_storage_initialization": "the browser could not open its storage",
    "web_fail_offline_resume": "its page could not take up what came meanwhile",
    "web_fail_add_chat": "its page could not keep its chats",
    "web_fail_enc_salt": "its page has lost a key",
    "missing_enc_salt": "its page has lost a key",
    "missing_screen_lock_salt": "its page has lost the key of its screen lock",
    "unknown": "no cause is known",
}
"""What logout codes mean, where they are more specific than LOGGED_OUT."""


def logout_reason(code: str) -> Reason:
    """Return the reason for a WhatsApp logout code; LOGGED_OUT for unknown ones."""
    return _LOGOUT_CODES.get(code.lower(), Reason.LOGGED_OUT)


def logout_words(code: str) -> str:
    """Return a logout code's wording for people; "" for none. Unknown codes are shown verbatim, to be looked up."""
    if not code:
        return ""
    known = _CODE_WORDS.get(code.lower())
    if known is not None:
        return known
    if code.lower().startswith("lid_"):  # a dozen of them
        return f"its page could not follow WhatsApp to hidden numbers: {code.lower().replace('_', ' ')}"
    return f"code {code}" if code.isdigit() else code.lower().replace("_", " ")
