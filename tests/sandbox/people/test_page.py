"""The page in real Chromium: what a newcomer sees and clicks."""

import asyncio
import io
import shutil
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import Locator, Page, async_playwright, expect

from controller.accounts.notices import CodeShown
from controller.accounts.reports import Code
from controller.registry import Account
from handlers.telegram.ui.qr import Band, draw
from handlers.texts import linking
from sandbox.people.cast import ADMIN, OPERATOR, PHONES
from sandbox.people.scanning import read_code
from sandbox.people.server import PAGE
from sandbox.telegram.faults import PRESETS
from tests.peers.harness import MODULES, why_not
from tests.sandbox.people.conftest import Desk, code_picture
from tests.waiting import until

BROWSER = shutil.which("chromium-headless-shell") or shutil.which("chromium")
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.chromium,
    pytest.mark.skipif(BROWSER is None, reason="needs Chromium, not found on PATH"),
]

NUMBER = PHONES[0]["number"]
PATIENCE_MS = 45_000
expect.set_options(timeout=PATIENCE_MS)  # its own five seconds are short on a busy machine
BUTTONS = {"inline_keyboard": [[{"text": "Acknowledge", "callback_data": "ack"}]]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser():
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser, desk: Desk):
    """The page, open and ready; a script that fails or breaks the policy fails the test."""
    context = await browser.new_context(viewport={"width": 1440, "height": 950}, color_scheme="light")
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if "Content Security Policy" in line.text else None)
    await page.goto(desk.page.url)
    await page.locator("html[data-ready]").wait_for()
    yield page
    await context.close()
    assert complaints == []


def bubble(page: Page, text: str) -> Locator:
    return page.locator(".row", has_text=text).last


def phone(page: Page, number: str = NUMBER) -> Locator:
    return page.locator(f'.phone[data-number="{number}"]')


async def begin(desk: Desk, page: Page) -> None:
    await page.locator(".start-button").click()
    await expect(page.locator(".row.out")).to_contain_text("/start")


async def test_start_begins_the_chat_and_the_answer_arrives(desk: Desk, page: Page):
    await expect(page.locator(".empty")).to_contain_text("What can this bot do?")
    await begin(desk, page)
    assert desk.telegram.client.messages(ADMIN)[0]["text"] == "/start"
    await desk.bot("sendMessage", chat_id=ADMIN, text="<b>Hi</b> Ada", parse_mode="HTML")
    await desk.bot("sendMessage", chat_id=ADMIN, text="a quiet one", disable_notification=True)
    await expect(bubble(page, "Hi Ada").locator("b")).to_have_text("Hi")
    await expect(bubble(page, "Hi Ada").locator("[title='Made a sound']")).to_be_visible()
    await expect(bubble(page, "a quiet one").locator("[title='Came silently']")).to_be_visible()


async def test_text_is_shown_as_text(desk: Desk, page: Page):
    await begin(desk, page)
    await desk.bot("sendMessage", chat_id=ADMIN, text="<img src=x onerror=alert(1)> & more")
    await expect(page.locator(".row.in .text")).to_have_text("<img src=x onerror=alert(1)> & more")


async def test_edits_are_marked_and_tell_what_was_before(desk: Desk, page: Page):
    await begin(desk, page)
    number = (await desk.bot("sendMessage", chat_id=ADMIN, text="CONNECTING"))["message_id"]
    await expect(bubble(page, "CONNECTING")).to_be_visible()
    await desk.bot("editMessageText", chat_id=ADMIN, message_id=number, text="CONNECTED")
    await expect(page.locator(".row.in .text")).to_have_text("CONNECTED")
    await page.locator(".edited").click()
    await expect(page.locator("dialog.history li .text")).to_have_text(["CONNECTING", "CONNECTED"])


async def test_deleted_messages_go_and_can_be_looked_at(desk: Desk, page: Page):
    await begin(desk, page)
    number = (await desk.bot("sendPhoto", chat_id=ADMIN, photo=code_picture("x"), caption="code"))["message_id"]
    await expect(bubble(page, "code").locator("img")).to_be_visible()
    await desk.bot("deleteMessage", chat_id=ADMIN, message_id=number)
    await expect(page.locator(".row.in")).to_have_count(0)
    await page.get_by_label("Show deleted messages").click()
    await expect(page.locator(".row.ghost")).to_contain_text("deleted by the bot")


