"""Faults of accounts, each with what docs/lifecycle.md prescribes for it.

Not here: how a fault is run and judged (`trial`), and faults of the program or its host (`outages`).
"""

import asyncio
import signal
import time
from dataclasses import replace

import psutil

from tests.chaos.stage import Account, Stage, StageError
from tests.chaos.trial import AT_ONCE, Act, Expected, Fault, ProcessorTime
from tests.e2e.harness import ADMIN

STRANGER = "+4915119999999"
_BAN_SECONDS = 12.0


def hang_limit(stage: Stage) -> float:
    """A hang is reported after two failed health checks in a row, the second of which may have to time out (L8)."""
    return 2 * stage.setting("HEALTH_CHECK_SECONDS") + stage.setting("PROBE_TIMEOUT_SECONDS") + 5


# --- acts -------------------------------------------------------------------------------------------------------------


def kill(*kinds: str, number: signal.Signals = signal.SIGKILL) -> Act:
    """Signal parts of the account's browser; without kinds, its first process."""

    async def act(stage: Stage, account: Account) -> float:
        found = stage.parts(account, *kinds) if kinds else [stage.browser(account)]
        if not found:
            raise StageError(f"{account.name} has no {' or '.join(kinds)}")
        began = time.time()
        for process in found:
            process.send_signal(number)
        return began

    return act


def phone(action: str, **more: object) -> Act:
    """Perform an action of the account's phone, or of WhatsApp."""

    async def act(stage: Stage, account: Account) -> float:
        began = time.time()
        getattr(stage.here.phones, action)(number=account.number, **more)
        return began

    return act


def switch(name: str, value: object, then: Act | None = None) -> Act:
    """Set a switch of the page's stand-in; then perform an action that makes the page feel it."""

    async def act(stage: Stage, account: Account) -> float | None:
        stage.here.whatsapp.switches.set(name, value)
        return time.time() if then is None else await then(stage, account)

    return act


def cured(name: str) -> Act:
    """Reset a switch."""

    async def act(stage: Stage, _: Account) -> None:
        switches = stage.here.whatsapp.switches
        default = next(row.default for row, _ in switches if row.name == name)
        switches.set(name, default)

    return act


def node(number: signal.Signals) -> Act:
    async def act(stage: Stage, _: Account) -> float:
        found = stage.node()
        began = time.time()
        found.send_signal(number)
        return began

    return act


def both(*acts: Act) -> Act:
    async def act(stage: Stage, account: Account) -> float | None:
        moments = [await each(stage, account) for each in acts]
        return moments[0]

    return act


async def _crash_page(stage: Stage, account: Account) -> float:
    """Make the page crash its own renderer, which takes seconds; the fault is the moment of the crash."""
    renderers = stage.parts(account, "renderer")
    stage.here.phones.crash(account.number)
    deadline = time.monotonic() + 20
    while all(_is_alive(each) for each in renderers):
        if time.monotonic() > deadline:
            raise StageError(f"{account.name}'s page did not crash")
        await asyncio.sleep(0.01)
    return time.time()


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def _close_page(stage: Stage, account: Account) -> float:
    began = time.time()
    await stage.peep(f"close {stage.here.profile_name(account.number)}")
    return began


async def _ban(stage: Stage, account: Account) -> None:
    for page in stage.here.whatsapp.hub.pages_of(account.number):
        page.ban(_BAN_SECONDS)


async def _suspend(stage: Stage, account: Account) -> None:
    await stage.says(account, f"/suspend {account.number}")
    await stage.until(lambda: stage.state(account) == "SUSPENDED", f"{account.name} suspended", 30)


async def _reconnect(stage: Stage, account: Account) -> None:
    await stage.says(account, f"/reconnect {account.number}")


async def _link_again(stage: Stage, account: Account) -> None:
    await stage.says(account, f"/link {account.number} {account.name}")
    await stage.scan(account)


async def _alert_is_there(stage: Stage, account: Account) -> None:
    """Hold the cause until the alert is sent: a fault that recovers before its turn in the chat causes only an edit."""
    told = lambda: any(account.name in str(m["text"]) for m in stage.alerts(stage.noted))
    await stage.until(told, f"an alert about {account.name}", 40)


