"""The whole program on an uncooperative host: it starts eventually, and always stops."""

import asyncio
import json
import signal
import sqlite3
import time

import pytest

from tests.chaos import stops
from tests.e2e.harness import ADMIN, NUMBER, left_behind, world

pytestmark = pytest.mark.e2e


@pytest.mark.timeout(300)
async def test_a_stop_while_another_program_holds_the_database(tmp_path):
    async with world(tmp_path, speed=30) as here, here.program() as program:
        await here.link()
        other = sqlite3.connect(here.data_dir / "switchboard.sqlite", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        await here.client.send(ADMIN, f"/suspend {NUMBER}")
        await asyncio.sleep(1)  # it is on its way to the database
        began = time.monotonic()
        program.send(signal.SIGTERM)
        assert await program.ended(within=41) in {0, 75}
        assert time.monotonic() - began < 40
        other.close()
        assert left_behind(here.data_dir) == []
        assert "Traceback" not in program.text
        async with here.program():
            await here.until(lambda: here.newest_state() in {"CONNECTED", "SUSPENDED"})


@pytest.mark.timeout(300)
async def test_a_database_that_is_locked_at_the_start_is_waited_for(tmp_path):
    async with world(tmp_path, speed=30) as here:
        async with here.program() as program:
            await here.link()
            program.send(signal.SIGTERM)
            assert await program.ended() == 0
        other = sqlite3.connect(here.data_dir / "switchboard.sqlite", isolation_level=None)
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        async with here.program() as program:
            await here.until(lambda: "cannot be opened yet, trying on" in program.text)
            other.rollback()
            other.close()
            await here.until_connected(after=len(here.transitions()))
        async with here.program() as program:  # a stop in the middle of the start ends it at once
            await here.until(lambda: "Browser: " in program.text)
            program.send(signal.SIGTERM)
            assert await program.ended(within=20) == 0
            assert "Traceback" not in program.text


@pytest.mark.timeout(300)
async def test_a_hangup_is_a_stop_in_order(tmp_path):
    async with world(tmp_path, speed=30) as here:
        async with here.program(LOG_FORMAT="json") as program:
            await here.link()
            program.send(signal.SIGHUP)
            assert await program.ended() == 0
            messages = [json.loads(line)["message"] for line in program.lines]
            assert any(message.startswith("SIGHUP: stopping") for message in messages)
        async with here.program():
            await here.until_connected(after=len(here.transitions()))


@pytest.mark.timeout(900)
async def test_a_stop_at_any_moment_loses_nothing(tmp_path):
    row = await stops.run(tmp_path, every=4, patience=3)
    assert row.wrong == []
