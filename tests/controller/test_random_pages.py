"""Random pages for minutes of virtual time: whatever a page shows, nothing is said of its account that is not so.

`python -m tests.controller.test_random_pages SECONDS` goes on by the clock, with another seed each time.
"""

import asyncio
import logging
import random
import sys
import time
from typing import Any

import pytest

from controller.accounts.model import Boot, Browser, Stage, Wanted
from controller.accounts.notices import Notice, Transition
from controller.accounts.policy import Dialogs, Takeover
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Ended
from controller.chromium.page.snapshot import Connection
from tests.controller.pretend import (
    LOADING,
    NEARLY,
    OURS,
    SCAN,
    STRANGER,
    UP,
    Page,
    Pretend,
    code,
    without_chromium,
)
from tests.virtual_time import pass_time, run_virtual

BLOCKED = {
    "CONFLICT": Reason.CONFLICT, "TOS_BLOCK": Reason.BANNED, "SMB_TOS_BLOCK": Reason.BANNED,
    "PROXYBLOCK": Reason.BANNED, "DEPRECATED_VERSION": Reason.OUTDATED,
}  # fmt: skip
STATES = [*BLOCKED, "OPENING", "PAIRING", "UNPAIRED", "UNPAIRED_IDLE", "TIMEOUT", "UNLAUNCHED", "NEW_ONE", 7, None]
STREAMS = ["DISCONNECTED", "SYNCING", "RESUMING", "CONNECTED", None, 3, "x" * 40]
MODES = ["QR", "MAIN", "SYNCING", "OFFLINE", "CONFLICT", "TOS_BLOCK", None, {}]
INFOS = ["OFFLINE", "OPENING", "SYNCING", "RESUMING", "NORMAL", None, []]
DIALOGS = [
    {"words": "What's new", "known": True, "locked": False}, {"words": "Review", "known": False, "locked": False},
    {"words": "locked", "known": False, "locked": True}, "nonsense",
]  # fmt: skip
CODES = ["", "0", "3", "account_locked", "storage_quota_exceeded", "never_seen_before", "x" * 300, 12, None]
GONE = {Reason.LOGGED_OUT, Reason.ACCOUNT_LOCKED, Reason.SYNC_FAILED, Reason.STORAGE_FULL}
STANDS = 2.9
"""Seconds that something must have stood that ends an attempt, less some for rounding."""
UNSEEN = 8.0
"""Seconds for which a connected page may show something that no event tells of, before the watcher looks."""
DETECTED = 90.0
"""Seconds within which what contradicts CONNECTED is known."""
MOST_ALERTS = 16
"""In one hour, while no person acts."""


