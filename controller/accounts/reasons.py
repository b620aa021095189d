"""Why an account is where it is: the one vocabulary of reasons, and the one table of what each means (rule L11).

Traits belong to the reason: where it leads, whether it alerts, what mends it. Texts, buttons, cards, incidents and the
outage watch derive from them. How a reason is noticed is the drivers' business, how states move on it that of
`controller.accounts.lifecycle`, and `handlers.texts.vocabulary` has the words that people read.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum, unique


@unique
class State(StrEnum):
    """The six states of an account: they stand in the database, the logs and the chat."""

    IDLE = "IDLE"
    """Known, never started or removed from service."""
    CONNECTING = "CONNECTING"
    """One attempt is under way; its `Stage` says how far."""
    CONNECTED = "CONNECTED"
    """Linked, synced, socket open."""
    DISCONNECTED = "DISCONNECTED"
    """Was connected or waiting for a scan, and is not now."""
    ERROR = "ERROR"
    """The last attempt failed; a retry is due."""
    SUSPENDED = "SUSPENDED"
    """No attempts: cooling down, exhausted, or by an operator's word."""


@unique
class Reason(StrEnum):
    """Why an account came to its state."""

    # Why an attempt began.
    ASKED = "asked"
    """An operator said /link or /reconnect."""
    RESUMED = "resumed"
    """The controller started and the account should be connected."""
    RETRY = "retry"
    """The backoff's wait is over."""
    RELOADED = "reloaded"
    """The page has loaded a new document in the same browser, which is read anew."""
    TRIAL = "trial"
    """The breaker's cool-down, or a ban, is over: exactly one attempt."""

    # Why it is connected, or at rest on purpose.
    LINKED = "linked"
    SUSPENDED_BY_OPERATOR = "suspended_by_operator"
    SHUTDOWN = "shutdown"
    """The controller stopped."""
    NOT_LINKED = "not_linked"
    """The controller restarted before the account had ever been linked."""

    # Why an attempt or a connection ended.
    LAUNCH_FAILED = "launch_failed"
    """The browser did not start, or the page did not load."""
    PROFILE_IN_USE = "profile_in_use"
    """Another process holds the account's profile."""
    DEADLINE = "deadline"
    """A stage of the attempt took longer than it may (L7)."""
    RESTORE_FAILED = "restore_failed"
    """The account was linked, yet the page asks for a scan."""
    PAGE_UNKNOWN = "page_unknown"
    """The page loaded and is none that we know."""
    SESSION_CLOSED = "session_closed"
    """The page, the browser or its process is gone."""
    UNRESPONSIVE = "unresponsive"
    """Two health checks in a row failed in the browser or the page."""
    CONNECTION_LOST = "connection_lost"
    """Two health checks in a row found WhatsApp's socket not connected."""
    NAVIGATED = "navigated"
    """The page went to another address."""
    RELOADS_ITSELF = "reloads_itself"
    """The page reloaded itself more often than a page does that works."""
    PAGE_MISBEHAVES = "page_misbehaves"
    """The page opened, sent or used more than any page may; its browser was ended."""
    SCREEN_LOCKED = "screen_locked"
    """WhatsApp Web's own screen lock asks for its password."""
    STALE = "stale"
    """Nothing was heard for as long as the stale limit (L10)."""
    QR_EXPIRED = "qr_expired"
    """Nobody scanned the code in time (L6)."""
    LOGGED_OUT = "logged_out"
    """The phone removed this linked device, or WhatsApp did."""
    ACCOUNT_LOCKED = "account_locked"
    """WhatsApp removed this linked device because the account is locked on its phone."""
    SYNC_FAILED = "sync_failed"
    """WhatsApp removed this linked device because its chats could not be brought over, or not in time."""
    STORAGE_FULL = "storage_full"
    """WhatsApp removed this linked device because the browser had no room for its data."""
    CONFLICT = "conflict"
    """WhatsApp Web was opened elsewhere with the same session."""
    CONFLICT_LEFT = "conflict_left"
    """The same, and TAKEOVER=never leaves it there."""
    BANNED = "banned"
    """WhatsApp blocks the account (ban, terms of service)."""
    OUTDATED = "outdated"
    """WhatsApp says that this version of the page is too old."""
    WRONG_NUMBER = "wrong_number"
    """Another account's phone scanned the code; that link was logged out again."""
    WRONG_NUMBER_STAYS = "wrong_number_stays"
    """Another account's phone scanned the code, and that link could not be logged out: it still stands."""
    RECYCLED = "recycled"
    """The controller closed the browser to free what it had piled up; it opens again at once."""
    UNKNOWN = "unknown"
    """None of the above, or a word of another version: treated as transient."""

    # Why nothing is tried any more, and what is asked of a person meanwhile.
    BREAKER_OPEN = "breaker_open"
    """Too many errors: cooling down before one trial (L5)."""
    TRIAL_FAILED = "trial_failed"
    """The one trial ended otherwise than CONNECTED."""
    EXHAUSTED = "exhausted"
    """The last allowed attempt was used up (L2)."""
    PASSKEY = "passkey"
    """The page waits for a passkey, which only a person can give."""
    DIALOG = "dialog"
    """A dialog covers the page and waits for an answer."""
    CONFIRM_NUMBER = "confirm_number"
    """The number that is open differs from the account's by one digit: only a person knows whether it is the same."""
    FLAPPING = "flapping"
    """It is lost and mends itself again and again (L16)."""
    WATCHED_IN_PART = "watched_in_part"
    """It is connected, but this build of the page can be watched only in part."""


