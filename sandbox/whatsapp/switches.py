"""Switches for the edge cases of the real page: the table, its values and their validation.

The command line, `GET/POST /switches` and the web page are generated from this table. What a switch *does* is
implemented where it takes effect (server.py, session.py, the page's scripts), never here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

Value: TypeAlias = bool | float | str
Takes: TypeAlias = Literal["next load", "at once"]  # when an open page is affected by a change


class SwitchError(ValueError):
    """An unknown switch, or an invalid value; the text says which, and what is valid."""


@dataclass(frozen=True, slots=True)
class Switch:
    """One row of the table."""

    name: str
    kind: Literal["flag", "number", "choice"]
    default: Value
    help: str
    takes: Takes
    choices: tuple[str, ...] = ()
    subject: str = "Other"  # the heading under which the web page shows it

    def parse(self, value: object) -> Value:
        """Return `value` (a JSON value or a command-line word) in this switch's type, or raise SwitchError."""
        if self.kind == "flag":
            words: dict[object, bool] = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}
            if isinstance(value, bool):
                return value
            if isinstance(value, str) and value.lower() in words:
                return words[value.lower()]
            raise SwitchError(f"{self.name} is on or off, not {value!r}")
        if self.kind == "number":
            try:
                number = float(value) if isinstance(value, int | float | str) else -1.0
            except ValueError:
                number = -1.0
            if isinstance(value, bool) or not 0 <= number < float("inf"):
                raise SwitchError(f"{self.name} is a number from 0 on, not {value!r}")
            return number
        if value not in self.choices:
            raise SwitchError(f"{self.name} is one of {', '.join(self.choices)}, not {value!r}")
        return str(value)


def _flag(name: str, text: str, takes: Takes = "next load") -> Switch:
    return Switch(name, "flag", default=False, help=text, takes=takes)


def _number(name: str, text: str, takes: Takes = "next load") -> Switch:
    return Switch(name, "number", default=0, help=f"{text}; 0 = off", takes=takes)


def _choice(name: str, text: str, choices: tuple[str, ...], takes: Takes = "next load") -> Switch:
    return Switch(name, "choice", choices[0], help=text, takes=takes, choices=choices)


STREAMS = ("DISCONNECTED", "SYNCING", "RESUMING", "CONNECTED")
MODES = (
    "QR", "MAIN", "SYNCING", "OFFLINE", "CONFLICT", "PROXYBLOCK", "TOS_BLOCK", "SMB_TOS_BLOCK", "DEPRECATED_VERSION",
)  # fmt: skip
INFOS = ("OFFLINE", "OPENING", "PAIRING", "SYNCING", "RESUMING", "CONNECTING", "NORMAL")
MODULES = (
    "WAWebSocketModel", "WAWebStreamModel", "WAWebConnModel", "WAWebCmd", "WAWebUserPrefsMeUser",
    "WAWebUserPrefsInfoStore", "WAWebOfflineHandler", "WAWebCollections", "WAWebQueryExistsJob",
)  # fmt: skip
LIVE = frozenset({
    "dead_socket", "stream", "stream_mode", "display_info", "own_query", "dialog", "brief_sight", "logout_fails",
    "freeze", "other_browser",
})  # fmt: skip
"""The switches that take effect in an open page."""
SERVED = frozenset({"http_error", "instead", "no_csp", "unknown_build", "stale_worker", "hostile"})
"""Of those for the next load the ones that the server applies, before it knows whose page asks."""
HARMS = (
    "popups", "reports", "forged", "errors", "console", "busy", "memory", "frames", "workers", "downloads",
    "permissions", "protocols", "alerts", "addresses", "unload", "storage", "worker_memory", "worker_console",
    "elements", "titles",
    "prompts", "requests", "reloads", "refresh", "blob", "data", "long_tasks", "unguarded", "sandboxed", "answers",
    "sockets", "worker_sockets", "long_addresses", "busy_worker", "reframes", "everything",
)  # fmt: skip


def _about(subject: str, *rows: Switch) -> tuple[Switch, ...]:
    return tuple(replace(row, subject=subject) for row in rows)


