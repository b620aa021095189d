"""The launcher as a program: what it refuses, what it writes, and what it becomes."""

import asyncio
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from controller.chromium.process import launcher
from controller.chromium.process.tree import PidFile, this_process
from tests.controller.chromium.conftest import eventually

SLEEP = ["/bin/sleep", "60"]


@pytest.mark.parametrize(
    ("given", "joined"),
    [
        ("--a --disable-features=A,B --disable-features=B,C url", "--disable-features=A,B,C --a url"),
        ("--enable-features=A --disable-features= --enable-features=B", "--enable-features=A,B --disable-features="),
        ("cli.js run-driver", "cli.js run-driver"),
    ],
)
def test_feature_lists_are_joined(given: str, joined: str) -> None:
    assert list(launcher.merged_features(given.split())) == joined.split()


def test_secrets_are_not_passed_on() -> None:
    environment = {
        "PATH": "/bin", "LC_ALL": "C", "https_proxy": "p", "HTTP_PROXY": "p", "PW_LANG_NAME": "python",
        "TELEGRAM_BOT_TOKEN": "1:x", "PROFILE_KEY": "k", "AWS_SECRET_ACCESS_KEY": "s", "PATHOLOGY": "x",
    }  # fmt: skip
    assert set(launcher.passed_on(environment)) == {"PATH", "LC_ALL", "https_proxy", "HTTP_PROXY", "PW_LANG_NAME"}


def test_it_loads_nothing_that_costs_time_at_every_launch() -> None:
    asked = "import sys; sys.path.insert(0, sys.argv[1]); import launcher; print(*sys.modules)"
    folder = Path(launcher.__file__).parent
    answer = subprocess.run(
        [sys.executable, "-I", "-S", "-c", asked, folder], capture_output=True, text=True, check=True
    )
    loaded = set(answer.stdout.split())
    assert not loaded & {"argparse", "contextlib", "enum", "json", "pathlib", "re", "signal", "socket", "typing"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--parent", "1", "--", "true"], "missing: pid-file, owner, ticket"),
        (["--parent", "1", "--pid-file", "p", "--owner", "1:1", "--ticket", "t"], "missing: command"),
        (["--parent", "1", "--new", "p"], "unknown option --new"),
    ],
)
def test_what_is_missing_is_said(given: list[str], said: str) -> None:
    command = [sys.executable, "-I", "-S", launcher.__file__, *given]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr.strip()) == (1, launcher.REFUSAL + said)


