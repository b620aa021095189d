"""Drives WhatsApp Web in real Chromium, one browser and one profile for each account.

From the outside in: `driver` opens sessions; `session` turns what a page and its processes do into reports. `page` is
everything of the page (our scripts in it, what they tell, what it means), `playwright` the library that drives it,
`process` and `profile` own the processes and the files. Nothing of Playwright leaves this package: its face is
`controller.driver`.
"""

from controller.chromium.driver import ChromiumDriver, ChromiumOptions
from controller.chromium.process.bounds import Bounds

__all__ = ["Bounds", "ChromiumDriver", "ChromiumOptions"]
