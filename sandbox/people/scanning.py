"""A phone's camera: decodes the QR code in the picture shown in the chat, as a phone does.

Contents: decoding one picture. Not here: asking the WhatsApp stand-in for the current code; an unreadable
picture is a failure that must be visible.
"""

import io

import zxingcpp
from PIL import Image


class NoCodeError(ValueError):
    """A picture contains no readable QR code."""


def read_code(picture: bytes) -> str:
    """Return the text of the only QR code in a JPEG or PNG. Raises NoCodeError. Takes milliseconds."""
    with Image.open(io.BytesIO(picture)) as opened:
        found = zxingcpp.read_barcodes(
            opened.convert("L"), formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
        )
    texts = {code.text for code in found if code.valid}
    if len(texts) != 1:
        raise NoCodeError("the camera finds no QR code in this picture" if not texts else "there are several codes")
    return texts.pop()
