"""A test start of the browser, as for an account, on a temporary profile: for `switchboard check`."""

import asyncio
import tempfile
from pathlib import Path

from controller.accounts.reasons import Reason
from controller.chromium.chromium_driver import ChromiumOptions
from controller.chromium.playwright.errors import translated
from controller.chromium.playwright.launch import Launch
from controller.chromium.playwright.playwright_host import PlaywrightHost
from controller.chromium.process import flags
from controller.chromium.process.find import find_executable, identify
from controller.chromium.profile.profile import Profile
from controller.driver import DriverError

_NOBODY = "+10000000000"
_UNDO_SECONDS = 5.0


async def try_browser(options: ChromiumOptions, seconds: float) -> str:
    """Start a browser, open an empty page and end it; return its version and whether it is sandboxed.

    The profile is in DATA_DIR, like those of accounts, or else in the temporary folder. Raises DriverError,
    OSError.
    """
    browser = await identify(find_executable(options.executable))
    parent = options.data_dir if options.data_dir.is_dir() else None
    with tempfile.TemporaryDirectory(prefix=".check-", dir=parent, ignore_cleanup_errors=True) as folder:
        profile = Profile.of(Path(folder), _NOBODY)
        profile.prepare()
        host = PlaywrightHost(Path(folder))
        launch = Launch(profile, browser, options.arguments(browser), options.proxy)
        try:
            with translated("start the browser"):
                async with asyncio.timeout(seconds):
                    playwright, node = await host.get()
                    context, _ = await launch.start(playwright, node, seconds)
                    page = context.pages[0] if context.pages else await context.new_page()
                    if await page.evaluate("1 + 1") != 2:  # noqa: PLR2004 - the sum
                        raise DriverError(Reason.LAUNCH_FAILED, "the browser's page does not run scripts")
        finally:
            await launch.undo(_UNDO_SECONDS)
            await host.stop()
    is_sandboxed = flags.sandboxed() and "--no-sandbox" not in options.extra_args
    return f"{browser.path} {browser.version}, {'in its sandbox' if is_sandboxed else 'WITHOUT its sandbox'}"
