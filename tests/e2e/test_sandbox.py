"""The sandbox as a newcomer uses it: the real page in a real browser, with the whole product behind it."""

import signal

import aiohttp
import pytest
from playwright.async_api import async_playwright, expect

from controller.chromium.process.find import find_executable
from sandbox.people.cast import PHONES
from tests.sandbox.test_demo import is_listening, sandbox
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.chromium]
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)


@pytest.mark.timeout(300)
async def test_the_guide_leads_through_a_wrong_scan_a_crash_and_a_revoked_token(tmp_path):
    async with sandbox(tmp_path) as here, aiohttp.ClientSession() as http, async_playwright() as playwright:
        await until(lambda: is_listening(http, here), "the bot listens")
        browser = await playwright.chromium.launch(executable_path=find_executable(), args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(PATIENCE_MS)
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(here.page)
        step = page.locator(".guide li.now")

        await page.get_by_role("button", name="Send /start").click()
        await page.get_by_role("button", name="Send /link").click()
        await expect(step).to_contain_text("Scan the code")
        await page.locator(f'.phone[data-number="{PHONES[1]["number"]}"] .scan').click()  # the wrong phone
        await page.get_by_role("button", name="Send /link").click()
        await expect(step).to_contain_text("Scan the code")
        await step.get_by_role("button").click()
        await expect(page.locator(".messages")).to_contain_text("Connected since")  # the load after a new link is over
        crash = page.get_by_role("button", name="Crash it")
        await expect(crash).to_be_enabled(timeout=PATIENCE_MS)
        await crash.click()
        await expect(page.locator(".guide.finished")).to_be_visible(timeout=PATIENCE_MS)
        await expect(page.locator(f'.phone[data-number="{PHONES[0]["number"]}"] .lines')).to_contain_text(
            "again, after"
        )

        await page.locator(".telegram-trouble > summary").click()
        await page.locator(".failure", has_text="Token revoked").click()
        for action in ("stop", "start"):  # a running bot believes it after two minutes only, one that starts at once
            async with http.post(f"{here.page}/program", json={"action": action}) as answer:
                assert answer.status == 200
        await expect(page.locator("#banner")).to_contain_text("The bot has ended")
        await page.get_by_role("button", name="Heal everything").click()
        await page.get_by_role("button", name="Start it again").click()
        await expect(page.locator("#lights")).to_contain_text("Bot is listening")
        await expect(page.locator("#banner")).to_be_hidden()

        here.process.send_signal(signal.SIGINT)  # with the tab still open
        assert await here.ended(60) == 0
        await expect(page.locator("#lights")).to_contain_text("The sandbox has stopped")
        await browser.close()
        assert complaints == []
