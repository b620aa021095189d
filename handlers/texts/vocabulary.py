"""The wording of states, reasons and times: one table each, so that it is the same everywhere.

Plain text without HTML. `handlers.texts.answers` composes complete messages.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from enum import Enum, auto, unique

from controller.accounts.model import Stage
from controller.accounts.reasons import Reason, Remedy
from controller.troubles import Trouble

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


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

CLOSING_FIRST = "its old browser is still closing"
"""Why an account that `is_due` is not starting yet."""

WHY: dict[Reason, str] = {
    Reason.ASKED: "an operator asked for it",
    Reason.RESUMED: "Switchboard was restarted",
    Reason.RETRY: "trying again",
    Reason.RELOADED: "its page was reloaded",
    Reason.TRIAL: "one trial after the pause",
    Reason.LINKED: "linked and in touch with WhatsApp",
    Reason.SUSPENDED_BY_OPERATOR: "suspended by an operator",
    Reason.SHUTDOWN: "Switchboard was stopped",
    Reason.REMOVED: "it was removed from Switchboard",
    Reason.NOT_LINKED: "it has not been linked yet",
    Reason.LAUNCH_FAILED: "the browser did not start",
    Reason.PROFILE_IN_USE: "another program is using its browser profile",
    Reason.ARCHIVE_OUTDATED: "its newest session is out of reach, and what is archived is older",
    Reason.DEADLINE: "it took too long",
    Reason.RESTORE_FAILED: "its saved session could not be opened",
    Reason.PAGE_UNKNOWN: "WhatsApp showed a page that Switchboard does not know",
    Reason.SESSION_CLOSED: "its page or its browser closed",
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
    Reason.BANNED: "WhatsApp has blocked it",
    Reason.OUTDATED: "WhatsApp called its page out of date",
    Reason.WRONG_NUMBER: "a phone with another number was linked",
    Reason.WRONG_NUMBER_STAYS: "a phone with another number was linked and may still be",
    Reason.RECYCLED: "Switchboard closed its browser, which opens again at once",
    Reason.UNKNOWN: "something unexpected happened",
    Reason.BREAKER_OPEN: "too many errors in a row",
    Reason.TRIAL_FAILED: "the trial after the pause failed too",
    Reason.EXHAUSTED: "every attempt to reconnect failed",
    Reason.PASSKEY: "WhatsApp asks for a passkey",
    Reason.DIALOG: "a dialog covers its page",
    Reason.CONFIRM_NUMBER: "its page shows another number",
    Reason.FLAPPING: "it keeps dropping out and coming back",
    Reason.WATCHED_IN_PART: "it can be watched only in part",
}


@unique
class Readers(Enum):
    """Who reads an alert, and so which steps it may name."""

    ACTS = auto()
    """One person, who may act on the account."""
    WATCHES = auto()
    """One person, who may not: somebody on duty, who can only have it done."""
    MANY = auto()
    """A group, in which everybody sees the same, or a channel, in which no command is taken."""


@dataclass(frozen=True, slots=True)
class _Way:
    """How `steps` refers to something to do: by its button, if that is below; else by a command, or by who can do it.

    privately: in a group or a channel.
    """

    pressed: str
    typed: str
    privately: str
    asked: str
    remedy: Remedy = Remedy.NONE

    def words(self, offered: Collection[Remedy], readers: Readers) -> str:
        if self.remedy in offered:
            return self.pressed
        return {Readers.ACTS: self.typed, Readers.MANY: self.privately, Readers.WATCHES: self.asked}[readers]


_WAYS: dict[str, _Way] = {
    "link": _Way(
        "press Link again",
        "send /link with its number",
        "send me /link with its number privately",
        "have its operator or an admin link it again",
        Remedy.LINK,
    ),
    "reconnect": _Way(
        "press Reconnect",
        "send /reconnect",
        "send me /reconnect privately",
        "have its operator or an admin reconnect it",
        Remedy.RECONNECT,
    ),
    "use_here": _Way(
        "press Use here",
        "open it by /status and press Use here",
        "send me /status privately, open it and press Use here",
        "ask its operator or an admin",
        Remedy.USE_HERE,
    ),
    "confirm": _Way(
        "",
        "open it by /status and say whether it is the same",
        "send me /status privately, open it and say whether it is the same",
        "have its operator or an admin say whether it is the same",
    ),
    "suspend": _Way(
        "",
        "suspend it by /suspend",
        "send me /suspend privately",
        "have its operator or an admin suspend it",
    ),
    "proxy": _Way(
        "",
        "name another one with /proxy",
        "have an admin send me another one with /proxy, privately",
        "have an admin name another one",
    ),
    "hosts": _Way("", "/hosts shows it", "/hosts shows it to an admin", "an admin can look"),
}


@dataclass(frozen=True, slots=True)
class AlertWording:
    """The wording of an alert for one reason: what happened, what to do, and its end.

    title: what happened, in half a sentence. steps: what to do; a key of `_WAYS` in braces stands for a button, or
    what to do instead. by_button: replaces `steps` if the button of a remedy is below the alert.
    """

    title: str
    steps: str
    over: str = "That is over"
    by_button: Mapping[Remedy, str] = field(default_factory=dict)

    def todo(self, offered: Collection[Remedy] = (), readers: Readers = Readers.ACTS) -> str:
        """Return what to do. offered: the remedies with buttons below; no other button is mentioned."""
        steps = next((self.by_button[each] for each in offered if each in self.by_button), self.steps)
        words = steps.format_map({name: way.words(offered, readers) for name, way in _WAYS.items()})
        if Remedy.RESTORE in offered:
            words += " Or press Restore: a saved copy of its session may still open."
        return words[:1].upper() + words[1:]


ALERTS: dict[Reason, AlertWording] = {
    Reason.BREAKER_OPEN: AlertWording(
        "too many errors in a row, so it is paused",
        "Nothing to do yet: it is tried once more after the pause.",
    ),
    Reason.TRIAL_FAILED: AlertWording(
        "the trial after the pause failed, so it is not tried again",
        "Look at the cause, then {reconnect}.",
    ),
    Reason.EXHAUSTED: AlertWording(
        "every attempt to reconnect failed, so it is not tried again",
        "Check the phone and the server’s network, then {reconnect}.",
    ),
    Reason.LOGGED_OUT: AlertWording(
        "logged out by its phone or by WhatsApp",
        "{link} and scan the new code with the account’s phone.",
    ),
    Reason.CONFLICT: AlertWording(
        "opened somewhere else, so it was closed here",
        "To take it back {use_here}, or leave it where it is.",
    ),
    Reason.CONFLICT_LEFT: AlertWording(
        "opened somewhere else, so it was closed here",
        "Close it in that other place, then {reconnect}.",
    ),
    Reason.BANNED: AlertWording(
        "blocked by WhatsApp",
        "Open WhatsApp on the phone to see why, and ask for a review there. Where only an address is blocked, an admin"
        " can name another proxy.",
    ),
    Reason.WRONG_NUMBER: AlertWording(
        "a wrong phone was linked, and was logged out again",
        "{link} and scan with the right phone.",
    ),
    Reason.WRONG_NUMBER_STAYS: AlertWording(
        "a wrong phone was linked, and may still be",
        "On that phone, remove this linked device. Then {link} and scan with the right phone.",
    ),
    Reason.ACCOUNT_LOCKED: AlertWording(
        "logged out, since the account is locked on its phone",
        "Open WhatsApp on the phone first and see what it asks for. Do not link it again before that.",
    ),
    Reason.SYNC_FAILED: AlertWording(
        "logged out, since its chats could not be loaded in time",
        "Keep the phone open and online, {link} and scan the new code.",
    ),
    Reason.STORAGE_FULL: AlertWording(
        "logged out, since there was no room for its data",
        "Make room on the server’s disk, then {link}.",
    ),
    Reason.ARCHIVE_OUTDATED: AlertWording(
        "its newest session is out of reach, and what is archived is older",
        "Best bring the host back that has it, then {reconnect}: it goes on there. A session that goes back in time"
        " may not be able to read what came since, and WhatsApp may drop the link. To begin anew {link}, and remove the"
        " old linked device on the phone.",
    ),
    Reason.SCREEN_LOCKED: AlertWording(
        "WhatsApp Web’s screen lock asks for a password",
        "Remove this linked device on the phone, then {link}.",
    ),
    Reason.PAGE_MISBEHAVES: AlertWording(
        "its page did more than any page may, so its browser was ended",
        "It is tried again. If it comes again, {suspend}, and have somebody look at the page.",
    ),
    Reason.DIALOG: AlertWording(
        "a dialog covers its page",
        "Read what it says. Harmless ones are answered without asking where DIALOGS=continue is set.",
        "The dialog is gone",
        {Remedy.CONTINUE: "Read what it says, then press Continue to answer it."},
    ),
    Reason.CONFIRM_NUMBER: AlertWording(
        "is this the right number?",
        "{confirm}. Nothing is logged out before that.",
        "The number is settled",
        {
            Remedy.CONFIRM: "Press It is the same account, or Log it out if it is another one. Nothing is logged out"
            " before that."
        },
    ),
    Reason.FLAPPING: AlertWording(
        "it keeps dropping out and coming back",
        "See in its history what takes it away: the server’s network or memory, or somebody who opens it elsewhere.",
        "It has been steady for an hour",
    ),
    Reason.WATCHED_IN_PART: AlertWording(
        "connected, but this version of WhatsApp Web can be watched only in part",
        "Nothing to do at once. Switchboard needs an update for this version.",
        "It can be watched in full",
    ),
    Reason.PAGE_UNKNOWN: AlertWording(
        "WhatsApp showed a page that I do not know, see its picture below",
        "It is tried again. If it stays so, Switchboard needs an update.",
    ),
    Reason.PASSKEY: AlertWording(
        "WhatsApp asks for a passkey, which a server does not have",
        "Look at the phone, and confirm there if it asks. Removing the passkey rarely helps: it asks for a new one.",
    ),
}
"""All reasons that are alerted."""

TROUBLES: dict[str, AlertWording] = {
    Trouble.UNREACHABLE: AlertWording(
        "WhatsApp cannot be reached",
        "Nothing to do: the accounts wait, and connect by themselves, in turn, when it can.",
        "WhatsApp can be reached again",
    ),
    Trouble.PROXY: AlertWording(
        "an account’s own proxy does not let it through",
        "Look at the proxy and its password, or {proxy}. The accounts behind it wait.",
        "The proxies of all accounts let them through again",
    ),
    Trouble.DISK: AlertWording(
        "the server’s disk is nearly full",
        "Make room on the disk that holds DATA_DIR: no browser is started until then. Connected accounts stay so.",
        "There is room on the disk again",
    ),
    Trouble.MEMORY: AlertWording(
        "the server is short of memory",
        "End what else runs there, or give it more: no browser is started until then. Connected accounts stay so.",
        "There is memory again",
    ),
    Trouble.PROCESSES: AlertWording(
        "the server allows no more processes",
        "Raise TasksMax of the service, or pids of the container: no browser is started until then.",
        "More processes may be started again",
    ),
    Trouble.NEW_BUILD: AlertWording(
        "a new version of WhatsApp Web does not work, so planned restarts wait",
        "Look at the account that met it: Switchboard may need an update. An admin can let planned restarts go on in"
        " the chat.",
        "Planned restarts go on",
        {
            Remedy.GO_ON: "Look at the account that met it: Switchboard may need an update. Press Go on all the same to"
            " let planned restarts go on."
        },
    ),
    Trouble.DEAF: AlertWording(
        "I cannot hear you",
        "Stop what receives my messages in my place, or look at the server’s connection to Telegram. Accounts and"
        " alerts go on.",
        "I can hear you again",
    ),
    Trouble.WEBHOOK: AlertWording(
        "I cannot hear you",
        "Stop the program that set the webhook. An admin can have me take it back: only ending that program helps if"
        " its server is there. Accounts and alerts go on.",
        "I can hear you again",
        {
            Remedy.TAKE_WEBHOOK: "Press Take it back. If that server is there, it gets your press too, and only ending"
            " it helps. Accounts and alerts go on."
        },
    ),
    Trouble.DATABASE: AlertWording(
        "the database cannot be written",
        "Look at the disk and the permissions of DATA_DIR: what happens to the accounts is not kept until then.",
        "The database can be written again",
    ),
    Trouble.HOST_LOST: AlertWording(
        "a host does not answer",
        "Its accounts run on the other hosts, as far as these have room: {hosts}. Look at the machine, its "
        "network and its switchboard-host service.",
        "All hosts answer again",
    ),
    Trouble.ARCHIVES: AlertWording(
        "the archives of the sessions cannot be used",
        "Look at CLUSTER_ARCHIVES, the store and the network. Connected accounts stay so. No browser is started until"
        " then, and a host that is lost meanwhile has the only copy of what changed.",
        "The archives can be used again",
    ),
    Trouble.BACKUP: AlertWording(
        "the backup failed",
        "Look at BACKUP_DIR: its disk, and whether the program may write there. The next backup comes by itself.",
        "The backup works again",
    ),
}
"""Problems of the controller itself, or of its surroundings."""


def reason_wording(reason: Reason) -> AlertWording:
    """Return an alert's wording of a reason, a generic one if it has none of its own."""
    return ALERTS.get(reason) or AlertWording(WHY[reason], "To try again {reconnect}.")


