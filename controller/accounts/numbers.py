"""Phone numbers as E.164: as people may see them in logs and alerts, and whether two are one account's.

Parsing what people type lives in `handlers.texts.phone_numbers`.
"""

import re

_WITH_AND_WITHOUT = (
    # Brazil's mobile numbers got a 9 in 2012 to 2016; accounts that are older keep their id without it.
    (re.compile(r"\+55(\d{2})9?([6-9]\d{7})"), r"+55\1\2"),
    # Mexico's lost their 1 in 2019; ids keep it.
    (re.compile(r"\+521?(\d{10})"), r"+52\1"),
)
"""What WhatsApp's ids of some countries have or lack: a pattern, and what all its forms come to.

As users of other clients found: wwebjs/whatsapp-web.js issues 596 and 1967, chatwoot pull request 14926.
"""


def mask(number: str) -> str:
    """Return an E.164 number with all but its last four digits hidden, its length too: `•••4567`."""
    return "•••" + number[-4:]


def is_same_account(one: str, other: str) -> bool:
    """Tell whether two E.164 numbers are one WhatsApp account's."""
    return _plain(one) == _plain(other)


def _plain(number: str) -> str:
    for pattern, form in _WITH_AND_WITHOUT:
        if match := pattern.fullmatch(number):
            return match.expand(form)
    return number
