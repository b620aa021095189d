"""The image is built for real and does the main job in a locked-down container: read-only, no rights, few processes.

There is no daemon here: its root file system is run by bubblewrap, as a runtime would run it.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.deploy.build import build, run
from tests.deploy.seccomp import compile_profile
from tests.e2e.harness import left_behind, world

TOOLS = [tool for tool in ("buildah", "mmdebstrap", "bwrap") if shutil.which(tool) is None]
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.chromium,
    pytest.mark.skipif(bool(TOOLS), reason=f"needs {', '.join(TOOLS)}: apt-get install buildah mmdebstrap bubblewrap"),
    pytest.mark.skipif(os.geteuid() != 0, reason="building an image without a daemon needs root here"),
]

PIDS = Path("/sys/fs/cgroup/pids")
MOST_PROCESSES = 400


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """The image's root file system, mounted."""
    build()
    container = run("buildah", "from", "--pull-never", "localhost/switchboard")
    try:
        yield Path(run("buildah", "mount", container))
    finally:
        run("buildah", "rm", container)


def contained(root: Path, data_dir: Path, *command: str) -> list[str]:
    """Return the command that runs another one in the image: a user of its own, no capability, a read-only root.

    Its permitted system calls are in deploy/seccomp.json.
    """
    profile = data_dir.parent / "seccomp.bpf"
    filtered = compile_profile(profile)
    return [
        "sh", "-c", f'exec 9<{profile}; exec "$@"' if filtered else 'exec "$@"', "sh", "bwrap",
        *(["--seccomp", "9"] if filtered else []), "--unshare-user", "--uid", "10001", "--gid", "10001",
        "--unshare-pid", "--as-pid-1",
        "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--cap-drop", "ALL",
        "--ro-bind", str(root), "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",
        "--bind", str(data_dir), "/data", "--chdir", "/data", "--unsetenv", "PYTHONPATH",
        "--setenv", "DATA_DIR", "/data", "--setenv", "HOME", "/tmp",
        "--setenv", "PATH", "/opt/switchboard/bin:/usr/bin:/bin", *command,
    ]  # fmt: skip


def inside(root: Path, data_dir: Path, *command: str) -> tuple[int, str]:
    """Run a command in the image and return its code and what it wrote."""
    done = subprocess.run(contained(root, data_dir, *command), check=False, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


@contextmanager
def few_processes() -> Iterator[list[str]]:
    """Yield what puts a command under a limit of processes; nothing where that cannot be set here."""
    group = PIDS / f"switchboard-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "pids.max").write_text(str(MOST_PROCESSES))
    except OSError:
        yield []
        return
    try:
        yield ["sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh"]
    finally:
        group.rmdir()


def init_of(program) -> psutil.Process:
    """The container's first process, which a runtime would signal."""
    return next(each for each in program.family() if each.name() == "tini")


def zombies_of(program) -> list[psutil.Process]:
    found = []
    for each in program.family():
        with suppress(psutil.NoSuchProcess):
            if each.status() == psutil.STATUS_ZOMBIE:
                found.append(each)
    return found


@pytest.mark.timeout(1500)
async def test_the_image_does_the_main_job(tmp_path, root):
    data_dir = tmp_path / "data"
    data_dir.mkdir(mode=0o700)
    async with world(tmp_path) as here:
        with few_processes() as limited:
            command = [*limited, *contained(root, data_dir, "/usr/bin/tini", "--", "switchboard")]
            assert inside(root, data_dir, "python3", "/opt/switchboard/healthcheck.py")[0] == 1
            async with here.program(command=command) as program:
                await here.link()
                photos = len(here.client.requests("sendPhoto"))
                browser = next(p for p in program.family() if any("--user-data-dir" in w for w in p.cmdline()))
                assert "--no-sandbox" not in browser.cmdline(), "the browser has its sandbox in here"
                assert inside(root, data_dir, "python3", "/opt/switchboard/healthcheck.py") == (0, "")

                # what dies is back, and leaves no zombie: what is left to us is reaped
                before = len(here.transitions())
                browser.kill()
                await here.until_connected(after=before)
                await here.until(lambda: not zombies_of(program), within=30)

                init_of(program).send_signal(signal.SIGTERM)
                assert await program.ended() == 0
            before = len(here.transitions())
            async with here.program(command=command) as program:  # the container is recreated, its volume is not
                await here.until_connected(after=before)
                assert here.qr() is None
                assert len(here.client.requests("sendPhoto")) == photos
                init_of(program).send_signal(signal.SIGTERM)
                assert await program.ended() == 0
        assert left_behind(data_dir) == []


@pytest.mark.timeout(1500)
def test_the_image_is_closed(tmp_path, root):
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    code, told = inside(
        root, tmp_path, "python3", "-c", "import os; print(os.geteuid()); open('/opt/switchboard/x', 'w')"
    )
    assert code == 1
    assert told.startswith("10001\n")
    assert "not permitted" in inside(root, data_dir, "unshare", "-Urm", "true")[1], "the seccomp profile is in force"
    assert "Read-only file system" in told
    assert inside(root, data_dir, "switchboard")[0] == 2, "without settings it ends with one line for a person"
    code, told = inside(root, data_dir, "sh", "-c", "command -v pip pip3 gcc git curl; ls /build /root")
    assert "/opt/switchboard/bin/pip" not in told
    strangers = [
        path for path in (root / "opt" / "switchboard").rglob("*")
        if path.name in {".env", ".git", "constraints.txt", "tests", "sandbox"} and "site-packages" not in path.parts
    ]  # fmt: skip
    assert strangers == []
    for lent in (root / "etc" / "pip.conf", root / "run" / "lent-certificates.crt"):
        assert not lent.exists() or lent.stat().st_size == 0, "where it was mounted there may be an empty file"