@unique
class Then(Enum):
    """What follows the end of an attempt or of a connection."""

    BACKOFF = "retry by the backoff (L2)"
    AT_ONCE = "first retry at once, then by the backoff"
    REFRESH = "one retry at once with a fresh page, then by the backoff"
    ROUND = "another round of codes by the backoff; after the last round a person is needed (L6)"
    PERSON = "no retry: a person is needed"
    BLOCK_END = "no retry, but one trial when the block ends, where its end is known"


@unique
class Remedy(Enum):
    """What mends it: the button that belongs under whatever tells of the reason."""

    NONE = "nothing that can be pressed here"
    LINK = "link it again"
    USE_HERE = "take the session back from elsewhere"
    RECONNECT = "try again"
    CONFIRM = "say whether it is the same account"
    CONTINUE = "answer the dialog"
    RESTORE = "put a saved copy of the session in its place"
    """Beside another one, where the reason is `restorable` and there is a copy."""
    GO_ON = "let what is planned go on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What a reason means beside where it leads.

    alert: people are told with sound, at once. critical: it stays broken until a person acts, so it is repeated until
    somebody acknowledges. remedy: what mends it. restorable: a saved copy of the session may mend it too.
    ours: it ended in our own processes, and says nothing about WhatsApp. unlinks: the phone has to link it anew.
    by_person: an operator's word led to it. stands: it can stand while CONNECTED, so that being connected does not end
    it; `Transition.over` tells when it is over.
    """

    alert: bool = False
    critical: bool = False
    remedy: Remedy = Remedy.NONE
    restorable: bool = False
    ours: bool = False
    unlinks: bool = False
    by_person: bool = False
    stands: bool = False


@dataclass(frozen=True, slots=True)
class Verdict(Traits):
    """Where the end of an attempt or of a connection leads.

    state: where the account goes. connecting: the state instead, if it had not been CONNECTED yet (L4).
    then: what follows. A verdict of `State.ERROR` raises the error count; every other uses up attempts only.
    """

    state: State
    then: Then
    connecting: State | None = None

    @property
    def needs_person(self) -> bool:
        """Whether nothing is tried any more until a person acts, or until the block ends."""
        return self.then in {Then.PERSON, Then.BLOCK_END}

    def state_after(self, *, connected: bool) -> State:
        """Where the account goes, given whether it had reached CONNECTED."""
        return self.state if connected or self.connecting is None else self.connecting


_DOWN, _ERROR = State.DISCONNECTED, State.ERROR
_AGAIN, _LINK = Remedy.RECONNECT, Remedy.LINK

VERDICTS: dict[Reason, Verdict] = {
    Reason.LAUNCH_FAILED: Verdict(_ERROR, Then.BACKOFF, remedy=_AGAIN),
    Reason.PROFILE_IN_USE: Verdict(_ERROR, Then.BACKOFF, remedy=_AGAIN),
    Reason.DEADLINE: Verdict(_ERROR, Then.BACKOFF, remedy=_AGAIN, restorable=True),
    Reason.RESTORE_FAILED: Verdict(_ERROR, Then.BACKOFF, remedy=_AGAIN, restorable=True),
    Reason.PAGE_UNKNOWN: Verdict(_ERROR, Then.BACKOFF, alert=True, remedy=_AGAIN, restorable=True),
    Reason.PAGE_MISBEHAVES: Verdict(_ERROR, Then.BACKOFF, alert=True, remedy=_AGAIN),
    Reason.SESSION_CLOSED: Verdict(_DOWN, Then.AT_ONCE, connecting=_ERROR, remedy=_AGAIN, ours=True),
    Reason.UNRESPONSIVE: Verdict(_DOWN, Then.BACKOFF, connecting=_ERROR, remedy=_AGAIN, ours=True),
    Reason.RELOADS_ITSELF: Verdict(_DOWN, Then.BACKOFF, connecting=_ERROR, remedy=_AGAIN, ours=True),
    Reason.CONNECTION_LOST: Verdict(_DOWN, Then.BACKOFF, remedy=_AGAIN),
    Reason.NAVIGATED: Verdict(_DOWN, Then.BACKOFF, remedy=_AGAIN, ours=True),
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
    Reason.OUTDATED: Verdict(_DOWN, Then.REFRESH, remedy=_AGAIN),
    Reason.WRONG_NUMBER: Verdict(_DOWN, Then.PERSON, alert=True, critical=True, remedy=_LINK, unlinks=True),
    Reason.WRONG_NUMBER_STAYS: Verdict(_DOWN, Then.PERSON, alert=True, critical=True, remedy=_LINK, unlinks=True),
    Reason.RECYCLED: Verdict(_DOWN, Then.AT_ONCE, remedy=_AGAIN, ours=True),
    Reason.UNKNOWN: Verdict(_DOWN, Then.BACKOFF, remedy=_AGAIN),
}
"""The table of rule L11: every way in which an attempt or a connection ends, and what follows."""

TRAITS: dict[Reason, Traits] = {
    Reason.ASKED: Traits(by_person=True),
    Reason.RESUMED: Traits(),
    Reason.RETRY: Traits(),
    Reason.RELOADED: Traits(ours=True),
    Reason.TRIAL: Traits(),
    Reason.LINKED: Traits(),
    Reason.SUSPENDED_BY_OPERATOR: Traits(by_person=True, remedy=_AGAIN),
    Reason.SHUTDOWN: Traits(),
    Reason.BREAKER_OPEN: Traits(alert=True, remedy=_AGAIN, restorable=True),
    Reason.TRIAL_FAILED: Traits(alert=True, critical=True, remedy=_AGAIN, restorable=True),
    Reason.EXHAUSTED: Traits(alert=True, critical=True, remedy=_AGAIN, restorable=True),
    Reason.PASSKEY: Traits(alert=True, remedy=_LINK),
    Reason.DIALOG: Traits(alert=True, remedy=Remedy.CONTINUE, stands=True),
    Reason.CONFIRM_NUMBER: Traits(alert=True, critical=True, remedy=Remedy.CONFIRM, stands=True),
    Reason.FLAPPING: Traits(alert=True, stands=True),
    Reason.WATCHED_IN_PART: Traits(alert=True, stands=True),
    **VERDICTS,
}
"""What each reason means: every one there is."""


_LOGOUT_CODES: dict[str, Reason] = {
    # WhatsApp Web's old numbers, as wa-js names them, and the names of today.
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
}
"""What the codes say that mean more than their own words do."""


def logout_reason(code: str) -> Reason:
    """Return what a logout with this code of WhatsApp's means; LOGGED_OUT for one that is not known."""
    return _LOGOUT_CODES.get(code.lower(), Reason.LOGGED_OUT)


def logout_words(code: str) -> str:
    """Return what WhatsApp's code says, for people; "" for none. An unknown code is given as it is, to be looked up."""
    if not code:
        return ""
    known = _CODE_WORDS.get(code.lower())
    if known is not None:
        return known
    return f"code {code}" if code.isdigit() else code.lower().replace("_", " ")
