"""The rest of the program as seen by the Telegram side, behind the production protocols."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from controller.accounts.model import Breaker, Stage
from controller.accounts.notices import BuildLoaded, CodeHidden, CodeShown, Notice, Transition
from controller.accounts.reasons import TRAITS, Reason, Remedy, State
from controller.accounts.reports import Code
from controller.accounts.status import Status
from controller.driver import SavedSession
from controller.launch_slots import Launches, Room
from controller.registry import Account, UnknownAccountError
from controller.stored import AuditEntry
from handlers.chat.rate_limits import Limits
from tests.virtual_time import wall_clock

ADMIN, SECOND_ADMIN, OPERATOR, STRANGER = 1001, 1002, 2001, 3001
BERLIN, PARIS = "+4915112345678", "+33612345678"

UNLIMITED = Limits(burst=1e6, per_second=1e6, group_per_minute=1e8, overall=1e6, overall_burst=1e6)
"""For tests of what is sent; tests of when are in test_send_queue and test_storms."""


def code(mark: str = "a") -> Code:
    """A linking code in the page's format: five parts, some 230 characters."""
    return Code(f"2@{mark * 120},{'k' * 43}=,{'i' * 43}=,{'s' * 20}=,1")


RUNNING = frozenset({State.CONNECTING, State.CONNECTED})


def mended_by(state: State, reason: Reason | None) -> dict[str, Any]:
    """The `remedies` and `restorable` of a status if the page asks for nothing."""
    remedy = Remedy.LINK if reason is None else TRAITS[reason].remedy
    if state in RUNNING or remedy is Remedy.NONE:
        return {"remedies": (), "restorable": state not in RUNNING and reason is not None and TRAITS[reason].restorable}
    return {"remedies": (remedy,), "restorable": reason is not None and TRAITS[reason].restorable}