async def test_the_picture_of_an_edit_replaces_the_old_one(desk: Desk, page: Page):
    await begin(desk, page)
    sent = await desk.bot("sendPhoto", chat_id=ADMIN, photo=code_picture("one"), caption="before")
    await expect(bubble(page, "before")).to_be_visible()
    before = await page.locator(".photo img").get_attribute("src")
    assert before is not None
    media = {"type": "photo", "media": "attach://new", "caption": "after"}
    edit = {"chat_id": ADMIN, "message_id": sent["message_id"], "media": media, "new": code_picture("two")}
    await desk.bot("editMessageMedia", **edit)
    await expect(bubble(page, "after")).to_be_visible()
    await expect(page.locator(".photo img")).not_to_have_attribute("src", before)
    await expect(page.locator(".photo img")).to_have_count(1)


async def test_the_command_menu_opens_by_a_slash_and_by_its_button(desk: Desk, page: Page):
    commands = [{"command": "status", "description": "how it is"}, {"command": "suspend", "description": "close it"}]
    await begin(desk, page)
    await desk.bot("setMyCommands", commands=commands)
    await page.locator(".menu-button").click()
    await expect(page.locator(".suggestion")).to_have_count(2)
    await page.locator(".say").fill("/su")
    await expect(page.locator(".suggestion strong")).to_have_text(["/suspend"])
    await page.locator(".say").press("ArrowDown")
    await page.locator(".say").press("Enter")
    await expect(page.locator(".row.out").last).to_contain_text("/suspend")


@pytest.mark.parametrize(("alert", "shown"), [(False, ".toast"), (True, "dialog.alert[open]")])
async def test_pressing_a_button_shows_the_bots_answer(desk: Desk, page: Page, alert: bool, shown: str):
    await begin(desk, page)
    await desk.bot("sendMessage", chat_id=ADMIN, text="alert", reply_markup=BUTTONS)
    await page.get_by_role("button", name="Acknowledge").click()
    query_id = await desk.telegram.client.wait_for(lambda: next(iter(desk.telegram.world.queries), None))
    await desk.bot("answerCallbackQuery", callback_query_id=query_id, text="Noted, Ada", show_alert=alert)
    await expect(page.locator(shown)).to_contain_text("Noted, Ada")


async def test_other_peoples_chats_count_what_is_unread(desk: Desk, page: Page):
    await desk.telegram.client.send(OPERATOR, "/start")
    await desk.bot("sendMessage", chat_id=OPERATOR, text="for Ben", disable_notification=True)
    await expect(page.locator(".person", has_text="Ben").locator(".badge")).to_have_text("1")
    await expect(page.locator(".person", has_text="Ben").locator(".badge.loud")).to_have_count(0)
    await desk.bot("sendMessage", chat_id=OPERATOR, text="loud, for Ben")
    await expect(page.locator(".person", has_text="Ben").locator(".badge.loud")).to_have_text("2")
    await page.locator(".person", has_text="Ben").click()
    await expect(bubble(page, "loud, for Ben")).to_be_visible()
    await expect(page.locator(".person .badge")).to_have_count(0)


async def test_the_group_is_there_for_its_members_only(desk: Desk, page: Page):
    await page.locator(".chat-tab", has_text="Night shift").click()
    await page.locator(".say").fill("/status")
    await page.locator(".say").press("Enter")
    await expect(bubble(page, "/status")).to_be_visible()
    await page.locator(".person", has_text="Ben").click()
    await page.locator(".chat-tab", has_text="Night shift").click()
    await expect(bubble(page, "/status").locator(".sender")).to_have_text("Ada")
    await page.locator(".person", has_text="Sam").click()
    await expect(page.locator(".chat-tab")).to_have_count(0)


async def test_a_blocked_bot_can_be_started_again(desk: Desk, page: Page):
    await begin(desk, page)
    await page.get_by_label("More").click()
    await page.get_by_role("button", name="Block the bot").click()
    await expect(page.locator(".start-button")).to_have_text("RESTART BOT")
    assert desk.telegram.client.chat(ADMIN).blocked is True
    await page.locator(".start-button").click()
    await expect(page.locator(".composer")).to_be_visible()
    assert desk.telegram.client.chat(ADMIN).blocked is False


