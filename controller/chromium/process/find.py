"""Finds the browser's executable and queries its version.

The headless shell is preferred, since it needs about half the memory of a full Chromium. Wrapper scripts of
distributions are resolved where that is known to be safe: what we start should be the browser itself.
Not here: how it is started (`launch`).
"""

import asyncio
import errno
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from controller.accounts.reasons import Reason
from controller.chromium.process.launcher import passed_on
from controller.driver import DriverError
from controller.host.limits import inherited_limits

_VERSION_SECONDS = 20.0
_LASTING = {
    errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOEXEC, errno.ENOTDIR, errno.EISDIR, errno.ELOOP,
    errno.ENAMETOOLONG, errno.ELIBBAD,
}  # fmt: skip
"""Why a file cannot be run as long as nobody replaces it. Anything else concerns the host, and may be over soon."""
_SHELLS = ("chrome-headless-shell", "chromium-headless-shell", "headless_shell")
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_BEHIND_DEBIAN_WRAPPER = Path("/usr/lib/chromium")

NONE_FOUND = (
    "no Chromium found: set CHROMIUM_PATH, or install chromium-headless-shell or chromium, "
    "or run: playwright install --only-shell chromium"
)


@dataclass(frozen=True, slots=True)
class Browser:
    """An installed browser. version: four numbers separated by dots."""

    path: Path
    version: str

    @property
    def major(self) -> str:
        """The first number of the version."""
        return self.version.partition(".")[0]


def find_executable(chosen: Path | None = None) -> Path:
    """Return the browser's path. chosen: CHROMIUM_PATH, used or refused, but never replaced. Raises DriverError."""
    if chosen is not None:
        path = Path(shutil.which(chosen) or "")
        if not path.is_file():
            raise DriverError(Reason.LAUNCH_FAILED, f"CHROMIUM_PATH is no executable: {chosen}")
        return _behind_wrapper(path.absolute())
    for path in _candidates():
        if path.is_file() and os.access(path, os.X_OK):
            return _behind_wrapper(path)
    raise DriverError(Reason.LAUNCH_FAILED, NONE_FOUND)


def _candidates() -> Iterator[Path]:
    yield from _downloaded("chromium_headless_shell-*", _SHELLS)
    yield from _installed(_SHELLS)
    yield from _installed(_BROWSERS)
    yield from _downloaded("chromium-*", _BROWSERS)


def _installed(names: tuple[str, ...]) -> Iterator[Path]:
    return (Path(path) for name in names if (path := shutil.which(name)))


def _downloaded(folders: str, names: tuple[str, ...]) -> Iterator[Path]:
    """Look through the downloads of `playwright install`, newest revision first."""
    chosen = os.environ.get("PLAYWRIGHT_BROWSERS_PATH")
    root = Path(chosen or os.path.expanduser("~/.cache/ms-playwright"))  # noqa: PTH111 - nobody may have a home
    revisions = sorted(root.glob(folders), key=lambda folder: (len(folder.name), folder.name), reverse=True)
    return (path for folder in revisions for name in names for path in folder.glob(f"*/{name}"))


def _behind_wrapper(path: Path) -> Path:
    """Return the browser behind Debian's wrapper, since that does not `exec`: killing it would leave this behind."""
    with path.open("rb") as file:
        if file.read(2) != b"#!":
            return path
    behind = _BEHIND_DEBIAN_WRAPPER / path.name
    is_debians = path.parent == Path("/usr/bin") and os.access(behind, os.X_OK)
    return behind if is_debians else path


async def identify(path: Path) -> Browser:
    """Return an executable's version, cached until the file changes. Raises DriverError, TimeoutError."""
    return await asyncio.to_thread(lambda: _identify(path, path.stat().st_mtime_ns))


@lru_cache(maxsize=8)
def _identify(path: Path, _changed: int) -> Browser:
    try:
        answer = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=_VERSION_SECONDS, check=False,
            env=passed_on(os.environ),
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"{path} does not report its version in {_VERSION_SECONDS:g} s") from error
    except OSError as error:
        detail = f"{path} does not report its version: {error.strerror or type(error).__name__}"
        raise DriverError(Reason.LAUNCH_FAILED, detail, transient=error.errno not in _LASTING) from error
    if answer.returncode < 0:
        name = signal.Signals(-answer.returncode).name
        detail, limits = f"{path} does not report its version: it was ended by {name}", inherited_limits()
        raise DriverError(Reason.LAUNCH_FAILED, f"{detail}; {limits}" if limits else detail, transient=not limits)
    found = re.search(r"\d+(\.\d+){3}", answer.stdout)
    if found is None:
        raise DriverError(Reason.LAUNCH_FAILED, f"{path} does not report its version (exit code {answer.returncode})")
    return Browser(path, found[0])
