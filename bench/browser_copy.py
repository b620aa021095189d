"""A copy of the browser for one measurement: the kernel shares a file's pages among all who run that file.

Memory is measured by share (PSS), so beside other browsers of the same file every figure is too small, for the
engine with fewer processes less so. A copy is another file: its pages are shared only by those who are measured.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.chromium.process.find import find_executable

ITS_OWN = "icudtl.dat"
"""A file beside every Chromium: a folder without it holds other programs, too, and is not copied."""


@contextmanager
def copied_browser(chosen: Path | None = None) -> Iterator[Path]:
    """Copy the browser that would be used to a temporary folder; yield its path, or the original's where it cannot be.

    chosen: its path, None to search for it. Raises DriverError if there is none.
    """
    executable = find_executable(chosen)
    if not (executable.parent / ITS_OWN).is_file():
        yield executable
        return
    with tempfile.TemporaryDirectory(prefix="switchboard-browser-") as folder:
        copy = shutil.copytree(executable.parent, Path(folder) / executable.parent.name)
        yield Path(copy) / executable.name
