"""The main job, end to end: link, maintain and report an account from Telegram, with only the two services faked."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import stat
import subprocess
import sys

import psutil
import pytest

from tests.e2e.harness import ADMIN, NUMBER, ROOT, left_behind, world

pytestmark = [pytest.mark.e2e, pytest.mark.chromium]


@pytest.mark.timeout(300)
async def test_an_operator_links_keeps_breaks_and_loses_an_account(tmp_path):
    async with world(tmp_path, first_ref=6, next_ref=20) as here, here.program() as program:

        def chat_shows_what_is_drawn():
            now = here.qr()
            return now and here.decode(now) == here.drawn()

        # /link → exactly one photo, whose QR is the page's string
        await here.client.send(ADMIN, f"/link {NUMBER} Support Berlin")
        photo = await here.until(here.qr)
        first = here.decode(photo)
        await here.until(chat_shows_what_is_drawn)
        assert photo["protected"]
        assert "Support Berlin" in photo["text"]

        # the next ref edits that photo
        def edited():
            now = here.qr()
            return now and here.decode(now) != first and now

        now = await here.until(edited)
        assert now["message_id"] == photo["message_id"]
        await here.until(chat_shows_what_is_drawn)
        assert [m["message_id"] for m in here.chat() if m["photo"]] == [photo["message_id"]]

        # scan → the code is gone, the card shows Connected
        await here.scan()
        await here.until(lambda: here.qr() is None)
        await here.until(lambda: here.says("Support Berlin", "Connected since"))
        assert [step[1] for step in here.transitions()] == ["CONNECTING", "CONNECTED"]
        (device,) = here.phones.devices()
        assert device["online"]

        # the browser is killed → back without a code, without a sound
        sounding = [m["message_id"] for m in here.chat() if not m["silent"]]
        program.browser().send_signal(signal.SIGKILL)
        await here.until(lambda: len(here.transitions()) >= 5 and here.newest_state() == "CONNECTED")
        assert [step[1] for step in here.transitions()][2:] == ["DISCONNECTED", "CONNECTING", "CONNECTED"]
        await here.until(lambda: here.says("Support Berlin", "Connected since"))
        assert here.qr() is None
        assert [m["message_id"] for m in here.chat() if not m["silent"]] == sounding
        assert here.phones.devices()[0]["device_id"] == device["device_id"], "the same linked device"

        # /suspend → /reconnect
        await here.client.send(ADMIN, f"/suspend {NUMBER}")
        await here.until(lambda: here.newest_state() == "SUSPENDED")
        await here.until(lambda: here.says("Support Berlin", "Paused since"))
        await here.until(lambda: not here.phones.devices()[0]["online"])
        await here.client.send(ADMIN, "/reconnect support berlin")
        await here.until_connected()

        # logged out on the phone → DISCONNECTED, no retry, an alert
        here.phones.logout(NUMBER)
        await here.until(lambda: here.newest_state() == "DISCONNECTED")
        alert = await here.until(lambda: here.says("🚨", "Support Berlin", "logged out"))
        assert not alert["silent"]
        count = len(here.transitions())

        # SIGTERM → exit 0, no Chromium left, database intact
        family = program.family()
        program.send(signal.SIGTERM)
        assert await program.ended() == 0
        assert len(here.transitions()) == count, "nothing was tried again"
    assert not [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert left_behind(here.data_dir) == []
    assert here.rows("PRAGMA integrity_check") == [("ok",)]
    assert stat.S_IMODE(here.data_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE((here.data_dir / "switchboard.sqlite").stat().st_mode) == 0o600
    assert "Traceback" not in program.text
    assert here.telegram.token not in program.text
    assert NUMBER not in program.text


@pytest.mark.timeout(300)
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
async def test_two_restarts_in_a_row_restore_a_linked_account_without_a_code(tmp_path, end):
    async with world(tmp_path, speed=30) as here:
        async with here.program() as program:
            await here.link()
            program.send(end)
            await program.ended()
        photos = len(here.client.requests("sendPhoto"))
        for _ in range(2):
            before = len(here.transitions())
            async with here.program() as program:
                await here.until_connected(after=before)
                assert here.phones.devices()[0]["online"]
                program.send(end)
                await program.ended()
            await here.until(lambda: left_behind(here.data_dir) == [], within=60)
        assert len(here.client.requests("sendPhoto")) == photos


@pytest.mark.timeout(300)
async def test_a_kill_right_after_the_bot_said_connected_keeps_the_session(tmp_path):
    async with world(tmp_path, speed=30) as here:
        async with here.program() as program:
            await here.client.send(ADMIN, f"/link {NUMBER} Support Berlin")
            await here.scan()
            await here.until(lambda: here.says("Support Berlin", "Connected since"))
            for process in program.family():
                with contextlib.suppress(psutil.NoSuchProcess):  # one ends with another
                    process.kill()
            await program.ended()
        before = len(here.transitions())
        async with here.program():
            await here.until_connected(after=before)
            assert here.qr() is None


@pytest.mark.timeout(300)
async def test_sigterm_in_mid_launch_and_with_a_code_in_the_chat(tmp_path):
    async with world(tmp_path, speed=30) as here:
        async with here.program() as program:
            await here.client.send(ADMIN, f"/link {NUMBER}")
            await here.until(lambda: len(program.family()) > 3)
            program.send(signal.SIGTERM)
            assert await program.ended() == 0
        assert left_behind(here.data_dir) == []
        async with here.program() as program:
            await here.client.send(ADMIN, f"/link {NUMBER}")
            await here.until(here.qr)
            program.send(signal.SIGTERM)
            assert await program.ended() == 0
            assert here.qr() is None, "no dead code is left"
    assert left_behind(here.data_dir) == []


@pytest.mark.timeout(300)
async def test_a_code_that_a_crash_left_is_taken_away_by_the_next_start(tmp_path):
    async with world(tmp_path, speed=30) as here:
        async with here.program() as program:
            await here.client.send(ADMIN, f"/link {NUMBER}")
            await here.until(here.qr)
            # Telegram returns a message's id only when it is sent: a kill before that is stored leaves it for good.
            await here.until(lambda: here.rows("SELECT message FROM messages WHERE kind = 'code'"))
            program.send(signal.SIGKILL)
            await program.ended()
        assert here.qr() is not None
        async with here.program():
            await here.until(lambda: here.qr() is None)


def test_a_database_of_a_newer_version_a_wrong_setting_and_no_browser_are_one_clear_line(tmp_path):
    def run(**settings):
        env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "TELEGRAM_BOT_TOKEN": "12345:" + "x" * 35,
            "TELEGRAM_API_URL": "http://127.0.0.1:9",
            "TELEGRAM_ADMIN_IDS": "1",
            "DATA_DIR": str(tmp_path / "data"),
        }
        done = subprocess.run(
            [sys.executable, "-m", "switchboard"],
            env=env | settings,
            cwd=tmp_path,
            text=True,
            check=False,
            capture_output=True,
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stderr.strip().splitlines()

    assert run(TELEGRAM_BOT_TOKEN="") == (2, ["TELEGRAM_BOT_TOKEN: is not set"])
    code, (line,) = run(HEALTH_CHECK_SECONDS="soon")
    assert (code, line.split(":")[0]) == (2, "HEALTH_CHECK_SECONDS")
    code, lines = run(CHROMIUM_PATH=str(tmp_path / "nowhere"))
    assert code == 2
    assert len(lines) == 1
    assert "CHROMIUM_PATH" in lines[0]
    (tmp_path / "data").mkdir(exist_ok=True)
    connection = sqlite3.connect(tmp_path / "data" / "switchboard.sqlite")
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    code, lines = run()
    assert code == 2
    assert "newer version" in lines.pop()
    assert all(" INFO " in line for line in lines)


@pytest.mark.timeout(300)
async def test_a_signal_that_comes_twice_at_once_is_one_and_a_later_one_ends_it_at_once(tmp_path):
    async with world(tmp_path, speed=30) as here:
        async with here.program() as program:
            await here.link()
            program.send(signal.SIGTERM)
            program.send(signal.SIGTERM)
            assert await program.ended() == 0
        async with here.program() as program:
            await here.until(lambda: "Telegram: I am" in program.text)
            here.client.fail("hang", seconds=30)
            await here.client.send(ADMIN, "/status")
            program.send(signal.SIGTERM)
            await here.until(lambda: "Stopping" in program.text)
            await asyncio.sleep(1.1)
            program.send(signal.SIGTERM)
            assert await program.ended(within=10) == -signal.SIGTERM
        await here.until(lambda: left_behind(here.data_dir) == [], within=60)