async def test_a_group_that_becomes_a_forum_shows_its_topics(desk: Desk, page: Page):
    await page.locator(".chat-tab", has_text="Night shift").click()
    await page.get_by_label("More").click()
    await page.get_by_role("button", name="Make it a forum").click()
    await expect(page.locator(".chip").last).to_have_text("Upgraded from a basic group")
    forum = next(chat["id"] for chat in desk.telegram.client.chats() if chat.get("is_forum"))
    topic = (await desk.bot("createForumTopic", chat_id=forum, name="Support Berlin"))["message_thread_id"]
    await desk.bot("sendMessage", chat_id=forum, message_thread_id=topic, text="in the topic")
    await desk.bot("sendMessage", chat_id=forum, text="in general")
    await page.locator(".topic-tab", has_text="Support Berlin").click()
    await expect(bubble(page, "in the topic")).to_be_visible()
    await expect(page.locator(".row", has_text="in general")).to_have_count(0)


async def shown_code(desk: Desk) -> str:
    """Return the code that WhatsApp's page shows, once it does."""

    async def drawn() -> bool:
        return any("," in (code.get("qr") or "") for code in desk.whatsapp.phones.codes())

    await until(drawn, "a code")
    return next(code["qr"] for code in desk.whatsapp.phones.codes() if code.get("qr"))


async def test_a_phone_scans_the_code_in_the_chat(desk: Desk, page: Page):
    await begin(desk, page)
    await expect(phone(page).locator(".scan")).to_be_disabled()
    linked = await page.context.new_page()
    await linked.goto(desk.whatsapp.url)
    code = await shown_code(desk)
    await desk.bot("sendPhoto", chat_id=ADMIN, photo=code_picture(code), caption="Support Berlin, +49 1511 2345678")
    await expect(phone(page).locator(".scan.ready")).to_be_enabled()
    await expect(page.locator(".scan.ready")).to_have_count(1)
    await phone(page).locator(".scan").click()
    await expect(page.locator(".toast.good")).to_have_text("Support Berlin scanned the code")
    await expect(phone(page)).to_contain_text("Switchboard · active now")
    assert desk.whatsapp.phones.devices()[0]["number"] == NUMBER

    await phone(page).get_by_role("button", name="Conflict").click()
    await until(lambda: desk.whatsapp.phones.devices()[0]["state"] == "CONFLICT", "the conflict")
    await phone(page).get_by_role("button", name="Lose network").click()
    await expect(phone(page)).to_contain_text("Network lost")
    await phone(page).get_by_role("button", name="Network back").click()
    await phone(page).get_by_role("button", name="Log out").click()
    await expect(phone(page)).to_contain_text("No linked device")
    assert desk.whatsapp.phones.devices() == []
    await linked.close()


async def test_a_dead_code_is_refused_in_plain_words(desk: Desk, page: Page):
    await begin(desk, page)
    await desk.bot("sendPhoto", chat_id=ADMIN, photo=code_picture("2@ref,a,b,c,1"), caption="code")
    await phone(page).locator(".scan").click()
    await expect(page.locator(".toast.bad")).to_have_text("Support Berlin: this code is dead or was never shown")


async def test_linking_a_number_puts_its_phone_on_the_desk(desk: Desk, page: Page):
    await begin(desk, page)
    await page.locator(".say").fill("/link +49 1511 2345670 Cafe")
    await page.locator(".say").press("Enter")
    await expect(phone(page, "+4915112345670")).to_contain_text("Cafe")


async def test_a_code_puts_its_phone_on_the_desk_however_its_number_came(desk: Desk, page: Page):
    await begin(desk, page)
    await send_code(desk, "2@r,a,b,c,1", "📱 2 of 3 · Café 4 you · +49 1511 2345670\nOn its phone: WhatsApp → Settings")
    added = phone(page, "+4915112345670")
    await expect(added.locator("strong").first).to_have_text("Café 4 you")
    await expect(added.locator(".scan.ready")).to_have_text("Scan its code")
    await expect(phone(page).locator(".scan.wrong")).to_have_text("Scan Café 4 you’s code")


