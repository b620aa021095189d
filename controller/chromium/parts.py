"""The parts of a newly opened browser that a session needs: its page, channels to query it, and its processes."""

from dataclasses import dataclass

from playwright.async_api import BrowserContext, CDPSession, Page

from controller.accounts.reasons import Reason
from controller.chromium.playwright.errors import GONE
from controller.chromium.process import flags
from controller.chromium.process.find import Browser
from controller.chromium.process.tree import ProcessId
from controller.chromium.profile.profile import Profile
from controller.driver import DriverError


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What `chromium_driver` opened for a session. node: Playwright's driver process."""

    context: BrowserContext
    page: Page
    browser_cdp: CDPSession
    page_cdp: CDPSession
    process: ProcessId
    node: ProcessId
    profile: Profile


async def collect_parts(
    context: BrowserContext, profile: Profile, process: ProcessId, node: ProcessId, browser: Browser
) -> Parts:
    """Collect the parts that a session needs from an open browser."""
    if context.browser is None:
        raise DriverError(Reason.SESSION_CLOSED, GONE)
    page = context.pages[0] if context.pages else await context.new_page()
    for other in context.pages:
        if other is not page:
            await other.close()
    page_cdp = await context.new_cdp_session(page)
    await page_cdp.send("Page.enable")
    await page_cdp.send("Emulation.setUserAgentOverride", flags.user_agent_override(browser))
    return Parts(
        context=context,
        page=page,
        browser_cdp=await context.browser.new_browser_cdp_session(),
        page_cdp=page_cdp,
        process=process,
        node=node,
        profile=profile,
    )
