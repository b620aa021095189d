"""Lifecycle steps per second: one account's day, condensed and repeated, through `lifecycle.table.advance` alone."""

import time
from collections.abc import Sequence

from bench.figures import Figure
from controller.accounts.lifecycle.table import advance
from controller.accounts.model import (
    Closed,
    Connection,
    Event,
    Fired,
    FromSession,
    HeartbeatResult,
    SessionEvent,
    SlotGranted,
    Start,
    Suspend,
    Timer,
)
from controller.accounts.policy import Policy
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Authenticated, Code, Ended, Health, Layer, Ready, Scanned, Syncing

NUMBER = "+4915112345678"
REPEATS = 2_000
TRIES = 5
"""The fastest one counts: other load can only slow it down."""

FIRST: tuple[SessionEvent, ...] = (
    SlotGranted(), Code("a,b,c,d,1"), Code("a,b,c,d,2"), Scanned(), Authenticated(NUMBER), Syncing(50), Ready(NUMBER),
    Health(), HeartbeatResult(answered=True), Health(), Health(Layer.SOCKET), Health(Layer.SOCKET), Closed(),
)  # fmt: skip
SECOND: tuple[SessionEvent, ...] = (
    SlotGranted(),
    Authenticated(NUMBER),
    Ready(NUMBER),
    Ended(Reason.CONFLICT),
    Closed(),
)


def day(first: int) -> tuple[Event, ...]:
    """Return the events of one round, whose first browser is session number `first`."""
    return (
        Start(),
        *(FromSession(first, said) for said in FIRST),
        Fired(Timer.RETRY),
        *(FromSession(first + 1, said) for said in SECOND),
        Suspend(),
    )


def measure() -> list[Figure]:
    """Run the rounds; the final state of each is asserted, so that the timing covers what it claims to."""
    rounds = [day(2 * i + 1) for i in range(REPEATS)]
    fastest = min(_seconds(rounds) for _ in range(TRIES))
    steps = REPEATS * len(rounds[0]) / fastest
    return [
        Figure(
            "pure steps of the lifecycle", steps, "/s", aim=20_000, floor=_replacements(), by="one new connection each"
        )
    ]


def _replacements() -> float:
    """Return how many `_replace` calls per second are possible: the minimum that a step does."""
    connection, count = Connection(NUMBER), 20_000
    fastest = float("inf")
    for _ in range(TRIES):
        begun = time.process_time()
        for at in range(count):
            connection = connection._replace(attempts=at)
        fastest = min(fastest, time.process_time() - begun)
    return count / fastest


def _seconds(rounds: Sequence[Sequence[Event]]) -> float:
    policy, link = Policy(), Connection(NUMBER)
    begun = time.process_time()
    for events in rounds:
        for event in events:
            link, _ = advance(link, event, policy)
        assert (link.state, link.reason) == (State.SUSPENDED, Reason.SUSPENDED_BY_OPERATOR)
    assert link.session == 2 * len(rounds)
    return time.process_time() - begun