async def test_whatsapps_nasty_cases_are_switches(desk: Desk, page: Page):
    await page.locator(".whatsapp-trouble > summary").click()
    await page.get_by_role("switch", name="Endless load").click()
    await expect(page.locator(".whatsapp-trouble .count")).to_have_text("1 on")
    assert desk.whatsapp.switches.flag("endless_load") is True
    await page.get_by_role("button", name="Everything back to normal").click()
    await expect(page.locator(".whatsapp-trouble .count")).to_be_hidden()
    assert desk.whatsapp.switches.flag("endless_load") is False


async def test_telegrams_failures_can_be_begun_and_healed(desk: Desk, page: Page):
    await page.locator(".telegram-trouble > summary").click()
    await page.get_by_role("button", name="Too many requests").click()
    await expect(page.locator(".rule")).to_contain_text("429")
    async with desk.http.get(f"{desk.telegram.url}/bot{desk.telegram.token}/getMe") as answer:
        assert answer.status == 429
    await page.get_by_role("button", name="Heal everything").click()
    await expect(page.locator(".rule")).to_have_count(0)
    assert (await desk.bot("getMe"))["is_bot"] is True


async def test_the_journal_shows_what_the_bot_asked(desk: Desk, page: Page):
    await page.locator(".journal-panel > summary").click()
    await begin(desk, page)
    await desk.bot("sendMessage", chat_id=ADMIN, text="<b>hello</b>", parse_mode="HTML")
    line = page.locator(".journal li", has_text="sendMessage")
    await expect(line.locator(".said")).to_have_text("hello")


async def test_the_guide_ticks_itself_off(desk: Desk, page: Page):
    await expect(page.locator(".guide li.now")).to_contain_text("Say hello")
    await page.get_by_role("button", name="Send /start").click()
    await expect(page.locator(".guide li.now")).to_contain_text("Link an account")
    await page.get_by_role("button", name="Send /link").click()
    await expect(page.locator(".guide li.now")).to_contain_text("It is on its way.")
    asked = "/link +49 1511 2345678 Support Berlin"
    await until(lambda: desk.telegram.client.messages(ADMIN)[-1]["text"] == asked, "the command is sent")
    await page.get_by_label("Close the guide").click()
    await page.reload()
    await page.locator("html[data-ready]").wait_for()
    await expect(page.locator(".guide li")).to_have_count(0)


async def send_code(desk: Desk, text: str, caption: str) -> int:
    sent = await desk.bot("sendPhoto", chat_id=ADMIN, photo=code_picture(text), caption=caption)
    return int(sent["message_id"])


async def test_each_phone_scans_its_own_code_whichever_was_edited_last(desk: Desk, page: Page):
    await begin(desk, page)
    berlin, munich = PHONES[0], PHONES[1]
    await send_code(desk, "2@own,a,b,c,1", f"{berlin['name']}, +49 1511 2345678")
    await send_code(desk, "2@other,a,b,c,1", f"{munich['name']} · …4567")  # as a caption that hides the number
    await expect(phone(page, berlin["number"]).locator(".scan.ready")).to_have_text("Scan its code")
    await expect(phone(page, munich["number"]).locator(".scan.ready")).to_have_text("Scan its code")
    await expect(phone(page, PHONES[2]["number"]).locator(".scan.wrong")).to_have_text("Scan Sales Munich’s code")
    async with page.expect_request("**/scan") as asked:
        await phone(page, berlin["number"]).locator(".scan").click()
    first = next(m for m in desk.telegram.client.from_bot(ADMIN) if m["text"].startswith("Support Berlin"))
    assert (await asked.value).post_data_json["message_id"] == first["message_id"]


async def test_a_picture_that_is_no_code_is_none(desk: Desk, page: Page):
    await begin(desk, page)
    screen = io.BytesIO()
    Image.new("RGB", (300, 200), "navy").save(screen, "PNG")
    await desk.bot("sendPhoto", chat_id=ADMIN, photo=screen.getvalue(), caption="Support Berlin: not recognised")
    await expect(page.get_by_alt_text("Picture: Support Berlin: not recognised")).to_be_visible()
    await expect(phone(page).locator(".scan")).to_be_disabled()
    await send_code(desk, "2@ref,a,b,c,1", "Support Berlin, +49 1511 2345678")
    await expect(page.get_by_alt_text("A QR code to scan with the account's phone")).to_be_visible()
    await expect(phone(page).locator(".scan")).to_be_enabled()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1400, 900), (390, 844)])
