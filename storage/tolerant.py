"""Tolerant parsing of enum values and times that another version of the program may have written; warns once each."""

import logging
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar

E = TypeVar("E", bound=StrEnum)
log = logging.getLogger(__name__)


def member(kind: type[E], stored: str, otherwise: E) -> E:
    """Return the stored member, or `otherwise` with one warning per unknown value."""
    try:
        return kind(stored)
    except ValueError:
        _warn(f"{kind.__name__} {stored!r}", otherwise)
        return otherwise


def time(stored: str | None, otherwise: datetime | None = None) -> datetime | None:
    """Return a stored time as aware UTC; `otherwise`, with a warning, if it cannot be parsed."""
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