class Place:
    """The files of one launch."""

    def __init__(self, folder: Path) -> None:
        self.profile = folder / "profile"
        self.profile.mkdir()
        self.pid_file = folder / "1.json"
        self.lock = folder / "1.lock"
        self.ticket = folder / "1.sh"
        self.ticket.touch()

    def run(self, command: list[str] = SLEEP, parent: int | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [
                sys.executable, "-I", "-S", launcher.__file__, "--parent", str(parent or os.getpid()),
                "--pid-file", self.pid_file, "--owner", str(this_process()), "--ticket", self.ticket,
                "--lock", self.lock, "--profile", self.profile, "--", *command,
            ],
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip

    def refusal(self, **given: int) -> str:
        process = self.run(**given)  # type: ignore[arg-type]
        _, said = process.communicate(timeout=60)
        assert process.returncode == 1
        return said.strip()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate(timeout=60)


async def test_it_becomes_the_program_and_holds_the_lock(place: Place) -> None:
    process = place.run()
    try:
        found = await eventually(lambda: PidFile.read(place.pid_file))
        assert found.process.pid == process.pid
        assert found.owner == this_process()
        assert not found.is_orphaned()
        await eventually(lambda: Path(f"/proc/{process.pid}/cmdline").read_bytes().startswith(b"/bin/sleep"))
        assert os.getpgid(process.pid) == process.pid
        with place.lock.open() as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert place.refusal() == f"switchboard launcher: profile in use by process {process.pid}"
    finally:
        end(process)
    with place.lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_without_its_ticket_nothing_starts(place: Place) -> None:
    place.ticket.unlink()
    assert place.refusal() == "switchboard launcher: not wanted any more"
    assert not place.pid_file.exists()


def test_without_its_parent_nothing_starts(place: Place) -> None:
    assert place.refusal(parent=os.getppid()) == "switchboard launcher: its parent is gone"


def test_a_program_that_is_not_there(place: Place) -> None:
    process = place.run(["/nowhere/browser"])
    _, said = process.communicate(timeout=60)
    assert said.strip() == "switchboard launcher: cannot run /nowhere/browser: No such file or directory"
    assert not place.pid_file.exists()


PARENT = """
import os, subprocess, sys
subprocess.Popen([word.replace("PARENT", str(os.getpid())) for word in sys.argv[1:]])
sys.stdin.read()
"""


def test_it_ends_with_its_parent(place: Place) -> None:
    middle = subprocess.Popen(
        [
            sys.executable, "-c", PARENT,
            sys.executable, "-I", "-S", launcher.__file__, "--parent", "PARENT", "--pid-file", place.pid_file,
            "--owner", str(this_process()), "--ticket", place.ticket, "--", *SLEEP,
        ],
        stdin=subprocess.PIPE,
    )  # fmt: skip
    asyncio.run(eventually(lambda: PidFile.read(place.pid_file)))
    found = PidFile.read(place.pid_file)
    assert found is not None
    middle.send_signal(signal.SIGKILL)
    middle.communicate(timeout=60)
    asyncio.run(eventually(lambda: not found.process.is_alive()))


def leave_singleton(profile: Path, holder: str, socket_folder: Path) -> None:
    socket_folder.mkdir()
    (socket_folder / "SingletonSocket").touch()
    (profile / "SingletonLock").symlink_to(holder)
    (profile / "SingletonCookie").symlink_to("12345")
    (profile / "SingletonSocket").symlink_to(socket_folder / "SingletonSocket")


@pytest.mark.parametrize(
    "holder", ["another-host-1", f"{socket.gethostname()}-4194303", f"{socket.gethostname()}-1", "-"]
)
def test_a_stale_lock_of_chromium_is_cleared(place: Place, tmp_path: Path, holder: str) -> None:
    folder = tmp_path / "org.chromium.Chromium.abc"
    leave_singleton(place.profile, holder, folder)
    assert launcher.clear_singleton(place.profile) is None
    assert list(place.profile.iterdir()) == []
    assert not folder.exists()


def test_a_lock_that_is_given_up_a_moment_later_is_waited_for(place: Place) -> None:
    with place.lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        process = place.run([sys.executable, "-c", "print('started', file=__import__('sys').stderr)"])
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "started\n")


def test_a_lock_that_is_kept_is_not_waited_for_for_ever(place: Place) -> None:
    with place.lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert place.refusal() == "switchboard launcher: profile in use"


def test_a_living_browser_of_somebody_else_is_respected(place: Place, tmp_path: Path) -> None:
    browser = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)", f"--user-data-dir={place.profile}"], text=True
    )
    try:
        leave_singleton(place.profile, f"{socket.gethostname()}-{browser.pid}", tmp_path / "org.chromium.Chromium.abc")
        assert place.refusal() == f"switchboard launcher: profile in use by process {browser.pid}"
        assert (place.profile / "SingletonLock").is_symlink()
    finally:
        end(browser)


def test_a_pid_file_of_another_boot_says_nothing(place: Place) -> None:
    mine = this_process()
    told = {"pid": mine.pid, "start": mine.start, "ticket": "x", "owner": {"pid": mine.pid, "start": mine.start}}
    place.pid_file.write_text(json.dumps({**told, "boot": launcher.boot_id()}))
    assert PidFile.read(place.pid_file) is not None
    place.pid_file.write_text(json.dumps({**told, "boot": "another"}))
    assert PidFile.read(place.pid_file) is None
    place.pid_file.write_text("{")
    assert PidFile.read(place.pid_file) is None
