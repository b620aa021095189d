"""Phone numbers as E.164: as people may see them in logs and alerts, and whether two are one account's.

Parsing what people type lives in `handlers.texts.phone_numbers`.
"""

import re

_WITH_AND_WITHOUT = (
    # Brazil's mobile numbers got a 9 in 2012 to 2016; accounts that are older keep their id without it.
    (re.compile(r"\+55(\d{2})9?([6-9]\d{7})"), r"+55\1\2"),
    # Mexico's lost their 1 in 2019; ids keep it.
    (re.compile(r"\+521?(\d{10})"), r"+52\1"),
    # Argentina's mobile numbers have a 9 when called from abroad, which people leave out; ids have it.
    (re.compile(r"\+549?(\d{10})"), r"+54\1"),
)
"""What WhatsApp's ids of some countries have or lack: a pattern, and what all its forms come to.

As users of other clients found: wwebjs/whatsapp-web.js issues 596 and 1967, chatwoot pull requests 14264 and 14926.
"""

_SHOWN = 4


def mask(number: str) -> str:
    """Return an E.164 number with all but its last four digits hidden, its length too: `•••4567`."""
    return "•••" + number[-_SHOWN:]


def mask_apart(one: str, other: str) -> tuple[str, str]:
    """Return two different E.164 numbers masked, but with the digits in which they differ: `549•••6789, 54•••6789`."""
    if one[-_SHOWN:] != other[-_SHOWN:]:
        return mask(one), mask(other)
    length = max(len(one), len(other)) - len("+")
    left, right = one.removeprefix("+").rjust(length), other.removeprefix("+").rjust(length)
    shown = [a != b or at >= length - _SHOWN for at, (a, b) in enumerate(zip(left, right, strict=True))]
    return _shown(left, shown), _shown(right, shown)


def is_same_account(one: str, other: str) -> bool:
    """Tell whether two E.164 numbers are one WhatsApp account's."""
    return _plain(one) == _plain(other)


def may_be_same_account(one: str, other: str) -> bool:
    """Tell whether two E.164 numbers differ by one digit that is inserted or dropped: only a person knows then."""
    short, long = sorted((one, other), key=len)
    return len(long) == len(short) + 1 and any(long[:at] + long[at + 1 :] == short for at in range(1, len(long)))


def _plain(number: str) -> str:
    for pattern, form in _WITH_AND_WITHOUT:
        if match := pattern.fullmatch(number):
            return match.expand(form)
    return number


def _shown(digits: str, shown: list[bool]) -> str:
    masked = "".join(digit if seen else "•" for digit, seen in zip(digits, shown, strict=True))
    return re.sub("•+", "•••", masked).strip()
