"""Deletes what is no longer needed, after a while, and encrypts copies made before there was a key.

What a known account uses is never touched: only what a restore has set aside, and what no account refers to.
Ages are taken from modification times: a profile's folder changes whenever its browser opens or closes.
"""

import logging
import re
import shutil
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from controller.chromium.profile.names import NAME
from controller.chromium.profile.profile import TIME, Profile, run_folder
from controller.chromium.profile.vault import Vault, VaultError

log = logging.getLogger(__name__)

ASIDE_DAYS = 7
"""How long a profile set aside by a restore is kept."""
ASIDE_KEPT = 2
"""How many of them are kept per account, whatever their age."""
UNUSED_DAYS = 30
"""How long profiles and copies without an account are kept after their last use."""

_RESTORING = timedelta(minutes=10)
"""A restore may still be working on one that it has just set aside."""
_ASIDE = re.compile(rf"\.({NAME.pattern})\.before-(.+)")


def tidy(data_dir: Path, vault: Vault, accounts: Collection[str], now: datetime) -> int:
    """Delete and encrypt what is due. Blocking. accounts: the numbers (E.164) of all accounts. Raises OSError.

    Returns how many profiles are there if none of them is an account's: then another database, or another names.key,
    was put there, and none is deleted.
    """
    data_dir = data_dir.absolute()
    for profile in (Profile(data_dir, path.name) for path in _named(data_dir / "saved")):
        try:
            if count := vault.encrypt(profile):
                log.info("Encrypted %d saved copies that were made before there was a PROFILE_KEY", count)
        except VaultError as error:
            log.warning("Saved copies: %s", error)
    for aside in _asides(data_dir):
        at = _time_of(aside)
        if at is not None and now - at > _RESTORING:
            vault.seal(Profile(data_dir, _name_of_aside(aside)), aside)
    remove_old_asides(data_dir, now)
    used = {Profile.of(data_dir, number).name for number in accounts}
    there = {path.name for path in _named(data_dir / "profiles")}
    if there and not there & used:
        return len(there)
    _remove(_unused(data_dir, used, now), "profiles and copies that belong to no account")
    return 0


def remove_old_asides(data_dir: Path, now: datetime) -> None:
    """Delete what was set aside long ago, or more often than is kept. Blocking. Raises OSError."""
    _remove(_old_asides(data_dir.absolute(), now), "profiles that a restore had set aside")


def _remove(paths: Iterable[Path], what: str) -> None:
    found = list(paths)
    for path in found:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    if found:
        log.info("Removed %d %s", len(found), what)


def _named(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if NAME.fullmatch(path.name)] if folder.is_dir() else []


def _asides(data_dir: Path) -> list[Path]:
    folder = data_dir / "profiles"
    return [path for path in folder.iterdir() if _ASIDE.fullmatch(path.name)] if folder.is_dir() else []


def _name_of_aside(aside: Path) -> str:
    match = _ASIDE.fullmatch(aside.name)
    return aside.parent.name if match is None else match[1]  # an encrypted one is in a folder of that name


def _time_of(aside: Path) -> datetime | None:
    text = aside.name.partition("before-")[2].partition(".tar")[0]
    try:
        return datetime.strptime(text, TIME).replace(tzinfo=UTC)
    except ValueError:
        return None


def _old_asides(data_dir: Path, now: datetime) -> Iterator[Path]:
    sealed = [path for folder in _named(data_dir / "saved") for path in folder.glob("before-*")]
    by_name: dict[str, list[tuple[datetime, Path]]] = {}
    for path in (*_asides(data_dir), *sealed):
        if (at := _time_of(path)) is not None:
            by_name.setdefault(_name_of_aside(path), []).append((at, path))
    for found in by_name.values():
        for place, (at, path) in enumerate(sorted(found, reverse=True)):
            if place >= ASIDE_KEPT or now - at > timedelta(days=ASIDE_DAYS):
                yield path


def _unused(data_dir: Path, used: Collection[str], now: datetime) -> Iterator[Path]:
    """Yield what belongs to no account and was last used long ago."""
    run = run_folder(data_dir)
    latest = now.timestamp() - UNUSED_DAYS * 86400
    for path in (*_named(data_dir / "profiles"), *_named(data_dir / "saved")):
        profile = Profile(data_dir, path.name)
        if path.name not in used and _last_use(path) < latest and not profile.is_locked():
            yield path
    if run.is_dir():
        for path in run.iterdir():
            name = path.name.partition(".")[0]
            is_kept = name in used or not NAME.fullmatch(name) or (data_dir / "profiles" / name).exists()
            if not is_kept and path.lstat().st_mtime < latest:
                yield path


def _last_use(folder: Path) -> float:
    return max((path.lstat().st_mtime for path in (folder, *folder.iterdir())), default=0.0)
