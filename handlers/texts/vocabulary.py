"""The words for states, reasons and times: one table each, so that a thing has the same name wherever it is told.

Plain text without HTML. Whole messages are put together in `handlers.texts.answers`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from enum import StrEnum, unique

from controller.accounts.model import Stage
from controller.accounts.reasons import Reason, Remedy, State
from controller.manager import Status
from controller.troubles import Trouble

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


@unique
class Standing(StrEnum):
    """How an account stands, in people's words. The states of `controller.accounts.reasons` are for the log."""

    CONNECTED = "Connected"
    CONNECTING = "Connecting"
    NEEDS_YOU = "Needs you"
    PAUSED = "Paused"
    OFF = "Off"


ICONS: dict[Standing, str] = {
    Standing.CONNECTED: "🟢",
    Standing.CONNECTING: "🟡",
    Standing.NEEDS_YOU: "🔴",
    Standing.PAUSED: "⏸",
    Standing.OFF: "⚪",
}

WAITING_FOR_PEOPLE = frozenset({Stage.AWAITING_SCAN, Stage.PASSKEY, Stage.DIALOG})
"""Stages of an attempt that a person has to end."""


def standing(status: Status) -> Standing:
    """Return how an account stands."""
    if status.dialog or status.unconfirmed is not None:
        return Standing.NEEDS_YOU
    by_itself = status.wants_connection or status.next_retry_in is not None or status.on_hold
    match status.state:
        case State.CONNECTED:
            return Standing.CONNECTED
        case State.IDLE:
            return Standing.OFF
        case State.SUSPENDED if by_itself or status.reason is Reason.SUSPENDED_BY_OPERATOR:
            return Standing.PAUSED
        case State.CONNECTING if status.stage not in WAITING_FOR_PEOPLE:
            return Standing.CONNECTING
        case State.DISCONNECTED | State.ERROR if by_itself:
            return Standing.CONNECTING
        case _:
            return Standing.NEEDS_YOU


def past_standing(state: str, reason: Reason) -> str:
    """Return how an account stood, from a state as the history remembers it and the reason that led to it."""
    match state:
        case State.CONNECTED:
            return Standing.CONNECTED
        case State.CONNECTING:
            return Standing.CONNECTING
        case State.IDLE:
            return Standing.OFF
        case State.SUSPENDED:
            return Standing.NEEDS_YOU if reason in {Reason.TRIAL_FAILED, Reason.EXHAUSTED} else Standing.PAUSED
        case _:
            return "Disconnected"


STAGES: dict[Stage, str] = {
    Stage.QUEUED: "waiting for its turn to start",
    Stage.LAUNCHING: "starting the browser",
    Stage.AWAITING_SCAN: "waiting for the code to be scanned",
    Stage.PAIRING: "code scanned, linking",
    Stage.PASSKEY: "WhatsApp asks for a passkey",
    Stage.DIALOG: "a dialog waits for an answer",
    Stage.SYNCING: "loading its chats",
    Stage.READING: "its page was reloaded, reading it anew",
    Stage.LOGGING_OUT: "logging out a phone with another number",
}

