"""Log output contains no secrets, and a record is one line whatever text it includes."""

import asyncio
import errno
import json
import logging
import os
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path

import pytest

from switchboard import logs
from switchboard.logs import masked, redacted, set_up_logging

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "7000000001:" + "AA-nobodys_" * 3 + "xy"
KEYS = [letter * 43 + "=" for letter in "kis"]
CODE = ",".join([f"2@{'Ab9/' * 30}", *KEYS, "1"])
FORGED = "one\n2026-01-01 00:00:00,000 INFO    •••4567 State: IDLE → CONNECTED"


@pytest.fixture
def written(capsys):
    """Set up logging as the program does, for the time of a test; call it to read what was written."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.raiseExceptions, threading.excepthook
    try:
        yield lambda: capsys.readouterr().err
    finally:
        logging.captureWarnings(False)
        for handler in root.handlers[:]:
            root.removeHandler(handler)
        for handler in before[0]:
            root.addHandler(handler)
        root.setLevel(before[1])
        logging.raiseExceptions, threading.excepthook = before[2:]


UNREAD = """
import logging, sys
from switchboard import logs
logs._MOST_WAITING = 1000
logs.set_up_logging("INFO", "json")
log = logging.getLogger("switchboard.x")
for n in range(3000):
    log.info("%d %s", n, "ä" * 50)
