"""Reading words that another version of the program may have written: what is unknown is said once and mapped."""

import logging
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar

E = TypeVar("E", bound=StrEnum)
log = logging.getLogger(__name__)


def word(kind: type[E], stored: str, otherwise: E) -> E:
    """Return the member that was stored, or `otherwise` with one warning for each word that is not known."""
    try:
        return kind(stored)
    except ValueError:
        _warn(f"{kind.__name__} {stored!r}", otherwise)
        return otherwise


def moment(stored: str | None, otherwise: datetime | None = None) -> datetime | None:
    """Return a stored moment as aware UTC; `otherwise` with a warning where it cannot be read."""
    if stored is None:
        return None
    try:
        read = datetime.fromisoformat(stored)
    except ValueError:
        _warn(f"a time {stored!r}", "none" if otherwise is None else otherwise.isoformat())
        return otherwise
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)


@lru_cache(maxsize=1000)
def _warn(what: str, otherwise: str) -> None:
    log.warning("The database has %s, which this version does not know: read as %s", what, otherwise)
