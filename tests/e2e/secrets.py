"""Secrets that must never be written, and a search for them in all output of a run of the whole program."""

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

SHORTEST_PART = 17
"""Length from which a part of a code is one of its keys, not just a word."""

_LISTENS = 0x10000  # __SO_ACCEPTCON of the kernel


@dataclass
class Secrets:
    """The secrets to search for. words: allowed nowhere; numbers: E.164, not allowed in the log."""

    words: dict[str, str] = field(default_factory=dict)
    numbers: tuple[str, ...] = ()

    def add(self, name: str, word: str) -> None:
        self.words[word] = name

    def add_token(self, token: str) -> None:
        self.add("the bot's token", token)
        self.add("the secret half of the bot's token", token.partition(":")[2])

    def add_code(self, code: str) -> None:
        self.add("a code", code)
        for part in code.split(","):
            if len(part) >= SHORTEST_PART:
                self.add("a part of a code", part)

    def found_in(self, data: bytes) -> list[str]:
        """Name the secrets in some bytes, plain or as encoded in a URL, UTF-16 or a dump."""
        return sorted({name for word, name in self.words.items() if any(form in data for form in _forms(word))})

    def found_in_log(self, text: str) -> list[str]:
        """Name the secrets in a log, including whole phone numbers in any spacing."""
        digits = "".join(sign for sign in text if sign not in " -.()")
        return self.found_in(text.encode()) + [
            "a whole phone number" for number in self.numbers if number.removeprefix("+") in digits
        ]


def _forms(word: str) -> Iterator[bytes]:
    for form in (word, quote(word, safe=""), word.encode().hex()):
        yield form.encode()
        yield form.encode("utf-16-le")


def everything(data_dir: Path) -> Iterator[Path]:
    """Yield every file and folder under DATA_DIR; unlike `rglob` also where a browser removes folders meanwhile."""
    for folder, folders, names in os.walk(data_dir):
        for name in (*folders, *names):
            yield Path(folder, name)


def files(data_dir: Path) -> Iterator[Path]:
    """Yield every file under DATA_DIR except the browsers' own: in a profile only those that we have written."""
    for path in sorted(everything(data_dir)):
        parts = path.relative_to(data_dir).parts
        is_browsers = len(parts) > 2 and parts[0] == "profiles" and not parts[2].startswith("switchboard")
        if not is_browsers and path.is_file() and not path.is_symlink():
            yield path


def search_files(data_dir: Path, secrets: Secrets) -> list[str]:
    """Name each of our files with each secret in its contents or its name."""
    found = []
    for path in files(data_dir):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue  # a ticket, used meanwhile
        found += [f"{path}: {name}" for name in secrets.found_in(data + b"\0" + str(path).encode())]
    return found


def open_to_others(data_dir: Path) -> list[str]:
    """Name everything under DATA_DIR that other users may read, write or enter, browsers' files included."""
    found = []
    for path in (data_dir, *everything(data_dir)):
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            continue
        if not stat.S_ISLNK(mode) and stat.S_IMODE(mode) & 0o077:
            found.append(f"{path}: {stat.filemode(mode)}")
    return found


def words_of(process: psutil.Process) -> list[str]:
    """Its command line; nothing for one that ends just now."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def search_processes(processes: Iterable[psutil.Process], secrets: Secrets) -> list[str]:
    """Name each process with a secret on its command line or in its environment."""
    found = []
    for process in processes:
        try:
            told = "\0".join([*process.cmdline(), *(f"{k}={v}" for k, v in process.environ().items())])
        except psutil.Error:
            continue
        found += [f"{process.name()} ({process.pid}): {name}" for name in secrets.found_in(told.encode())]
    return found


def listening(processes: Iterable[psutil.Process]) -> list[str]:
    """Name every open port of these processes: listening TCP ports, and UDP ports that are bound without a peer.

    Includes local sockets without a path (abstract ones), to which every user of the machine can connect.
    """
    found = []
    for process in processes:
        try:
            sockets = process.net_connections("inet")
        except psutil.Error:
            continue
        doors = (each for each in sockets if each.status == psutil.CONN_LISTEN or _is_bound(each))
        found += [f"{process.name()} ({process.pid}): {each.laddr}" for each in doors]
        found += [f"{process.name()} ({process.pid}): {name}" for name in _local_doors(process.pid)]
    return found


def _is_bound(each: Any) -> bool:
    return each.status == psutil.CONN_NONE and bool(each.laddr) and not each.raddr


def _local_doors(pid: int) -> list[str]:
    """Return the names of a process's listening local sockets without a path."""
    inodes = set()
    for path in Path(f"/proc/{pid}/fd").glob("*"):
        with contextlib.suppress(OSError):
            inodes.add(path.readlink().name.removeprefix("socket:[").removesuffix("]"))
    rows = (
        line.split() for line in Path("/proc/net/unix").read_text(encoding="utf-8", errors="replace").splitlines()[1:]
    )
    return [
        row[7] for row in rows if len(row) > 7 and row[6] in inodes and int(row[3], 16) & _LISTENS and row[7][0] == "@"
    ]
