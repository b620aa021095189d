"""Saved profiles: small copies, sufficient to restore an account's session; the latest good ones are kept.

        DATA_DIR/saved/<name>/<UTC time>.tar.gz       or .tar.gz.age if a key is set
        DATA_DIR/saved/<name>/before-<UTC time>.tar.gz.age   set aside by a restore, if a key is set

Only a profile without an open browser is copied. With a key (an age identity) a copy is encrypted in age's own format,
so that `age --decrypt` can read it. A restore sets the existing profile aside: nothing is ever
deleted here but the oldest copies. Not here: when to save (`controller.chromium.chromium_driver`).
"""

import contextlib
import gzip
import logging
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import pyrage

from controller.chromium.profile.names import ProfileError
from controller.chromium.profile.profile import SESSION_PARTS, TIME, Profile

log = logging.getLogger(__name__)

KEEP = 3
"""Copies kept per account."""

OPEN = "a browser has the profile open: suspend the account first"

_CHUNK = 1 << 20
_BEFORE = "before-"
_PLAIN, _ENCRYPTED = ".tar.gz", ".tar.gz.age"


class VaultError(ProfileError):
    """A profile could not be saved or restored. The text is one line for people."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A saved profile. at: aware UTC. size: bytes."""

    path: Path
    at: datetime
    size: int

    @property
    def name(self) -> str:
        """Its name in lists and commands: the time."""
        return self.path.name.split(".tar.")[0]

    @property
    def is_encrypted(self) -> bool:
        """Whether restoring it needs a key."""
        return self.path.name.endswith(_ENCRYPTED)


def new_key() -> str:
    """Generate a key for PROFILE_KEY. Whoever has it can use every session saved with it."""
    return str(pyrage.x25519.Identity.generate())


def read_key(key: str | None) -> pyrage.x25519.Identity | None:
    """Parse PROFILE_KEY. Raises VaultError if it is invalid."""
    try:
        return None if key is None else pyrage.x25519.Identity.from_str(key.strip())
    except pyrage.IdentityError:
        raise VaultError("PROFILE_KEY is no age identity; make one with `switchboard new-key`") from None