async def test_a_code_is_seen_whole(desk: Desk, page: Page, width: int, height: int, theme: str):
    """As the bot sends it: with its band, a caption of five lines and three buttons."""
    await page.evaluate("theme => localStorage.setItem('theme', theme)", theme)
    await page.set_viewport_size({"width": width, "height": height})
    await page.reload()
    await page.locator("html[data-ready]").wait_for()
    await begin(desk, page)
    now = datetime.now(UTC)
    account = Account(NUMBER, "Support Berlin", ADMIN)
    code = Code("2@" + ",".join(["x" * 56] * 4) + ",1", 60)
    shown = CodeShown(NUMBER, code, now + timedelta(seconds=60), now + timedelta(seconds=120), rounds_left=1)
    picture = draw(code.text, Band(account.name, "…5678", linking.band(shown, now)))
    await desk.bot("sendMessage", chat_id=ADMIN, text="Support Berlin · +49 1511 2345678: waiting for the scan")
    buttons = [[{"text": each, "callback_data": each} for each in ("New code", "Skip", "Stop")]]
    await desk.bot(
        "sendPhoto", chat_id=ADMIN, photo=picture, caption=linking.code_caption(account, shown, now, at=3, of=12),
        parse_mode="HTML", reply_markup={"inline_keyboard": buttons},
    )  # fmt: skip
    image = page.locator(".photo img")
    await image.evaluate("node => node.decode()")
    await expect(page.locator(".scan-here")).to_be_attached()
    inside = """() => {
      const list = document.querySelector('.messages').getBoundingClientRect();
      const image = document.querySelector('.photo img').getBoundingClientRect();
      return [image.top - Math.max(list.top, 0), Math.min(list.bottom, innerHeight) - image.bottom, image.width];
    }"""

    async def seen() -> bool:
        above, below, wide = await page.evaluate(inside)
        return above >= 0 and below >= 0 and wide >= 160

    await until(seen, f"the code is within the chat: {await page.evaluate(inside)}")
    shot = await image.screenshot(scale="device")
    assert (await asyncio.to_thread(read_code, shot)).startswith("2@xxx")


async def test_after_a_wrong_scan_the_guide_goes_on(desk: Desk, page: Page):
    await page.get_by_role("button", name="Send /start").click()
    await page.get_by_role("button", name="Send /link").click()
    linked = await page.context.new_page()
    await linked.goto(desk.whatsapp.url)
    sent = await send_code(desk, await shown_code(desk), "Support Berlin, +49 1511 2345678")
    await expect(page.locator(".guide li.now")).to_contain_text("Scan the code")
    await phone(page, PHONES[1]["number"]).locator(".scan").click()
    await expect(page.locator(".toast.good")).to_contain_text("Sales Munich scanned the code")
    desk.whatsapp.phones.logout(PHONES[1]["number"])  # as the bot does with a wrong number
    await desk.bot("deleteMessage", chat_id=ADMIN, message_id=sent)
    await expect(page.locator(".guide li.now")).to_contain_text("The code is gone.")
    await expect(page.get_by_role("button", name="Send /link")).to_be_enabled()
    await linked.close()


async def test_healing_is_seen_on_the_phone(desk: Desk, page: Page):
    await begin(desk, page)
    linked = await page.context.new_page()
    await linked.goto(desk.whatsapp.url)
    desk.whatsapp.phones.scan(await shown_code(desk), NUMBER)
    await expect(phone(page).locator(".lines")).to_contain_text("Linked as a new device")
    await expect(phone(page)).to_contain_text("active now")
    await phone(page).get_by_role("button", name="Crash page").click()
    await expect(phone(page).locator(".lines")).to_contain_text("You crashed its page")
    await expect(phone(page).locator(".lines")).to_contain_text("Its page is gone")
    again = await page.context.new_page()
    await again.goto(desk.whatsapp.url)
    await expect(phone(page).locator(".lines li.good").last).to_contain_text("again, after")
    await expect(phone(page).get_by_label("of the last five minutes")).to_be_attached()
    await linked.close()
    await again.close()


