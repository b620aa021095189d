"""The format of a backup: a gzipped tar of DATA_DIR's contents, encrypted with age if a key is set.

    switchboard.sqlite                   the database
        names.key                            the secret from which profiles' names are derived
        profiles/<name>/Default/...          each account's session at that moment
        saved/<name>/<UTC time>.tar.gz*      its latest saved copy, unchanged
    manifest.json                        last: version, time, and size and SHA-256 of each file

`age --decrypt` and `tar` are enough to open one. Not here: where the files come from and go to.
"""

import gzip
import hashlib
import json
import os
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

import pyrage

from controller.chromium.profile.names import ProfileError
from controller.chromium.profile.vault import read_key

MANIFEST = "manifest.json"
FORMAT = 1
_AGE = b"age-encryption.org/"
_TOPS = ("profiles", "saved")
_FILES = ("switchboard.sqlite", "names.key")


class BackupError(OSError):
    """A backup cannot be created or used. The text is one line for people; errno: the system's own, if any."""

    def __init__(self, text: str, errno: int | None = None) -> None:
        super().__init__(text)
        self.errno = errno


@dataclass(frozen=True, slots=True)
class Manifest:
    """A backup's description of itself. made_at: ISO 8601, UTC. files: path → (size in bytes, SHA-256 in hex).

    accounts: their number. missing: the numbers of linked accounts whose session is not included.
    """

    format: int
    version: str
    made_at: str
    accounts: int
    missing: tuple[str, ...] = ()
    files: dict[str, tuple[int, str]] = field(default_factory=dict)


def files_below(folder: Path) -> dict[str, tuple[int, str]]:
    """Return path → (size, SHA-256) of every file below a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[path.relative_to(folder).as_posix()] = (path.stat().st_size, digest)
    return found


def pack(folder: Path, manifest: Manifest, target: Path, key: str | None) -> None:
    """Write everything below `folder`, and the manifest, to a new file (0600). Blocking. Raises OSError, VaultError."""
    identity = read_key(key)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        if identity is None:
            _write(folder, manifest, file)
        else:
            with tempfile.TemporaryFile(dir=folder.parent) as plain:
                _write(folder, manifest, plain)
                plain.seek(0)
                pyrage.encrypt_io(plain, file, [identity.to_public()])
        file.flush()
        os.fsync(file.fileno())


def _write(folder: Path, manifest: Manifest, file: IO[bytes]) -> None:
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as archive:
        for name in manifest.files:
            archive.add(folder / name, name, recursive=False)
        encoded = json.dumps(asdict(manifest), indent=1).encode()
        entry = tarfile.TarInfo(MANIFEST)
        entry.size, entry.mode = len(encoded), 0o600
        with tempfile.SpooledTemporaryFile() as body:
            body.write(encoded)
            body.seek(0)
            archive.addfile(entry, body)


def unpack(source: Path, folder: Path, key: str | None) -> Manifest:
    """Unpack a backup into an empty folder, and verify all of it there against its manifest. Blocking.

    Raises BackupError for a file that is not a backup, damaged, or needs another key; VaultError for an invalid key.
    """
    try:
        with _plain(source, folder, key) as plain, gzip.open(plain) as stream:
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                for entry in archive:
                    _refuse_strange(entry)
                    archive.extract(entry, folder, filter="data")
            while stream.read(1 << 20):  # read up to the checksum: unpacking alone stops before that
                pass
        manifest = _manifest(folder / MANIFEST)
        (folder / MANIFEST).unlink()
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, FileNotFoundError) as error:
        if not source.exists():
            raise BackupError(f"{source}: no such file") from error
        raise BackupError(f"{source} is damaged, or no backup of Switchboard") from error
    except OSError as error:
        if isinstance(error, (BackupError, ProfileError)):
            raise
        raise BackupError(f"{error.filename or source}: {error.strerror}", error.errno) from error
    if files_below(folder) != manifest.files:
        raise BackupError(f"{source} is damaged: what is in it is not what its manifest says")
    return manifest


def _refuse_strange(entry: tarfile.TarInfo) -> None:
    known = entry.name in {*_FILES, MANIFEST} or entry.name.startswith(tuple(f"{top}/" for top in _TOPS))
    if not (known and entry.isreg()):
        raise BackupError(f"it holds {entry.name[:80]!r}, which no backup of Switchboard does")


def _manifest(path: Path) -> Manifest:
    try:
        stored = json.loads(path.read_bytes())
        if stored["format"] > FORMAT:
            raise BackupError(
                f"it was made by a newer version of Switchboard ({stored['version']}): update this one first"
            )
        stored["files"] = {name: (size, digest) for name, (size, digest) in stored["files"].items()}
        stored["missing"] = tuple(stored["missing"])
        return Manifest(**stored)
    except (ValueError, KeyError, TypeError) as error:
        raise BackupError("its manifest cannot be read") from error


@contextmanager
def _plain(source: Path, folder: Path, key: str | None) -> Iterator[IO[bytes]]:
    """Open a backup, decrypting it if necessary."""
    with source.open("rb") as file:
        is_encrypted = file.read(len(_AGE)) == _AGE
        file.seek(0)
        if not is_encrypted:
            yield file
            return
        identity = read_key(key)
        if identity is None:
            raise BackupError(f"{source} is encrypted: PROFILE_KEY must be set to the key that it was made with")
        with tempfile.TemporaryFile(dir=folder.parent) as plain:
            try:
                pyrage.decrypt_io(file, plain, [identity])
            except pyrage.DecryptError as error:
                raise BackupError(f"{source} is damaged, or was made with another PROFILE_KEY") from error
            plain.seek(0)
            yield plain
