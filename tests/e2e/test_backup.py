"""A backup of running accounts restores to a fresh DATA_DIR, and all of them reconnect without a code."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from tests.e2e.harness import ADMIN, NUMBER, ROOT, left_behind, world

pytestmark = [pytest.mark.e2e, pytest.mark.chromium]

OTHER = "+491511234568"


async def command(folder, *args, **settings):
    """Run one of the program's commands; returns code, output and errors."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "switchboard", *args,
        cwd=folder, env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]} | settings,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    out, errors = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, out.decode(), errors.decode()


@pytest.mark.timeout(300)
async def test_a_backup_of_running_accounts_brings_them_back_on_another_host_without_a_code(tmp_path):
    _, key, _ = await command(tmp_path, "new-key")
    async with world(tmp_path, speed=30) as here:
        async with here.program(PROFILE_KEY=key) as program:
            await here.link()
            await here.client.send(ADMIN, f"/link {OTHER} Support Paris")
            await here.scan(OTHER)
            await here.until_connected(OTHER)

            settings = {"DATA_DIR": str(here.data_dir), "PROFILE_KEY": key}
            code, out, errors = await command(tmp_path, "backup", "backup.age", **settings)
            assert (code, errors) == (0, ""), out
            assert "2 accounts" in out
            before = len(here.transitions()), len(here.transitions(OTHER))
            assert {here.newest_state(number) for number in (NUMBER, OTHER)} == {"CONNECTED"}, "nobody was disturbed"
            program.send(signal.SIGTERM)
            assert await program.ended() == 0

        first, here.data_dir = here.data_dir, tmp_path / "elsewhere"
        settings |= {"DATA_DIR": str(here.data_dir)}
        code, out, errors = await command(tmp_path, "restore-backup", "backup.age", **settings)
        assert (code, errors) == (0, ""), out
        photos = len(here.client.requests("sendPhoto"))
        async with here.program(PROFILE_KEY=key):
            await here.until_connected(NUMBER, after=before[0])
            await here.until_connected(OTHER, after=before[1])
            assert all(device["online"] for device in here.phones.devices())
            assert len(here.phones.devices()) == 2
        assert len(here.client.requests("sendPhoto")) == photos
        assert left_behind(first) == []
