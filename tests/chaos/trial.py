"""One trial of one fault: the action, the expectation, and the resulting row.

Not here: any fault by name (`faults`, `outages`).
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from controller.chromium.process.main_threads import read_schedule
from tests.chaos.stage import Account, Stage, StageError, Transition
from tests.chaos.table import Row

AT_ONCE = 1.0
"""Seconds within which a crash is detected, by its own event (L8)."""

_ON_THE_WAY = {"asked", "resumed", "retry", "trial", "linked", "suspended_by_operator", "shutdown"}
_CALM_SECONDS = 2.0
_ALERT_SECONDS = 40.0
_LONGEST_ON_CLOCK = 120.0
"""Seconds that are waited for a fault that is judged by processor time, of which a busy machine has little."""
_BY_PERSON = "Closed by an operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The requirements of docs/lifecycle.md for a fault.

    reason, state: of the transition that reports it; None if nothing is reported. layer: part of its detail.
    mended: if the first account's recovery ends the others' sessions, the reason that these report instead.
    also: reasons of further ends allowed before it or during recovery. within: seconds until it is reported.
    back: seconds until CONNECTED, from when the cause is gone (and the person has acted, if required).
    attempts, errors, alerts: minimum and maximum. words: what the alert chat or the account's operator must have
    been sent, at least for a while; unsaid: what neither may have been sent.
    """

    reason: str | None
    state: str = "DISCONNECTED"
    layer: str = ""
    mended: str = ""
    also: frozenset[str] = frozenset()
    within: float = AT_ONCE
    back: float = 15.0
    attempts: tuple[int, int] = (1, 1)
    errors: tuple[int, int] = (0, 0)
    alerts: tuple[int, int] = (0, 0)
    words: str = ""
    unsaid: str = ""

    def patiently(self, patience: float) -> "Expected":
        """The same, with `within` and `back` multiplied."""
        return replace(self, within=self.within * patience, back=self.back * patience)


Act = Callable[[Stage, Account], Awaitable[float | None]]
"""Injects a fault into one account, or through it into all; may return the time of the fault (time.time())."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault. whole: it hits every account.

    prepare: before it; do: injects it; cure: removes its cause once it was reported; person: a person's action,
    after the account has rested for a while; after: resets whatever is left of it. used: the processor time that it has
    used, by which `within` is judged, for a fault that is detected by that: so the load of others changes nothing.
    """

    name: str
    do: Act
    expected: Expected
    prepare: Act | None = None
    cure: Act | None = None
    person: Act | None = None
    after: Act | None = None
    whole: bool = False
    used: Callable[[], float] | None = None


class ProcessorTime:
    """An act that also measures the processor time of the page's main thread from then on."""

    def __init__(self, act: Act) -> None:
        self._act = act
        self._measuring: asyncio.Task[None] | None = None
        self._seconds = 0.0

    async def __call__(self, stage: Stage, account: Account) -> float | None:
        """Perform the act."""
        pids = [each.pid for each in stage.parts(account, "renderer")]
        self._measuring = asyncio.create_task(self._measure(pids), name="processor time of a page")
        return await self._act(stage, account)

    async def _measure(self, pids: Sequence[int]) -> None:
        """Measure until the first of the processes has ended."""
        self._seconds = 0.0
        with contextlib.suppress(OSError):
            before = sum(read_schedule(pid)[0] for pid in pids)
            while True:
                await asyncio.sleep(0.1)
                self._seconds = sum(read_schedule(pid)[0] for pid in pids) - before

    def used(self) -> float:
        """Return the seconds measured, and stop."""
        if self._measuring is not None:
            self._measuring.cancel()
        return self._seconds


async def run(stage: Stage, fault: Fault, account: Account, *, alone: bool = True) -> Row:
    """Inject a fault, wait for what the contract requires, and judge. Never raises for what the product does.

    alone: nothing else happens meanwhile, so that everything left behind belongs to this fault.
    """
    row = Row(fault.name)
    hit = stage.accounts if fault.whole else [account]
    try:
        for each in hit:
            await stage.reset(each)
        if alone:
            await stage.settled()
        await _run(stage, fault, account, hit, row, alone=alone)
    except StageError as error:
        row.wrong.append(str(error))
        await repair(stage, hit)
    if alone:
        await look_for_rest(stage, [row])
    return row