class Truth:
    """What the pages have shown, and what of it is still so. since: property → since when it has been so all along."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.since: dict[str, float] = {}
        self.last: dict[str, float] = {}
        self.stood: dict[str, float] = {}
        """Property → how long it was so when it was last so."""
        self.said: set[str] = set()
        self.page: Page | None = None

    def look(self, page: Page | None) -> None:
        """Take in what is shown now."""
        now = self.clock()
        if page is not self.page:
            self.since.clear()
            self.page = page
        for name, holds in self.facts(page).items():
            if holds:
                self.stood[name] = now - self.since.setdefault(name, now)
                self.last[name] = now
            elif name in self.since:
                self.stood[name] = now - self.since.pop(name)

    @staticmethod
    def facts(page: Page | None) -> dict[str, bool]:
        if page is None:
            return {}
        shown, connection = page.shown, Connection.parse(page.shown)
        dialog = shown["dialog"] if isinstance(shown["dialog"], dict) else {}
        signs = (shown.get("synced") is True, shown.get("mode") == "MAIN" and shown.get("info") == "NORMAL")
        return {
            "down": connection.is_up is False,
            "not down": connection.is_up is not False and (any(signs) or shown.get("chats") is True),
            "blocked": connection.blocked is not None,
            "dead": connection.is_up is True and shown.get("silent") is True and page.answers is False,
            "stranger": shown["me"] == STRANGER[1:],
            "stranger up": shown["me"] == STRANGER[1:] and connection.is_up is True,
            "not stranger": shown["me"] != STRANGER[1:],
            "locked": dialog.get("locked") is True,
            "dialog": bool(dialog),
            "code": shown["code"] is not None,
            "linking": shown.get("chats") is not True
            and connection.mode in {None, "QR"}
            and (connection.state in {"UNPAIRED", "UNPAIRED_IDLE"} or connection.mode == "QR"),
            **{
                str(reason): connection.blocked in BLOCKED and BLOCKED[connection.blocked] is reason
                for reason in BLOCKED.values()
            },
        }

    def for_seconds(self, name: str) -> float:
        """How long it has been so, without interruption, in this document."""
        return self.clock() - self.since[name] if name in self.since else 0.0

    def ago(self, name: str) -> float:
        """How long ago it was last so."""
        return self.clock() - self.last.get(name, -1e9)


class Run:
    """One random run."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.seed = seed
        loop = asyncio.get_running_loop()
        chance = self.random.choice
        self.account = Pretend(
            takeover=chance(list(Takeover)), dialogs=chance(list(Dialogs)), suspended_retry=chance([0, 0, 900]),
        )  # fmt: skip
        self.truth = Truth(loop.time)
        self.wrong: list[str] = []
        self.asked_at = 0.0  # when an operator last acted
        self.silent_at = -1e9
        self.openings = 0
        self.connecting_since: float | None = None
        self.connected_since: float | None = None
        self.verified_session = 0
        self.denied = False
        self.path: list[str] = []
        driver = self.account.driver
        driver.first = self._first
        driver.on_page = self._on_page
        self.account.watch = self._hear

    # --- the page -----------------------------------------------------------------------------------------------------

    def _first(self, _: object) -> dict[str, Any]:
        self.truth.said.clear()
        return self._document()

    def _on_page(self, page: Page) -> None:
        page.answers = self.random.choice([True, True, True, False, None])
        page.logs_out = self.random.random() < 0.7
        page.dismisses = self.random.random() < 0.7
        self.truth.look(page)

    def _document(self) -> dict[str, Any]:
        me = self.random.choice([OURS[1:]] * 6 + [None, "", NEARLY[1:], STRANGER[1:], 49, "junk"])
        kinds: list[dict[str, Any]] = [UP] * 5 + [LOADING] * 3 + [SCAN | {"code": code("new")}, SCAN, {}]
        return {"me": me} | self.random.choice(kinds)

    def _mutate(self, page: Page) -> None:
        pick, chance = self.random.choice, self.random.random
        silently = chance() < 0.2
        changes: list[dict[str, Any]] = [
            UP, UP, UP, LOADING, SCAN | {"code": code(pick("abc"))}, {"state": pick(STATES)}, {"stream": pick(STREAMS)},
            {"mode": pick(MODES)}, {"info": pick(INFOS)}, {"synced": pick([True, False, None, 1])},
            {"chats": pick([True, False, None])}, {"silent": chance() < 0.5}, {"offline": chance() < 0.3},
            {"me": pick([OURS[1:]] * 3 + [NEARLY[1:], STRANGER[1:], "", None, 5])},
            {"percent": pick([0, 1, 50, 99, 100, -5, 1e9, None, "x", float("nan")])},
            {"percent": (page.shown["percent"] or 0) + 1 if isinstance(page.shown["percent"], int | None) else 1},
            {"dialog": pick(DIALOGS)}, {"dialog": None}, {"code": None}, {"startup": pick([True, False])},
            {"blockEndsIn": pick([5, 600, -1, 1e12, "soon", None])},
        ]  # fmt: skip
        self.silent_at = self.truth.clock() if silently else self.silent_at
        page.show(silently=silently, **pick(changes))
        self.truth.look(page)

    def _say(self, page: Page) -> None:
        kind = self.random.choice(
            ["passkey", "passkey answered", "heard", "heard", "logged out", "state", "loaded", "?"]
        )
        if kind in {"passkey", "logged out"}:
            self.truth.said.add(kind)
        page.say(kind, reason=self.random.choice(CODES), state=self.random.choice(STATES), build="2.3000.1", parts={})

    async def _step(self) -> None:  # noqa: C901 - one case for each kind of event
        account, chance = self.account, self.random.random()
        session = account.driver.sessions[0] if account.driver.sessions else None
        page = session.page if session is not None else None
        if chance < 0.02:
            await self._operator()
        elif not account.connection.wants_connection and chance < 0.2:
            self.asked_at = self.truth.clock()
            await account.manager.start()
        elif chance < 0.025:
            await self._restart()
        elif session is None or page is None:
            pass
        elif chance < 0.04:
            session.end(Ended(self.random.choice([Reason.SESSION_CLOSED, Reason.PAGE_MISBEHAVES]), "crashed"))
        elif chance < 0.1:
            query = self.random.choice(["", "", "?post_logout=1&logout_reason=0", "?post_logout=1&logout_reason=3"])
            if query:
                self.truth.said.add("logged out")
            session.navigate(query, self._document(), self.random.choice([0.2, 2, 12, 40]))
        elif chance < 0.25:
            self._say(page)
        elif chance < 0.75:
            self._mutate(page)
        self.path.append(f"{chance:.3f}")
        wait = self.random.choice([0.1, 0.4, 1, 1, 2, 4, 4, 15, 70, 200])
        ends_at = self.truth.clock() + wait
        while self.truth.clock() < ends_at:
            await asyncio.sleep(min(0.5 if wait < 20 else 2.0, wait))
            self._check()

    async def _operator(self) -> None:
        manager = self.account.manager
        self.asked_at = self.truth.clock()
        match self.random.randrange(7):
            case 0 | 1 | 2:
                await manager.start(takeover=self.random.random() < 0.5)
            case 3:
                await manager.suspend()
            case 4 if self.account.connection.unconfirmed is not None:
                same = self.random.random() < 0.5
                self.denied = self.denied or not same
                await manager.confirm_number(self.account.connection.unconfirmed, same=same)
            case 5:
                await manager.answer_dialog()
            case _:
                manager.recycle("memory")

    async def _restart(self) -> None:
        """Stop the program and start it again, with the account as it was stored."""
        account = self.account
        before = account.connection
        await account.manager.stop()
        opened = len(account.driver.opened)
        await pass_time(self.random.choice([1, 300]))
        assert len(account.driver.opened) == opened, "an opening after the stop"
        suspended = before.reason is Reason.SUSPENDED_BY_OPERATOR
        account.begin()
        account.manager.boot(
            Boot(
                Wanted.SUSPENDED if suspended else Wanted.CONNECTED, linked=before.linked, state=before.state,
                reason=before.reason, cause=before.cause, has_session=before.linked, attempts=before.attempts,
                errors=before.errors, alias=before.alias,
            )
        )  # fmt: skip
        self.asked_at = self.truth.clock()
        self.verified_session = 0

    # --- what must hold -----------------------------------------------------------------------------------------------

    def _check(self) -> None:
        account, truth, now = self.account, self.truth, self.truth.clock()
        sessions = account.driver.sessions
        truth.look(sessions[0].page if sessions else None)
        for wrong in self.wrong:
            raise AssertionError(wrong)
        connection = account.connection
        if connection.identified == OURS:
            self.verified_session = connection.session
        if connection.state is State.CONNECTED:
            assert truth.for_seconds("down") < DETECTED, "it is said to be connected, and is not"
            self.connected_since = now if self.connected_since is None else self.connected_since
            dead = min(truth.for_seconds("dead"), now - self.connected_since)  # a wait for a person asks no server
            assert dead < DETECTED, "it is said to be connected, and nobody answers"
            assert truth.for_seconds("blocked") < 3 * STANDS + UNSEEN + 5, "it is said to be connected, and is blocked"
            if STRANGER not in {connection.alias, connection.unconfirmed}:
                assert truth.for_seconds("stranger up") < 3 * STANDS + UNSEEN + 5, "a stranger's account is accepted"
        else:
            self.connected_since = None
        if connection.state is State.CONNECTING and connection.stage is not Stage.QUEUED:
            self.connecting_since = now if self.connecting_since is None else self.connecting_since
            assert now - self.connecting_since < account.policy.attempt_limit + 60, "an attempt ends"
        else:
            self.connecting_since = None
        if connection.reason is Reason.SUSPENDED_BY_OPERATOR and connection.due is None:
            assert len(account.driver.opened) == self.openings, "a suspended account is opened"
        self.openings = len(account.driver.opened)
        hour = [
            at for at, told in zip(account.at, account.told, strict=True)
            if isinstance(told, Transition) and told.alert is not None and at > max(now - 3600, self.asked_at)
        ]  # fmt: skip
        assert len(hour) <= MOST_ALERTS, "too many alerts"

    def _hear(self, notice: Notice) -> None:
        sessions = self.account.driver.sessions
        self.truth.look(sessions[0].page if sessions else None)
        if isinstance(notice, Transition):
            if notice.reason is Reason.SUSPENDED_BY_OPERATOR:
                self.openings = len(self.account.driver.opened)
            if notice.stage is Stage.AWAITING_SCAN:
                self.verified_session = 0
            try:
                self._check_move(notice)
            except AssertionError as error:  # raised in a listener, it would only be logged
                self.wrong.append(str(error))

    def _check_move(self, move: Transition) -> None:
        truth, reason = self.truth, move.reason
        if move.state is State.CONNECTED and move.before is not State.CONNECTED:
            assert truth.ago("not down") < UNSEEN, "connected, and no page was"
            asked = STRANGER in {self.account.connection.unconfirmed, self.account.connection.alias}
            assert asked or truth.ago("not stranger") < UNSEEN, "connected, as somebody else"
        if move.state in {State.DISCONNECTED, State.SUSPENDED} and move.before is not move.state:
            if reason in GONE:
                asks = truth.ago("linking") < UNSEEN and truth.stood.get("linking", 0) > 3 * STANDS
                assert "logged out" in truth.said or asks or truth.ago("code") < UNSEEN, (
                    "logged out, and nobody said so"
                )
            if reason in BLOCKED.values():
                assert truth.ago(str(reason)) < 1.5, f"{reason}, and the page does not say so"
                unseen = truth.clock() - self.silent_at < UNSEEN  # it may have been well in between
                assert unseen or truth.stood["blocked"] > STANDS, f"{reason} at a glimpse"
            if reason is Reason.SCREEN_LOCKED:
                assert truth.ago("locked") < 1.5
        if move.stage is Stage.LOGGING_OUT:
            assert truth.ago("stranger") < 1.5 or self.denied, "the right account is logged out"
            assert self.verified_session != self.account.connection.session or self.denied, (
                "it was ours in this browser"
            )
        match move.alert:
            case Reason.PASSKEY:
                assert "passkey" in truth.said
            case Reason.DIALOG:
                assert truth.ago("dialog") < UNSEEN
            case Reason.CONFIRM_NUMBER:
                assert self.account.connection.unconfirmed is not None or move.state is not State.CONNECTED

    async def go(self, steps: int) -> None:
        """Run so many random steps; then a good page and a person's command must be enough."""
        account = self.account
        await account.manager.start()
        try:
            for _ in range(steps):
                await self._step()
            account.driver.first = lambda _: UP | {"me": OURS[1:]}
            account.driver.on_page = lambda _: None
            await account.manager.suspend()
            await pass_time(60)
            await account.manager.start()
            await pass_time(60)
            assert account.connection.state is State.CONNECTED, "a good page is not enough"
            assert account.connection.identified == OURS
            await account.stop()
            assert account.connection.browser is Browser.NONE
        except AssertionError as error:
            moves = [f"{at:9.1f} {m.before}→{m.state} {m.stage or ''} {m.reason} {m.detail} {m.alert or ''}"
                     for at, m in zip(account.at, account.told, strict=True) if isinstance(m, Transition)]  # fmt: skip
            now = f"{self.truth.clock():.1f}: {account.connection}\n{self.truth.page and self.truth.page.shown}"
            raise AssertionError(f"seed {self.seed}: {error}\n" + "\n".join(moves[-25:]) + f"\n{now}") from error


def run(seed: int, steps: int) -> None:
    """One run in virtual time."""

    async def main() -> None:
        await Run(seed).go(steps)

    with without_chromium():
        run_virtual(main())


@pytest.mark.parametrize("seed", range(6))
def test_whatever_a_page_shows_nothing_is_said_that_is_not_so(seed, caplog):
    with caplog.at_level(logging.ERROR):
        run(seed, 250)
    assert [each.message for each in caplog.records] == []


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    began, number = time.monotonic(), random.randrange(1 << 30)
    while time.monotonic() - began < float(sys.argv[1]):
        run(number, 400)
        number += 1
    print(f"{number}: nothing found")  # noqa: T201 - for whoever started it