print("logged", flush=True)
sys.stdin.readline()
log.info("the last")
"""


@pytest.mark.parametrize("blocking", [True, False])
def test_a_log_that_nobody_reads_delays_nothing_and_is_there_later(blocking):
    """As when journald stands still. Another process that shares the pipe may have made it non-blocking."""
    log, into = os.pipe()
    os.set_blocking(into, blocking)
    with subprocess.Popen(
        [sys.executable, "-c", UNREAD], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=into
    ) as process:
        os.close(into)
        too_late = threading.Timer(30, process.kill)
        too_late.start()
        with os.fdopen(log, encoding="utf-8") as lines:
            assert process.stdout.readline() == b"logged\n", "it waits for somebody who reads"
            first = [lines.readline() for _ in range(600)]
            process.stdin.write(b"\n")
            process.stdin.close()
            told = [json.loads(line)["message"] for line in [*first, *lines]]
        too_late.cancel()
    assert told.pop() == "the last"
    number = kept = 0
    for line in told:  # the pipe takes more as long as the writer has not filled it
        if line.endswith(" lines are missing here: nobody read the log"):
            number += int(line.split()[0])
        else:
            assert line == f"{number} {'ä' * 50}"
            number, kept = number + 1, kept + 1
    assert number == 3000
    assert 1000 <= kept < 3000


def test_a_host_on_which_no_thread_can_be_started_has_a_log(written, monkeypatch):
    def cannot(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(sys.stderr, "fileno", lambda: 2)
    monkeypatch.setattr(threading.Thread, "start", cannot)
    set_up_logging("INFO", "console")
    logging.getLogger("switchboard.x").info("here")
    assert "here" in written()


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        f"HTTP Request: POST https://api.telegram.org/bot{TOKEN}/getMe",
        f"https://api.telegram.org/file/bot{TOKEN}/photos/file_1.jpg",
        f"bot{TOKEN.replace(':', '%3A')}/getMe",
        f"bot{TOKEN.replace(':', '%3a')}/getMe",
        f"The token `{TOKEN}` was rejected by the server.",
        f"Bot[token={TOKEN}]",
    ],
)
def test_a_token_is_taken_out_wherever_it_stands(text):
    assert TOKEN.partition(":")[2] not in redacted(text)
    assert "<token>" in redacted(text)


@pytest.mark.parametrize("text", [CODE, f"Code(text='{CODE}')", CODE.split(",")[0], *KEYS, f"keys {KEYS[0]} {KEYS[1]}"])
def test_a_linking_code_is_taken_out_whole_and_in_parts(text):
    left = redacted(text)

    assert not [part for part in CODE.split(",") if len(part) > 16 and part in left]


@pytest.mark.parametrize("folder", ["profiles/", "saved/", "run/", "profiles/."])
def test_numbers_in_the_paths_of_accounts_are_masked(folder):
    text = redacted(f"[Errno 2] No such file: '/data/{folder}491511234567/x' and /data/{folder}491511234567.json")

    assert "1511234567" not in text
    assert text.count("•••4567") == 2


def test_what_is_no_secret_stays():
    line = "2026-11-23 12:00:00,000 INFO    •••4567 Reconnect in 4s (attempt 3/10), pid 1234567: 12345:67 https://x/a=b"

    assert redacted(line) == line


@pytest.mark.parametrize("kind", ["console", "json"])
@pytest.mark.parametrize("sign", ["\n", "\r", "\x1b[31m", "\x9b31m", "\x85", "\u2028", "\u202e", "\x00", "\x7f"])
def test_a_record_is_one_line_without_anything_unseen(written, kind, sign):
    set_up_logging("INFO", kind)
    logging.getLogger("switchboard").info("%s", f"a{sign}b")
    text = written()

    assert text.splitlines() == [text.rstrip("\n")]
    assert text.rstrip("\n").isprintable()
    if kind == "json":
        assert json.loads(text)["message"] == f"a{sign}b"


def test_a_traceback_cannot_pass_for_a_record(written):
    set_up_logging("INFO", "console")

    def fail():
        raise RuntimeError(f"{FORGED} {TOKEN}\x1b[2J")

    try:
        fail()
    except RuntimeError:
        logging.getLogger("switchboard").exception("It failed")
    first, *rest = written().splitlines()

    assert first.endswith("ERROR   It failed")
    assert rest
    assert all(line.startswith("    ") and line.isprintable() for line in rest)
    assert not [line for line in rest if TOKEN in line]


@pytest.mark.parametrize("kind", ["console", "json"])
def test_secrets_in_arguments_tracebacks_tasks_threads_and_warnings(written, kind):
    set_up_logging("DEBUG", kind)

    def fail():
        raise RuntimeError(f"https://x/bot{TOKEN}/ {CODE}")

    async def failing():
        task = asyncio.ensure_future(asyncio.to_thread(fail))
        await asyncio.wait([task])
        del task

    logging.getLogger("httpx").warning("to %s", f"https://x/bot{TOKEN}/getMe")
    asyncio.run(failing())
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    logging.getLogger("py.warnings").warning("%s", CODE)
    logging.getLogger("switchboard").info("too few %s %s", CODE)  # noqa: PLE1206 - on purpose
    text = written()

    assert "A thread failed" in text
    assert "never retrieved" in text
    assert TOKEN not in text
    assert not [part for part in CODE.split(",") if len(part) > 16 and part in text]


@pytest.mark.parametrize("kind", ["console", "json"])
def test_a_librarys_record_is_one_line_of_bounded_length_without_numbers(written, kind):
    set_up_logging("INFO", kind)
    update = {"message": {"text": "call +4915112345678 or 004915112345678", "more": "x" * 5000}}
    try:
        int("no number, and +33612345678")
    except ValueError:
        logging.getLogger("telegram.ext").critical("Received data was %r", [update], exc_info=True)
    text = written()

    assert len(text.splitlines()) == 1
    assert "15112345678" not in text
    assert "612345678" not in text
    assert "•••5678" in text
    assert len(text) < 1000


def test_a_bug_ends_the_program_with_code_1_and_without_the_token(tmp_path):
    program = (
        "import sys, switchboard.app\n"
        "async def serve(settings): raise RuntimeError(settings.telegram_bot_token.get_secret_value())\n"
        "switchboard.app.serve = serve\n"
        "from switchboard.__main__ import main\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={
            "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TELEGRAM_BOT_TOKEN": TOKEN,
            "TELEGRAM_ADMIN_IDS": "1", "DATA_DIR": str(tmp_path / "data"),
        },
        cwd=tmp_path,
        text=True,
        capture_output=True,
        check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert "A bug ended the program" in done.stderr
    assert TOKEN not in done.stderr + done.stdout


@pytest.mark.parametrize(
    "name", ["playwright.00493012ab", "run/bcdf.0049151234567e01.sh", "f00d0049151234567", "0049151234567D"]
)
def test_a_hexadecimal_name_is_no_phone_number(name):
    assert masked(name) == name
    assert masked(f"{name} of 0049151234567") == f"{name} of •••4567"


@pytest.mark.parametrize("kind", ["console", "json"])
def test_numbers_that_libraries_write_are_masked_as_ours_are(written, kind):
    set_up_logging("INFO", kind)
    logging.getLogger("httpx").warning("no +491511234567 nor 491511234567@c.us or 491511234567:12@s.whatsapp.net")
    text = written()
    assert "1511234567" not in text
    assert text.count("•••4567") == 3
    set_up_logging("INFO", kind, full_numbers=True)
    logging.getLogger("httpx").warning("it is +491511234567")
    assert "+491511234567" in written()


@pytest.mark.parametrize("kind", ["console", "json"])
def test_a_shortage_of_the_system_is_one_line_a_minute_in_each_place(written, kind, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(logs.time, "monotonic", lambda: now[0])
    set_up_logging("INFO", kind)

    def refuse(logger, text, number):
        logging.getLogger(logger).error(text, exc_info=OSError(number, os.strerror(number)))

    for _ in range(3):
        for place in range(100):
            refuse("asyncio", f"socket.accept() out of system resource\nsocket: {place}", errno.EMFILE)
            refuse("controller", "The budgets could not be checked", errno.EMFILE)
        refuse("controller", "The budgets could not be checked", errno.ENOSPC)
        now[0] += 59
    lines = written().splitlines()
    assert [sum(word in line for line in lines) for word in ("accept", "budgets", "Too many open", "No space")] == [
        2,
        4,
        4,
        2,
    ]
    assert len(lines) == 6, "no tracebacks"
    refuse("controller", "A bug", errno.EBADF)
    assert "OSError: [Errno 9]" in written(), "which is none of the system's"


def test_the_time_has_its_offset(written):
    set_up_logging("INFO", "console")
    logging.getLogger("switchboard").info("x")
    assert datetime.fromisoformat(written().split()[0]).tzinfo is not None