async def look_for_rest(stage: Stage, rows: Sequence[Row]) -> None:
    """Take the census after the faults of these rows."""
    census = await stage.settled()
    for row in rows:
        row.left = str(census)
        if not census.clean:
            row.wrong.append("something is left behind")


async def _run(stage: Stage, fault: Fault, account: Account, hit: Sequence[Account], row: Row, *, alone: bool) -> None:
    expected = fault.expected.patiently(stage.patience)
    if fault.prepare is not None:
        await fault.prepare(stage, account)
    if expected.alerts[0] or expected.words:  # what joins an older alert is added to it later
        await stage.incident_over()
    message = stage.noted = stage.last_message()
    marks = {each: stage.mark(each) for each in hit}
    began = time.time()
    began = await fault.do(stage, account) or began

    found = await _until_told(stage, fault, expected, marks, began, row)
    cured = time.time()
    if fault.cure is not None:
        await fault.cure(stage, account)
        cured = time.time()
    if fault.person is not None:
        await asyncio.sleep(_CALM_SECONDS)
        before = {each: stage.mark(each) for each in hit}
        row.wrong += [f"{each.name} was tried again" for each in hit if found and before[each] != found[each].id]
        cured = time.time()
        await fault.person(stage, account)
    if found:
        ends = [await stage.until_back(each, told.id, expected.back + 20) for each, told in found.items()]
        row.back = max(max(end.at for end in ends) - cured, 0.0)
        if row.back > expected.back:
            row.wrong.append(f"back only after {row.back:.0f} s, at most {expected.back:.0f}")
    else:
        await asyncio.sleep(_CALM_SECONDS)
        for each in hit:
            await stage.until(lambda each=each: stage.is_online(each), f"{each.name} online", expected.back)
    deadline = time.monotonic() + _ALERT_SECONDS * stage.patience
    is_due = lambda: bool(expected.words) and not any(expected.words in told for told in said(stage, hit, began))
    while is_due() and time.monotonic() < deadline:  # noqa: ASYNC110 - a chat's budget may be used up
        await asyncio.sleep(0.2)
    if fault.after is not None:  # not before it was told: what is over by then is not told any more
        await fault.after(stage, account)
    judge(row, expected, {each: stage.log(each, marks[each]) for each in hit})
    row.alerts = await count_alerts(stage, message, hit, expected.alerts, alone=alone)
    between(row, "alerts", row.alerts, expected.alerts)
    row.wrong += judged_words(expected, said(stage, hit, began), by_person=fault.person is not None)


def judged_words(expected: Expected, told: Sequence[str], *, by_person: bool) -> list[str]:
    """Return the violations in the texts that people were sent."""
    wrong = []
    if not by_person and any(_BY_PERSON in each for each in told):
        wrong.append("it named a person, and none acted")
    if expected.words and not any(expected.words in each for each in told):
        wrong.append(f"nobody was told {expected.words!r}")
    if expected.unsaid and any(expected.unsaid in each for each in told):
        wrong.append(f"it said {expected.unsaid!r}")
    return wrong


def said(stage: Stage, hit: Sequence[Account], since: float) -> list[str]:
    """Return what the alert chat and these accounts' operators were sent since a time, even if edited since."""
    client = stage.here.client
    messages = [m for chat in (stage.alert_chat, *(each.operator for each in hit)) for m in client.from_bot(chat)]
    newer = [m for m in messages if (m["edited"] or m["date"]) >= since]
    return [str(version["text"]) for message in newer for version in (*message["history"], message)]


