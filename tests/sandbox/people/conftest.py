"""Both stand-ins, the page's server on top of them, and a scripted bot."""

import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest_asyncio
import qrcode
from qrcode.constants import ERROR_CORRECT_L

from sandbox.people import PeoplePage
from sandbox.telegram import TelegramStandIn
from sandbox.whatsapp import Options, Timings, WhatsAppStandIn


def code_picture(text: str) -> bytes:
    """Return a PNG of a QR code, as the bot makes it."""
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_L, box_size=8, border=4)
    code.add_data(text)
    encoded = io.BytesIO()
    code.make_image().get_image().save(encoded, "PNG")
    return encoded.getvalue()


@dataclass
class Desk:
    """Everything that is on the table."""

    telegram: TelegramStandIn
    whatsapp: WhatsAppStandIn
    page: PeoplePage
    http: aiohttp.ClientSession

    async def bot(self, method: str, **parameters: Any) -> Any:
        """Call a Bot API method, as the bot."""
        form = aiohttp.FormData()
        for name, value in parameters.items():
            if isinstance(value, bytes):
                form.add_field(name, io.BytesIO(value), filename="qr.png", content_type="image/png")
            else:
                form.add_field(name, value if isinstance(value, str) else json.dumps(value))
        url = f"{self.telegram.url}/bot{self.telegram.token}/{method}"
        async with self.http.post(url, data=form) as answer:
            body = await answer.json()
            assert body["ok"], body
            return body["result"]


@pytest_asyncio.fixture(loop_scope="module")
async def desk() -> AsyncIterator[Desk]:
    options = Options(timings=Timings().scaled(25))
    async with (
        TelegramStandIn() as telegram,
        WhatsAppStandIn(options) as whatsapp,
        PeoplePage(telegram.url, whatsapp.url) as page,
        aiohttp.ClientSession() as http,
    ):
        yield Desk(telegram, whatsapp, page, http)
