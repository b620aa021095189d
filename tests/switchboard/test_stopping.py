"""Shutdown: no hung step can prevent it, and nothing outlives the last resort."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from switchboard import app
from switchboard.stopping import ALL_STEPS_SECONDS, LAST_RESORT_SECONDS, Stopping, StopRequested
from tests.virtual_time import pass_time, virtual, virtual_loop


@pytest.fixture(autouse=True)
def no_last_resort(monkeypatch):
    monkeypatch.setattr("switchboard.stopping.threading.Timer.start", lambda _: None)


async def for_ever():
    await asyncio.Event().wait()


async def stubborn(until):
    while not until.is_set():
        try:
            await until.wait()
        except asyncio.CancelledError:
            continue


@virtual
async def test_steps_that_hang_heed_no_cancellation_or_fail_all_end_before_the_last_resort(caplog):
    stopping = Stopping()
    taken, released = [], asyncio.Event()

    async def good():
        taken.append(1)

    async def fails():
        raise OSError("disk")

    for name, work in (("a", for_ever()), ("b", stubborn(released)), ("c", fails()), ("d", for_ever()), ("e", good())):
        await stopping.step(name, work, 22)
    assert taken == [1]
    assert virtual_loop().time() < LAST_RESORT_SECONDS
    assert "Stopping: a did not end within 22 s" in caplog.text
    assert "Stopping: c failed" in caplog.text
    released.set()
    assert ALL_STEPS_SECONDS < LAST_RESORT_SECONDS


@virtual
async def test_a_stop_that_is_asked_for_interrupts_the_start_and_what_begins_later():
    stopping = Stopping()

    async def start():
        async with stopping.interrupts():
            await for_ever()

    task = asyncio.create_task(start())
    await asyncio.sleep(1)
    stopping._take(signal.SIGTERM)
    with pytest.raises(StopRequested):
        await task
    with pytest.raises(StopRequested):
        async with stopping.interrupts():
            raise AssertionError("it began")


@virtual
async def test_a_timeout_of_the_start_itself_is_no_stop():
    with pytest.raises(TimeoutError):
        async with Stopping().interrupts(), asyncio.timeout(1):
            await for_ever()


HANGING = """
import asyncio, logging, subprocess, sys, threading, time
from switchboard import stopping
from switchboard.logs import set_up_logging
stopping.LAST_RESORT_SECONDS = 1.0
set_up_logging("INFO", "console")

async def main():
    told = stopping.Stopping()
    child = subprocess.Popen(["sh", "-c", "setsid sleep 300 & sleep 300"])
    print(child.pid, flush=True)
    await told.asked.wait()
    if "log" in sys.argv:
        logging.getLogger().handlers[0].acquire()
    if "loop" in sys.argv:
        time.sleep(300)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("hangs", ["task", "loop", "log"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_last_resort_ends_the_process_and_all_that_it_started(hangs, number):
    mark = f"{os.getpid()}-{hangs}-{number}"
    with subprocess.Popen(
        [sys.executable, "-c", HANGING, hangs],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"SWITCHBOARD_TEST": mark},
    ) as process:
        child = int(process.stdout.readline())
        time.sleep(0.2)
        process.send_signal(number)
        try:
            said = process.communicate(timeout=60)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert process.returncode == 75
    assert "stopping; once more ends at once" in said
    assert ("ending at once" in said.splitlines()[-1]) is (hangs != "log")
    deadline = time.monotonic() + 30
    while left := [entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit() and has(entry, mark)]:
        assert time.monotonic() < deadline, (child, left)
        time.sleep(0.05)


def has(process, mark):
    try:
        return (
            mark.encode() in (process / "environ").read_bytes()
            and b"State:\tZ" not in (process / "status").read_bytes()
        )
    except OSError:
        return False


SIGNALLED = """
import asyncio, sys
from switchboard import stopping
stopping.SAME_SIGNAL = 0.0

async def main():
    told = stopping.Stopping()
    heard = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(heard), sys.stdin)
    print("ready", flush=True)
    while line := await heard.readline():
        await asyncio.sleep(0.05)
        print(told.why or "-", flush=True)

asyncio.run(main())
"""


def test_which_signals_stop_it_and_which_end_it_at_once():
    with subprocess.Popen(
        [sys.executable, "-c", SIGNALLED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def reason_after(number):
            process.send_signal(number)
            process.stdin.write("well?\n")
            process.stdin.flush()
            return process.stdout.readline().strip()

        assert process.stdout.readline().strip() == "ready"
        assert [reason_after(each) for each in (signal.SIGUSR1, signal.SIGUSR2)] == ["-", "-"]
        assert [reason_after(each) for each in (signal.SIGQUIT, signal.SIGHUP, signal.SIGHUP)] == ["SIGQUIT"] * 3
        process.send_signal(signal.SIGQUIT)
        assert process.wait(20) == -signal.SIGTERM


@virtual
async def test_a_part_that_the_system_refuses_something_begins_anew(caplog):
    begun = []

    async def part():
        begun.append(1)
        if len(begun) < 3:
            raise OSError(errno.EMFILE, "Too many open files", "/proc/7/stat")
        await asyncio.Event().wait()

    async def has_a_bug():
        raise RuntimeError("a bug")

    running, ended = app._keep(part, "reaper"), app._keep(has_a_bug, "builds")
    await pass_time(60)
    assert len(begun) == 3
    assert not running.done(), "it would have been missing until a restart"
    assert caplog.text.count("reaper failed, and begins anew: [Errno 24] Too many open files") == 2
    assert ended.done(), "which the pulse reports"
    running.cancel()
