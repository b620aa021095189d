"""Whatever happens to an account and whatever people ask: what has stood in a chat for some seconds is true.

Random sequences of losses, log-outs, commands and restarts drive the whole program in virtual time. Whenever an account
has not changed for a few seconds, its card, its alerts, its code and fresh answers are compared with its status.
"""

import asyncio
import gc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.accounts.model import Stage
from controller.accounts.reasons import TRAITS, Reason
from controller.accounts.reports import Ended
from handlers.telegram.ui import keyboards
from handlers.texts.display_state import ICONS, DisplayState, display_state
from handlers.texts.vocabulary import ALERTS
from tests.memory import folder_in_memory
from tests.switchboard.program import ADMIN, Program, Scene, doubles, scene, task_factory
from tests.virtual_time import pass_time, run_virtual

ACCOUNTS = {"+4915112345678": "Shop", "+4915112345679": "Office"}
QUIET = 5.0
"""Seconds after a change within which the chat may still say what was."""
PATIENCE = 40
"""Seconds within which an account is usually quiet for a moment."""
STEPS = (
    "lost", "logged out", "conflict", "banned", "scan", "/link", "/reconnect", "/suspend", "/status", "restart", "wait",
)  # fmt: skip
ENDS = {
    "lost": Reason.CONNECTION_LOST,
    "logged out": Reason.LOGGED_OUT,
    "conflict": Reason.CONFLICT,
    "banned": Reason.BANNED,
}
OF_CONNECTED = {ALERTS[reason].title for reason, traits in TRAITS.items() if traits.persists and reason in ALERTS}
"""What an account may be alerted for while it is connected, such as that it keeps dropping out."""
STANDARD = {"Acknowledge", "Silence 1 h", "Silence 8 h", "Take over", "Let go"}


def session_of(program: Program, number: str):
    return next((s for s in reversed(program.hosts.sessions) if s.opening.account == number and not s.closed), None)


async def step(at: Scene, program: Program, what: str, number: str) -> Program:
    """Let one thing happen; returns the program that runs then."""
    session = session_of(program, number)
    if what in ENDS and session is not None and program.registry.status(number).is_connected:
        if what == "logged out":
            at.linked.discard(number)
        session.report(Ended(ENDS[what]))
    elif what == "scan" and program.registry.status(number).stage is Stage.AWAITING_SCAN:
        program.hosts.scan(number)
    elif what == "wait":
        await pass_time(90)
    elif what == "restart":
        program.die()
        await program.ended()
        program = await at.start()
    elif what.startswith("/"):
        await at.client.send(ADMIN, f"{what} {number if what == '/link' else ACCOUNTS[number]}")
    await pass_time(1)
    return program


def fingerprint(program: Program, number: str) -> tuple:
    status = program.registry.status(number)
    return status.state, status.reason, status.stage, status.remedies, display_state(status)


async def quiet_ones(program: Program) -> set[str]:
    """Wait until an account has not changed for a while; return those."""
    since = dict.fromkeys(ACCOUNTS, 0)
    last = {number: fingerprint(program, number) for number in ACCOUNTS}
    for _ in range(PATIENCE):
        await pass_time(1)
        for number in ACCOUNTS:
            now = fingerprint(program, number)
            since[number] = since[number] + 1 if now == last[number] else 0
            last[number] = now
        if all(each > QUIET for each in since.values()):
            break
    return {number for number, seconds in since.items() if seconds > QUIET}


def labels(message: dict) -> set[str]:
    return {button["text"] for row in message["buttons"] for button in row}


def contradictions(at: Scene, program: Program, number: str) -> list[str]:
    """Return what the chat shows of an account that is not so."""
    status, name = program.registry.status(number), ACCOUNTS[number]
    icon, found = ICONS[display_state(status)], []
    about = [each for each in at.shown() if name in each["text"]]
    cards = [m for m in about if m["text"][0] in "".join(ICONS.values()) and "Attempts:" not in m["text"]]
    cards = [m for m in cards if not m["photo"] and " account" not in m["text"].splitlines()[0]]
    if len(cards) > 1:
        found.append(f"{len(cards)} cards")
    for card in cards:
        if not card["text"].startswith(icon):
            found.append(f"a card that is not {icon}: {card['text']}")
        wanted = {b.label for row in keyboards.under_card(number, status.remedies) for b in row}
        if labels(card) != wanted:
            found.append(f"under the card {labels(card)} instead of {wanted}")
    for alert in (m for m in about if m["text"].startswith("🚨")):
        stays = any(title in alert["text"] for title in OF_CONNECTED)
        if display_state(status) is DisplayState.CONNECTED and not stays:
            found.append(f"an alert of a healthy account: {alert['text']}")
        offered = {each for each in labels(alert) - STANDARD if "·" not in each}
        may = {keyboards.LABELS[verb] for verb in keyboards.LABELS}
        if not offered <= may:
            found.append(f"buttons that nobody knows: {offered - may}")
    pictures = [m for m in about if m["photo"]]
    awaits = status.stage is Stage.AWAITING_SCAN or status.wants_connection
    if pictures and (status.is_connected or not awaits):
        found.append(f"a code of an account that waits for none: {pictures[-1]['text']}")
    if len(pictures) > 1:
        found.append(f"{len(pictures)} codes")
    return found


async def live(steps: list[tuple[str, str]], folder: Path) -> None:
    asyncio.get_running_loop().set_task_factory(task_factory)
    async with scene(folder) as at:
        at.linked.update(ACCOUNTS)
        program = await at.start()
        for number, name in ACCOUNTS.items():
            await program.within(program.registry.add(number, name=name, owner=ADMIN))
            await program.within(program.registry.start(number))
        await pass_time(20)
        for place, (what, number) in enumerate(steps):
            program = await step(at, program, what, number)
            for quiet in await quiet_ones(program):
                found = contradictions(at, program, quiet)
                if found:  # a chat's budget may be exhausted for a moment: what stands longer is wrong
                    await pass_time(5)
                    found = contradictions(at, program, quiet) if quiet in await quiet_ones(program) else []
                shown = "\n  ".join(at.texts())
                assert not found, f"after {steps[: place + 1]}: {ACCOUNTS[quiet]}: {found}; the chat:\n  {shown}"
        for number in await quiet_ones(program):
            before = display_state(program.registry.status(number))
            await at.client.send(ADMIN, f"/status {ACCOUNTS[number]}")
            await pass_time(3)
            detail = next(m for m in reversed(at.shown()) if "Attempts:" in m["text"])
            now = display_state(program.registry.status(number))  # it may have gone on meanwhile
            assert detail["text"].startswith((ICONS[before], ICONS[now])), detail["text"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::RuntimeWarning")
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from(sorted(ACCOUNTS))), min_size=4, max_size=9))
def test_nothing_in_the_chat_contradicts_the_accounts(steps: list[tuple[str, str]]):
    with folder_in_memory() as folder, doubles():
        run_virtual(live(steps, folder))
    gc.collect()
