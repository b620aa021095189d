"""The screenshot of a stuck or unknown page, for an alert: many people will see it, and it is stored.

Anything that may be a linking code (even a changed page may well draw one) or somebody's chats is therefore blanked;
other text stays, since it says what the page wants.
Not here: when a screenshot is taken (`session`), and who sees it.
"""

import asyncio

from playwright.async_api import Page

from controller.chromium.playwright.errors import translated
from controller.driver import DriverError

_SECONDS = 5.0
_HIDE = """
* { background-image: none !important; }
:is(svg, object, embed, [data-ref], [data-link-code], [contenteditable], #pane-side, #main, [role=grid], [role=list],
    [role=listbox], [role=row], [role=listitem]) :is(*, *::before, *::after) {
  visibility: hidden !important;
}
html body :is(canvas, img, picture, svg, video, object, embed, [data-ref], [data-link-code], [contenteditable],
    #pane-side, #main, [role=grid], [role=list], [role=listbox], [role=row], [role=listitem]) {
  color: transparent !important;
  -webkit-text-fill-color: transparent !important;
  text-shadow: none !important;
  object-fit: none !important;
  object-position: -99999px -99999px !important;
  background: repeating-linear-gradient(45deg, #d5d5d5 0 6px, #f0f0f0 6px 12px) !important;
}
html body :is(#pane-side, #main, [role=grid], [role=list], [role=listbox])
    :is(canvas, img, svg, [role=row], [role=listitem]) {
  background: none !important;
}
input, textarea { color: transparent !important; -webkit-text-fill-color: transparent !important; }
"""
"""Blanked areas are hatched, so that it looks intended."""


async def take_picture(page: Page) -> bytes | None:
    """Return a PNG of what the page shows, without codes and chats; None if it cannot be taken in time."""
    try:
        with translated("take a picture"):
            async with asyncio.timeout(_SECONDS):
                return await page.screenshot(type="png", style=_HIDE, timeout=_SECONDS * 1000)
    except DriverError:
        return None
