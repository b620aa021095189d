"""DATA_DIR is ours only: nothing of another user's there is followed or opened."""

import errno
import os
import stat
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from storage.database import StorageError, open_database
from switchboard import data_dir
from switchboard.data_dir import DataDirError, lock_data_dir

OTHER = 4711


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def as_another(monkeypatch):
    """See everything as a user to whom none of it belongs, root excepted."""
    if os.geteuid() == 0:
        pytest.skip("root's files are trusted: this needs a user of its own")
    monkeypatch.setattr(data_dir.os, "geteuid", lambda: OTHER)


@pytest.fixture
def give_away():
    """Give a path to another user; only root can."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    return lambda path: os.chown(path, OTHER, OTHER, follow_symlinks=False)


def test_it_is_made_for_our_eyes_only_and_an_open_one_is_closed(tmp_path):
    made, wide = tmp_path / "made", tmp_path / "wide"
    wide.mkdir()
    wide.chmod(0o777)
    for path in (made, wide):
        with lock_data_dir(path):
            assert mode(path) == 0o700
            assert mode(path / "switchboard.lock") == 0o600


def test_a_second_program_is_refused_and_told_by_whom(tmp_path):
    with (
        lock_data_dir(tmp_path / "data"),
        pytest.raises(DataDirError, match=f"process {os.getpid()}"),
        lock_data_dir(tmp_path / "data"),
    ):
        pass


def test_one_of_another_user_is_refused(tmp_path, as_another):
    with pytest.raises(DataDirError, match="belongs to another user"), lock_data_dir(tmp_path):
        pass


def test_one_given_to_another_user_is_refused_even_to_root(tmp_path, give_away):
    give_away(tmp_path)
    with pytest.raises(DataDirError, match=f"uid {OTHER}"), lock_data_dir(tmp_path):
        pass


@pytest.mark.parametrize("planted", ["switchboard.lock", "switchboard.sqlite", "profiles", "run/491511234567.json"])
def test_what_another_user_planted_is_refused_and_not_followed(tmp_path, give_away, planted):
    victim, data_dir = tmp_path / "victim", tmp_path / "data"
    victim.write_text("precious")
    link = data_dir / planted
    link.parent.mkdir(parents=True)
    link.symlink_to(victim)
    give_away(link)

    with pytest.raises(DataDirError, match="belongs to another user"), lock_data_dir(data_dir):
        pass
    assert victim.read_text() == "precious"


@pytest.fixture
def forbid(monkeypatch):
    """Deny access to the contents of one folder, as root's folders deny it to others."""
    listed = Path.iterdir

    def lists(folder):
        def refuse(path):
            if path == folder:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return listed(path)

        folder.mkdir(parents=True)
        monkeypatch.setattr(Path, "iterdir", refuse)

    return lists


def test_a_disk_of_its_own_is_used_although_lost_and_found_is_closed_to_us(tmp_path, forbid):
    forbid(tmp_path / "lost+found")
    with lock_data_dir(tmp_path):
        pass


def test_what_cannot_be_read_is_named(tmp_path, forbid):
    forbid(tmp_path / "profiles")
    with pytest.raises(DataDirError) as raised, lock_data_dir(tmp_path):
        pass
    assert str(raised.value) == f"DATA_DIR {tmp_path} cannot be used: {tmp_path / 'profiles'}: Permission denied"


@pytest.fixture(scope="module")
def full_disk(tmp_path_factory):
    """A disk of one page, which is used up: only root can mount one."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    folder = tmp_path_factory.mktemp("disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "none", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    with suppress(OSError), (folder / "full").open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_is_one_line_and_may_heal(full_disk):
    with pytest.raises(DataDirError, match="No space left on device") as raised, lock_data_dir(full_disk):
        pass
    assert raised.value.transient


def test_a_disk_on_which_nothing_can_be_run_is_refused(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "noexec,size=1m", "none", folder], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        with pytest.raises(DataDirError, match="is mounted noexec") as raised, lock_data_dir(folder):
            pass
        assert not raised.value.transient
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_file_system_without_locks_is_one_line(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(data_dir.fcntl, "flock", refuse)
    with pytest.raises(DataDirError, match="has no locks") as raised, lock_data_dir(tmp_path / "data"):
        pass
    assert not raised.value.transient


async def test_a_link_in_the_place_of_the_lock_or_the_database_is_never_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    victim.chmod(0o644)
    for name in ("switchboard.lock", "switchboard.sqlite"):
        (tmp_path / name).symlink_to(victim)

    with pytest.raises(DataDirError), lock_data_dir(tmp_path):
        pass
    with pytest.raises(StorageError):
        async with open_database(tmp_path / "switchboard.sqlite"):
            pass
    assert victim.read_text() == "precious"
    assert mode(victim) == 0o644


GROUP_OF_ROOT = """
import os, sys
from pathlib import Path
from switchboard.backup.create import _refuse
from switchboard.data_dir import DataDirError, lock_data_dir
os.setgroups([])
os.setgid(4711)
os.setuid(4711)
folder = Path(sys.argv[1])
try:
    with lock_data_dir(folder):
        (folder / "switchboard.sqlite").touch()
        _refuse(folder, folder / "backup")
except DataDirError as error:
    sys.exit(str(error))
"""


@pytest.mark.parametrize(("mode", "why"), [(0o2775, ""), (0o2777, "everybody may write")])
def test_a_volume_that_belongs_to_root_and_to_our_group_is_ours(mode, why):
    """As Kubernetes mounts one for `fsGroup`: only its owner could change its mode."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    with tempfile.TemporaryDirectory() as base:
        Path(base).chmod(0o755)
        folder = Path(base) / "data"
        folder.mkdir()
        os.chown(folder, 0, 4711)
        folder.chmod(mode)
        done = subprocess.run(
            [sys.executable, "-c", GROUP_OF_ROOT, folder], text=True, check=False, capture_output=True, timeout=60,
            env={"PYTHONPATH": str(Path(__file__).parents[2])}, cwd="/",
        )  # fmt: skip
    assert (done.returncode, why in done.stderr, "Traceback" in done.stderr) == (1 if why else 0, True, False)
