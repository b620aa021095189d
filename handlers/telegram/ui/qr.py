"""QR pictures: a code's text as a PNG that a phone can read from a screen, even after a messenger's compression.

Below the code, outside its white border, a band shows which account it is for and how long it is valid: a person
with twelve phones must not scan with the wrong one. Pure and slow (~20 ms): call `draw` in a thread. The text is a
credential and appears only in the picture. Pillow and qrcode are imported with the first picture.
"""

import functools
import io
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image, ImageFont

PIXELS = 8
"""Pixels per module, on each side."""
BORDER = 4
"""White modules around the code: without them, a dark screen hides its edge."""
MASK = 3
"""Fixed: evaluating all eight masks takes three times as long, and the result decodes no better."""
BAND = 96
"""The band's height in pixels."""
WIDTH = 600
"""The width in pixels of a picture without a code."""

_MARGIN = 24
_FONT_SIZES = (34, 24)
_PAPER, _INK = (18, 60, 84), (255, 255, 255)
_NOBODYS = "\uffff"
"""A character that no font has."""


_DASHES = {ord("–"): "-", ord("—"): "-", ord("’"): "'", ord("ß"): "ss"}


@dataclass(frozen=True, slots=True)
class Band:
    """The band's text. title: the account's name, "" for none; number: its distinguishing digits; until: the time.

    Pillow's built-in font covers little more than ASCII: accents are dropped, a word with other letters is shortened
    to "…", signs that are no letters are left out, and a name without a letter or digit of the font is omitted. The
    caption has the full name.
    """

    title: str
    number: str
    until: str


def draw(text: str, band: Band | None = None) -> bytes:
    """Return the QR picture of `text` as a PNG: level L, no logo, ~520 pixels wide for 231 characters."""
    import qrcode
    from qrcode.constants import ERROR_CORRECT_L
    from qrcode.image.pil import PilImage

    code = qrcode.QRCode(
        error_correction=ERROR_CORRECT_L, box_size=PIXELS, border=BORDER, mask_pattern=MASK, image_factory=PilImage
    )
    code.add_data(text, optimize=0)
    code.make(fit=True)
    drawn = code.make_image().get_image()
    return _png(drawn if band is None else _with_band(drawn.convert("RGB"), band))


def draw_waiting(band: Band) -> bytes:
    """Return the picture shown in place of a code until the next one comes, as a PNG."""
    from PIL import Image

    return _png(_with_band(Image.new("RGB", (WIDTH, WIDTH // 3), (236, 236, 236)), band))


def _with_band(code: "Image.Image", band: Band) -> "Image.Image":
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (code.width, code.height + BAND), _PAPER)
    picture.paste(code, (0, 0))
    pen = ImageDraw.Draw(picture)
    name = _plain(band.title.removesuffix(band.number))  # one that is told apart by its digits ends in them
    above = f"{name} · {band.number}" if name else band.number
    for line, size, top in zip((above, band.until), _FONT_SIZES, (12, 56), strict=True):
        font = _font(size)
        pen.text((_MARGIN, code.height + top), _fit(line, font, code.width - 2 * _MARGIN), fill=_INK, font=font)
    return picture


def _fit(line: str, font: "ImageFont.FreeTypeFont", width: int) -> str:
    """Return a line, shortened in the middle if it is too wide: its end distinguishes the number."""
    if font.getlength(line) <= width:
        return line
    head, tail = line[: len(line) // 2], line[len(line) // 2 :]
    while head and font.getlength(f"{head}…{tail}") > width:
        if len(head) > 1 and len(head) >= len(tail) - 16:
            head = head[:-1]
        else:
            tail = tail[1:]
    return f"{head}…{tail}"


def _plain(words: str) -> str:
    """Return the text in characters that the font has, "" if nothing that identifies it is left.

    What the font lacks would be drawn as empty boxes: letters and digits become one ellipsis, since a name without them
    could be somebody else's; emoji and other signs are left out.
    """
    words = "".join(sign for sign in unicodedata.normalize("NFKD", words) if not unicodedata.combining(sign))
    missing = _mask(_NOBODYS)
    drawn = ""
    for sign in words.translate(_DASHES):
        if sign.isspace() or _mask(sign) != missing:
            drawn += sign
        elif sign.isalnum() and not drawn.endswith("…"):
            drawn += "…"
    drawn = " ".join(drawn.split())
    return drawn if any(sign.isalnum() for sign in drawn) else ""


def _mask(sign: str) -> bytes:
    return bytes(_font(_FONT_SIZES[0]).getmask(sign))


@functools.cache
def _font(size: int) -> "ImageFont.FreeTypeFont":
    from PIL import ImageFont

    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def _png(image: "Image.Image") -> bytes:
    png = io.BytesIO()
    image.save(png, format="PNG", compress_level=1)
    return png.getvalue()
