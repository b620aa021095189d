"""Faults of the page that only time reveals: each takes minutes in which nothing else happens to its account.

They run side by side on a stage of their own, beside the rows of external monitoring. Not here: how they are judged.
"""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.chaos import trial
from tests.chaos.durations import Pace
from tests.chaos.faults import hang_limit, kill, phone
from tests.chaos.stage import Account, Stage, StageError, stage
from tests.chaos.table import Row
from tests.chaos.trial import Act, Expected, Fault

NAMES = ("socket silent, and says CONNECTED", "history that takes 200 s", "history that stalls")
_LOADS_SECONDS = 30.0
_KNOWN_SECONDS = 75.0
"""Within which what has to be probed is known."""
_GONE = frozenset({"session_closed"})
_one_at_a_time = asyncio.Lock()
"""The switches are the whole stand-in's."""


def _next_page(**switches: object) -> Act:
    """Kill the account's browser, and apply switches to the page that it loads next, and to no other."""

    async def act(here: Stage, account: Account) -> float | None:
        async with _one_at_a_time:
            before = {page.page for page in here.here.whatsapp.hub.pages_of(account.number)}
            for name, value in switches.items():
                here.here.whatsapp.switches.set(name, value)
            try:
                began = await kill()(here, account)
                loaded = lambda: {p.page for p in here.here.whatsapp.hub.pages_of(account.number)} - before
                await here.until(loaded, f"another page of {account.name}", _LOADS_SECONDS)
            finally:
                for row, _ in here.here.whatsapp.switches:
                    if row.name in switches:
                        here.here.whatsapp.switches.set(row.name, row.default)
            return began

    return act


async def _silent(here: Stage, account: Account) -> float | None:
    here.here.phones.silence(account.number)
    return await phone("turn", name="dead_socket", value="untold")(here, account)


async def _answers(here: Stage, account: Account) -> None:
    here.here.phones.silence(account.number, on=False)


def faults(here: Stage) -> list[Fault]:
    """All of them, in the order of `NAMES`."""
    sync = here.setting("SYNC_TIMEOUT_SECONDS")
    silent, long, stalls = NAMES
    gone = Expected(reason="session_closed", layer="browser", back=sync + 50)
    return [
        # The page does not end it: only that nothing comes over its socket, and unanswered queries, show it (L8).
        Fault(
            name=silent, do=_silent, cure=_answers,
            expected=Expected(
                reason="connection_lost", layer="its server does not answer", within=_KNOWN_SECONDS, back=20
            ),
        ),
        Fault(name=long, do=_next_page(slow_sync=sync + 20), expected=gone),
        Fault(
            name=stalls, do=_next_page(slow_sync=4, sync_pause=2 * sync),
            expected=Expected(
                reason="deadline", state="ERROR", layer="syncing took too long", also=_GONE, attempts=(1, 3),
                errors=(1, 1), within=sync + hang_limit(here), back=20,
            ),
        ),
    ]  # fmt: skip


async def run(names: Sequence[str], pace: Pace, done: Callable[[Row], None]) -> None:
    """Run these rows side by side."""
    if not names:
        return
    with tempfile.TemporaryDirectory(prefix="sbt") as folder:
        try:
            async with stage(Path(folder), accounts=len(names), settings=pace.settings, pings=pace.pings) as here:
                chosen = [each for each in faults(here) if each.name in names]
                pairs = zip(chosen, here.accounts, strict=True)
                rows = await asyncio.gather(*(trial.run(here, *pair, alone=False) for pair in pairs))
                await trial.look_for_rest(here, rows)
        except StageError as error:
            rows = [Row(name, wrong=[f"given up: {error}"]) for name in names]
    for row in rows:
        done(row)
