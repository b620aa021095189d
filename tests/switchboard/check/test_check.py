"""`switchboard check` and `status` as people run them: one screen, one exit code, and no secrets."""

import asyncio
import gc
import json
import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pyrage
import pytest

from controller.network.account_proxies import AccountProxies
from controller.network.proxy import parse_proxy
from controller.registry import Account
from sandbox.telegram import TelegramStandIn
from sandbox.whatsapp import WhatsAppStandIn
from storage.accounts import AccountRecords, ProxyRecords
from storage.database import open_database
from switchboard.check import external, host
from switchboard.check.findings import Finding, Verdict, as_json, as_text, exit_code
from switchboard.data_dir import lock_data_dir
from switchboard.settings import Settings
from tests.proxies import http_proxy

ROOTS_HOME, ADAS_HOME = "/" + "root", "/home" + "/ada"
ROOT = Path(__file__).resolve().parents[3]
TOKEN = "7000000001:" + "AA-nobodys_" * 3 + "xy"


def run(tmp_path, *words, **settings):
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_API_URL": "http://127.0.0.1:9",
        "TELEGRAM_ADMIN_IDS": "1",
        "WHATSAPP_WEB_URL": "http://127.0.0.1:9/",
        "DATA_DIR": str(tmp_path / "data"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "switchboard", *words], env=env | settings, cwd=tmp_path, text=True, check=False,
        capture_output=True, timeout=100,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert TOKEN not in done.stdout + done.stderr
    return done


def found(done):
    return {one["name"]: one for one in json.loads(done.stdout)["findings"]}


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([], 0),
        ([Verdict.GOOD, Verdict.NOTE], 0),
        ([Verdict.LATER, Verdict.GOOD], 75),
        ([Verdict.LATER, Verdict.MEND, Verdict.GOOD], 2),
    ],
)
def test_the_code_is_that_of_the_worst(verdicts, code):
    assert exit_code([Finding("x", verdict, "y") for verdict in verdicts]) == code


@pytest.mark.parametrize(
    ("files", "least", "verdict"), [(3, 1, Verdict.LATER), (3, 0, Verdict.GOOD), (5000, 1, Verdict.GOOD)]
)
def test_a_disk_that_can_hold_no_more_files_is_full(tmp_path, monkeypatch, files, least, verdict):
    monkeypatch.setattr(host, "free_files", lambda _: files)
    finding = host._disk(tmp_path, least)
    assert finding.verdict is verdict
    assert ("3 more files can be made there (inodes)" in finding.text) == (verdict is Verdict.LATER)


def test_what_is_said_is_one_line_each_without_secrets():
    findings = [Finding("Telegram", Verdict.LATER, f"http://x/bot{TOKEN}/getMe\nfailed")]
    for told in (as_text(findings), as_json(findings)):
        assert TOKEN not in told
        assert "<token>" in told
    assert len(as_text(findings).splitlines()) == 2


def test_a_wrong_setting_ends_it(tmp_path):
    done = run(tmp_path, "check", HEALTH_CHECK_SECOND="5", LAUNCH_SLOTS="0")
    assert done.returncode == 2
    assert (
        "FAIL  settings  HEALTH_CHECK_SECOND: there is no such setting, the nearest is HEALTH_CHECK_SECONDS"
        in done.stdout
    )


@pytest.mark.chromium
async def test_where_all_is_well(tmp_path):
    async with TelegramStandIn() as telegram, WhatsAppStandIn() as whatsapp:
        import asyncio

        done = await asyncio.to_thread(
            run, tmp_path, "check", "--json",
            TELEGRAM_API_URL=telegram.url, TELEGRAM_BOT_TOKEN=telegram.token, WHATSAPP_WEB_URL=whatsapp.url,
        )  # fmt: skip
        refused = await asyncio.to_thread(run, tmp_path, "check", "--json", TELEGRAM_API_URL=telegram.url)
    assert done.returncode == 0, done.stdout
    told = found(done)
    assert told["Telegram"]["text"].startswith("the bot is @")
    assert told["WhatsApp"]["text"].endswith("can be reached")
    assert "headless" in told["browser"]["text"] or "chrom" in told["browser"]["text"]
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["switchboard.lock"]
    assert refused.returncode == 2
    assert found(refused)["Telegram"]["verdict"] == "mend"
    assert found(refused)["WhatsApp"]["verdict"] == "later"