async def test_the_nasty_cases_stand_by_subject_and_can_be_searched(desk: Desk, page: Page):
    await page.locator(".whatsapp-trouble > summary").click()
    rows = page.locator(".whatsapp-trouble .switch")
    await expect(rows).to_have_count(len(list(desk.whatsapp.switches)))
    subjects = {row.subject for row, _ in desk.whatsapp.switches}
    assert set(await page.locator(".whatsapp-trouble .subject h3").all_inner_texts()) == subjects
    await page.get_by_label("Search the nasty cases").fill("endless")
    await expect(page.locator(".whatsapp-trouble .switch:visible strong")).to_have_text(["endless load"])
    await page.get_by_label("Search the nasty cases").fill("no such word")
    await expect(page.locator(".whatsapp-trouble .nothing")).to_be_visible()


async def test_telegrams_failures_are_those_that_its_stand_in_lists(desk: Desk, page: Page):
    await page.locator(".telegram-trouble > summary").click()
    labels = await page.locator(".telegram-trouble .failure strong").all_inner_texts()
    assert sorted(labels) == sorted(preset.label for preset in PRESETS)
    subjects = await page.locator(".telegram-trouble .subject h3").all_inner_texts()
    assert subjects == list(dict.fromkeys(preset.subject for preset in PRESETS))


async def test_a_sandbox_that_was_started_again_is_read_anew(desk: Desk, page: Page):
    await begin(desk, page)
    desk.telegram.world.feed.run = "0123abcd"  # what another run would report
    async with page.expect_navigation():
        for each in list(desk.telegram._runner.server.connections):  # the stream breaks, and the page reconnects
            each.transport.abort()
    await page.locator("html[data-ready]").wait_for()
    await expect(page.locator(".row.out")).to_contain_text("/start")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1400, 900), (390, 844)])
async def test_everybody_can_use_it(desk: Desk, page: Page, theme: str, width: int, height: int):
    """No finding of axe-core: contrast, names, roles, headings, landmarks; on a page that shows all it has."""
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    await page.set_viewport_size({"width": width, "height": height})
    await page.evaluate("theme => localStorage.setItem('theme', theme)", theme)
    await page.reload()
    await page.locator("html[data-ready]").wait_for()
    await begin(desk, page)
    sent = await desk.bot("sendMessage", chat_id=ADMIN, text="<b>Alert</b> /status <code>x</code>", parse_mode="HTML")
    await desk.bot("editMessageText", chat_id=ADMIN, message_id=sent["message_id"], text="😀", reply_markup=BUTTONS)
    await send_code(desk, "2@ref,a,b,c,1", "Support Berlin, +49 1511 2345678")
    gone = await desk.bot("sendMessage", chat_id=ADMIN, text="to be deleted", disable_notification=True)
    await desk.bot("deleteMessage", chat_id=ADMIN, message_id=gone["message_id"])
    await desk.bot("sendMessage", chat_id=OPERATOR, text="x") if desk.telegram.world.chats.get(OPERATOR) else None
    await page.get_by_label("Show deleted messages").click()
    for summary in await page.locator(".panel > summary").all():
        if await summary.is_visible():
            await summary.click()
    await desk.bot("setMyCommands", commands=[{"command": "status", "description": "how it is"}])
    await phone(page).get_by_role("button", name="Lose network").click()
    await expect(phone(page).locator(".lines")).to_contain_text("You took its network away")
    await expect(phone(page).locator(".scan.ready")).to_be_visible()
    await expect(page.locator(".toast")).to_have_count(0)
    await page.evaluate("document.getAnimations().forEach(each => each.finish?.call ? each.cancel() : null)")
    await page.evaluate((MODULES / "axe-core" / "axe.min.js").read_text("utf-8"))
    found = await page.evaluate(
        """async () => (await axe.run()).violations.map(each => [
             each.id, each.nodes.map(node => `${node.target} ${node.any[0]?.message || node.failureSummary}`)])"""
    )
    assert found == []


async def test_all_can_be_done_by_keyboard(desk: Desk, page: Page):
    await page.locator(".guide li.now button").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(".row.out")).to_contain_text("/start")
    await expect(page.get_by_role("button", name="Send /link")).to_be_focused()
    await page.locator(".whatsapp-trouble > summary").focus()
    await page.keyboard.press("Enter")
    await page.get_by_role("switch", name="Endless load").focus()
    await page.keyboard.press("Space")
    await expect(page.locator(".whatsapp-trouble .count")).to_have_text("1 on")
    await expect(page.get_by_role("switch", name="Endless load")).to_be_focused()
    await page.get_by_label("More").focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Block the bot")).to_be_hidden()
    await phone(page).get_by_role("button", name="Lose network").focus()
    await page.keyboard.press("Enter")
    await expect(phone(page).get_by_role("button", name="Network back")).to_be_visible()