async def press(stage: Stage, account: Account, label: str) -> None:
    """Press a button of the account's alert."""

    def offered() -> int | None:
        for message in reversed(stage.here.client.from_bot(stage.alert_chat)):
            labels = [button["text"] for row in message["buttons"] or [] for button in row]
            if label in labels and account.name in (message["text"] or ""):
                return int(message["message_id"])
        return None

    message = await stage.until(offered, f"a button {label!r}", 40)
    await stage.here.client.press_text(message, label, chat_id=stage.alert_chat, user_id=ADMIN)


async def _use_here(stage: Stage, account: Account) -> None:
    """Press the alert's button, and confirm."""
    for label in ("Use here", "Yes, use here"):
        await press(stage, account, label)


async def _conflict_that_stays(stage: Stage, account: Account) -> float:
    stage.here.phones.turn_next("other_browser", "holds_on", account.number)
    began = time.time()
    stage.here.phones.conflict(account.number)
    return began


async def _use_here_twice(stage: Stage, account: Account) -> None:
    """Press it while the other browser holds on, and again once it lets go."""
    mark = stage.mark(account)
    await _use_here(stage, account)
    again = lambda: any(told.reason == "conflict" for told in stage.log(account, mark))
    await stage.until(again, f"{account.name} in conflict again", 40)
    stage.here.phones.turn_next("other_browser", "lets_go", account.number)
    await _use_here(stage, account)


async def _killed_while_syncing(stage: Stage, account: Account) -> float:
    await stage.says(account, f"/reconnect {account.number}")
    pages = stage.here.whatsapp.hub.pages_of

    def syncing() -> bool:
        return any(page.state == "CONNECTED" and page.device and not page.device.seen.synced
                   for page in pages(account.number))  # fmt: skip

    await stage.until(syncing, "a page that syncs", 30)
    return await kill()(stage, account) or time.time()


async def _unlinked(stage: Stage, account: Account) -> None:
    stage.here.phones.logout(account.number)
    await stage.until(lambda: stage.state(account) == "DISCONNECTED", f"{account.name} logged out", 15)


async def shows_code(stage: Stage, account: Account) -> None:
    await _unlinked(stage, account)
    await stage.says(account, f"/link {account.number} {account.name}")
    await stage.until(lambda: stage.here.qr(account.operator), f"a code in {account.name}'s chat", 30)


async def wrong_number(stage: Stage, account: Account) -> float:
    began = time.time()
    await stage.scan(account, as_=STRANGER)
    return began


async def logged_out_again(stage: Stage, account: Account) -> None:
    gone = lambda: not any(d["number"] == STRANGER for d in stage.here.phones.devices())
    await stage.until(gone, "the stranger's link is taken away again", 20)
    await _link_again(stage, account)


async def _refs_expire(stage: Stage, account: Account) -> float:
    """Let six codes expire in the operator's chat, then scan the one shown."""
    hub = stage.here.whatsapp.hub
    true = hub.options
    hub.options = replace(true, timings=true.timings.with_given({"first_ref": 6.0, "next_ref": 2.0}))
    try:
        await shows_code(stage, account)
        began = time.time()
        seen: set[str] = set()

        def more_than_six() -> bool:
            seen.update(page.ref for page in hub.pages.values() if page.ref)
            return len(seen) > true.refs

        await stage.until(more_than_six, "a seventh code", 40)
        await stage.scan(account)
    finally:
        hub.options = true
    return began


async def _asked_for_passkey(stage: Stage, account: Account) -> float:
    stage.here.phones.passkey(account.number, "require")
    began = time.time()
    await stage.scan(account)
    asked = lambda: any("passkey" in str(m["text"]).lower() and account.name in str(m["text"])
                        for m in stage.here.client.from_bot(stage.alert_chat))  # fmt: skip
    await stage.until(asked, "word of the passkey", 15)
    await asyncio.sleep(1)
    stage.here.phones.passkey(account.number, "approve")
    return began


async def _silent(stage: Stage, account: Account) -> float:
    began = time.time()
    stage.here.phones.silence(account.number)
    return began


async def _answers(stage: Stage, account: Account) -> None:
    stage.here.phones.silence(account.number, on=False)
    stage.here.phones.network(account.number, lost=False)


# --- the tables -------------------------------------------------------------------------------------------------------

_CLOSED = Expected(reason="session_closed")
_GONE = frozenset({"session_closed"})


