"""A stand-in for WhatsApp Web: page, server and phones, for tests and for the sandbox; never imported by the product.

Verified with unmodified third-party clients (tests/peers). docs/stand-ins-whatsapp.md lists what it reproduces and
what it simplifies.
"""

from sandbox.whatsapp.options import Heavy, Options, Timings
from sandbox.whatsapp.phones import PhoneError, Phones
from sandbox.whatsapp.server import WhatsAppStandIn
from sandbox.whatsapp.switches import TABLE, Switch, SwitchError, Switches

__all__ = [
    "TABLE",
    "Heavy",
    "Options",
    "PhoneError",
    "Phones",
    "Switch",
    "SwitchError",
    "Switches",
    "Timings",
    "WhatsAppStandIn",
]
