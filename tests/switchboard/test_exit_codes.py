"""Failures at start: 2 for what a person must fix, 75 for transient errors, each one line in the log's format."""

import asyncio
import errno
import fcntl
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing, suppress
from pathlib import Path

import pytest

from controller.chromium.process.find import find_executable, identify
from controller.driver import DriverError
from storage.summary import read_proxies, read_summaries
from switchboard.__main__ import _ended_by, main
from switchboard.check import host
from switchboard.check.findings import Verdict
from switchboard.data_dir import lock_data_dir
from switchboard.settings import choose_env_file

ROOT = Path(__file__).resolve().parents[2]


def run(tmp_path, *words, **settings):
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "TELEGRAM_BOT_TOKEN": "12345:" + "x" * 35,
        "TELEGRAM_API_URL": "http://127.0.0.1:9",
        "TELEGRAM_ADMIN_IDS": "1",
        "DATA_DIR": str(tmp_path / "data"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "switchboard", *words], env=env | settings, cwd=tmp_path, text=True, check=False,
        capture_output=True, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize("setting", [{"LAUNCH_SLOTS": "0"}, {"HEALTH_CHECK_SECOND": "5"}, {"PROXY_URL": "proxy:1"}])
def test_a_wrong_setting_is_for_a_person(tmp_path, setting):
    code, lines = run(tmp_path, **setting)
    assert (code, len(lines)) == (2, 1)
    assert next(iter(setting)) in lines[0]


@pytest.mark.parametrize(
    ("soft", "hard", "raised"),
    [
        (1024, 524288, [(65536, 524288)]),
        (256, 4096, [(4096, 4096)]),
        (1024, resource.RLIM_INFINITY, [(65536, resource.RLIM_INFINITY)]),
        (256, 256, []),
        (100_000, 524288, []),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, []),
    ],
)
def test_as_many_files_as_the_system_allows_may_be_open(monkeypatch, main_here, soft, hard, raised):
    given = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limits: given.append((kind, limits)))
    assert main_here(["new-key"]) == 0
    assert given == [(resource.RLIMIT_NOFILE, limits) for limits in raised]


CLOSED, FULL = "<&- >&- 2>&-", "2>/dev/full"


@pytest.mark.parametrize(
    ("streams", "words", "settings", "code"),
    [
        (CLOSED, "", {"LAUNCH_SLOTS": "0"}, 2),
        (FULL, "", {"LAUNCH_SLOTS": "0"}, 2),
        (">/dev/full", "new-key", {}, 75),
        ("| true", "new-key", {}, 0),
    ],
)
def test_the_code_is_right_whatever_becomes_of_the_words(tmp_path, streams, words, settings, code):
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "DATA_DIR": str(tmp_path)} | settings
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{sys.executable} -m switchboard {words} {streams}"], env=env, cwd=tmp_path,
        text=True, check=False, capture_output=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, "Exception ignored" in done.stderr) == (code, False), done.stderr


def test_the_end_does_not_wait_for_somebody_who_reads_why(tmp_path):
    out, full = os.pipe()
    os.write(full, b"." * fcntl.fcntl(full, fcntl.F_SETPIPE_SZ, 4096))
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LAUNCH_SLOTS": "0"}
    done = subprocess.run([sys.executable, "-m", "switchboard"], env=env, cwd=tmp_path, stderr=full, check=False)
    os.close(full)
    os.close(out)
    assert done.returncode == 2


def test_what_the_parent_blocked_or_ignored_is_not_inherited(main_here):
    numbers, before = {signal.SIGTERM, signal.SIGCHLD}, signal.getsignal(signal.SIGCHLD)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert main_here(["new-key"]) == 0
        assert not numbers & signal.pthread_sigmask(signal.SIG_BLOCK, ())
        assert signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        signal.signal(signal.SIGCHLD, before)