TABLE: tuple[Switch, ...] = (
    *_about(
        "Loading the page",
        _flag("dns_gone", "The host's name does not resolve (other requests are reset)", "at once"),
        _number("http_error", "The page answers with this HTTP status, say 500"),
        _choice(
            "instead",
            "What answers in the page's place: a network's log-in page, nothing, another host, a file, redirects",
            ("off", "portal", "blank", "elsewhere", "file", "redirects"),
        ),
        _number("slow_load", "The page's scripts arrive this many seconds later"),
        _number("slow_bundle", "Each of the page's scripts arrives this many seconds after the one before"),
        _flag("endless_load", "Loading never ends: the progress bar stays, no module appears"),
        _flag("no_csp", "Serve the page without its Content-Security-Policy"),
    ),
    *_about(
        "A page that has changed",
        Switch(
            "unknown_build",
            "choice",
            "off",
            "A build nobody knows: no require, other names of modules, or of modules and DOM ids",
            "next load",
            ("off", "modules", "all", "no_require"),
        ),
        _flag("debug_never", "window.Debug.VERSION is never set"),
        _flag("synced_early", "A restored session is synced before anyone can listen"),
        _flag("no_exists_query", "The module that answers the light query is missing"),
        _flag("iframes", "Frames come, navigate and go all the time"),
    ),
    *_about(
        "Linking",
        Switch(
            "refresh_qr",
            "choice",
            "both",
            "Where refreshQR is to be had: Cmd (older builds), LaunchSocketUtils (newer), both, or only the button",
            "next load",
            ("cmd", "launch", "both", "button"),
        ),
        _flag("qr_prefix", "The page's own QR is a link: https://wa.me/settings/linked_devices#…"),
        _flag("qr_suffix", "The page's own QR ends in ,https://faq.whatsapp.com/r/ld"),
        _flag("keys_hang", "The modules of a code's parts never answer: only the drawn code can be read"),
        _flag("passkey", "Every scan is answered by a WebAuthn request in the page", "at once"),
    ),
    *_about(
        "The connection",
        _flag("opening_forever", "No socket opens: state OPENING for ever, the chat list still there", "at once"),
        _flag("silence", "The server answers nothing, sockets stay open", "at once"),
        _flag("outdated", "The server calls this build too old: DEPRECATED_VERSION", "at once"),
    ),
    *_about(
        "The account",
        _flag("refuse_restore", "A saved session is refused: logged out with post_logout=1", "at once"),
        _number("ban", "Temporary ban: logins are refused, and so many seconds are said to be left", "at once"),
        _flag("quiet_logout", "Logout emits no event: only the reload with post_logout=1 tells"),
        _choice(
            "other_browser",
            "Another browser has the session, and after “Use here” it holds on to it, or takes it again",
            ("lets_go", "holds_on", "takes_again"),
            "at once",
        ),
        _flag("plain_logout", "Logout emits no event and has no address: the page reloads, and asks for a scan"),
    ),
    *_about(
        "The browser",
        _number("memory_growth", "The page leaks this many MB each second", "at once"),
        _number("page_crash", "The renderer crashes so many seconds after the page's scripts ran"),
        _number("freeze", "The page stands still for so many seconds: no script of it runs, and none loops", "at once"),
    ),
    *_about(
        "What the page says of its connection",
        _choice(
            "dead_socket",
            "The connection is gone and Socket.state stays CONNECTED: Socket.stream says so, or nothing",
            ("off", "told", "untold"),
            "at once",
        ),
        _choice("stream", "Socket.stream says this, whatever Socket.state says", ("off", *STREAMS), "at once"),
        _choice("stream_mode", "Stream.mode says this, whatever Socket.state says", ("off", *MODES), "at once"),
        _choice("display_info", "Stream.displayInfo says this, whatever Socket.state says", ("off", *INFOS), "at once"),
        _choice(
            "own_query",
            "What the light query about our own number comes to",
            ("answer", "null", "error", "never"),
            "at once",
        ),
    ),
    *_about(
        "Reloads",
        _number("reload_once", "In each new browser the page reloads once, so many seconds after it started"),
        _number("reload_after_link", "The page reloads itself so many seconds after a fresh link (300 in the world)"),
        _number("reload_every", "The page reloads itself so many seconds after each start"),
        _flag("stale_worker", "A service worker stays in the browser that answers with a page whose scripts are gone"),
    ),
    *_about(
        "What covers the page",
        _choice(
            "dialog",
            'A dialog: "What\'s new" with one button (stuck: dead), or an unknown one; blocking, or above the page',
            ("off", "whats_new", "whats_new_blocks", "whats_new_stuck", "unknown", "unknown_blocks"),
            "at once",
        ),
        _choice(
            "dialog_in",
            "What a dialog is in: the page, a shadow root, one that was there before, a frame",
            ("page", "shadow", "old_shadow", "frame"),
        ),
        _flag("screen_lock", "WhatsApp Web's own lock asks for a password before anything else (it is: sandbox)"),
        _choice(
            "brief_sight",
            "For 0.8 s the page shows this, then goes on as if nothing had been",
            (
                "off",
                "UNPAIRED",
                "CONFLICT",
                "PROXYBLOCK",
                "TOS_BLOCK",
                "DEPRECATED_VERSION",
                "logout",
                "blank",
                "number",
            ),
            "at once",
        ),
    ),
    *_about(
        "Whose account it is",
        _flag("lid_only", "The page never tells the phone number, only the account's hidden address (LID)"),
        _number("late_number", "The phone number is told so many seconds after the page's start, a LID before"),
        _choice(
            "number_from",
            "Where the page tells the number: everywhere, or in one place only",
            ("all", "me_user", "conn", "last_wid"),
        ),
        _flag(
            "trunk_digit",
            "A phone's id has, or lacks, the digit that people leave out: +54 9, +52 1, +55 .. 9",
            "at once",
        ),
        _choice(
            "logout_fails",
            "Socket.logout() throws, never settles, or is ignored by the server",
            ("off", "throws", "hangs", "ignored"),
            "at once",
        ),
    ),
    *_about(
        "The first history",
        _number("slow_sync", "Loading the chats takes so many seconds, its percentage rises each second"),
        _number("sync_pause", "Halfway the loading of chats pauses for so many seconds"),
        _choice(
            "progress_in", "Where the progress of loading can be read", ("all", "history", "offline", "bar", "none")
        ),
        _flag("stuck_at_99", "getOfflineDeliveryProgress() stays at 99 though all is there"),
        _flag("never_synced", "Socket.hasSynced stays false, though the page can be used"),
    ),
    *_about(
        "Builds",
        _number("build", "The page calls itself build 2.3000.<this>"),
        _choice("missing_module", "This module is not there", ("off", *MODULES)),
        _flag("no_init_conn", "Socket.initConn is gone, as since build 2.3000.1042652105"),
    ),
    *_about(
        "Passkeys of a linked session",
        _choice(
            "passkey_at",
            "A passkey is asked for in this stage of a restored session; unseen: the connected page does not change",
            ("off", "launching", "restored", "syncing", "connected", "unseen"),
        ),
        _flag("conditional_webauthn", "The page asks for passkeys conditionally (autofill), which asks nobody"),
    ),
    *_about(
        "A hostile page",
        _choice("hostile", "The page does harm (to an open one: /phone/harm)", ("off", *HARMS)),
    ),
    *_about(
        "What the host answers",
        _number("head_status", "HEAD / is answered with this status, say 501", "at once"),
        _flag("only_browsers", "Whatever is no browser gets 403", "at once"),
    ),
)


