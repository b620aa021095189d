"""Who may ask a server on loopback: the page that it serves itself, and programs; no other site's page.

Any site that a browser shows can send requests to 127.0.0.1, and can give 127.0.0.1 a name of its own. Nothing of
what a server here does is known to this module.
"""

from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

NAMES = frozenset({"127.0.0.1", "localhost", "::1"})


def refusal(request: web.BaseRequest) -> str | None:
    """Return why a request is to be refused with 403, None where it may pass.

    Its Host has to be a name of loopback, its Origin, where a browser sends one, exactly this host and port.
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
    """Return a middleware that refuses what `refusal` names, as one JSON line; for paths that begin so, or for all."""

    @web.middleware
    async def keep_out(request: web.Request, handler: Handler) -> web.StreamResponse:
        guarded = not paths or request.path.startswith(paths)
        if guarded and (why := refusal(request)) is not None:
            return web.json_response({"error": why}, status=403)
        return await handler(request)

    return keep_out
