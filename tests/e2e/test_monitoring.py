"""Monitoring of the whole program: systemd's socket, the heartbeat, and the health endpoints."""

import asyncio
import contextlib
import re
import signal
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.harness import NUMBER, world
from tests.e2e.outside import Manager, outside
from tests.switchboard.monitoring.test_prometheus import missing_in
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.chromium]


async def test_a_program_that_is_well_says_so_everywhere(tmp_path, unused_tcp_port):
    health = f"http://127.0.0.1:{unused_tcp_port}"
    manager = Manager(tmp_path / "notify", watchdog=6, patience=30)
    async with (
        world(tmp_path) as here,
        outside(period_and_grace=60) as (service, _),
        here.program(
            HEARTBEAT_URL=service.url, HEARTBEAT_SECONDS="0.5", HEALTH_LISTEN=f"127.0.0.1:{unused_tcp_port}",
            HEALTH_TEXTFILE=str(tmp_path / "switchboard.prom"), **manager.settings(),
        ) as program,
        aiohttp.ClientSession() as client,
    ):  # fmt: skip
        watching = asyncio.create_task(manager.watch(program))
        await until(lambda: "READY=1" in manager.told, "systemd is told that it is ready")
        await here.link()
        await until(lambda: manager.told.count("WATCHDOG=1") >= 3, "the watchdog is fed")
        await until(
            lambda: any(path == "/ping/secret" and "1/1 connected" in body for _, path, body in service.came), "a beat"
        )
        assert service.came[0][1:] == ("/ping/secret/start", "")
        assert service.calls == []
        async with client.get(f"{health}/live") as answer:
            assert answer.status == 200, await answer.text()
        async with client.get(f"{health}/ready") as answer:
            assert (answer.status, await answer.text()) == (200, "1/1 connected, 0 alerts owed\n")
        async with client.get(f"{health}/metrics") as answer:
            figures = await answer.text()
        assert 'switchboard_accounts{state="CONNECTED"} 1.0' in figures
        assert "switchboard_pulse_good 1.0" in figures
        assert NUMBER[-4:] not in figures
        assert missing_in(figures) == {"switchboard_backup_age_seconds"}, "no BACKUP_DIR is set"
        await until(lambda: "switchboard_pulse_good" in (tmp_path / "switchboard.prom").read_text(), "the textfile")
        assert "secret" not in program.text
        program.send(signal.SIGTERM)
        assert await program.ended() == 0
        await until(lambda: "STOPPING=1" in manager.told, "systemd is told that it stops")
        watching.cancel()
    assert manager.killed_at is None
    assert any(line.startswith("STATUS=1/1 connected") for line in manager.told)


def set_back(data_dir: Path, by: timedelta) -> None:
    """Move the last beat into the past, as if nobody had restarted the program since."""
    with contextlib.closing(sqlite3.connect(data_dir / "switchboard.sqlite")) as database, database:
        ((at,),) = database.execute("SELECT at FROM pulse")
        database.execute("UPDATE pulse SET at = ?", [(datetime.fromisoformat(at) - by).isoformat()])


async def test_a_program_that_stands_still_is_ended_and_tells_how_long_it_was_away(tmp_path):
    manager = Manager(tmp_path / "notify", watchdog=9)
    async with world(tmp_path, speed=30) as here:
        async with here.program(**manager.settings()) as program:
            watching = asyncio.create_task(manager.watch(program))
            await here.link()
            await until(lambda: "WATCHDOG=1" in manager.told, "the watchdog is fed")
            program.send(signal.SIGSTOP)
            await until(lambda: manager.killed_at is not None, "it is killed")
            assert await program.ended() == -signal.SIGKILL
            watching.cancel()
        set_back(here.data_dir, timedelta(minutes=46))
        async with here.program() as program:
            told = await here.until(lambda: here.says("🕳", "I was away"))
            assert not told["silent"]
            # and what it took until the kill and from there to the start
            assert re.search(r"\(4[67] min\), 1 account unwatched; 1 is back\.", told["text"]), told["text"]
            assert "It was killed or crashed" in told["text"]
            program.send(signal.SIGTERM)
            assert await program.ended() == 0
        set_back(here.data_dir, timedelta(hours=2))
        async with here.program():
            told = await here.until(lambda: here.says("🕳", "It was stopped in order (SIGTERM)"))
            assert re.search(r"\(2 h( 1 min)?\), 1 account unwatched; 1 is back\.", told["text"]), told["text"]
