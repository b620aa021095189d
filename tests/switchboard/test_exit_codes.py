"""Failures at start: 2 for what a person must fix, 75 for transient errors, each one line in the log's format."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from switchboard.data_dir import lock_data_dir

ROOT = Path(__file__).resolve().parents[2]


def run(tmp_path, **settings):
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "TELEGRAM_BOT_TOKEN": "12345:" + "x" * 35,
        "TELEGRAM_API_URL": "http://127.0.0.1:9",
        "TELEGRAM_ADMIN_IDS": "1",
        "DATA_DIR": str(tmp_path / "data"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "switchboard"], env=env | settings, cwd=tmp_path, text=True, check=False,
        capture_output=True, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize("setting", [{"LAUNCH_SLOTS": "0"}, {"HEALTH_CHECK_SECOND": "5"}, {"PROXY_URL": "proxy:1"}])
def test_a_wrong_setting_is_for_a_person(tmp_path, setting):
    code, lines = run(tmp_path, **setting)
    assert (code, len(lines)) == (2, 1)
    assert next(iter(setting)) in lines[0]


def test_a_data_dir_in_use_may_heal(tmp_path):
    with lock_data_dir(tmp_path / "data"):
        code, lines = run(tmp_path)
    assert (code, len(lines)) == (75, 1)


def test_what_is_no_browser_is_for_a_person(tmp_path):
    code, lines = run(tmp_path, CHROMIUM_PATH="/usr/bin/true")
    assert code == 2
    assert "does not report its version" in lines[-1]


def test_a_full_disk_may_heal_and_json_stays_json(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", folder], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        with suppress(OSError), (folder / "full").open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        code, (line,) = run(tmp_path, LOG_FORMAT="json")
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
    assert code == 75
    assert json.loads(line)["message"].endswith("No space left on device")
