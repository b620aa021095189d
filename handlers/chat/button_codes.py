"""Callback data of buttons: at most Telegram's 64 bytes, and stateless: a keyboard still works after a restart.

`1:r:491511234567:x7Qa` is version, verb, subject and nonce; one that asks for confirmation also contains who may press
it and until when. Codes are not secret and grant nothing: whoever presses is authorised again (`handlers.chat.people`).
"""

import re
import secrets
import string
from dataclasses import dataclass
from enum import StrEnum, unique

VERSION = "1"
CONFIRM_SECONDS = 60
"""How long a confirmation question can be answered."""

_DIGITS = string.digits + string.ascii_lowercase
# A subject may have 32 digits, what the rest leaves of the 64 bytes; a 15-digit number and an epoch second need 26.
_SHAPE = re.compile(r"1:([a-z0-9]{1,2}):([0-9.]{0,32}):([A-Za-z0-9_-]{4})(?::([0-9a-z]{1,11})\.([0-9a-z]{1,8}))?")


@unique
class Verb(StrEnum):
    """What a button does."""

    DETAIL = "d"
    ALL = "l"
    HISTORY = "h"
    RECONNECT = "r"
    SUSPEND = "s"
    USE_HERE = "u"
    LINK = "k"
    SKIP = "ks"
    """Start the next account in the person's linking queue."""
    STOP = "kx"
    """Cancel the person's linking queue."""
    NEW_CODE = "kn"
    RESTORE = "o"
    CANCEL = "c"
    ACKNOWLEDGE = "a"
    TAKE_OVER = "t"
    RELEASE = "n"
    SILENCE = "q"
    LONG_SILENCE = "q8"
    END_SILENCE = "e"
    REDO = "y"
    """Carry out an earlier request; the item is its update."""
    TAKE_WEBHOOK = "w"
    SAME_NUMBER = "ok"
    """The number that the page shows is the account's."""
    OTHER_NUMBER = "no"
    """It is not: the device is logged out."""
    CONTINUE = "co"
    """Press Continue in the dialog that covers the page."""
    GO_ON = "go"
    """Proceed with what is on hold because of a new build of the page."""
    PAGE = "p"
    """Another page of a list; the item is created by `handlers.telegram.ui.keyboards`."""
    PEOPLE = "pl"
    PERSON = "pp"
    LET_IN = "pi"
    IGNORE = "pg"
    SET_ROLE = "ps"
    REMOVE_PERSON = "px"
    OWNER = "ow"
    REMOVE = "x"
    REMOVE_SURE = "xx"
    LOUDNESS = "lo"
    AUDIT = "au"


_VERBS = frozenset(Verb)


class StaleButtonError(ValueError):
    """The code is from another version of the program, or not ours."""


@dataclass(frozen=True, slots=True)
class Press:
    """A pressed button.

    subject: the account's number without its +, then a dot and the id of an incident or a silence, or
    the epoch second of a saved session; each part is optional. presser, until: on a confirmation button, the only user
    who may press it, and the epoch second until which.
    """

    verb: Verb
    subject: str = ""
    nonce: str = ""
    presser: int | None = None
    until: int | None = None

    @property
    def number(self) -> str | None:
        """The account concerned, E.164; None if there is none."""
        digits = self.subject.partition(".")[0]
        return f"+{digits}" if digits else None

    @property
    def items(self) -> tuple[int, ...]:
        """The numbers after the first dot; empty if one of them is missing."""
        parts = self.subject.split(".")[1:]
        return tuple(map(int, parts)) if all(map(str.isdecimal, parts)) else ()

    @property
    def item(self) -> int | None:
        """The incident, silence or request concerned, if any."""
        digits = self.subject.partition(".")[2]
        return int(digits) if digits.isdecimal() else None


def button_code(verb: Verb, subject: str = "", *, presser: int | None = None, until: int | None = None) -> str:
    """Return a button's code, with a fresh nonce. subject: an E.164 number or digits, or two separated by a dot."""
    code = f"{VERSION}:{verb}:{subject.removeprefix('+')}:{secrets.token_urlsafe(3)}"
    if presser is not None and until is not None:
        code += f":{_base36(presser)}.{_base36(until)}"
    return code


def read_code(code: str) -> Press:
    """Parse a button's code. Raises StaleButtonError."""
    shape = _SHAPE.fullmatch(code)
    if shape is None or shape[1] not in _VERBS:
        raise StaleButtonError(code)
    presser, until = (None, None) if shape[4] is None else (int(shape[4], 36), int(shape[5], 36))
    return Press(Verb(shape[1]), shape[2], shape[3], presser, until)


def _base36(value: int) -> str:
    digits = ""
    while True:
        value, rest = divmod(value, 36)
        digits = _DIGITS[rest] + digits
        if not value:
            return digits