class FakeAccounts:
    """A registry whose accounts change state when the test says so. `tell` receives the notices."""

    def __init__(self, clock: Callable[[], datetime] = wall_clock) -> None:
        self.clock = clock
        self.tell: Callable[[Notice], None] = lambda notice: None
        self.known: dict[str, Account] = {}
        self.statuses: dict[str, Status] = {}
        self.retries: dict[str, datetime | None] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.failing: Exception | None = None
        self.copies: list[SavedSession] = []
        self.logs_out: bool | None = True
        self.held = False
        """Whether scheduled work is held until somebody releases it."""
        self.place_in_line: int | None = None
        self.held = False
        """The place among all that are queued."""
        self.launches = Launches(0, 0, 0, Room(2), 2)
        self.to_link: list[str] = []
        """Accounts that were started to be linked."""
        self.takes = 0.0
        """Seconds that storing takes."""
        self.closes_slowly = False
        """A browser is still closing after a suspend: a start is due then, and the state changes with `closed`."""
        self.may_suspend = asyncio.Event()
        self.may_suspend.set()

    def put(self, number: str = BERLIN, name: str = "Support Berlin", owner: int = ADMIN, **status: Any) -> Account:
        account = self.known[number] = Account(number, name, owner)
        defaults = {
            "phone_number": number, "state": State.IDLE, "is_connected": False, "reconnect_attempts": 0,
            "error_count": 0, "uptime": 0.0, "reason": None, "cause": None, "detail": "", "stage": None,
            "percent": None, "since": self.clock(), "next_retry_in": None, "last_activity": None, "last_message": None,
            "breaker": Breaker.CLOSED, "linked": False,
        }  # fmt: skip
        given = defaults | status
        mends = mended_by(given["state"], given["reason"])
        self.statuses[number] = Status(**({"wants_connection": given["state"] in RUNNING} | mends | given))
        return account

    def move(
        self,
        number: str,
        state: State,
        reason: Reason,
        *,
        stage: Stage | None = None,
        alert: Reason | None = None,
        retry_in: float | None = None,
        cause: Reason | None = None,
        detail: str = "",
        attempts: int = 0,
        picture: bytes | None = None,
    ) -> Transition:
        """Change the account's state, and send the notice."""
        before, now = self.statuses[number], self.clock()
        linked = before.linked or state is State.CONNECTED
        self.retries[number] = None if retry_in is None else now + timedelta(seconds=retry_in)
        self.statuses[number] = replace(
            before, state=state, reason=reason, stage=stage, cause=cause, detail=detail, next_retry_in=retry_in,
            is_connected=state is State.CONNECTED, reconnect_attempts=attempts, linked=linked,
            since=now if state is not before.state else before.since,
            wants_connection=retry_in is not None or state in {State.CONNECTING, State.CONNECTED},
            **mended_by(state, reason),
        )  # fmt: skip
        transition = Transition(
            number, now, before.state, state, stage, reason, cause, detail, attempts, 10, 0, linked,
            next_retry_at=self.retries[number], alert=alert, picture=picture,
            within_state=state is before.state and reason is before.reason,
        )  # fmt: skip
        self.tell(transition)
        return transition

    def show_code(self, number: str = BERLIN, shown: Code | None = None, lives: float | None = 60) -> None:
        now = self.clock()
        ends = None if lives is None else now + timedelta(seconds=lives)
        self.tell(CodeShown(number, shown or code(), ends, now + timedelta(seconds=120)))

    def hide_code(self, number: str = BERLIN) -> None:
        self.tell(CodeHidden(number))

    # --- the protocol -------------------------------------------------------------------------------------------------

    def accounts(self) -> list[Account]:
        return list(self.known.values())

    def account(self, number: str) -> Account:
        try:
            return self.known[number]
        except KeyError:
            raise UnknownAccountError(number) from None

    def find(self, number: str) -> Account | None:
        return self.known.get(number)

    def find_status(self, number: str) -> Status | None:
        return self.status(number) if number in self.known else None

    def status(self, number: str) -> Status:
        status = self.statuses[self.account(number).number]
        if status.stage is Stage.QUEUED:
            status = replace(status, place_in_line=self.place_in_line, held=self.held)
        at = self.retries.get(number)
        return status if at is None else replace(status, next_retry_in=(at - self.clock()).total_seconds())

    async def add(self, number: str, *, name: str, owner: int) -> Account:
        self._call("add", number, name, owner)
        await asyncio.sleep(self.takes)
        return self.known.get(number) or self.put(number, name, owner)

    async def rename(self, number: str, name: str) -> None:
        self._call("rename", number, name)
        self.known[number] = replace(self.known[number], name=name)

    async def change_owner(self, number: str, owner: int) -> None:
        self._call("owner", number, owner)
        self.known[number] = replace(self.known[number], owner=owner)

    async def remove(self, number: str) -> bool | None:
        self._call("remove", number)
        await asyncio.sleep(self.takes)
        del self.known[number], self.statuses[number]
        return self.logs_out

    async def start(self, number: str, *, takeover: bool = False, link: bool = False) -> bool:
        self._call("start", number, takeover)
        if link:
            self.to_link.append(number)
        await asyncio.sleep(self.takes)
        if self.status(number).state in {State.CONNECTING, State.CONNECTED}:
            self.statuses[number] = replace(self.statuses[number], takes_over=takeover)
            return False
        if self.closes_slowly and self.status(number).reason is Reason.SUSPENDED_BY_OPERATOR:
            self.statuses[number] = replace(self.status(number), wants_connection=True)
            return True
        self.move(number, State.CONNECTING, Reason.ASKED, stage=Stage.QUEUED)
        return True

    def closed(self, number: str) -> None:
        """Report that the browser has closed: what is due begins."""
        if self.status(number).wants_connection:
            self.move(number, State.CONNECTING, Reason.ASKED, stage=Stage.QUEUED)

    async def suspend(self, number: str) -> bool:
        self._call("suspend", number)
        await self.may_suspend.wait()
        if self.status(number).reason is Reason.SUSPENDED_BY_OPERATOR:
            return False
        self.move(number, State.SUSPENDED, Reason.SUSPENDED_BY_OPERATOR)
        return True

    async def stop_linking(self, number: str) -> bool:
        self._call("stop linking", number)
        await self.may_suspend.wait()
        status = self.status(number)
        if status.linked or not status.wants_connection or status.stage in {Stage.PAIRING, Stage.SYNCING}:
            return False
        self.move(number, State.DISCONNECTED, Reason.NOT_LINKED)
        return True

    async def saved(self, number: str) -> list[SavedSession]:
        return self.copies

    async def restore(self, number: str, name: str) -> None:
        self._call("restore", number, name)
        self.move(number, State.CONNECTING, Reason.ASKED, stage=Stage.QUEUED)

    async def confirm_number(self, number: str, asked: str, *, same: bool) -> bool:
        if self.status(number).unconfirmed != asked:
            return False
        self._call("confirm", number, same)
        self.statuses[number] = replace(self.status(number), unconfirmed=None, remedies=())
        return True

    async def answer_dialog(self, number: str) -> bool:
        self._call("answer dialog", number)
        return Remedy.CONTINUE in self.status(number).remedies

    def recycle(self, number: str, why: str) -> bool:
        self._call("recycle", number, why)
        return True

    def go_on(self) -> bool:
        self._call("go on")
        held, self.held = self.held, False
        return held

    def _call(self, *call: Any) -> None:
        if self.failing is not None:
            raise self.failing
        self.calls.append(call)