def test_a_user_without_a_home_has_the_browser_that_is_installed(tmp_path, monkeypatch):
    browser = shutil.copy("/bin/true", tmp_path / "chromium")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("PLAYWRIGHT_BROWSERS_PATH", raising=False)
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", lambda _: {}["nobody"])
    assert find_executable() == browser


def test_a_data_dir_in_use_may_heal(tmp_path):
    with lock_data_dir(tmp_path / "data"):
        code, lines = run(tmp_path)
    assert (code, len(lines)) == (75, 1)


def test_what_is_no_browser_is_for_a_person(tmp_path):
    code, lines = run(tmp_path, CHROMIUM_PATH="/usr/bin/true")
    assert code == 2
    assert "does not report its version" in lines[-1]


def test_a_browser_that_the_host_ends_or_cannot_start_now_may_start_later(tmp_path):
    killed = tmp_path / "chromium"
    killed.write_text("#!/bin/sh\nkill -KILL $$\n")
    killed.chmod(0o700)
    code, lines = run(tmp_path, CHROMIUM_PATH=str(killed))
    assert (code, "was ended by SIGKILL" in lines[-1]) == (75, True), lines


def test_addresses_that_are_limited_are_for_a_person(monkeypatch, tmp_path):
    browser = tmp_path / "chromium"
    browser.write_text("#!/bin/sh\nkill -TRAP $$\n")
    browser.chmod(0o700)
    limits = resource.getrlimit
    few = lambda which: (8 << 30, 8 << 30) if which == resource.RLIMIT_AS else limits(which)
    monkeypatch.setattr(resource, "getrlimit", few)
    with pytest.raises(DriverError, match=r"SIGTRAP; .*: addresses to 8192 MiB \(ulimit -v") as error:
        asyncio.run(identify(browser))
    assert not error.value.transient


def test_a_browser_that_is_just_being_replaced_may_start_later(tmp_path):
    replaced = shutil.copy("/bin/true", tmp_path / "chromium")
    with replaced.open("ab"):
        code, lines = run(tmp_path, CHROMIUM_PATH=str(replaced))
    assert (code, lines[-1]) == (75, f"{replaced} does not report its version: Text file busy")


def test_a_file_that_is_no_program_is_for_a_person(tmp_path):
    no_program = tmp_path / "chromium"
    no_program.write_bytes(b"\0")
    no_program.chmod(0o700)
    code, lines = run(tmp_path, CHROMIUM_PATH=str(no_program))
    assert (code, lines[-1]) == (2, f"{no_program} does not report its version: Exec format error")


@pytest.mark.parametrize("error", [ProcessLookupError(errno.ESRCH, "No such process"), ChildProcessError(), OSError()])
def test_an_error_of_the_system_that_nobody_foresaw_is_a_bug_that_a_restart_may_end(error):
    with pytest.raises(type(error)):
        _ended_by(error)


@pytest.mark.parametrize(
    "error", [TimeoutError(), TimeoutError("no answer"), ConnectionResetError(), BrokenPipeError()]
)
def test_what_a_busy_machine_did_not_do_in_time_may_be_done_later(error, capsys):
    assert _ended_by(error) == 75
    assert len(capsys.readouterr().err.strip()) > 0, "a line that says nothing"


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


AS_ANOTHER = """
import contextlib, io, json, os, sys
from pathlib import Path
import controller.chromium.profile.numbered, storage.summary, switchboard.backup.create, switchboard.status
from switchboard.__main__ import _version, main
from switchboard.check import host
_version()  # imports the rest, while this may still be root's Python
if os.geteuid() == 0:  # everybody else has closed the folder to himself
    os.setgroups([])
    os.setgid(4711)
    os.setuid(4711)
said = {}
for command in ("status", "saved +491511234567", "backup /nowhere/backup"):
    with contextlib.redirect_stderr(io.StringIO()) as errors:
        code = main(command.split())
    said[command] = (code, errors.getvalue().splitlines())
folder = Path(os.environ["DATA_DIR"])
for each in (host._data_dir(folder), host._execution(folder), host._database(folder / "switchboard.sqlite")):
    said[each.name] = (each.verdict, [each.text])
print(json.dumps(said))
"""


