"""Phone numbers in E.164: masking for logs and alerts, and whether two of them are the same account.

Parsing of user input is in `handlers.texts.phone_numbers`.
"""

import re

_WITH_AND_WITHOUT = (
    # Brazilian mobile numbers got an extra 9 between 2012 and 2016; older accounts keep their id without it.
    (re.compile(r"\+55(\d{2})9?([6-9]\d{7})"), r"+55\1\2"),
    # Mexican numbers lost their 1 in 2019; ids keep it.
    (re.compile(r"\+521?(\d{10})"), r"+52\1"),
    # Argentine mobile numbers have a 9 when dialled from abroad, which people omit; ids have it.
    (re.compile(r"\+549?(\d{10})"), r"+54\1"),
)
"""Variants of numbers in WhatsApp's ids by country: a pattern, and the canonical form.

Reported by users of other clients: wwebjs/whatsapp-web.js issues 596 and 1967, chatwoot pull requests 14264, 14926.
"""

_SHOWN = 4
_SUBSCRIBER = 6
"""Digits at a number's end that are the subscriber's own in every country, but for the smallest."""


def mask(number: str) -> str:
    """Mask an E.164 number except for its last four digits, without showing its length: `•••4567`."""
    return "•••" + number[-_SHOWN:]


def mask_apart(one: str, other: str) -> tuple[str, str]:
    """Mask two different E.164 numbers, keeping the digits in which they differ: `549•••6789, 54•••6789`."""
    if one[-_SHOWN:] != other[-_SHOWN:]:
        return mask(one), mask(other)
    length = max(len(one), len(other)) - len("+")
    left, right = one.removeprefix("+").rjust(length), other.removeprefix("+").rjust(length)
    shown = [a != b or at >= length - _SHOWN for at, (a, b) in enumerate(zip(left, right, strict=True))]
    return _shown(left, shown), _shown(right, shown)


def is_same_account(one: str, other: str) -> bool:
    """Return whether two E.164 numbers belong to the same WhatsApp account."""
    return _plain(one) == _plain(other)


def may_be_same_account(one: str, other: str) -> bool:
    """Return whether two E.164 numbers differ by one digit before the subscriber's own: only a person can tell then.

    Such a digit belongs to how a country is called, and some write it and some do not. Two of them, behind the
    country's own, are what countries put before all their numbers when those run out (+229 01 …, +225 07 …), while ids
    stay as they are. Among the last digits it does not: there one more or less is another subscriber.
    """
    short, long = sorted((one, other), key=len)
    more = len(long) - len(short)
    if more not in {1, 2}:
        return False
    first, own = (1, _SUBSCRIBER) if more == 1 else (len("+22"), _SUBSCRIBER + 2)
    if short[-own:] != long[-own:]:
        return False
    return any(long[:at] + long[at + more :] == short for at in range(first, len(long) - own))


def _plain(number: str) -> str:
    for pattern, form in _WITH_AND_WITHOUT:
        if match := pattern.fullmatch(number):
            return match.expand(form)
    return number


def _shown(digits: str, shown: list[bool]) -> str:
    masked = "".join(digit if seen else "•" for digit, seen in zip(digits, shown, strict=True))
    return re.sub("•+", "•••", masked).strip()
