"""Archives of profiles in a store that all machines reach through fsspec: a folder, an S3 bucket, or whatever it knows.

        <url>/<name>/<epoch>.<number>.<kind>.json      a mark (see `history`); of an archive, also its manifest
        <url>/<name>/<epoch>.<number>.<nonce>.tar.gz   an archive, as `vault` makes it (.tar.gz.age if there is a key)
        <url>/terms/<term>.json                        the controllers that have used this store, one after the other

Nothing is ever overwritten. An archive is uploaded under a name of its own first, then its manifest with its hash, so
one that was torn is never taken for an archive. `name` is an account's, derived from a secret that all machines of a
cluster share. fsspec is imported with the first use. Methods block, for as long as the store likes: call them in a
thread. Not here: who may write (leases), and what is the newest (`history`).
"""

import contextlib
import hashlib
import importlib
import json
import logging
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from controller.chromium.profile.history import Kind, Mark
from controller.chromium.profile.names import ProfileError, sync_folder

log = logging.getLogger(__name__)

KEEP_NEWEST = 2
KEEP_DAYS = 3
"""Archives kept of each account: the newest ones, and of what is older one of each of so many days."""
TERM = 1 << 32
"""A controller's epochs begin at its term times this: so many placements fit before they meet the next one's."""
_TERMS = "terms"
_CHUNK = 1 << 20


class ArchiveError(ProfileError):
    """The store cannot be used, or does not have what it should. The text is one line for people."""


class DamagedArchiveError(ArchiveError):
    """An archive is not what its manifest says."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What stands in a mark. at: Unix time in seconds, by the clock of whoever wrote it.

    host: of a browser's machine. file: the archive's, "" for none: there was no session. size: bytes. sha256: hex.
    clean: the browser was closed gracefully. An archive that was chosen is described as in its own manifest.
    """

    at: float
    host: str = ""
    file: str = ""
    size: int = 0
    sha256: str = ""
    clean: bool = False


