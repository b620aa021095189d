"""Faults of the page reported from the field (K1 to K13), each with what docs/lifecycle.md prescribes for it.

Not here: how a fault is run and judged (`trial`).
"""

import asyncio
import contextlib
import signal
import time
from dataclasses import replace

import psutil

from tests.chaos.faults import (
    STRANGER,
    both,
    cured,
    hang_limit,
    kill,
    logged_out_again,
    node,
    phone,
    press,
    shows_code,
    switch,
    wrong_number,
)
from tests.chaos.stage import Account, Stage
from tests.chaos.trial import Act, Expected, Fault

ACCOUNT_MEMORY = 3000 << 20
"""The default of ACCOUNT_MEMORY_LIMIT_MIB."""
NOTHING = Expected(reason=None, attempts=(0, 0))
_GONE = frozenset({"session_closed"})
_CLOSED = Expected(reason="session_closed", layer="browser", also=frozenset({"launch_failed"}))


def turned(name: str, value: str) -> Act:
    """Apply a switch to the account's open page only."""
    return phone("turn", name=name, value=value)


def _meets(name: str, value: str) -> Act:
    """Apply a switch to the account's next pages, and kill its browser."""
    return both(phone("turn_next", name=name, value=value), kill())


def _no_longer(name: str) -> Act:
    """Reset it for the pages that come then."""

    async def act(stage: Stage, account: Account) -> None:
        default = next(row.default for row, _ in stage.here.whatsapp.switches if row.name == name)
        stage.here.phones.turn_next(name, str(default), account.number)

    return act


async def _has_old_root(stage: Stage, account: Account) -> None:
    stage.here.phones.turn_next("dialog_in", "old_shadow", account.number)
    mark = stage.mark(account)
    stage.here.phones.reload(account.number)
    await stage.until_back(account, mark, 30)


async def _meets_stale_worker(stage: Stage, account: Account) -> float | None:
    switches = stage.here.whatsapp.switches
    switches.set("stale_worker", value=True)
    stage.here.phones.reload(account.number)
    await asyncio.sleep(5)  # for the worker to be installed
    switches.set("stale_worker", value=False)
    return await kill()(stage, account)


async def _asked_when_restored(stage: Stage, account: Account) -> float:
    """Ask a restored session for a passkey."""
    switches = stage.here.whatsapp.switches
    switches.set("passkey_at", "restored")
    began = await kill()(stage, account)
    pages = stage.here.whatsapp.hub.pages
    await stage.until(lambda: any(p.passkey_for == account.number for p in pages.values()), "a page that asks", 30)
    switches.set("passkey_at", "off")
    return began or time.time()


async def _approves(stage: Stage, account: Account) -> None:
    told = lambda: any("passkey" in str(m["text"]).lower() for m in stage.here.client.from_bot(stage.alert_chat))
    await stage.until(told, "word of the passkey", 15)
    stage.here.phones.passkey(account.number, "approve")


