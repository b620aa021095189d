"""QR pictures: a code's text as a PNG that a phone reads from a screen, also after a messenger's compression.

Pure and slow (~15 ms): call `draw` in a thread. The text is a credential: it is in the picture and nowhere else.
"""

import io

import qrcode
from qrcode.constants import ERROR_CORRECT_L
from qrcode.image.pil import PilImage

PIXELS = 8
"""Of one module, on each side."""
BORDER = 4
"""Modules of white around the code: without it a dark screen hides the edge."""
MASK = 3
"""Fixed: to try all eight for the prettiest takes three times as long and decodes no better."""


def draw(text: str) -> bytes:
    """Return the QR picture of `text` as a PNG: level L, no logo, ~520 pixels for 231 characters."""
    code = qrcode.QRCode(
        error_correction=ERROR_CORRECT_L, box_size=PIXELS, border=BORDER, mask_pattern=MASK, image_factory=PilImage
    )
    code.add_data(text, optimize=0)
    code.make(fit=True)
    png = io.BytesIO()
    code.make_image().save(png, format="PNG", compress_level=1)
    return png.getvalue()