class Vault:
    """The saved profiles under one DATA_DIR. Methods block: call them in a thread."""

    def __init__(self, data_dir: Path, key: str | None = None) -> None:
        """Raise VaultError for an invalid key."""
        self._folder = data_dir.absolute() / "saved"
        self._identity = read_key(key)

    def copies(self, profile: Profile) -> list[Copy]:
        """Return an account's saved copies, newest first."""
        return sorted(self._copies(profile), key=lambda copy: copy.at, reverse=True)

    def find(self, profile: Profile, name: str | None) -> Copy:
        """Return a copy by name, or the latest one. Raises VaultError if there is none."""
        for copy in (*self.copies(profile), *self._copies(profile, _BEFORE)):
            if copy.name == name or (name is None and not copy.path.name.startswith(_BEFORE)):
                return copy
        raise VaultError(f"no copy {name} of this account is saved" if name else "no copy of this account is saved")

    def save(self, profile: Profile) -> Copy | None:
        """Save a profile without an open browser. Returns None if there is nothing to save yet."""
        if not parts_of(profile.folder):
            return None
        path = self.pack(profile.folder, profile.saved / f"{datetime.now(UTC):{TIME}}")
        made = Copy(path, _time(path), path.stat().st_size)
        # A copy dated in the future was made while the clock was ahead: it is deleted first, the new one never.
        for old in sorted(self._copies(profile), key=lambda copy: (copy.at <= made.at, copy.at), reverse=True)[KEEP:]:
            old.path.unlink(missing_ok=True)
        return made

    def restore(self, profile: Profile, copy: Copy) -> Path | None:
        """Replace the profile by a copy; no browser may have it open.

        Returns the path of the profile set aside, or None if there was none. If anything fails, that one stays in
        place. Raises VaultError.
        """
        if profile.is_locked():
            raise VaultError(OPEN)
        coming = profile.folder.with_name(f".{profile.name}.restoring")
        shutil.rmtree(coming, ignore_errors=True)
        aside = profile.aside(f"{datetime.now(UTC):{TIME}}")
        try:
            coming.mkdir(mode=0o700, parents=True)
            with self._read(copy) as plain:
                _refuse_damaged(plain)
                with tarfile.open(fileobj=plain, mode="r:gz") as archive:
                    archive.extractall(coming, filter="data")
            existed = profile.folder.exists()
            if existed:
                profile.folder.rename(aside)
            try:
                coming.rename(profile.folder)
            except OSError:
                if existed:
                    aside.rename(profile.folder)
                raise
        except (OSError, tarfile.TarError, pyrage.DecryptError) as error:
            shutil.rmtree(coming, ignore_errors=True)
            if isinstance(error, VaultError):
                raise
            raise VaultError(f"the copy could not be restored: {_why(error)}") from error
        return self.seal(profile, aside) if existed else None

    def seal(self, profile: Profile, aside: Path) -> Path | None:
        """Turn a profile that was set aside into an encrypted copy, if a key is set.

        Returns the resulting path, None if it held no session and was deleted.
        """
        if self._identity is None:
            return aside
        try:
            sealed = None
            if parts_of(aside):
                sealed = self.pack(aside, profile.saved / f"{_BEFORE}{aside.name.partition('.before-')[2]}")
            shutil.rmtree(aside, ignore_errors=True)
        except VaultError as error:
            log.warning("What was set aside stays as it is for now: %s", error)
            return aside
        return sealed

    def encrypt(self, profile: Profile) -> int:
        """Encrypt an account's copies from before there was a key. Returns how many there were."""
        plain = [] if self._identity is None else [copy for copy in self._copies(profile) if not copy.is_encrypted]
        for copy in plain:
            new = copy.path.with_name(f".{copy.path.name}.encrypting")
            try:
                with copy.path.open("rb") as file:
                    self._write(file, new)
                new.rename(copy.path.with_name(f"{copy.name}{_ENCRYPTED}"))
                copy.path.unlink()
            except (OSError, pyrage.EncryptError) as error:
                with contextlib.suppress(OSError):
                    new.unlink()
                raise VaultError(f"a copy could not be encrypted: {_why(error)}") from error
        return len(plain)

    def delete(self, profile: Profile) -> None:
        """Delete all of an account's copies. Raises OSError."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(profile.saved)

    def pack(self, folder: Path, path: Path) -> Path:
        """Pack the session of a profile folder. path: the file's, without suffix. Returns its own. Raises VaultError.

        Files left in its folder by a call that was killed are deleted: nobody else may pack there.
        """
        path = path.with_name(f"{path.name}{_PLAIN if self._identity is None else _ENCRYPTED}")
        new = path.with_name(f".{path.name}.new")
        try:
            for each in (self._folder, path.parent):
                each.mkdir(mode=0o700, parents=True, exist_ok=True)
            for left in path.parent.glob(".*.new"):
                left.unlink()
            with tempfile.TemporaryFile(dir=path.parent) as plain:
                with tarfile.open(fileobj=plain, mode="w:gz", compresslevel=1) as archive:
                    for name in parts_of(folder):
                        archive.add(folder / name, name)
                plain.seek(0)
                self._write(plain, new)
            new.rename(path)
        except (OSError, tarfile.TarError, pyrage.EncryptError) as error:
            with contextlib.suppress(OSError):
                new.unlink()
            raise VaultError(f"the profile could not be saved: {_why(error)}") from error
        return path

    def _copies(self, profile: Profile, prefix: str = "") -> Iterator[Copy]:
        folder = profile.saved
        for path in folder.glob(f"{prefix}[0-9]*.tar.gz*") if folder.exists() else ():
            try:
                yield Copy(path, _time(path), path.stat().st_size)
            except (ValueError, OSError):
                continue  # not one of ours, or deleted meanwhile

    def _write(self, plain: IO[bytes], path: Path) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            if self._identity is None:
                shutil.copyfileobj(plain, file)
            else:
                pyrage.encrypt_io(plain, file, [self._identity.to_public()])
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def _read(self, copy: Copy) -> Iterator[IO[bytes]]:
        with copy.path.open("rb") as file:
            if not copy.is_encrypted:
                yield file
                return
            if self._identity is None:
                raise VaultError("the copy is encrypted: PROFILE_KEY is needed to restore it")
            with tempfile.TemporaryFile(dir=copy.path.parent) as plain:
                pyrage.decrypt_io(file, plain, [self._identity])
                plain.seek(0)
                yield plain


def parts_of(folder: Path) -> list[str]:
    """Return those parts of a profile that a session needs; empty if there is no session."""
    parts = [name for name in SESSION_PARTS if (folder / name).exists()]
    return parts if any("IndexedDB" in name or "Local Storage" in name for name in parts) else []


def _refuse_damaged(plain: IO[bytes]) -> None:
    """Read an archive up to its checksum: unpacking stops before that and would accept damaged data."""
    try:
        with gzip.open(plain) as archive:
            while archive.read(_CHUNK):
                pass
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise VaultError("the copy could not be restored: its file is damaged, choose another one") from error
    plain.seek(0)


def _why(error: Exception) -> str:
    """Return what went wrong, without the path, which does not belong in a chat."""
    reason = error.strerror if isinstance(error, OSError) else None
    return reason or str(error)


def _time(path: Path) -> datetime:
    name = path.name.removesuffix(".age").removesuffix(_PLAIN).removeprefix(_BEFORE)
    return datetime.strptime(name, TIME).replace(tzinfo=UTC)