WHY: dict[Reason, str] = {
    Reason.ASKED: "an operator asked for it",
    Reason.RESUMED: "Switchboard was restarted",
    Reason.RETRY: "trying again",
    Reason.RELOADED: "its page was reloaded",
    Reason.TRIAL: "one trial after the pause",
    Reason.LINKED: "linked and in touch with WhatsApp",
    Reason.SUSPENDED_BY_OPERATOR: "suspended by an operator",
    Reason.SHUTDOWN: "Switchboard was stopped",
    Reason.NOT_LINKED: "it has not been linked yet",
    Reason.LAUNCH_FAILED: "the browser did not start",
    Reason.PROFILE_IN_USE: "another program is using its browser profile",
    Reason.DEADLINE: "it took too long",
    Reason.RESTORE_FAILED: "WhatsApp did not accept its saved session",
    Reason.PAGE_UNKNOWN: "WhatsApp showed a page that Switchboard does not know",
    Reason.SESSION_CLOSED: "its browser closed",
    Reason.UNRESPONSIVE: "its browser stopped responding",
    Reason.CONNECTION_LOST: "its connection to WhatsApp was lost",
    Reason.NAVIGATED: "its page went somewhere else",
    Reason.RELOADS_ITSELF: "its page reloads itself over and over",
    Reason.PAGE_MISBEHAVES: "its page did more than any page may",
    Reason.SCREEN_LOCKED: "WhatsApp Web’s screen lock asks for a password",
    Reason.STALE: "nothing was heard from WhatsApp for too long",
    Reason.QR_EXPIRED: "nobody scanned the code in time",
    Reason.LOGGED_OUT: "it was logged out",
    Reason.ACCOUNT_LOCKED: "the account is locked on its phone",
    Reason.SYNC_FAILED: "its chats could not be loaded, so WhatsApp logged it out",
    Reason.STORAGE_FULL: "its browser ran out of room, so WhatsApp logged it out",
    Reason.CONFLICT: "WhatsApp Web was opened somewhere else",
    Reason.CONFLICT_LEFT: "WhatsApp Web was opened somewhere else",
    Reason.BANNED: "WhatsApp has blocked the account",
    Reason.OUTDATED: "WhatsApp called its page out of date",
    Reason.WRONG_NUMBER: "a phone with another number scanned the code",
    Reason.WRONG_NUMBER_STAYS: "a phone with another number scanned the code and is still linked",
    Reason.RECYCLED: "its browser was closed to free memory, and opens again at once",
    Reason.UNKNOWN: "something unexpected happened",
    Reason.BREAKER_OPEN: "too many errors in a row",
    Reason.TRIAL_FAILED: "the trial after the pause failed too",
    Reason.EXHAUSTED: "every attempt to reconnect failed",
    Reason.PASSKEY: "WhatsApp asks for a passkey",
    Reason.DIALOG: "a dialog covers its page",
    Reason.CONFIRM_NUMBER: "its number differs by one digit",
    Reason.FLAPPING: "it keeps dropping out and coming back",
    Reason.WATCHED_IN_PART: "it can be watched only in part",
}


_WAYS: dict[str, tuple[Remedy, str, str]] = {
    "link": (Remedy.LINK, "press Link again", "send /link with its number"),
    "reconnect": (Remedy.RECONNECT, "press Reconnect", "send /reconnect"),
    "use_here": (Remedy.USE_HERE, "press Use here", "open it by /status and press Use here"),
}
"""What steps call a remedy: where its button stands below, and where it does not."""


@dataclass(frozen=True, slots=True)
class Told:
    """How an alert tells a reason: what happened, what it means, what to do, and, once it has passed, that it has.

    steps: what to do, where a word of `_WAYS` in braces stands for the button or for what is typed instead.
    by_button: what to do instead, where the button of a remedy stands below.
    """

    title: str
    means: str
    steps: str
    over: str = "That is over"
    by_button: Mapping[Remedy, str] = field(default_factory=dict)

    def todo(self, offered: Collection[Remedy] = ()) -> str:
        """Return what to do. offered: the remedies whose buttons stand below: no other button is named."""
        steps = next((self.by_button[each] for each in offered if each in self.by_button), self.steps)
        words = steps.format_map(
            {word: pressed if remedy in offered else typed for word, (remedy, pressed, typed) in _WAYS.items()}
        )
        if Remedy.RESTORE in offered:
            words += " Or press Restore: a saved copy of its session may still open."
        return words[:1].upper() + words[1:]


