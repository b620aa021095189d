"""Drives WhatsApp Web in real Chromium, with one browser and one profile per account.

From the outside in: `chromium_driver` opens sessions; `session` turns events of a page and its processes into reports.
`page` has our scripts in the page and the parsing of what they send, `playwright` the automation library, `process` and
`profile` own processes and files. No type of Playwright leaves this package: its interface is
"""

from controller.chromium.chromium_driver import ChromiumDriver, ChromiumOptions
from controller.chromium.process.bounds import Bounds

__all__ = ["Bounds", "ChromiumDriver", "ChromiumOptions"]