def crashes() -> list[Fault]:
    """Crashes of one account's parts: reported at once, recovered without help."""
    return [
        Fault(name="renderer killed", do=kill("renderer"), expected=replace(_CLOSED, layer="page")),
        Fault(name="page crashes", do=_crash_page, expected=replace(_CLOSED, layer="page")),
        Fault(name="browser killed (-9)", do=kill(), expected=replace(_CLOSED, layer="browser")),
        Fault(name="page closed", do=_close_page, expected=replace(_CLOSED, layer="page")),
        Fault(
            name="navigation away", do=phone("harm", how="refresh"),
            expected=Expected(reason="navigated", layer="site-1.localhost", within=3, back=20),
        ),
        Fault(
            name="page reloads itself", do=phone("reload"),
            expected=Expected(reason="reloaded", state="CONNECTING", within=2, attempts=(0, 0)),
        ),
        Fault(
            name="crash while syncing", prepare=_suspend, do=_killed_while_syncing,
            expected=Expected(reason="session_closed", state="ERROR", layer="browser", errors=(1, 1)),
        ),
    ]  # fmt: skip


def survived() -> list[Fault]:
    """Faults that Chromium and the page recover from by themselves: nothing is reported."""
    nothing = Expected(reason=None, attempts=(0, 0))
    return [Fault(name="network reset", do=_reset, expected=nothing)]


async def _reset(stage: Stage, account: Account) -> None:
    stage.here.phones.network(account.number, how="reset")
    stage.here.phones.network(account.number, lost=False)


def hangs(stage: Stage) -> list[Fault]:
    """Faults that only a health check can detect, one account each."""
    limit = hang_limit(stage)
    loop = ProcessorTime(phone("hang"))
    # The page pings its server each 20 s and waits 13 s for an answer before its socket reports a failure.
    ping = 33.0 if stage.setting("HEALTH_CHECK_SECONDS") > 10 else 3.0
    lost = Expected(reason="connection_lost", layer="WhatsApp socket", within=limit + ping, back=20)
    return [
        Fault(
            name="browser stopped (-STOP)", do=kill(number=signal.SIGSTOP),
            expected=Expected(reason="session_closed", layer="process", within=limit, back=25),
        ),
        Fault(
            name="renderer stopped (-STOP)", do=kill("renderer", number=signal.SIGSTOP),
            expected=Expected(reason="unresponsive", layer="page script", within=limit, back=25),
        ),
        Fault(
            name="page hangs in a loop", do=loop, used=loop.used,
            expected=Expected(
                reason="page_misbehaves", state="ERROR", layer="without a pause", within=10, back=25, errors=(1, 1),
                alerts=(0, 1), words="did more than any page may",
            ),
        ),
        Fault(
            name="page stands still", do=phone("turn", name="freeze", value="600"),
            expected=Expected(reason="unresponsive", layer="page script", within=limit, back=25),
        ),
        Fault(name="server silent, socket open", do=_silent, cure=_answers, expected=lost),
        Fault(name="network lost, unheard", do=phone("network"), cure=_answers, expected=lost),
        Fault(
            name="socket OPENING for ever", do=phone("state", state="OPENING"),
            expected=replace(lost, within=limit),
        ),
    ]  # fmt: skip


def people() -> list[Fault]:
    """Decisions of WhatsApp or a person: one alert, and then a person's action, if one is required."""
    alone = Expected(reason="logged_out", layer="removed", within=5, attempts=(0, 0), alerts=(1, 1), back=25)
    return [
        Fault(name="logged out on the phone", do=phone("logout"), person=_link_again, expected=alone),
        Fault(
            name="saved session refused", do=switch("refuse_restore", True, kill()), cure=cured("refuse_restore"),
            person=_link_again,
            expected=replace(alone, layer="WhatsApp says", also=_GONE, within=10, attempts=(0, 1)),
        ),
        Fault(
            name="open elsewhere (conflict)", do=phone("conflict"), person=_use_here,
            expected=replace(alone, reason="conflict", layer="", within=5),
        ),
        Fault(
            name="conflict, and the other holds on", do=_conflict_that_stays, person=_use_here_twice,
            expected=replace(alone, reason="conflict", layer="", within=5, alerts=(1, 2), back=60),
        ),
        Fault(
            name="ban with an end", do=_ban,
            expected=Expected(reason="banned", state="SUSPENDED", layer="blocks", within=5, attempts=(0, 0),
                              alerts=(1, 1), back=_BAN_SECONDS + 10),
        ),
        Fault(
            name="terms-of-service block", do=phone("state", state="TOS_BLOCK"), person=_reconnect,
            expected=replace(alone, reason="banned", state="SUSPENDED", layer="blocks", within=5),
        ),
        Fault(
            name="version too old", do=phone("state", state="DEPRECATED_VERSION"),
            expected=Expected(reason="outdated", layer="too old", within=5),
        ),
        Fault(
            name="another number scans", prepare=shows_code, do=wrong_number, person=logged_out_again,
            expected=replace(alone, reason="wrong_number", layer="", within=8, back=45),
        ),
        Fault(
            name="passkey asked for", prepare=shows_code, do=_asked_for_passkey,
            expected=Expected(reason=None, attempts=(0, 0), alerts=(1, 1), back=20),
        ),
        Fault(
            name="six codes expire", do=_refs_expire,
            expected=Expected(reason=None, also=frozenset({"logged_out"}), attempts=(0, 0), alerts=(0, 1), back=20),
        ),
    ]  # fmt: skip