ALERTS: dict[Reason, Told] = {
    Reason.BREAKER_OPEN: Told(
        "too many errors in a row",
        "It is paused, and tried once more after the pause.",
        "Nothing to do yet. You will hear if the trial fails too.",
    ),
    Reason.TRIAL_FAILED: Told(
        "the trial after the pause failed",
        "It is suspended and will not be tried again by itself.",
        "Look at the cause, then {reconnect}.",
    ),
    Reason.EXHAUSTED: Told(
        "every attempt to reconnect failed",
        "It is suspended and will not be tried again by itself.",
        "Check the phone and the server’s network, then {reconnect}.",
    ),
    Reason.LOGGED_OUT: Told(
        "logged out",
        "The phone, or WhatsApp, removed this linked device.",
        "{link} and scan the new code with the account’s phone.",
    ),
    Reason.CONFLICT: Told(
        "opened somewhere else",
        "WhatsApp Web runs with this session in another place, so it was closed here.",
        "To take it back {use_here}, or leave it where it is.",
    ),
    Reason.CONFLICT_LEFT: Told(
        "opened somewhere else",
        "WhatsApp Web runs with this session in another place, so it was closed here; TAKEOVER=never leaves it there.",
        "Close it in that other place, then {reconnect}.",
    ),
    Reason.BANNED: Told(
        "blocked by WhatsApp",
        "WhatsApp does not let this account in.",
        "Open WhatsApp on the phone to see why, and ask for a review there.",
    ),
    Reason.WRONG_NUMBER: Told(
        "wrong phone",
        "A phone with another number scanned the code. It was logged out again at once.",
        "{link} and scan with the right phone.",
    ),
    Reason.WRONG_NUMBER_STAYS: Told(
        "wrong phone, still linked",
        "A phone with another number scanned the code, and it could not be logged out from here.",
        "On that phone, remove this linked device. Then {link} and scan with the right phone.",
    ),
    Reason.ACCOUNT_LOCKED: Told(
        "locked on its phone",
        "WhatsApp removed this linked device because the account is locked.",
        "Open WhatsApp on the phone first and see what it asks for. Do not link it again before that.",
    ),
    Reason.SYNC_FAILED: Told(
        "logged out, its chats did not load",
        "WhatsApp removed this linked device because its chats could not be brought over in time.",
        "Keep the phone open and online, {link} and scan the new code.",
    ),
    Reason.STORAGE_FULL: Told(
        "logged out, no room for its data",
        "WhatsApp removed this linked device because its browser could not store its data.",
        "Make room on the server’s disk, then {link}.",
    ),
    Reason.SCREEN_LOCKED: Told(
        "screen lock",
        "WhatsApp Web is locked by a password that only a person knows, so nothing can be read there.",
        "Remove this linked device on the phone, then link it again with /link.",
    ),
    Reason.PAGE_MISBEHAVES: Told(
        "its page misbehaves",
        "Its page opened, sent or used more than any page may, so its browser was ended. It is tried again.",
        "Suspend the account if it comes again, and have somebody look at the page.",
    ),
    Reason.DIALOG: Told(
        "a dialog covers the page",
        "WhatsApp Web shows something that waits for an answer.",
        "Read what it says. Harmless ones are answered without asking where DIALOGS=continue is set.",
        by_button={Remedy.CONTINUE: "Read what it says, then press Continue to answer it."},
    ),
    Reason.CONFIRM_NUMBER: Told(
        "is this the right number?",
        "The number that is open differs from the account’s by one digit, as some countries’ numbers do.",
        "Open it by /status and say whether it is the same. Nothing is logged out before that.",
        by_button={
            Remedy.CONFIRM: "Press It is the same account, or Log it out if it is another one. Nothing is logged out"
            " before that."
        },
    ),
    Reason.FLAPPING: Told(
        "it keeps dropping out",
        "It is lost and comes back by itself, again and again.",
        "Look at the server’s network and memory, and at the account’s history.",
        "It has been steady for an hour",
    ),
    Reason.WATCHED_IN_PART: Told(
        "can be watched only in part",
        "It is connected, but this version of WhatsApp Web hides some of what is checked elsewhere.",
        "Nothing to do at once. Switchboard needs an update for this version.",
    ),
    Reason.PAGE_UNKNOWN: Told(
        "page not recognised",
        "WhatsApp showed something new; its picture is below. It is tried again meanwhile.",
        "If it stays so, Switchboard needs an update.",
    ),
    Reason.PASSKEY: Told(
        "a passkey is needed",
        "WhatsApp wants this device confirmed by a passkey, which a server does not have.",
        "Look at the phone, and confirm there if it asks. Removing the passkey rarely helps: it asks for a new one.",
    ),
}
"""Every reason that `controller.accounts.reasons` and `controller.accounts.lifecycle` alert on."""

