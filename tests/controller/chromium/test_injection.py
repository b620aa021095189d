"""Names that try to inject code: in scripts, paths, links and command lines."""

import os
import subprocess
from pathlib import Path

import pytest

from controller.chromium.process import flags
from controller.chromium.process.find import Browser
from controller.chromium.process.launch_script import ticket_owner, write_ticket
from controller.chromium.process.launcher import clear_singleton
from controller.chromium.process.tree import this_process
from controller.chromium.profile.profile import Profile
from controller.chromium.profile.vault import Vault, VaultError

NASTY = [
    "two words", "it's", 'a"b', "$(touch pwned)", "`touch pwned`", "x; touch pwned #", "a\nb; touch pwned", "-rf", "*",
    "ü😀", "\udcff", "\\", "%s",
]  # fmt: skip


@pytest.mark.parametrize("name", NASTY)
def test_a_ticket_hands_on_what_it_is_given_whatever_it_is_called(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    echo = folder / "echo"
    echo.write_text("#!/bin/sh\nprintf '%s\\0' \"$@\"\n")
    echo.chmod(0o700)
    ticket = folder / "1.sh"
    write_ticket(ticket, folder / "1.json", os.getpid(), echo, "--lock", str(folder / "1.lock"))
    assert ticket_owner(ticket) == this_process()

    done = subprocess.run([ticket, *NASTY, "--owner", "1:1"], capture_output=True, cwd=tmp_path, check=False)

    assert done.stderr == b""
    assert [os.fsdecode(part) for part in done.stdout.split(b"\0")[:-1]] == [*NASTY, "--owner", "1:1"]
    assert not list(tmp_path.rglob("pwned"))


def test_a_ticket_is_never_written_through_what_lies_in_its_place(tmp_path):
    victim, ticket = tmp_path / "victim", tmp_path / "1.sh"
    victim.write_text("precious")
    ticket.symlink_to(victim)

    with pytest.raises(FileExistsError):
        write_ticket(ticket, tmp_path / "1.json", os.getpid(), Path("/bin/true"))
    assert victim.read_text() == "precious"


@pytest.mark.parametrize(
    "account",
    ["", "+", "..", "+../../etc", "/etc/passwd", "+49/..", "+49\0", "+49\n", "+４９", "+٤٩", "49 ", "+" + "9" * 16,
     "++49"],
)  # fmt: skip
def test_a_number_is_never_a_path(tmp_path, account):
    with pytest.raises(ValueError, match="digits"):
        Profile.of(tmp_path, account)


def test_what_the_system_says_of_a_copy_is_told_without_its_path(tmp_path):
    profile = Profile.of(tmp_path, "+491511234567")
    (profile.folder / "Default" / "IndexedDB").mkdir(parents=True)
    vault = Vault(tmp_path)
    copy = vault.save(profile)
    assert copy is not None
    copy.path.unlink()

    with pytest.raises(VaultError) as error:
        vault.restore(profile, copy)
    assert str(error.value) == "the copy could not be restored: No such file or directory"
    profile.saved.rmdir()
    profile.saved.touch()
    with pytest.raises(VaultError) as error:
        vault.save(profile)
    assert profile.name not in str(error.value)


def test_a_stale_socket_is_removed_and_nothing_else_that_it_may_point_to(tmp_path):
    profile, chromiums, somebodys = (tmp_path / name for name in ("profile", "org.chromium.x", "my-chrome-project"))
    for folder in (profile, chromiums, somebodys):
        folder.mkdir()
    for folder in (chromiums, somebodys):
        (folder / "SingletonSocket").touch()
    (somebodys / "thesis.tex").write_text("precious")

    for folder in (chromiums, somebodys):
        (profile / "SingletonSocket").symlink_to(folder / "SingletonSocket")
        assert clear_singleton(profile) is None
        assert not (profile / "SingletonSocket").is_symlink()
    assert not chromiums.exists()
    assert (somebodys / "thesis.tex").read_text() == "precious"


def test_the_operators_arguments_stay_whole_and_last():
    extra = ("--proxy-server=socks5://127.0.0.1:1; id", "--lang=$(id)")

    assert flags.arguments(Browser(Path("/x"), "156.0.0.0"), extra)[-2:] == list(extra)