def pages(stage: Stage) -> list[Fault]:
    """The page's answers when it is loaded; felt by a browser that has to start again."""
    connect = stage.setting("CONNECT_TIMEOUT_SECONDS")
    failed = Expected(reason="launch_failed", state="ERROR", also=_GONE, within=8, attempts=(1, 3), errors=(1, 2))
    reached = 15.0  # until WhatsApp's host has been probed again, twice, and its accounts continue
    return [
        Fault(
            name="HTTP 500", do=switch("http_error", 500, kill()), cure=cured("http_error"),
            expected=replace(failed, layer="HTTP 500", alerts=(0, 1), back=15 + reached),
        ),
        Fault(
            name="slow load", do=switch("slow_load", connect / 3, kill()), after=cured("slow_load"),
            expected=replace(_CLOSED, layer="browser", back=connect / 3 + 15),
        ),
        Fault(
            name="load that never ends", do=switch("endless_load", True, kill()), cure=cured("endless_load"),
            expected=replace(failed, reason="deadline", layer="launching", within=connect + 8, errors=(1, 1)),
        ),
        Fault(
            name="another page of the same host", do=phone("leave"),
            expected=Expected(reason="page_unknown", state="ERROR", layer="none that we know", within=25, errors=(1, 1),
                              alerts=(0, 1), also=frozenset({"reloaded"})),
        ),
        Fault(
            name="a guest network's log-in page answers", do=switch("instead", "portal", kill()),
            cure=both(_alert_is_there, cured("instead")),
            expected=replace(failed, reason="page_unknown", layer="none that we know", within=25, alerts=(1, 1)),
        ),
        Fault(
            name="page not recognised", do=switch("unknown_build", "all", kill()),
            cure=both(_alert_is_there, cured("unknown_build")),
            expected=replace(failed, reason="page_unknown", layer="none that we know", within=25, alerts=(1, 1)),
        ),
    ]  # fmt: skip


def shared(stage: Stage) -> list[Fault]:
    """Faults of every account at once. One incident at most, and all recover without help (L13)."""
    limit = hang_limit(stage)
    count = len(stage.accounts)
    slow = 10 + 5 * count
    return [
        Fault(
            name="Playwright's driver killed", whole=True, do=node(signal.SIGKILL),
            expected=replace(_CLOSED, layer="driver", within=AT_ONCE, back=slow, attempts=(1, 2), errors=(0, 1),
                             alerts=(0, 1), also=frozenset({"launch_failed"})),
        ),
        Fault(
            name="Playwright's driver stopped", whole=True, do=node(signal.SIGSTOP),
            expected=Expected(reason="unresponsive", mended="session_closed", layer="browser", within=limit,
                              back=slow + 20, attempts=(1, 2), errors=(0, 1), alerts=(0, 1),
                              also=frozenset({"launch_failed"})),
        ),
        Fault(
            name="DNS gone, all accounts", whole=True, do=switch("dns_gone", True), cure=cured("dns_gone"),
            expected=Expected(reason="connection_lost", layer="WhatsApp socket", within=limit, back=slow + 30,
                              attempts=(0, 2), errors=(0, 1), alerts=(0, 1), also=frozenset({"launch_failed"})),
        ),
    ]  # fmt: skip