async def _hoards(stage: Stage, account: Account) -> float:
    """Let the page consume memory; the fault is the moment at which it exceeds its limit."""
    leader = stage.browser(account)
    stage.here.phones.harm("memory", account.number)

    def used() -> int:
        total = 0
        for each in (leader, *leader.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                memory = each.memory_info()
                total += memory.rss - memory.shared
        return total

    with contextlib.suppress(psutil.NoSuchProcess):  # it may be ended between two samples
        await stage.until(lambda: used() > ACCOUNT_MEMORY, "a page with more memory than it may have", 90)
    return time.time()


async def _flaps(stage: Stage, account: Account) -> None:
    """Lose the browser once more often than is tolerated."""
    for _ in range(6):
        mark = stage.mark(account)
        await kill()(stage, account)
        await stage.until_back(account, mark, 60)


async def _continues(stage: Stage, account: Account) -> None:
    await press(stage, account, "Continue")


def _nearly(account: Account) -> str:
    """A number with one digit more."""
    return f"{account.number[:6]}0{account.number[6:]}"


async def _nearly_scans(stage: Stage, account: Account) -> float:
    began = time.time()
    await stage.scan(account, as_=_nearly(account))
    await stage.until(lambda: stage.state(account) == "CONNECTED", f"{account.name} connected", 60)
    return began


async def _logs_it_out(stage: Stage, account: Account) -> None:
    await press(stage, account, "Log it out")
    await press(stage, account, "Yes, log it out")
    gone = lambda: not any(d["number"] == _nearly(account) for d in stage.here.phones.devices())
    await stage.until(gone, "the other number is logged out", 30)
    await _link_again(stage, account)


async def _log_out_fails(stage: Stage, account: Account) -> None:
    stage.here.whatsapp.switches.set("logout_fails", "ignored")
    await shows_code(stage, account)


async def _stranger_removed(stage: Stage, account: Account) -> None:
    """Remove the device on the phone of the unexpected number, as the alert says, and link the right one."""
    stage.here.whatsapp.switches.set("logout_fails", "off")
    stage.here.phones.logout(STRANGER)
    await _link_again(stage, account)


async def _number_is_late(stage: Stage, account: Account) -> None:
    stage.here.whatsapp.switches.set("late_number", 6)
    await shows_code(stage, account)


async def _unlocked(stage: Stage, account: Account) -> None:
    await _no_longer("screen_lock")(stage, account)
    await stage.says(account, f"/reconnect {account.number}")


async def _link_again(stage: Stage, account: Account) -> None:
    await stage.says(account, f"/link {account.number} {account.name}")
    await stage.scan(account)


def reloads() -> list[Fault]:
    """New documents in the same session (K1), and a misleading address (K12)."""
    again = Expected(reason="reloaded", state="CONNECTING", within=3, attempts=(0, 0), back=15)
    return [
        Fault(
            name="log-out address, nobody logged out", do=phone("reload", post_logout=True),
            expected=replace(again, within=6),
        ),
        Fault(
            name="log-out address, loads slowly", prepare=switch("slow_load", 6), after=cured("slow_load"),
            do=phone("reload", post_logout=True), expected=replace(again, within=15),
        ),
        Fault(
            name="reload 1.5 s after each start", do=_meets("reload_once", "1.5"), after=_no_longer("reload_once"),
            expected=replace(_CLOSED, back=25),
        ),
        Fault(
            name="page reloads itself over and over", do=_meets("reload_every", "3"), cure=_no_longer("reload_every"),
            expected=Expected(reason="reloads_itself", layer="3 times", within=40, attempts=(1, 3), errors=(0, 1),
                              also=_GONE | {"reloaded", "launch_failed"}, back=40),
        ),
        Fault(
            name="lost and back six times", do=_flaps,
            expected=Expected(reason=None, also=_GONE, attempts=(1, 6), alerts=(1, 1), words="keeps dropping out"),
        ),
        Fault(
            name="stale service worker", do=_meets_stale_worker,
            expected=replace(_CLOSED, back=stale_back(), attempts=(1, 2), errors=(0, 1), alerts=(0, 1),
                             also=frozenset({"page_unknown", "deadline", "launch_failed", "reloaded"})),
        ),
    ]  # fmt: skip


def stale_back() -> float:
    """Seconds until the failed launch is over, and the fresh one after it has connected."""
    return 100.0


def words(stage: Stage) -> list[Fault]:
    """Connection messages on the page that differ from its socket's state (K2)."""
    lost = Expected(reason="connection_lost", layer="WhatsApp socket", within=hang_limit(stage), back=20)
    return [
        Fault(name=f"{name} says {value}, state CONNECTED", do=turned(name, value), expected=lost)
        for name, value in (("stream", "DISCONNECTED"), ("stream_mode", "OFFLINE"), ("display_info", "OPENING"))
    ]


def glimpses() -> list[Fault]:
    """States that last less than a second (K12), and what only covers the page (K7)."""
    seen = [
        Fault(name=f"a glimpse of {sight}", do=turned("brief_sight", sight), expected=NOTHING)
        for sight in ("UNPAIRED", "CONFLICT", "TOS_BLOCK", "logout", "blank", "number")
    ]
    dialog = replace(NOTHING, words="a dialog covers its page")
    return [*seen, Fault(name="a dialog over the page", do=turned("dialog", "whats_new"), after=turned("dialog", "off"),
                         expected=dialog),
            Fault(name="a dialog in an old shadow root", prepare=_has_old_root, do=turned("dialog", "whats_new"),
                  after=both(turned("dialog", "off"), _no_longer("dialog_in")), expected=dialog)]  # fmt: skip


def sessions() -> list[Fault]:
    """Faults of a restored session: slow, unsynced, asked for a passkey, removed for a reason (K5, K6, K10, K11)."""
    removed = Expected(reason="logged_out", layer="removed", within=6, attempts=(0, 0), alerts=(1, 1), back=25)
    back = replace(_CLOSED, back=30)
    return [
        Fault(
            name="history that takes long", do=_meets("slow_sync", "12"), after=_no_longer("slow_sync"), expected=back,
        ),
        Fault(
            name="never synced, yet usable", do=_meets("never_synced", "on"), after=_no_longer("never_synced"),
            expected=back,
        ),
        Fault(name="number told late", do=_meets("late_number", "8"), after=_no_longer("late_number"), expected=back),
        Fault(
            name="passkey of a restored session", do=_asked_when_restored, cure=_approves,
            expected=replace(back, within=30, alerts=(1, 1), back=45, words="asks for a passkey"),
        ),
        Fault(
            name="log-out: account locked", do=phone("logout", reason="3"), person=_link_again,
            expected=replace(removed, reason="account_locked", layer="locked", words="locked on its phone"),
        ),
        Fault(
            name="log-out: storage quota exceeded", do=phone("logout", reason="storage_quota_exceeded"),
            person=_link_again,
            expected=replace(removed, reason="storage_full", layer="no room", words="no room for its data"),
        ),
    ]  # fmt: skip


def covers() -> list[Fault]:
    """Dialogs and the page's own screen lock, which block a restored session (K7)."""
    person = Expected(reason="screen_locked", layer="locked", within=20, attempts=(0, 1), alerts=(1, 1), back=30,
                      also=_GONE, words="screen lock")  # fmt: skip
    return [
        Fault(
            name="known dialog before the page goes on", do=_meets("dialog", "whats_new_blocks"), person=_continues,
            after=_no_longer("dialog"), expected=replace(NOTHING, also=_GONE, attempts=(1, 1), alerts=(1, 1), back=30,
                                                    words="press Continue"),
        ),
        Fault(name="WhatsApp Web's screen lock", do=_meets("screen_lock", "on"), person=_unlocked, expected=person),
    ]  # fmt: skip


def numbers() -> list[Fault]:
    """Whose account is open: known late, nearly right, or another that cannot be logged out (K3, K4)."""
    wrong = Expected(reason="wrong_number", within=25, attempts=(0, 0), alerts=(1, 1), back=45, words="wrong phone")
    return [
        Fault(
            name="another number scans, told late", prepare=_number_is_late, do=wrong_number,
            person=both(cured("late_number"), logged_out_again), expected=wrong,
        ),
        Fault(
            name="a number with one digit more scans", prepare=shows_code, do=_nearly_scans, person=_logs_it_out,
            expected=replace(NOTHING, also=frozenset({"wrong_number"}), alerts=(1, 2), back=45,
                             words="is this the right number?"),
        ),
        Fault(
            name="another number scans and stays", prepare=_log_out_fails, do=wrong_number, person=_stranger_removed,
            expected=replace(wrong, reason="wrong_number_stays", within=40, words="was linked, and may still be"),
        ),
    ]  # fmt: skip


def host(stage: Stage) -> list[Fault]:
    """All accounts are lost at once, and the host answers browsers only: it is reachable nevertheless (K9)."""
    strict = both(node(signal.SIGKILL), switch("head_status", 501), switch("only_browsers", True))
    slow = 10 + 5 * len(stage.accounts)
    expected = replace(_CLOSED, layer="driver", back=slow, attempts=(1, 2), errors=(0, 1), alerts=(0, 1),
                       unsaid="cannot be reached")  # fmt: skip
    open_again = both(cured("head_status"), cured("only_browsers"))
    return [Fault(name="host answers browsers only", whole=True, do=strict, after=open_again, expected=expected)]


_HARMLESS = (
    "popups", "reports", "errors", "console", "downloads", "permissions", "workers", "requests", "prompts", "alerts",
)  # fmt: skip


def harms() -> list[Fault]:
    """A page that attacks us: nobody else is notified, and what exceeds a limit is ended (L17)."""
    told = [
        Fault(
            name=f"hostile page: {how}",
            do=phone("harm", how=how),
            after=kill(),
            expected=replace(NOTHING, also=_GONE, attempts=(0, 1)),
        )  # the kill itself
        for how in _HARMLESS
    ]
    ended = Expected(
        reason="page_misbehaves", state="ERROR", layer="MiB", within=10, errors=(1, 1), alerts=(0, 1), back=25,
        words="did more than any page may",
    )  # fmt: skip
    frames = replace(ended, layer="", within=15)  # for what it opened, or for the messages caused by each
    return [
        *told,
        Fault(name="hostile page: memory", do=_hoards, expected=ended),
        Fault(name="hostile page: frames", prepare=switch("no_csp", True), do=phone("harm", how="frames"),
              after=cured("no_csp"), expected=frames),
    ]  # fmt: skip


def all_of(stage: Stage) -> list[Fault]:
    """All of them, for one account each."""
    return [
        *reloads(), *words(stage), *glimpses(), *sessions(), *covers(), *numbers(), *harms(), *host(stage),
    ]  # fmt: skip