async def test_proxies_that_accounts_have_of_their_own_are_tried(tmp_path):
    path = tmp_path / "data" / "switchboard.sqlite"
    async with http_proxy("ada:hunter2") as proxy, WhatsAppStandIn() as whatsapp:
        async with open_database(path) as database:
            for digit in range(1, 5):
                await AccountRecords(database).add_account(Account(f"+49151111000{digit}", "", 1))
            proxies = AccountProxies(ProxyRecords(database))
            await proxies.save("+491511110001", parse_proxy(proxy.url("ada:hunter2")))
            await proxies.save("+491511110002", parse_proxy(proxy.url("ada:other")))
            await proxies.save("+491511110003", parse_proxy("http://127.0.0.1:9"))
            sealed = AccountProxies(ProxyRecords(database), pyrage.x25519.Identity.generate())
            await sealed.save("+491511110004", parse_proxy("http://ada:hunter2@127.0.0.1:9"))
        settings = Settings(
            telegram_bot_token=TOKEN,
            telegram_admin_ids="1",
            data_dir=path.parent,
            whatsapp_web_url=whatsapp.url,
            _env_file=None,
        )
        told = await external._own_proxies(settings)
    assert [(finding.name[-4:], finding.verdict) for finding in told] == [
        ("0001", Verdict.GOOD), ("0002", Verdict.MEND), ("0003", Verdict.LATER), ("0004", Verdict.MEND),
    ]  # fmt: skip
    assert "can be reached through http://127.0.0.1" in told[0].text
    assert "(407)" in told[1].text
    assert "PROFILE_KEY" in told[3].text
    assert "hunter2" not in repr(told)
    assert len(proxy.seen) == 1


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the library leaves the connection to the garbage collector
async def test_a_proxy_that_does_not_speak_socks_is_a_finding(tmp_path):
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        settings = Settings(
            telegram_bot_token=TOKEN,
            telegram_admin_ids="1",
            telegram_proxy=f"socks5://ada:hunter2@127.0.0.1:{port}",
            _env_file=None,
        )
        (told,) = await external._telegram(settings)
    assert told.verdict == Verdict.LATER
    assert "cannot be reached" in told.text
    assert "hunter2" not in told.text
    gc.collect()


def test_what_no_wait_would_mend(tmp_path):
    done = run(tmp_path, "check", "--json", CHROMIUM_PATH="/usr/bin/true", TMPDIR="/nowhere")
    told = found(done)
    assert done.returncode == 2
    assert told["browser"]["verdict"] == "mend"
    assert "does not report its version" in told["browser"]["text"]
    assert told["Telegram"]["verdict"] == "later"


@pytest.mark.parametrize(
    ("python", "home"),
    [
        (f"{ROOTS_HOME}/.pyenv/versions/3.12.1/bin/python3.12", ROOTS_HOME),
        (f"{ADAS_HOME}/.local/share/uv/python/bin/python3", ADAS_HOME),
        ("/usr/bin/python3", None),
        ("/opt/python/bin/python3", None),
    ],
)
def test_a_python_in_a_home_folder_is_named(monkeypatch, python, home):
    monkeypatch.setattr(host.sys, "executable", python)
    monkeypatch.setattr(host.Path, "resolve", lambda path: path)
    finding = host.python_is_for_others()
    assert (finding is None) is (home is None)
    if finding is not None:
        assert f"{python} lies in {home}: a service with ProtectHome cannot run it" in finding.text


def test_a_folder_without_the_right_to_execute(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError

    monkeypatch.setattr(host.subprocess, "run", refuse)
    finding = host._execution(tmp_path)
    assert finding.verdict is Verdict.MEND
    assert "noexec" in finding.text
    assert list(tmp_path.iterdir()) == []


def test_a_running_one_is_no_fault_and_its_status_is_read_beside_it(tmp_path):
    data = tmp_path / "data"
    done = run(tmp_path, "status")
    assert done.returncode == 2
    assert "there is no database here" in done.stderr
    with lock_data_dir(data):
        with closing(sqlite3.connect(data / "switchboard.sqlite")) as connection:
            connection.execute("CREATE TABLE accounts (number, name, wanted, linked, state, reason, since, added_at)")
            connection.execute(
                "INSERT INTO accounts VALUES ('+491511234567', 'Support\nBerlin', 'connected', 1, 'CONNECTED', 'ready',"
                " '2026-01-01T12:00:00+00:00', '')"
            )
            connection.commit()
        before = {path: path.stat().st_mtime_ns for path in data.iterdir()}
        done = run(tmp_path, "status")
        told = json.loads(run(tmp_path, "status", "--json").stdout)
        assert {path: path.stat().st_mtime_ns for path in data.iterdir()} == before
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == f"It runs (process {os.getpid()}). 1 account: 1 CONNECTED."
    assert "4567  CONNECTED" in done.stdout
    assert "since 2026-01-01T12:00:00Z (ready)  Support\\nBerlin" in done.stdout
    assert told["running"] is True
    assert told["process"] == os.getpid()
    assert told["accounts"][0]["state"] == "CONNECTED"
    assert "15112" not in done.stdout + json.dumps(told)
    assert run(tmp_path, "status").stdout.startswith("It does not run")


def test_the_version_is_told(tmp_path):
    done = run(tmp_path, "--version")
    assert done.returncode == 0
    assert done.stdout.startswith("switchboard ")


def test_settings_are_read_from_the_file_that_is_named(tmp_path):
    file = tmp_path / "other.env"
    file.write_text(f"DATA_DIR={tmp_path / 'elsewhere'}\n")
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "switchboard", "--env-file", str(file), "status"], env=env, cwd=tmp_path, text=True,
        check=False, capture_output=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "elsewhere" in done.stderr
    assert stat.S_ISREG(file.stat().st_mode)
