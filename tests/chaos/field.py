"""The faults of the page that people have met in the world (K1 to K13), each with what docs/lifecycle.md says of it.

What never lives here: how a fault is tried and judged (`trial`).
"""

import asyncio
from dataclasses import replace

from tests.chaos.faults import Act, cured, hang_limit, kill, phone, switch
from tests.chaos.stage import Account, Stage
from tests.chaos.trial import Expected, Fault

NOTHING = Expected(reason=None, attempts=(0, 0))
_GONE = frozenset({"session_closed"})
_CLOSED = Expected(reason="session_closed", layer="browser", also=frozenset({"launch_failed"}))


def turned(name: str, value: str) -> Act:
    """Let the account's page alone feel a switch."""
    return phone("turn", name=name, value=value)


def _meets(name: str, value: object) -> Act:
    """Let the account's next browser meet a switch."""
    return switch(name, value, kill())


async def _meets_stale_worker(stage: Stage, account: Account) -> float | None:
    switches = stage.here.whatsapp.switches
    switches.set("stale_worker", value=True)
    stage.here.phones.reload(account.number)
    await asyncio.sleep(5)  # for the worker to be installed
    switches.set("stale_worker", value=False)
    return await kill()(stage, account)


async def _approves(stage: Stage, account: Account) -> None:
    stage.here.whatsapp.switches.set("passkey_at", "off")
    asks = stage.here.whatsapp.hub.pages.values()
    await stage.until(lambda: any(page.passkey_for == account.number for page in asks), "a page that asks", 30)
    stage.here.phones.passkey(account.number, "approve")


async def _link_again(stage: Stage, account: Account) -> None:
    await stage.says(account, f"/link {account.number} {account.name}")
    await stage.scan(account)


def reloads() -> list[Fault]:
    """New documents of the same session (K1), and an address that says more than is so (K12)."""
    again = Expected(reason="reloaded", state="CONNECTING", within=3, attempts=(0, 0), back=15)
    return [
        Fault(name="page reloads itself", do=phone("reload"), expected=again),
        Fault(
            name="log-out address, nobody logged out", do=phone("reload", post_logout=True),
            expected=replace(again, within=6),
        ),
        Fault(
            name="reload 1.5 s after each start", do=_meets("reload_once", 1.5), after=cured("reload_once"),
            expected=replace(_CLOSED, back=25),
        ),
        Fault(
            name="stale service worker", do=_meets_stale_worker,
            expected=replace(_CLOSED, back=stale_back(), attempts=(1, 2), errors=(0, 1), alerts=(0, 1),
                             also=frozenset({"page_unknown", "deadline", "launch_failed", "reloaded"})),
        ),
    ]  # fmt: skip


def stale_back() -> float:
    """Seconds until the launch that came to nothing is over, and the fresh one after it connected."""
    return 100.0


def words(stage: Stage) -> list[Fault]:
    """What the page says of its connection beside its socket's state (K2)."""
    lost = Expected(reason="connection_lost", layer="WhatsApp socket", within=hang_limit(stage), back=20)
    return [
        Fault(name=f"{name} says {value}, state CONNECTED", do=turned(name, value), expected=lost)
        for name, value in (("stream", "DISCONNECTED"), ("stream_mode", "OFFLINE"), ("display_info", "OPENING"))
    ]


def glimpses() -> list[Fault]:
    """What is gone within a second (K12), and what only covers the page (K7)."""
    seen = [
        Fault(name=f"a glimpse of {sight}", do=turned("brief_sight", sight), expected=NOTHING)
        for sight in ("UNPAIRED", "CONFLICT", "TOS_BLOCK", "logout", "blank")
    ]
    dialog = replace(NOTHING, alerts=(0, 1))
    return [*seen, Fault(name="a dialog over the page", do=turned("dialog", "whats_new"), after=turned("dialog", "off"),
                         expected=dialog)]  # fmt: skip


def sessions() -> list[Fault]:
    """What a restored session meets: slow, unsynced, asked for a passkey, removed for a reason (K5, K6, K10, K11)."""
    removed = Expected(reason="logged_out", layer="removed", within=6, attempts=(0, 0), alerts=(1, 1), back=25)
    back = replace(_CLOSED, back=30)
    return [
        Fault(name="history that takes long", do=_meets("slow_sync", 12), after=cured("slow_sync"), expected=back),
        Fault(
            name="never synced, yet usable", do=_meets("never_synced", True), after=cured("never_synced"),
            expected=back,
        ),
        Fault(name="number told late", do=_meets("late_number", 8), after=cured("late_number"), expected=back),
        Fault(
            name="passkey of a restored session", do=_meets("passkey_at", "restored"), cure=_approves,
            expected=replace(back, alerts=(1, 1), back=45),
        ),
        Fault(
            name="log-out: account locked", do=phone("logout", reason="3"), person=_link_again,
            expected=replace(removed, reason="account_locked"),
        ),
        Fault(
            name="log-out: storage quota exceeded", do=phone("logout", reason="storage_quota_exceeded"),
            person=_link_again, expected=replace(removed, reason="storage_full"),
        ),
    ]  # fmt: skip


def harms() -> list[Fault]:
    """A page that turns on us: nobody else is told anything, and what is past every bound is ended (L17)."""
    told = [
        Fault(name=f"hostile page: {how}", do=phone("harm", how=how), after=kill(), expected=NOTHING)
        for how in ("popups", "reports", "errors", "console", "downloads", "permissions")
    ]
    ended = Expected(
        reason="page_misbehaves", state="ERROR", layer="MiB", within=12, errors=(1, 1), alerts=(0, 1), back=20
    )
    return [*told, Fault(name="hostile page: memory", do=phone("harm", how="memory"), expected=ended)]


def all_of(stage: Stage) -> list[Fault]:
    """Every one of them, for one account each."""
    return [*reloads(), *words(stage), *glimpses(), *sessions(), *harms()]
