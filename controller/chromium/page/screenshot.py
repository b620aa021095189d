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
_LISTS = """#pane-side, #main, [role=grid], [role=list], [role=listbox], [role=table], [role=treegrid], [role=tree],
  [role=feed], [role=log]"""
_ROWS = "[role=row], [role=listitem], [role=treeitem], [role=article]"
_DRAWN = "[data-ref], [data-link-code], [contenteditable]"
_BLANKED = f"canvas, img, picture, svg, video, object, embed, {_DRAWN}, {_LISTS}, {_ROWS}"
_BLANK = """{
  color: transparent !important;
  -webkit-text-fill-color: transparent !important;
  text-shadow: none !important;
  object-fit: none !important;
  object-position: -99999px -99999px !important;
  background: repeating-linear-gradient(45deg, #d5d5d5 0 6px, #f0f0f0 6px 12px) !important;
}"""
_HIDE = f"""
* {{ background-image: none !important; }}
:is(svg, object, embed, {_DRAWN}, {_LISTS}, {_ROWS}) :is(*, *::before, *::after) {{ visibility: hidden !important; }}
html body :is({_BLANKED}) {_BLANK}
:host :is({_BLANKED}) {_BLANK}
html body :is({_LISTS}) :is(canvas, img, svg, {_ROWS}) {{ background: none !important; }}
input, textarea {{ color: transparent !important; -webkit-text-fill-color: transparent !important; }}
"""
"""Blanked areas are hatched, so that it looks intended. A shadow root gets the same style, and has no `html`."""


async def take_picture(page: Page) -> bytes | None:
    """Return a PNG of what the page shows, without codes and chats; None if it cannot be taken in time."""
    try:
        with translated("take a picture"):
            async with asyncio.timeout(_SECONDS):
                return await page.screenshot(type="png", style=_HIDE, timeout=_SECONDS * 1000)
    except DriverError:
        return None