@dataclass
class Past:
    at: datetime
    from_state: str
    to_state: str
    reason: str
    cause: str | None = None
    detail: str = ""


class FakeRecords:
    """History and audit log in memory."""

    def __init__(self) -> None:
        self.past: dict[str, list[Past]] = {}
        self.loaded: dict[str, list[BuildLoaded]] = {}
        self.audited: list[tuple[int, str, str | None, str]] = []
        self.trail: list[AuditEntry] = []

    async def history(self, number: str, limit: int) -> Sequence[Past]:
        return self.past.get(number, [])[:limit]

    async def loads(self, number: str, limit: int) -> Sequence[BuildLoaded]:
        return self.loaded.get(number, [])[:limit]

    async def audit(self, at: datetime, user_id: int, command: str, number: str | None, outcome: str) -> None:
        self.audited.append((user_id, command, number, outcome))
        self.trail.insert(0, AuditEntry(at, user_id, command, number, outcome))

    async def audit_trail(
        self,
        limit: int,
        offset: int = 0,
        *,
        number: str | None = None,
        user: int | None = None,
        command: str | None = None,
    ) -> Sequence[AuditEntry]:
        found = [
            each
            for each in self.trail
            if (number is None or number in (each.number or "").split(","))
            and user in {None, each.user}
            and command in {None, each.command}
        ]
        return found[offset : offset + limit]


@dataclass
class Kept:
    key: str
    chat: int
    topic: int | None
    message: int
    shown: str


@dataclass
class FakeMessages:
    """Message references in memory; like the database, they outlive a process."""

    rows: dict[tuple[str, str, int], Kept] = field(default_factory=dict)
    writes: int = 0

    async def references(self, kind: str) -> Sequence[Kept]:
        return [row for (of, _, _), row in self.rows.items() if of == kind]

    async def upsert(self, kind: str, *keys: str, chat: int, topic: int | None, message: int, shown: str) -> None:
        self.writes += 1
        self.rows |= {(kind, key, chat): Kept(key, chat, topic, message, shown) for key in keys}

    async def delete(self, kind: str, key: str, *, chat: int, message: int | None = None) -> None:
        row = self.rows.get((kind, key, chat))
        if row is not None and message in {None, row.message}:
            del self.rows[kind, key, chat]
