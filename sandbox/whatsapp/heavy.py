"""The assets of a heavy page: a large bundle, pictures and a font; requests for each are counted."""

import io
import random
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from aiohttp import web
from PIL import Image

from sandbox.whatsapp.options import Heavy

BULK = "bulk.js"
FONT_BYTES = 100_000
KEPT = {"Cache-Control": "public, max-age=86400, immutable"}
"""Like a real page's assets: on reload its scripts come from the cache, compiled."""


@lru_cache(maxsize=2)
def bulk(functions: int) -> str:
    """Return a bundle of so many functions (some 200 bytes each), a tenth of which are called at the start."""
    made = [
        f"  const f{n} = (given) => {{ const found = [given, {n}];"
        f" for (let at = 0; at < 3; at += 1) found.push(at * {n});"
        f" return found.map((each) => `${{each}}:{n}`).join(','); }};"
        for n in range(functions)
    ]
    called = ", ".join(f"f{n}" for n in range(0, functions, 10))
    start = f"exports.start = () => [{called}].map((each) => each(1)).length;"
    return "\n".join(["'use strict';", "__d('StandInBulk', (require, exports) => {", *made, f"  {start}", "});", ""])


@lru_cache(maxsize=64)
def picture(number: int) -> bytes:
    """Return a picture like a real avatar: small, and incompressible."""
    noise = random.Random(number).randbytes(96 * 96 * 3)  # noqa: S311 - not a secret
    encoded = io.BytesIO()
    Image.frombytes("RGB", (96, 96), noise).save(encoded, "JPEG", quality=75)
    return encoded.getvalue()


def routes(heavy: Heavy | None, asked: Counter[str]) -> Sequence[web.RouteDef]:
    """Return the routes of a heavy page's assets; none for a light page. asked: counts the requests by kind."""
    if heavy is None:
        return ()

    async def answer_picture(request: web.Request) -> web.StreamResponse:
        asked["picture"] += 1
        return web.Response(body=picture(int(request.match_info["number"])), content_type="image/jpeg", headers=KEPT)

    async def answer_font(_: web.Request) -> web.StreamResponse:
        asked["font"] += 1
        return web.Response(body=bytes(FONT_BYTES), content_type="font/woff2", headers=KEPT)

    return (web.get(r"/heavy/picture/{number:\d+}", answer_picture), web.get("/heavy/font", answer_font))
