"""What all open pages and all phones of one stand-in share: devices, switches, and who cannot be reached.

One object, passed to each part; it decides nothing about protocol (session.py) or phones' actions (phones.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.whatsapp.devices import Devices
from sandbox.whatsapp.options import Options
from sandbox.whatsapp.switches import Switches

if TYPE_CHECKING:
    from sandbox.whatsapp.session import PageSession


@dataclass(slots=True)
class LinkCode:
    """A pairing code that a page shows; the phone types it in."""

    code: str  # eight characters
    number: str
    page: str
    ends: float  # the loop's clock


@dataclass(slots=True)
class Hub:
    """The shared state of one stand-in."""

    options: Options
    switches: Switches
    devices: Devices
    pages: dict[str, PageSession] = field(default_factory=dict)  # open sockets by page id
    silenced: set[str] = field(default_factory=set)  # numbers that get no answer
    cut_off: set[str] = field(default_factory=set)  # numbers whose network is lost
    passkeys: set[str] = field(default_factory=set)  # numbers whose next scan asks for a passkey
    link_codes: list[LinkCode] = field(default_factory=list)

    def is_silent(self, number: str | None) -> bool:
        """Tell whether the server answers this number's page (None: a page that is not linked)."""
        return self.switches.flag("silence") or number in self.silenced or number in self.cut_off

    def pages_of(self, number: str) -> list[PageSession]:
        """Return the open sockets that are logged in as a number."""
        return [page for page in self.pages.values() if page.device and page.device.number == number]
