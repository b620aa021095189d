"""Drives WhatsApp Web in real Chromium, one browser and one profile for each account.

From the outside in: `driver` opens sessions with `launch`, through the Playwright that `host` shares; `session` turns
the page's sights (`watcher.js` and `surfaces.js` in the page, `sight` here) into reports; `profile`, `launcher`,
`processes` and `orphans` own the files and the processes; `errors` is the only place that words Playwright's errors.
Nothing of Playwright leaves this package: its face is `controller.driver`.
"""

from controller.chromium.driver import ChromiumDriver, ChromiumOptions

__all__ = ["ChromiumDriver", "ChromiumOptions"]