async def test_the_theme_is_kept(page: Page):
    await page.get_by_label("Dark").click()
    await page.reload()
    await page.locator("html[data-ready]").wait_for()
    assert await page.locator("html").get_attribute("data-theme") == "dark"


@pytest.mark.parametrize("width", [390, 768, 1100, 1440])
async def test_nothing_is_cut_off_at_any_width(desk: Desk, page: Page, width: int):
    await page.set_viewport_size({"width": width, "height": 900})
    await begin(desk, page)
    await desk.bot("sendMessage", chat_id=ADMIN, text="word" * 200)
    await expect(bubble(page, "wordword")).to_be_visible()
    wider = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wider <= 0
    for button in await page.locator(".act").all():
        assert await button.evaluate("node => node.scrollWidth <= node.clientWidth + 1"), await button.inner_text()


@pytest.mark.parametrize("width", [390, 1400])
async def test_the_guides_words_stand_whole_beside_its_button(desk: Desk, page: Page, width: int):
    await page.set_viewport_size({"width": width, "height": 844})
    await begin(desk, page)
    await expect(page.locator(".guide li.now button")).to_have_text("Send /link")
    for words in ("A QR code comes.", "The code is gone.", "Not connected now."):
        assert f'"{words}"' in (PAGE / "guide.js").read_text(), words
        fits = await page.locator(".guide li.now div span").evaluate(
            "(node, words) => { node.textContent = words; return node.scrollWidth <= node.clientWidth; }", words
        )
        assert fits, words


async def test_the_newest_message_stays_in_sight_when_the_screen_shrinks(desk: Desk, page: Page):
    await begin(desk, page)
    for number in range(25):
        await desk.bot("sendMessage", chat_id=ADMIN, text=f"Line {number} of many")
    messages = page.locator(".messages")

    async def below(most: float = float("inf"), least: float = 0) -> None:
        for _ in range(PATIENCE_MS // 50):
            left = await messages.evaluate("node => node.scrollHeight - node.scrollTop - node.clientHeight")
            if least <= left <= most:
                return
            await page.wait_for_timeout(50)
        raise AssertionError(f"{left} px below, not {least} to {most}")

    await expect(bubble(page, "Line 24 of many")).to_be_visible()
    await below(most=2)
    # An event of an earlier scroll may come between the shrinking and its being noticed.
    await messages.evaluate("node => { node.style.maxHeight = '200px'; node.dispatchEvent(new Event('scroll')); }")
    await below(most=2)
    await messages.evaluate("node => { node.style.maxHeight = ''; }")
    await page.set_viewport_size({"width": 390, "height": 700})
    await below(most=2)
    await messages.evaluate("node => { node.scrollTop = 0; }")
    await below(least=100)
    await page.set_viewport_size({"width": 390, "height": 640})
    await page.wait_for_timeout(200)
    await below(least=100)  # who reads what is above is left there


async def test_a_sandbox_that_has_stopped_is_told(desk: Desk, page: Page):
    await begin(desk, page)
    await page.set_viewport_size({"width": 390, "height": 844})
    await desk.telegram.stop()
    await expect(page.locator(".lights")).to_contain_text("The sandbox has stopped")
    await page.locator(".say").fill("is anybody there?")
    await page.locator(".say").press("Enter")
    await expect(page.locator(".toast.bad")).to_have_text("the stand-in does not answer")
    box = await page.locator(".toast.bad").bounding_box()
    assert box is not None
    assert box["height"] < 50, "in one line, where there is room for it"
    assert 0 <= box["x"] < box["x"] + box["width"] <= 390


async def test_a_picture_is_as_sharp_as_the_chat_needs(desk: Desk, page: Page):
    await begin(desk, page)
    await desk.bot("sendPhoto", chat_id=ADMIN, photo=code_picture("2@ref,a,b,c,1"), caption="code")
    image = page.locator(".photo img")
    await image.evaluate("node => node.decode()")
    shot = await image.screenshot()
    with Image.open(io.BytesIO(shot)) as opened:
        assert opened.width >= 200
    assert await asyncio.to_thread(read_code, shot) == "2@ref,a,b,c,1"
