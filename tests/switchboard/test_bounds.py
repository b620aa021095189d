"""The bounds of a busy chat, in the whole program and within Telegram's limits.

Codes live, answers and alerts come soon, whatever else is asked. In virtual time: what waits for its turn counts, how
busy this machine is does not.
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from controller.accounts.reasons import Reason
from controller.accounts.reports import Code, Ended
from sandbox.telegram import Limits
from tests.controller.fakes import FakeSession
from tests.e2e.harness import decode
from tests.memory import folder_in_memory
from tests.switchboard.program import ADMIN, OPERATOR, SECOND_ADMIN, Program, Scene, doubles, scene, task_factory
from tests.virtual_time import pass_time, run_virtual, virtual_loop

SHOP = "+4915112345678"
SOON, DEAD = 5.0, 8.0
"""Seconds within which people are answered and alerted, and for which a code may be seen after its end."""
LIVES = 20.0
"""Seconds that a code lives, as on the real page after the first."""
WIDE = 300.0

Play = Callable[[Scene, Program], Awaitable[None]]


def now() -> float:
    return virtual_loop().time()


def play(what: Play) -> None:
    async def main(folder: Path) -> None:
        asyncio.get_running_loop().set_task_factory(task_factory)
        async with scene(folder, limits=Limits()) as at:
            at.linked.add(SHOP)
            program = await at.start()
            await program.within(program.registry.add(SHOP, name="Shop", owner=ADMIN))
            await program.within(program.registry.start(SHOP))
            await pass_time(30)
            await what(at, program)

    with folder_in_memory() as folder, doubles():
        run_virtual(main(folder))
    gc.collect()


async def answered(at: Scene, text: str, part: str, chat: int = ADMIN) -> float:
    """Ask something, and return the seconds until it is answered."""
    asked, before = now(), {m["message_id"] for m in at.shown(chat)}
    await at.client.send(chat, text)
    while not any(part in m["text"] for m in at.shown(chat) if m["message_id"] not in before):
        assert now() - asked < WIDE, f"no answer to {text}: {at.texts(chat)}"
        await pass_time(0.25)
    return now() - asked


async def alerted(at: Scene, program: Program, chat: int = ADMIN) -> float:
    """Let the phone log the account out, and return the seconds until it sounds."""
    began = now()
    at.linked.discard(SHOP)
    program.hosts.newest_of(SHOP).report(Ended(Reason.LOGGED_OUT))
    while not any("🚨" in m["text"] and "Shop" in m["text"] and not m["silent"] for m in at.shown(chat)):
        assert now() - began < WIDE, at.texts(chat)
        await pass_time(0.25)
    return now() - began


class Pages:
    """Pages that show one code after the other, for as long as they are open."""

    def __init__(self, program: Program) -> None:
        self.ends: dict[str, float] = {}
        self._opened = program.hosts.script
        program.hosts.script = self._open

    def _open(self, session: FakeSession) -> None:
        self._opened(session)
        asyncio.create_task(self._renew(session))  # noqa: RUF006 - the program keeps it

    async def _renew(self, session: FakeSession) -> None:
        for turn in range(6):
            text = f"2@{session.opening.account[-6:]}{turn}{int(now())},b,c,d,1"
            self.ends[text] = now() + LIVES
            session.report(Code(text, LIVES))
            await asyncio.sleep(LIVES)
            if session.closed:
                return


async def watch(at: Scene, pages: Pages, late: list[float]) -> None:
    """Note how long codes are seen after their end, and that a person never sees two."""
    read: dict[bytes, str] = {}
    while True:
        photos = [each for each in at.shown() if each["photo"]]
        assert len(photos) <= 1, "one open code for each person"
        for message in photos:
            picture = at.client.picture(message)
            if picture not in read:
                read[picture] = decode(picture)
            if read[picture] in pages.ends:  # else it is the empty one between two codes
                late.append(now() - pages.ends[read[picture]])
        await asyncio.sleep(0.5)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::RuntimeWarning")
def test_twelve_links_at_once_keep_codes_alive_and_nobody_waiting():
    async def links(at: Scene, program: Program) -> None:
        pages, late = Pages(program), []
        watching = asyncio.create_task(watch(at, pages, late))
        for place in range(12):
            await at.client.send(ADMIN, f"/link +49151987650{place:02} Account {place}")
        assert await answered(at, "/status", "accounts") <= SOON
        await pass_time(20)
        assert await alerted(at, program) <= SOON
        for _ in range(4):
            await pass_time(15)
            assert await answered(at, "/status", "13 accounts") <= SOON
            assert await answered(at, "/status", "13 accounts", SECOND_ADMIN) <= SOON
        assert not watching.done(), watching.exception()
        watching.cancel()
        assert late and max(late) <= DEAD

    play(links)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::RuntimeWarning")
def test_a_thousand_presses_of_one_person_delay_nobody_else_and_no_alert():
    async def presses(at: Scene, program: Program) -> None:
        await program.within(program.registry.change_owner(SHOP, OPERATOR))
        assert await answered(at, "/status", "1 account", OPERATOR) <= SOON
        listed = next(m for m in at.shown(OPERATOR) if "1 account" in m["text"])
        buttons = [b["data"] for row in listed["buttons"] for b in row]
        for place in range(1000):
            data = buttons[place % len(buttons)]
            await at.client.press(listed["message_id"], data, user_id=OPERATOR, chat_id=OPERATOR, stale=True)
            if not place % 250:
                for admin in (ADMIN, SECOND_ADMIN):
                    assert await answered(at, "/status", "1 account", admin) <= SOON
        for admin in (ADMIN, SECOND_ADMIN):
            assert await answered(at, "/help", "Switchboard", admin) <= SOON
        assert await alerted(at, program) <= SOON
        for chat in (SECOND_ADMIN, OPERATOR):
            assert any("🚨" in text for text in at.texts(chat)), "each heard it in the same seconds"

    play(presses)
