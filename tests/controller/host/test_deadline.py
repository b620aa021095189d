"""The end of a lease with real processes: kept by the kernel, and once more by the guard."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from controller.chromium.process import launcher
from controller.chromium.process.launcher import boot_id, start_ticks
from controller.host.deadline import boot_time

HOST = r"""
import os, subprocess, sys, time
from controller.host.deadline import Deadline, boot_time
from controller.chromium.process.tree import this_process
folder = sys.argv[1]
deadline = Deadline()
deadline.set(boot_time() + 60)
ticket = os.path.join(folder, "t.sh")
open(ticket, "w").close()
browser = subprocess.Popen([sys.executable, "-I", "-S", sys.argv[2], "--kill", "--parent", str(os.getpid()),
    "--pid-file", os.path.join(folder, "b.json"), "--owner", str(this_process()), "--ticket", ticket, "--",
    "sleep", "60"])
while b"sleep" != open(f"/proc/{browser.pid}/cmdline", "rb").read().split(b"\0")[0]:
    time.sleep(0.01)
deadline.set(boot_time() + float(sys.argv[3]))
print(browser.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def host(tmp_path):
    started = []

    def start(seconds):
        command = [sys.executable, "-c", HOST, str(tmp_path), launcher.__file__, str(seconds)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process, int(process.stdout.readline())

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in {b"Z", b"X"}
    except OSError:
        return False


def ends(pid, within):
    ends_at = time.monotonic() + within
    while is_alive(pid) and time.monotonic() < ends_at:
        time.sleep(0.01)
    return not is_alive(pid)


@pytest.mark.parametrize("frozen", [False, True], ids=["running", "frozen"])
def test_the_kernel_ends_a_host_and_its_browser_with_the_lease(host, frozen):
    process, browser = host(1.5)
    if frozen:
        for pid in (process.pid, browser):
            with contextlib.suppress(ProcessLookupError):  # the lease is over already
                os.kill(pid, signal.SIGSTOP)

    assert process.wait(30) == -signal.SIGKILL
    assert ends(browser, 30)


def test_a_browser_ends_with_its_host_whatever_it_would_do(host):
    process, browser = host(60)
    os.kill(browser, signal.SIGSTOP)

    process.kill()

    assert ends(browser, 30)


@pytest.fixture
def guarded(tmp_path):
    """A process that nothing but the guard would end, with the pid file of a browser, and its guard."""
    owner = subprocess.Popen(["sleep", "60"])
    browser = subprocess.Popen(["sleep", "60"], start_new_session=True)
    identity = {
        "boot": boot_id(), "pid": browser.pid, "start": start_ticks(browser.pid), "ticket": "t",
        "owner": {"pid": owner.pid, "start": start_ticks(owner.pid)},
    }  # fmt: skip
    (tmp_path / "b.json").write_text(json.dumps(identity))
    other = subprocess.Popen(["sleep", "60"], start_new_session=True)
    identity |= {"pid": other.pid, "start": start_ticks(other.pid), "owner": {"pid": 1, "start": 0}}
    (tmp_path / "o.json").write_text(json.dumps(identity))
    command = [sys.executable, "-m", "controller.cluster.guard", str(tmp_path), f"{owner.pid}:{start_ticks(owner.pid)}"]
    guard = subprocess.Popen(command, stdin=subprocess.PIPE)
    yield guard, owner, browser, other
    for process in (guard, owner, browser, other):
        process.kill()
        process.wait()
    guard.stdin.close()


@pytest.mark.parametrize("why", ["pipe", "lease", "death"])
def test_the_guard_ends_what_is_left_and_nothing_else(guarded, why):
    guard, owner, browser, other = guarded
    if why == "pipe":
        guard.stdin.close()
    elif why == "lease":
        guard.stdin.write(f"{boot_time() + 60}\n{boot_time() + 0.5}\n".encode())
        guard.stdin.flush()
    else:
        owner.kill()
        owner.wait()

    assert guard.wait(15) == 0
    assert ends(browser.pid, 10)
    assert ends(owner.pid, 10)
    assert is_alive(other.pid)


def test_the_guard_does_nothing_while_the_lease_is_extended(guarded):
    guard, owner, browser, _ = guarded
    guard.stdin.write(f"{boot_time() + 0.5}\n{boot_time() + 60}\n".encode())
    guard.stdin.flush()
    time.sleep(1)

    assert all(is_alive(one.pid) for one in (guard, owner, browser))
