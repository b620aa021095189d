"""Access control for a server on loopback: allows programs and the server's own page, but no other site's page.

Any site open in a browser can send requests to 127.0.0.1, and can map its own host name to 127.0.0.1. This module
knows nothing about what a server here does.
"""

from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

NAMES = frozenset({"127.0.0.1", "localhost", "::1"})


def refusal(request: web.BaseRequest) -> str | None:
    """Return why a request must be rejected with 403, or None if it is allowed.

    Its Host must be a loopback name; its Origin, if a browser sends one, must be exactly this host and port.
    """
    try:
        host = urlsplit(f"//{request.host}").hostname
        origin = request.headers.get("Origin")
        own_origin = origin is None or urlsplit(origin).netloc == request.host
    except ValueError:
        return "this address is not understood"
    if host not in NAMES:
        return f"{host or 'this host'} is no name of this machine's loopback"
    if not own_origin or request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}:
        return "requests of another site's page are refused"
    return None


def guard(*paths: str) -> Middleware:
    """Return middleware that rejects requests by `refusal` with one JSON line; for these path prefixes, or for all."""

    @web.middleware
    async def keep_out(request: web.Request, handler: Handler) -> web.StreamResponse:
        guarded = not paths or request.path.startswith(paths)
        if guarded and (why := refusal(request)) is not None:
            return web.json_response({"error": why}, status=403)
        return await handler(request)

    return keep_out