def alert_wording(reason: str) -> AlertWording:
    """Return an alert's wording of a stored reason or trouble."""
    if reason in TROUBLES:
        return TROUBLES[reason]
    if reason in WHY:
        return reason_wording(Reason(reason))
    return AlertWording(reason.replace("_", " "), "Look at the server’s log.")


def span(seconds: float) -> str:
    """Return a duration for people: `45 s`, `3 min`, `2 h 5 min`, `3 d 4 h`."""
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
    """The time zone for people; None for the machine's."""

    of_people: tzinfo | None = None


def use_time_zone(zone: tzinfo | None) -> None:
    """Show and read times in this zone from now on; None for the machine's."""
    _Zone.of_people = zone


def to_local(at: datetime) -> datetime:
    """Return a time as people's clocks and calendars show it, without a zone."""
    return at.astimezone(_Zone.of_people).replace(tzinfo=None)


def from_local(shown: datetime) -> datetime:
    """Return the time (UTC) at which people's clocks show this one; the first if they show it twice."""
    return (shown if _Zone.of_people is None else shown.replace(tzinfo=_Zone.of_people)).astimezone(UTC)


def zone_name(at: datetime) -> str:
    """Return the name of people's time zone at a time, such as `CET`."""
    return f"{at.astimezone(_Zone.of_people):%Z}"


def clock(at: datetime, now: datetime, *, seconds: bool = False) -> str:
    """Return a time for people, in their time zone and with its name: `14:03 UTC`, `23 Nov, 14:03 UTC`.

    seconds: only for what lasts less than minutes, such as a code.
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
