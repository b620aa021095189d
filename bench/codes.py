"""From the page's new code to the picture in the chat: the whole program, real Chromium, real HTTP, both stand-ins.

The clock starts when the stand-in gives the page a new code and stops when the chat shows a picture that decodes to it,
so the figure includes the page's own work.
"""

import asyncio
import io
import statistics
import time
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import zxingcpp
from PIL import Image

from bench.figures import Figure
from handlers.telegram.ui.qr import Band, draw
from sandbox.telegram import TelegramStandIn
from sandbox.whatsapp import Options, Timings, WhatsAppStandIn
from tests.e2e.harness import ADMIN, NUMBER, World

PERIOD = 5.0
"""Lifetime of each code in seconds: long enough that the chat's rate limits delay no picture."""
QR = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
LOOK_EVERY = 0.001
PATIENCE = 60.0


async def measure(folder: Path, codes: int) -> list[Figure]:
    """Let the page renew its code `codes` times; return how long each took to reach the chat."""
    settings = {"QR_TIMEOUT_SECONDS": str(codes * PERIOD + PATIENCE), "QR_DEBOUNCE_SECONDS": "0.3"}
    timings = Timings().scaled(10).with_given({"first_ref": PERIOD, "next_ref": PERIOD})
    page = WhatsAppStandIn(Options(timings=timings, refs=codes + 20))
    async with TelegramStandIn(0) as telegram, page as whatsapp:
        telegram.client.add_user(ADMIN, "Ada")
        here = World(telegram, whatsapp, folder / "data")
        async with here.program(**settings):
            await here.client.send(ADMIN, f"/link {NUMBER}")
            await here.client.wait_for(here.qr, PATIENCE)
            taken = [await _renewal(here) for _ in range(codes)]
            floor = await _least(telegram)
    spread = statistics.quantiles(taken, n=100, method="inclusive")
    return [
        Figure(
            f"code to chat, median of {codes}",
            1000 * statistics.median(taken),
            "ms",
            floor=1000 * floor,
            by="drawing it, and one upload",
        ),
        Figure(
            f"code to chat, 99 of 100 (longest {1000 * max(taken):.0f} ms)", 1000 * spread[98], "ms", 150, at_most=True
        ),
    ]


async def _least(telegram: TelegramStandIn) -> float:
    """Return the seconds that any program needs to draw the picture and upload it over an open connection."""
    text, taken = ",".join(["a" * 120, *["b" * 44] * 3, "1"])[:231], []
    async with httpx.AsyncClient() as client:
        for _ in range(20):
            begun = time.perf_counter()
            picture = await asyncio.to_thread(draw, text, Band("Floor", "…5678", "until 12:00"))
            files = {"photo": ("qr.png", picture, "image/png")}
            url = f"{telegram.url}/bot{telegram.token}/sendPhoto"
            (await client.post(url, data={"chat_id": ADMIN}, files=files)).raise_for_status()
            taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


async def _renewal(here: World) -> float:
    """Return the seconds from the next code until the chat shows what the page shows."""
    before = ref = _ref(here)
    async with asyncio.timeout(PATIENCE):
        while ref in {before, None}:
            await asyncio.sleep(LOOK_EVERY)
            ref = _ref(here)
    begun = time.perf_counter()
    shown = here.qr()
    while True:
        shown = await here.client.wait_for(partial(_newer, here, shown), PATIENCE)
        taken = time.perf_counter() - begun
        if _reads(here.client.picture(shown)).startswith(f"{_ref(here)},"):
            return taken


def _reads(picture: bytes) -> str:
    with Image.open(io.BytesIO(picture)) as image:
        found = zxingcpp.read_barcode(image, formats=QR)
    return found.text if found is not None else ""


def _ref(here: World) -> Any:
    return next((code["ref"] for code in here.phones.codes()), None)


def _newer(here: World, shown: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the picture in the chat if it differs from the one shown before."""
    now = here.qr()
    return now if now is not None and (shown is None or now["photo"] != shown["photo"]) else None
