"""Names of a profile's folder and files: stable for a number, but revealing nothing about it.

        DATA_DIR/names.key     the secret (32 bytes, 0600) that names are derived from; created with the first name

Every user of the machine can read command lines, and a browser's contains its profile's path. A name consists of
letters only, so that neither people nor masking can take it for a number. Without the secret nobody can tell whose
folder it is, so it belongs in every backup.
"""

import hashlib
import hmac
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

KEY_FILE = "names.key"
NAME = re.compile(r"[b-df-hj-np-t]{20}")
"""The format of a name: 80 bits as consonants, so that it never forms a word."""

_KEY_BYTES = 32
_LETTERS = 20
_AS_LETTERS = str.maketrans("0123456789abcdef", "bcdfghjklmnpqrst")


class ProfileError(OSError):
    """A profile or its saved copies cannot be used. The text is one line for people."""


def name_of(data_dir: Path, digits: str) -> str:
    """Return the name of an account's profile. digits: its number without the plus. Raises ProfileError, OSError."""
    return name_by(read_secret(data_dir), digits)


def name_by(secret: bytes, digits: str) -> str:
    """Return the name that a secret gives to an account. digits: its number without the plus."""
    code = hmac.new(secret, digits.encode("ascii"), hashlib.sha256).hexdigest()
    return code[:_LETTERS].translate(_AS_LETTERS)


def read_secret(data_dir: Path) -> bytes:
    """Return the secret of a DATA_DIR; it is made with the first name. Raises ProfileError, OSError."""
    path = data_dir / KEY_FILE
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        if _has_named(data_dir):
            raise ProfileError(
                f"{KEY_FILE} is missing in DATA_DIR, and without it nobody can tell whose the profiles are:"
                " put it back from a backup"
            ) from None
        key = _make(path)
    if len(key) != _KEY_BYTES:
        raise ProfileError(f"{KEY_FILE} in DATA_DIR is damaged: put it back from a backup")
    return key


def _has_named(data_dir: Path) -> bool:
    """Return whether anything was named with a secret before."""
    folders = (data_dir / "profiles", data_dir / "saved")
    return any(NAME.fullmatch(path.name) for folder in folders if folder.is_dir() for path in folder.iterdir())


def _make(path: Path) -> bytes:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process was first, and its secret is the valid one
            path.hardlink_to(new)
    finally:
        new.unlink()
    sync_folder(path.parent)
    return path.read_bytes()


def sync_folder(folder: Path) -> None:
    """Make files created or renamed in a folder survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