class Switches:
    """The current value of each switch; `watch` reports changes."""

    def __init__(self, given: dict[str, object] | None = None) -> None:
        self._rows = {row.name: row for row in TABLE}
        self._values: dict[str, Value] = {row.name: row.default for row in TABLE}
        self._watchers: list[Callable[[str, Value], None]] = []
        for name, value in (given or {}).items():
            self.set(name, value)

    def __iter__(self) -> Iterator[tuple[Switch, Value]]:
        return ((row, self._values[row.name]) for row in TABLE)

    def set(self, name: str, value: object) -> Value:
        """Set one switch and notify the watchers; SwitchError if the switch or value is invalid."""
        row = self._rows.get(name)
        if row is None:
            raise SwitchError(f"no switch {name!r}; there are {', '.join(self._rows)}")
        parsed = row.parse(value)
        if parsed != self._values[name]:
            self._values[name] = parsed
            for watcher in self._watchers:
                watcher(name, parsed)
        return parsed

    def reset(self) -> None:
        """Reset every switch to its default."""
        for row in TABLE:
            self.set(row.name, row.default)

    def flag(self, name: str) -> bool:
        """Return a flag's value."""
        return self._values[name] is True

    def number(self, name: str) -> float:
        """Return a number's value."""
        value = self._values[name]
        assert isinstance(value, int | float)
        return float(value)

    def choice(self, name: str) -> str:
        """Return a choice's value."""
        return str(self._values[name])

    def watch(self, watcher: Callable[[str, Value], None]) -> None:
        """Call `watcher(name, value)` after each change."""
        self._watchers.append(watcher)

    def as_json(self) -> list[dict[str, object]]:
        """Return the table with current values, as returned by `GET /switches`."""
        return [
            {
                "name": row.name,
                "kind": row.kind,
                "value": value,
                "default": row.default,
                "help": row.help,
                "takes": row.takes,
                "subject": row.subject,
                "choices": list(row.choices),
            }
            for row, value in self
        ]
