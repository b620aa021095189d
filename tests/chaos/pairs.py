"""Random pairs of faults for minutes, seeded: they coincide with each other, and with launches, in every way."""

import asyncio
import random
import time
from collections.abc import Callable

from tests.chaos import faults
from tests.chaos.stage import Account, Stage, StageError
from tests.chaos.table import Row
from tests.chaos.trial import Fault, repair

_LONGEST_GAP = 3.0
_BACK_WITHIN = 150.0
_STEADY_SECONDS, _POLL = 1.0, 0.2
_PATIENCE = (4, 2)  # attempts and errors that an account may have when it is hit again


async def run(stage: Stage, minutes: float, seed: int, say: Callable[[str], None]) -> Row:
    """Inject two faults, wait until all accounts are CONNECTED again, check for leftovers, and repeat."""
    row = Row(f"two at a time, {minutes:g} min, seed {seed}", layer="various")
    chance = random.Random(seed)
    choices = [each for each in (*faults.crashes(), *faults.survived()) if each.prepare is None]
    choices += [each for each in faults.hangs(stage) if _is_hang(each)]
    choices += [each for each in faults.shared(stage) if "driver" in each.name]
    weights = [1 if each.whole or _is_hang(each) else 4 for each in choices]
    ends, rounds, slowest = time.monotonic() + 60 * minutes, 0, 0.0
    message = stage.last_message()
    while time.monotonic() < ends and len(row.wrong) < 5:
        pair = chance.choices(choices, weights, k=2)
        accounts = [chance.choice(stage.accounts) for _ in pair]
        told = " + ".join(f"{each.name} ({who.name})" for each, who in zip(pair, accounts, strict=True))
        rounds += 1
        try:
            for account in stage.accounts:
                newest = stage.newest(account)
                if newest and (newest.attempts > _PATIENCE[0] or newest.errors > _PATIENCE[1]):
                    await stage.reset(account)
            began = time.monotonic()
            await _round(stage, pair, accounts, chance.random() * _LONGEST_GAP)
            slowest = max(slowest, time.monotonic() - began)
            census = await stage.settled()
            if not census.clean:
                row.wrong.append(f"round {rounds}, {told}: left {census}")
                row.left = str(census)
        except StageError as error:
            row.wrong.append(f"round {rounds}, {told}: {error}")
            await repair(stage, stage.accounts)
        logs = [stage.newest(account) for account in stage.accounts]
        row.attempts = max(row.attempts, *(each.attempts for each in logs if each))
        row.errors = max(row.errors, *(each.errors for each in logs if each))
        say(f"  round {rounds}: {told}: all back after {time.monotonic() - began:.1f} s")
    row.back = slowest
    row.alerts = len(stage.alerts(message))
    if row.alerts > rounds // 10:
        row.wrong.append(f"{row.alerts} alerts for losses that mend themselves")
    row.note = f"{rounds} rounds; back: the slowest, hangs included"
    return row


async def _round(stage: Stage, pair: list[Fault], accounts: list[Account], gap: float) -> None:
    marks = {each: stage.mark(each) for each in stage.accounts}
    for place, (fault, account) in enumerate(zip(pair, accounts, strict=True)):
        if place:
            await asyncio.sleep(gap)
        try:
            await fault.do(stage, account)
        except Exception as error:
            if place == 0:
                raise StageError(f"{fault.name} could not be done: {error}") from error
    # The first fault hit a whole stage, so its loss must be reported; the second may have hit what was down already.
    first, hit = pair[0], {accounts[0]}
    if first.whole:
        hit = set(stage.accounts)
    limit = faults.hang_limit(stage)
    if first.expected.reason is not None:
        for account in hit:
            await stage.until(lambda a=account: stage.mark(a) != marks[a], f"{account.name}'s loss is told", limit + 5)
    # A second fault that is a hang shows only after a health check, unless its account has changed state since.
    since, moved = time.monotonic(), {each: stage.mark(each) for each in stage.accounts}
    hangs = _is_hang(pair[1])
    steady = 0.0
    while steady < _STEADY_SECONDS:
        whole = all(stage.state(each) == "CONNECTED" and stage.is_online(each) for each in stage.accounts)
        seen = not hangs or time.monotonic() - since > limit or stage.mark(accounts[1]) != moved[accounts[1]]
        steady = steady + _POLL if whole and seen else 0.0
        if time.monotonic() - since > _BACK_WITHIN:
            down = [
                each.name for each in stage.accounts if stage.state(each) != "CONNECTED" or not stage.is_online(each)
            ]
            raise StageError(f"not back within {_BACK_WITHIN:g} s: {', '.join(down)}")
        await asyncio.sleep(_POLL)


def _is_hang(fault: Fault) -> bool:
    return "stopped" in fault.name
