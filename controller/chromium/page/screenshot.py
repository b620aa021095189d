"""The picture of a page that was not recognised, for an alert: what is in it will be seen by many, and kept.

So whatever may be a linking code (a page that has changed may well still draw one) or a person's chats is left out of
it; words outside of these stay, since they tell what the page wants.
What never lives here: when a picture is taken (`session`), and who is shown it.
"""

import asyncio

from playwright.async_api import Page

from controller.chromium.playwright.errors import translated
from controller.driver import DriverError

_SECONDS = 5.0
_HIDE = """
canvas, img, svg, video, object, embed, picture,
[data-ref], [data-link-code], [contenteditable],
#pane-side, #main, [role=grid], [role=list], [role=listbox], [role=row], [role=listitem] {
  visibility: hidden !important;
}
:is(canvas, svg, [data-ref], [data-link-code], #pane-side, #main, [role=grid], [role=list], [role=listbox]) * {
  visibility: hidden !important;
}
* { background-image: none !important; }
"""


async def take_picture(page: Page) -> bytes | None:
    """Return a PNG of what the page shows, without codes and chats; None where none can be had in time."""
    try:
        with translated("take a picture"):
            async with asyncio.timeout(_SECONDS):
                return await page.screenshot(type="png", style=_HIDE, timeout=_SECONDS * 1000)
    except DriverError:
        return None
