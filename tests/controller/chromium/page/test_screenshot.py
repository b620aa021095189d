"""The screenshot of an unknown page shows neither a code nor anybody's chats, but still what the page says."""

import io
from base64 import b64encode

import pytest
import qrcode
import zxingcpp
from PIL import Image, ImageChops
from playwright.async_api import Page
from qrcode.image.svg import SvgPathImage

from controller.accounts.reasons import Reason
from controller.accounts.reports import Code, Ended
from controller.chromium.page import screenshot
from controller.chromium.page.screenshot import take_picture
from tests.controller.chromium.conftest import eventually
from tests.waiting import until

pytestmark = pytest.mark.chromium

CODE = "2@" + "r" * 120 + "," + ",".join(["k" * 43 + "="] * 3) + ",1"


def codes_in(png: bytes) -> list[str]:
    with Image.open(io.BytesIO(png)) as image:
        return [found.text for found in zxingcpp.read_barcodes(image)]


def is_blank(png: bytes) -> bool:
    with Image.open(io.BytesIO(png)) as image:
        plain = image.convert("RGB")
        return ImageChops.difference(plain, Image.new("RGB", plain.size, plain.getpixel((0, 0)))).getbbox() is None


async def test_the_alert_of_a_page_that_has_changed_carries_no_code(rig, stand_in, monkeypatch):
    monkeypatch.setattr(screenshot, "_SECONDS", 45.0)  # what is on it is looked at here, not how soon it is taken
    stand_in.switches.set("unknown_build", "all")
    rig.make(settle=7.5)
    session = await rig.open()
    page = session._parts.page

    async def shows_a_code() -> bool:
        return bool(codes_in(await page.screenshot(type="png")))

    await eventually(lambda: stand_in.phones.codes() and stand_in.phones.codes()[0]["qr"])
    assert await shows_a_code(), "else this would prove nothing"
    ended = await eventually(lambda: next((one for one in rig.reports if isinstance(one, Ended)), None))

    assert ended.reason is Reason.PAGE_UNKNOWN
    assert codes_in(ended.picture) == []
    assert not is_blank(ended.picture)


@pytest.fixture
async def page(rig, monkeypatch) -> Page:
    """A page of nobody's in a browser that shows pictures: without them nothing would have to be blanked."""
    monkeypatch.setattr(screenshot, "_SECONDS", 45.0)  # what is on it is looked at here, not how soon it is taken
    rig.make(savings=frozenset())
    session = await rig.open()
    await rig.seen(Code)
    page: Page = session._parts.page  # there is one only
    return page


async def show(page: Page, html: str) -> None:
    await page.goto("about:blank")
    await page.set_content(html)
    await page.evaluate("() => Promise.all([...document.images].map((image) => image.decode()))")


async def test_no_code_is_in_it_however_it_is_drawn(page):
    svg = qrcode.make(CODE, image_factory=SvgPathImage, box_size=20).to_string(encoding="unicode")
    url = "data:image/svg+xml;base64," + b64encode(svg.encode()).decode()
    for drawn in (
        "{svg}",
        "<img src='{url}' width=600 height=600>",
        "<div style='width: 600px; height: 600px; background: url({url}) 0 0 / contain'></div>",
        "<div id=main><p><img src='{url}' width=600 height=600></p></div>",
    ):
        await show(page, "<h1>Update your browser</h1>" + drawn.format(svg=svg, url=url))

        async def shows_it() -> bool:
            return codes_in(await page.screenshot(type="png")) == [CODE]

        await until(shows_it, f"{drawn} is drawn, else this would prove nothing")

        taken = await take_picture(page)

        assert taken is not None, drawn
        assert codes_in(taken) == [], drawn
        assert not is_blank(taken), drawn
        assert codes_in(await page.screenshot(type="png")) == [CODE], "the page itself stays as it was"


async def test_no_chats_are_in_it(page):
    await show(
        page,
        "<div id=main>hello</div><div id=pane-side><span style='visibility: visible'>Ada</span></div>"
        "<div role=grid><div role=row>Bob</div></div><p contenteditable>a draft</p>",
    )
    assert not is_blank(await page.screenshot(type="png"))

    taken = await take_picture(page)

    assert taken is not None
    with Image.open(io.BytesIO(taken)) as image:
        assert image.convert("L").getextrema()[0] > 0xB0, "hatched, and without a letter, which would be dark"


IN_A_ROOT = """(html) => {
  const host = document.body.appendChild(document.createElement('div'));
  host.attachShadow({ mode: 'open' }).innerHTML = html;
  return Promise.all([...host.shadowRoot.querySelectorAll('img')].map((image) => image.decode()));
}"""


async def test_a_shadow_root_hides_nothing_from_it(page):
    svg = qrcode.make(CODE, image_factory=SvgPathImage, box_size=20).to_string(encoding="unicode")
    url = "data:image/svg+xml;base64," + b64encode(svg.encode()).decode()
    for html in (
        f"<img src='{url}' width=600 height=600>",
        "<div id=pane-side>Ada: 1234</div>",
        "<section><div role=log>Ada: 1234</div><ul role=list><li>Bob</ul></section>",
        "<div role=feed><article role=article>Ada: 1234</article></div>",
    ):
        await show(page, "<style>html { background: white }</style>")
        await page.evaluate(IN_A_ROOT, html)
        taken = await take_picture(page)
        assert taken is not None
        with Image.open(io.BytesIO(taken)) as image:
            assert image.convert("L").getextrema()[0] > 0xB0, f"hatched, and without a letter: {html[:40]}"


def is_hatched(png: bytes, box: tuple[int, int, int, int]) -> bool:
    with Image.open(io.BytesIO(png)) as image:
        found = image.convert("RGB").crop(box).getcolors(1 << 16)
    return found is not None and {(0xD5, 0xD5, 0xD5), (0xF0, 0xF0, 0xF0)} <= {color for _, color in found}


async def test_what_is_blanked_is_hatched_and_nothing_of_it_can_be_read(page):
    for blanked in (
        "<canvas style='position: fixed; inset: 0; width: 400px; height: 400px'></canvas>",
        "<div id=pane-side style='position: fixed; inset: 0; width: 400px; height: 400px'><p>Ada: 1234</div>",
        "<div role=grid style='position: fixed; inset: 0; width: 400px; height: 400px'>Ada: 1234</div>",
    ):
        await show(page, "<style>html { background: white }</style>" + blanked)
        taken = await take_picture(page)
        assert taken is not None
        assert is_hatched(taken, (50, 50, 350, 350))
        with Image.open(io.BytesIO(taken)) as image:
            darkest, _ = image.convert("L").crop((0, 0, 400, 400)).getextrema()
        assert darkest > 0xB0, "letters would be dark"