async def _until_told(
    stage: Stage, fault: Fault, expected: Expected, marks: dict[Account, int], began: float, row: Row
) -> dict[Account, Transition]:
    """Wait until the product has reported the expected transition of each account, and judge it. Empty if none is."""
    found: dict[Account, Transition] = {}
    if expected.reason is None:
        return found
    reasons = {expected.reason, expected.mended}
    most = expected.within if fault.used is None else _LONGEST_ON_CLOCK
    for each, mark in marks.items():
        is_told = lambda each=each, mark=mark: next(
            (t for t in stage.log(each, mark) if t.reason in reasons and t.state == expected.state), None
        )
        try:
            found[each] = await stage.until(
                is_told, f"{each.name} {expected.reason}", max(1.0, began + most + 5 - time.time())
            )
        except StageError as error:
            instead = [f"{t.state} by {t.reason} {t.detail}".rstrip() for t in stage.log(each, mark)]
            raise StageError(f"{error}; instead: {', '.join(instead) or 'no transition'}") from error
    row.detected = max(told.at for told in found.values()) - began
    row.layer = min(found.values(), key=lambda told: told.at).detail or expected.reason
    row.wrong += _told(found, expected, row.detected if fault.used is None else fault.used())
    return found


def _told(found: dict[Account, Transition], expected: Expected, detected: float) -> list[str]:
    wrong = []
    for told in found.values():
        if told.reason != expected.reason and len(found) > 1:
            continue
        if told.state != expected.state:
            wrong.append(f"{told.reason} led to {told.state}, not {expected.state}")
        if expected.layer not in told.detail:
            wrong.append(f"it named {told.detail!r}, not {expected.layer!r}")
    if detected > expected.within:
        wrong.append(f"detected only after {detected:.1f} s, at most {expected.within:.3g}")
    return wrong


def judge(row: Row, expected: Expected, logs: dict[Account, list[Transition]]) -> None:
    """Check all transitions: no other reasons, and counters as in the contract."""
    allowed = _ON_THE_WAY | expected.also | {expected.reason, expected.mended}
    for account, log in logs.items():
        for each in log:
            row.attempts, row.errors = max(row.attempts, each.attempts), max(row.errors, each.errors)
            if each.reason not in allowed:
                row.wrong.append(f"{account.name} went to {each.state} by {each.reason}: {each.detail}")
    between(row, "attempts", row.attempts, expected.attempts)
    between(row, "errors", row.errors, expected.errors)


def between(row: Row, what: str, value: int, limits: tuple[int, int]) -> None:
    """Record a value outside the contract's limits."""
    low, high = limits
    if not low <= value <= high:
        row.wrong.append(f"{value} {what}, not {low if low == high else f'{low} to {high}'}")


async def count_alerts(
    stage: Stage, after: int, hit: Sequence[Account], limits: tuple[int, int], *, alone: bool = True
) -> int:
    """Count messages with sound, unless alone only those about these accounts.

    Waits for those that are due: a chat accepts 20 messages a minute, and this one has had many.
    """

    def count() -> int:
        about = stage.alerts(after)
        if alone or len(hit) == len(stage.accounts):
            return len(about)
        # An alert may have been edited since: any of its versions counts.
        return sum(any(a.name in str(m["text"]) + str(m["history"])
                       for a in hit) for m in about)  # fmt: skip

    deadline = time.monotonic() + _ALERT_SECONDS * stage.patience
    while count() < limits[0] and time.monotonic() < deadline:  # noqa: ASYNC110 - it may never come
        await asyncio.sleep(0.1)
    return count()


async def repair(stage: Stage, hit: Sequence[Account]) -> None:
    """Repair the stage after a failed row, as a person would, so that the next row is fair."""
    stage.here.whatsapp.switches.reset()
    stage.here.whatsapp.hub.silenced.clear()
    stage.here.whatsapp.hub.cut_off.clear()
    stage.here.whatsapp.hub.passkeys.clear()
    stage.here.whatsapp.hub.next_pages.clear()
    stage.here.client.heal()
    for account in hit:
        if stage.state(account) == "CONNECTED" and stage.is_online(account):
            continue
        await stage.says(account, f"/suspend {account.number}")
        suspended = lambda account=account: stage.state(account) == "SUSPENDED"
        await stage.until(suspended, "a suspension", 60 * stage.patience)
        mark = stage.mark(account)
        linked = any(each["number"] == account.number for each in stage.here.phones.devices())
        await stage.says(account, f"/link {account.number} {account.name}")
        if not linked:
            await stage.scan(account)
        await stage.until_back(account, mark, 90 * stage.patience)