TROUBLES: dict[str, Told] = {
    Trouble.UNREACHABLE: Told(
        "WhatsApp cannot be reached",
        "The accounts wait, and use up no attempts meanwhile.",
        "Nothing to do: they connect again by themselves, in turn, when it is back.",
        "WhatsApp can be reached again",
    ),
    Trouble.PROXY: Told(
        "an account’s own proxy does not let it through",
        "The accounts that go through it wait, and use up no attempts meanwhile. All others go on.",
        "Look at the proxy and its password, or name another one with /proxy.",
        "The proxies of all accounts let them through again",
    ),
    Trouble.DISK: Told(
        "the server’s disk is nearly full",
        "Accounts that are connected stay so, but no browser is started until there is room.",
        "Make room on the disk that holds DATA_DIR.",
        "There is room on the disk again",
    ),
    Trouble.MEMORY: Told(
        "the server is short of memory",
        "Accounts that are connected stay so, but no browser is started until there is more.",
        "End what else runs there, or give the server more memory.",
        "There is memory again",
    ),
    Trouble.PROCESSES: Told(
        "the server allows no more processes",
        "Accounts that are connected stay so, but no browser is started until there may be more.",
        "Raise the limit: TasksMax of the service, or pids of the container. A browser needs some 60.",
        "More processes may be started again",
    ),
    Trouble.NEW_BUILD: Told(
        "a new version of WhatsApp Web does not work",
        "One account has met it and did not stay connected. Planned restarts of the others wait.",
        "Look at that account: Switchboard may need an update. An admin can let planned restarts go on in the chat.",
        "Planned restarts go on",
        {
            Remedy.GO_ON: "Look at that account: Switchboard may need an update. Press Go on all the same to let"
            " planned restarts go on."
        },
    ),
    Trouble.DEAF: Told(
        "I cannot hear you",
        "What you write or press does not reach me. Accounts and alerts go on.",
        "End what hears in my place, or look at the server’s way to Telegram.",
        "I can hear you again",
    ),
    Trouble.DATABASE: Told(
        "the database cannot be written",
        "What happens to the accounts cannot be kept any more.",
        "Look at the disk and the permissions of DATA_DIR.",
        "The database can be written again",
    ),
    Trouble.BACKUP: Told(
        "the backup failed",
        "The accounts are well, but today’s backup is missing or lacks a session. The next one comes by itself.",
        "Look at BACKUP_DIR: its disk, and whether the program may write there.",
        "There is a whole backup again",
    ),
}
"""What can be wrong with the controller itself, or with the world around it."""


def told(reason: Reason) -> Told:
    """Return how an alert tells a reason, in plain words where it has none of its own."""
    return ALERTS.get(reason) or Told(WHY[reason], "It is not connected.", "To try again {reconnect}.")


def told_of(reason: str) -> Told:
    """Return how an alert tells an account's reason or a trouble of the controller, from its word."""
    if reason in TROUBLES:
        return TROUBLES[reason]
    if reason in WHY:
        return told(Reason(reason))
    return Told(reason.replace("_", " "), "The server tells no more about it.", "Look at its log.")


def span(seconds: float) -> str:
    """Return a length of time for people: `45 s`, `3 min`, `2 h 5 min`, `3 d 4 h`."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{max(0, whole)} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < _DAY:
        hours, rest = divmod(whole, _HOUR)
        return f"{hours} h {rest // _MINUTE} min" if rest >= _MINUTE else f"{hours} h"
    days, rest = divmod(whole, _DAY)
    return f"{days} d {rest // _HOUR} h" if rest >= _HOUR else f"{days} d"


class _Zone:
    """Where people's clocks are: None for where this machine's is."""

    of_people: tzinfo | None = None


def use_time_zone(zone: tzinfo | None) -> None:
    """Tell moments in this zone from now on; None for this machine's."""
    _Zone.of_people = zone


def clock(at: datetime, now: datetime, *, seconds: bool = False) -> str:
    """Return a moment for people, in their time zone and with its name: `14:03 UTC`, `23 Nov, 14:03 UTC`.

    seconds: only of what lasts less than minutes, as a code does.
    """
    here, today = at.astimezone(_Zone.of_people), now.astimezone(_Zone.of_people)
    time = here.strftime("%H:%M:%S %Z" if seconds else "%H:%M %Z")
    if here.date() == today.date():
        return time
    day = f"{here.day} {here:%b}" if here.year == today.year else f"{here.day} {here:%b %Y}"
    return f"{day}, {time}"


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a counted noun: `1 account`, `3 accounts`."""
    return f"{number} {one if number == 1 else many or one + 's'}"