def test_the_data_of_another_user_is_one_line():
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base) / "data"
        folder.mkdir()
        (folder / "switchboard.sqlite").touch()
        (folder / "names.key").write_bytes(b"k" * 32)
        Path(base).chmod(0o755)
        folder.chmod(0o700 if os.geteuid() == 0 else 0o000)
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "DATA_DIR": str(folder)}
        done = subprocess.run(
            [sys.executable, "-c", AS_ANOTHER], env=env, cwd="/", text=True, check=False, capture_output=True,
            timeout=60,
        )  # fmt: skip
        folder.chmod(0o700)
    said = json.loads(done.stdout)
    for code, (line,) in said.values():
        assert code in {2, "mend"}
        assert str(folder) in line
        assert "ermission denied" in line or "belongs to another user" in line
        assert "noexec" not in line


@pytest.mark.parametrize("kind", ["file", "link into nothing", "file system that is read only"])
def test_a_check_goes_on_where_data_dir_is_none(tmp_path, kind):
    path = tmp_path / "data"
    if kind == "file":
        path.touch()
    else:
        path.symlink_to(tmp_path / "gone" if "nothing" in kind else "/proc/1")
    found = [*host.check_machine(path, 0, 0), host._database(path / "switchboard.sqlite")]
    verdicts = {each.name: each.verdict for each in found}
    assert (verdicts["DATA_DIR"], verdicts["execution"]) == (Verdict.MEND, Verdict.MEND)


@pytest.fixture
def database(tmp_path):
    """Make a database with one account in a folder of this name."""

    def make(name):
        (tmp_path / name).mkdir()
        path = tmp_path / name / "switchboard.sqlite"
        with closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TABLE accounts (number, name, wanted, linked, state, reason, since, added_at)")
            database.execute("INSERT INTO accounts VALUES ('+491511234567', '🦊', 'up', 1, 'CONNECTED', NULL, '', '')")
            database.execute("CREATE TABLE account_proxies (number, server, login, encrypted)")
            database.execute("INSERT INTO account_proxies VALUES ('+491511234567', 'http://a:1', '', 0)")
            database.execute("PRAGMA user_version = 1")
            database.commit()
        return path

    return make


@pytest.mark.parametrize("name", ["a#b", "a?mode=memory", "a%20b", "ä 漢"])
def test_the_name_of_data_dir_is_taken_as_it_is(database, name):
    path = database(name)
    assert len(read_summaries(path)) == len(read_proxies(path)) == 1
    assert host._database(path).text.startswith("1 account,")


@pytest.fixture
def main_here(monkeypatch):
    """Run a command in this process, whose log and umask stay as they are."""
    monkeypatch.setattr("switchboard.__main__.set_up_logging", lambda *_, **__: None)
    monkeypatch.setattr(os, "umask", lambda _: 0o077)
    return main


def test_settings_may_be_named_behind_the_command(tmp_path, monkeypatch, main_here, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATA_DIR", raising=False)
    (tmp_path / "other.env").write_text(f"DATA_DIR={tmp_path}/of-the-file\n")
    for words in (["status", "--env-file", "other.env"], ["--env-file", "other.env", "status"]):
        assert main_here(words) == 2
        assert "of-the-file" in capfd.readouterr().err
    choose_env_file(None)


def test_names_are_printed_whatever_the_terminal_can_show(tmp_path, database):
    database("data")
    assert run(tmp_path, "status", PYTHONIOENCODING="ascii") == (0, [])


@pytest.mark.parametrize(
    ("name", "verdict"), [("there", "good"), ("made", "good"), ("file", "mend"), ("file/x", "mend"), ("a/b", "mend")]
)
def test_a_check_says_where_backups_go(tmp_path, name, verdict):
    (tmp_path / "there").mkdir()
    (tmp_path / "file").touch()
    assert host._backups(tmp_path / name).verdict == verdict
