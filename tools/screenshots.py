"""Takes the README's pictures from the real sandbox: `python -m tools.screenshots` writes docs/images/*.png.

Runs the whole sandbox on free ports with a folder of its own, and drives its page as a newcomer would. It waits for
structure (a code, buttons, an answer), never for wording, which may change. It takes about a minute and needs a font
with emoji (fonts-noto-color-emoji on Debian).
Not here: tests, and anything that the running program needs.
"""

import asyncio
import contextlib
import io
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from PIL import Image
from playwright.async_api import Locator, Page, async_playwright, expect

from controller.chromium.process.find import find_executable
from sandbox.people.cast import PHONES

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
SIZE = {"width": 1400, "height": 900}
PATIENCE_MS = 60_000
COLOURS = 256
STOP_SECONDS = 60


@asynccontextmanager
async def sandbox() -> AsyncIterator[str]:
    """Run the whole sandbox; yield its page's address."""
    ports = _free_ports(3)
    flags = [f"--{name}={port}" for name, port in zip(("port", "telegram-port", "whatsapp-port"), ports, strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sandbox", *flags, f"--data-dir={folder}/data",
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            while b"Open" not in (line := await process.stdout.readline()):
                if not line:
                    raise SystemExit("the sandbox does not start; `make run` says why")
            yield f"http://127.0.0.1:{ports[0]}/"
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), STOP_SECONDS)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


async def take(page: Page, url: str) -> None:
    """Link two accounts, lose one; take a picture of a code and one of an alert."""
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    await page.goto(url)
    await page.locator("html[data-ready]").wait_for()
    await page.locator(".start-button").click()
    await page.locator(".row.in").first.wait_for()
    await link(page, PHONES[1])
    await expect(phone(page, PHONES[1])).to_have_attribute("data-state", "good")
    await link(page, PHONES[0], shoot=True)
    await expect(phone(page, PHONES[0])).to_have_attribute("data-state", "good")
    await page.wait_for_timeout(4000)  # for its card to follow: the stand-in is a moment ahead of the product
    await phone(page, PHONES[0]).locator('[data-act="Log out"]').click()
    await page.locator(".key").first.wait_for()
    await say(page, "/status")
    await page.locator(".row.out", has_text="/status").wait_for()
    await page.locator(".row.out:has-text('/status') ~ .row.in").first.wait_for()
    await shoot_page(page, "alert")


async def link(page: Page, account: dict[str, str], *, shoot: bool = False) -> None:
    """Send /link, wait for this account's code, and scan it."""
    await say(page, f"/link {account['number']} {account['name']}")
    scan = phone(page, account).locator(".scan.ready")
    await scan.wait_for()
    if shoot:
        await shoot_page(page, "link")
    await scan.click()


def phone(page: Page, account: dict[str, str]) -> Locator:
    """Return the phone's card."""
    return page.locator(f'.phone[data-number="{account["number"]}"]')


async def say(page: Page, text: str) -> None:
    """Send a text in the open chat."""
    await page.locator(".say").fill(text)
    await page.locator(".say").press("Escape")
    await page.locator(".say").press("Enter")


async def shoot_page(page: Page, name: str) -> None:
    """Write a picture of the visible page, once it has settled, compressed without visible loss."""
    await expect(page.locator(".toast")).to_have_count(0)
    newest = page.locator(".row").last
    await newest.scroll_into_view_if_needed()
    await expect(newest).to_be_in_viewport(ratio=1)
    await page.wait_for_timeout(1200)  # for animations
    with Image.open(io.BytesIO(await page.screenshot(animations="disabled"))) as shot:
        small = shot.convert("RGB").quantize(COLOURS, kmeans=2)
    path = IMAGES / f"{name}.png"
    small.save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1024} KiB")


async def main() -> None:
    """Take all pictures."""
    async with sandbox() as url, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_executable(), args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": SIZE["width"], "height": SIZE["height"]}, color_scheme="light")
        await take(page, url)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