class ArchiveStore:
    """The store at a URL as fsspec knows it, or a path. Any number of machines may use it at once."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opened: tuple[Any, str] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return ArchiveStore, (self._url,)

    # --- marks --------------------------------------------------------------------------------------------------------

    def marks(self, name: str) -> list[Mark]:
        """Return an account's marks, oldest first. Raises ArchiveError."""
        found = (Mark.parse(each) for each in self._names(name))
        return sorted((mark for mark in found if mark is not None), key=lambda mark: mark.name)

    def read(self, name: str, mark: Mark) -> Manifest:
        """Return what stands in a mark. Raises DamagedArchiveError if that is not readable, ArchiveError."""
        try:
            with self._errors("read"):
                text = self._fs.cat_file(f"{self._root}/{name}/{mark.name}")
            return Manifest(**json.loads(text))
        except (ValueError, TypeError, FileNotFoundError) as error:
            raise DamagedArchiveError(f"the archives' mark {mark.name} is damaged") from error

    def write(self, name: str, mark: Mark, manifest: Manifest) -> None:
        """Write a mark. Raises FileExistsError if there is another one of that name, ArchiveError."""
        try:
            self._create(f"{name}/{mark.name}", json.dumps(asdict(manifest)).encode())
        except FileExistsError:
            if self.read(name, mark) != manifest:  # otherwise it is this one: its first answer was lost
                raise

    # --- archives -----------------------------------------------------------------------------------------------------

    def upload(self, name: str, mark: Mark, path: Path, manifest: Manifest) -> Manifest:
        """Upload an archive, then its manifest as the mark. Returns it. Raises FileExistsError, ArchiveError, OSError.

        manifest: without what is known of the file. path: its suffix tells whether it is encrypted.
        """
        suffix = path.name[path.name.index(".tar.gz") :]
        file = f"{mark.epoch:020}.{mark.number:04}.{secrets.token_hex(4)}{suffix}"
        size, digest = _measure(path)
        with self._errors("write to"):
            self._make_folder(name)
            self._fs.put_file(str(path), f"{self._root}/{name}/{file}")
            if self._is_folder:
                _sync(Path(self._root) / name / file)
        made = Manifest(manifest.at, manifest.host, file, size, digest, manifest.clean)
        self.write(name, mark, made)
        return made

    def download(self, name: str, manifest: Manifest, path: Path) -> None:
        """Download an archive and verify it. If that fails, no file is left.

        Raises DamagedArchiveError, ArchiveError, OSError.
        """
        try:
            self._download(name, manifest, path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def _download(self, name: str, manifest: Manifest, path: Path) -> None:
        try:
            with self._errors("read"):
                self._fs.get_file(f"{self._root}/{name}/{manifest.file}", str(path))
        except FileNotFoundError:
            raise DamagedArchiveError("the archive is gone from the store") from None
        path.chmod(0o600)
        if _measure(path) != (manifest.size, manifest.sha256):
            raise DamagedArchiveError("the archive is damaged")

    def archives(self, name: str) -> list[tuple[Mark, Manifest]]:
        """Return an account's archives, newest first, as far as their manifests can be read. Raises ArchiveError."""
        found = []
        for mark in sorted(self.marks(name), key=lambda one: (one.epoch, one.kind is Kind.CLOSED, one.number)):
            if mark.kind in {Kind.CLOSED, Kind.SAVED}:
                with contextlib.suppress(DamagedArchiveError):
                    manifest = self.read(name, mark)
                    if manifest.file:
                        found.append((mark, manifest))
        return found[::-1]

    def prune(self, name: str) -> None:
        """Delete what nothing will ask for any more; only the machine that has the account open. Raises ArchiveError.

        A manifest goes before its archive. What the newest mark may need is not touched.
        """
        archives, marks = self.archives(name), self.marks(name)
        newest = max((mark.epoch for mark in marks if mark.kind is not Kind.SAVED), default=0)
        kept = _kept(archives)
        for archived, manifest in archives:
            if (archived, manifest) not in kept and (archived.epoch, archived.kind) != (newest, Kind.CLOSED):
                self._delete(f"{name}/{archived.name}")
                self._delete(f"{name}/{manifest.file}")
        known = {archived for archived, _ in archives}
        for mark in marks:
            if mark.epoch < newest and mark not in known:
                self._delete(f"{name}/{mark.name}")
        files = {manifest.file for _, manifest in kept}
        for file in self._names(name):
            if ".tar.gz" in file and file not in files and file[:20].isdecimal() and int(file[:20]) < newest:
                self._delete(f"{name}/{file}")  # of an upload that never got its manifest

    def clear(self, name: str, epoch: int) -> None:
        """Delete all that is older than an epoch. Raises ArchiveError."""
        for file in self._names(name):
            if file[:20].isdecimal() and int(file[:20]) < epoch:
                self._delete(f"{name}/{file}")

    # --- the store ----------------------------------------------------------------------------------------------------

    def claim_term(self) -> int:
        """Return a term that is higher than all before. Raises ArchiveError."""
        while True:
            terms = self._terms()
            term = max(terms, default=0) + 1
            with contextlib.suppress(FileExistsError):
                self._create(f"{_TERMS}/{term:020}.json", json.dumps({"at": datetime.now(UTC).timestamp()}).encode())
                if max(self._terms()) > term:  # another one has claimed this term, and a further one deleted it since
                    continue
                for old in terms:
                    self._delete(f"{_TERMS}/{old:020}.json")
                return term

    def _terms(self) -> list[int]:
        return [int(each[:20]) for each in self._names(_TERMS) if each[:20].isdecimal()]

    def check(self) -> None:
        """Write, read and delete a small file. Raises ArchiveError."""
        path, value = f"{_TERMS}/check-{secrets.token_hex(4)}", secrets.token_bytes(8)
        self._create(path, value)
        with self._errors("read"):
            is_same = self._fs.cat_file(f"{self._root}/{path}") == value
        self._delete(path)
        if not is_same:
            raise ArchiveError("the archives return something else than was written")

    @property
    def _fs(self) -> Any:
        return self._open()[0]

    @property
    def _root(self) -> str:
        return self._open()[1]

    def _open(self) -> tuple[Any, str]:
        if self._opened is None:
            try:
                core = importlib.import_module("fsspec.core")
                fs, root = core.url_to_fs(self._url, skip_instance_cache=True, use_listings_cache=False)
            except ImportError as error:
                raise ArchiveError(f"CLUSTER_ARCHIVES needs a package that is not installed: {error}") from error
            except (ValueError, OSError) as error:
                raise ArchiveError(f"CLUSTER_ARCHIVES is nothing that fsspec knows: {_line(error)}") from error
            self._opened = fs, root.rstrip("/")
        return self._opened

    @property
    def _is_folder(self) -> bool:
        return "file" in self._fs.protocol

    def _names(self, folder: str) -> list[str]:
        with self._errors("list"):
            self._fs.invalidate_cache()
            try:
                found = self._fs.ls(f"{self._root}/{folder}", detail=False)
            except FileNotFoundError:
                return []
            return [each.rstrip("/").rpartition("/")[2] for each in found]

    def _create(self, path: str, value: bytes) -> None:
        """Write a small file that must not exist yet: atomically where the store can. Raises FileExistsError."""
        folder = path.rpartition("/")[0]
        with self._errors("write to"):
            self._make_folder(folder)
            if self._is_folder:
                _create_file(Path(self._root) / path, value)
            else:
                self._create_object(f"{self._root}/{path}", value)

    def _create_object(self, path: str, value: bytes) -> None:
        """Create a file in a store that is no folder. What a refusal is like differs: what is there then decides."""
        try:
            self._fs.pipe_file(path, value, mode="create")
        except Exception:
            try:
                there = self._fs.cat_file(path)
            except FileNotFoundError:
                there = None
            if there is None:
                raise
            if there != value:
                raise FileExistsError(path) from None

    def _make_folder(self, name: str) -> None:
        if self._is_folder:
            (Path(self._root) / name).mkdir(mode=0o700, parents=True, exist_ok=True)

    def _delete(self, path: str) -> None:
        with self._errors("delete from"), contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(f"{self._root}/{path}")

    @contextlib.contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        """Translate what the libraries beneath fsspec raise: they have no error in common."""
        try:
            yield
        except (FileNotFoundError, FileExistsError, ProfileError):
            raise
        except Exception as error:
            raise ArchiveError(f"cannot {what} the archives: {_line(error)}") from error


def _create_file(path: Path, value: bytes) -> None:
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(value)
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(new)
    finally:
        new.unlink()
    sync_folder(path.parent)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _kept(archives: Iterable[tuple[Mark, Manifest]]) -> list[tuple[Mark, Manifest]]:
    """Return those of an account's archives that are kept. archives: newest first."""
    kept: list[tuple[Mark, Manifest]] = []
    days: set[int] = set()
    for place, (mark, manifest) in enumerate(archives):
        day = int(manifest.at // 86400)
        if place < KEEP_NEWEST:
            kept.append((mark, manifest))
        elif day not in days and len(days) < KEEP_DAYS:
            kept.append((mark, manifest))
            days.add(day)
    return kept


def _measure(path: Path) -> tuple[int, str]:
    """Return a file's size and hash."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return path.stat().st_size, digest.hexdigest()


def _line(error: Exception) -> str:
    """Return the first line of an error, without paths or keys that may follow."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0] if text else ''}"[:160]
