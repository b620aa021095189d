"""Ensures that there is a browser: finds one that starts, else installs one. Run by `make setup`.

Tried in order until one starts: an installed one; Playwright's own download, which needs no privileges; the libraries
that it lacks; the system's package. The last two only as root, or where sudo asks for no password.
Not here: where a browser may be (`find`), and anything that the running controller needs.
"""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from controller.chromium.process.find import Browser, find_executable, identify
from controller.driver import DriverError

_COMMAND_SECONDS = 900.0
_SUDO_SECONDS = 10.0

_PLAYWRIGHT = (sys.executable, "-m", "playwright")

_PACKAGES: dict[str, Sequence[Sequence[str]]] = {
    # package manager → the commands that may install a browser, the smallest browser first
    "apt-get": (
        ("update",),
        ("install", "--yes", "--no-install-recommends", "chromium-headless-shell"),
        ("install", "--yes", "--no-install-recommends", "chromium"),
    ),
    "dnf": (("install", "--assumeyes", "chromium-headless"), ("install", "--assumeyes", "chromium")),
    "pacman": (("-Sy", "--noconfirm", "--needed", "chromium"),),
    "apk": (("add", "--no-cache", "chromium"),),
    "zypper": (("--non-interactive", "install", "chromium"),),
}

_WHAT_TO_DO = (
    "No browser could be installed. Install Chromium yourself (on Debian: apt-get install chromium-headless-shell), "
    "or set CHROMIUM_PATH to one that is there, and try again."
)


class _Chosen(BaseSettings):
    """The one setting that matters here: all others may still be missing when this runs."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore")

    chromium_path: Path | None = None


def main() -> int:
    """Find or install a browser, and print which it is or what to do. Returns the exit code."""
    chosen = _chosen()
    try:
        browser: Browser | None = _find(chosen)
    except DriverError as error:
        if chosen is not None:
            print(f"{error.detail}: correct it, or leave it empty to have a browser found", file=sys.stderr)
            return 1
        browser = _install()
    if browser is None:
        print(_WHAT_TO_DO, file=sys.stderr)
        return 1
    print(f"Browser: {browser.path} ({browser.version})")
    return 0


def _chosen() -> Path | None:
    try:
        path = _Chosen().chromium_path
    except (OSError, UnicodeDecodeError):
        return None  # the `.env` cannot be read: the program itself reports that
    return None if path is None else path.expanduser()


def _find(chosen: Path | None = None) -> Browser:
    """Return a browser that at least reports its version. Raises DriverError."""
    return asyncio.run(identify(find_executable(chosen)))


def _found() -> Browser | None:
    try:
        return _find()
    except DriverError:
        return None


def _install() -> Browser | None:
    """Try the ways of installing in turn until a browser starts."""
    downloaded = _run(*_PLAYWRIGHT, "install", "--only-shell", "--no-progress", "chromium")
    if browser := _found():
        return browser
    rights = _rights()
    if downloaded:
        if rights is not None and shutil.which("apt-get"):  # Playwright knows the libraries' names for apt only
            _run(*_PLAYWRIGHT, "install-deps", "chromium-headless-shell")
            if browser := _found():
                return browser
        _run(*_PLAYWRIGHT, "uninstall")  # it would be found before the system's browser, which may start
    if rights is None:
        return None
    for manager, commands in _PACKAGES.items():
        if shutil.which(manager):
            for command in commands:
                if _run(*rights, manager, *command) and (browser := _found()):
                    return browser
    return None


def _rights() -> Sequence[str] | None:
    """Return the prefix of a command that needs root; None if that would require a password."""
    if os.geteuid() == 0:
        return ()
    if shutil.which("sudo") is None:
        return None
    try:
        asked = subprocess.run(("sudo", "-n", "true"), capture_output=True, timeout=_SUDO_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return None
    return ("sudo", "-n") if asked.returncode == 0 else None


def _run(*command: str) -> bool:
    """Run a command without a terminal; print its output only if it failed. Returns whether it succeeded."""
    words = command[2:] if command[:3] == _PLAYWRIGHT else command
    print(f"No browser that starts: trying {' '.join(words)} (may take minutes)", flush=True)
    try:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            timeout=_COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        print(f"  no end after {_COMMAND_SECONDS:g} s")
        return False
    if ended.returncode == 0:
        return True
    lines = ended.stdout.split("\n")
    why = next((line for line in lines if line.startswith(("E:", "Error", "ERROR"))), "")
    print(f"  failed: {why or f'exit code {ended.returncode}'}")
    return False


if __name__ == "__main__":
    sys.exit(main())
