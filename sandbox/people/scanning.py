"""A phone's camera: it reads the code out of the picture that the chat shows, as a phone does.

Contents: decoding one picture. Not here: asking WhatsApp's stand-in which code is current; a picture that
cannot be read is a fault that must show.
"""

import io

import zxingcpp
from PIL import Image


class NoCodeError(ValueError):
    """There is no QR code to be read in a picture."""


def read_code(picture: bytes) -> str:
    """Return the text of the one QR code in a JPEG or PNG; raises NoCodeError. Takes milliseconds."""
    with Image.open(io.BytesIO(picture)) as opened:
        found = zxingcpp.read_barcodes(
            opened.convert("L"), formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
        )
    texts = {code.text for code in found if code.valid}
    if len(texts) != 1:
        raise NoCodeError("the camera finds no QR code in this picture" if not texts else "there are several codes")
    return texts.pop()
