"""Health endpoints: `/live`, `/ready` and `/metrics` on loopback or on a Unix socket; off by default.

They show figures and states, and accept no commands. Whoever may open them can read how many accounts there are and how
they fare; numbers and names are not in them.
"""

import contextlib
import errno
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from switchboard.monitoring.address import Address
from switchboard.monitoring.metrics import CONTENT_TYPE

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class HealthResponse:
    """The answer of `/live` or `/ready`: ok gives status 200, else 503. lines: the reasons, one to a line."""

    ok: bool
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What each endpoint answers, computed for each request."""

    live: Callable[[], HealthResponse]
    ready: Callable[[], HealthResponse]
    metrics: Callable[[], bytes]


@asynccontextmanager
async def serve_endpoints(address: Address, views: Endpoints) -> AsyncIterator[str]:
    """Serve the endpoints; yields their URL, or `unix:` and a path. Raises OSError if it cannot listen there."""
    app = web.Application()
    app.add_routes(
        [
            web.get("/live", _answering(views.live)),
            web.get("/ready", _answering(views.ready)),
            web.get("/metrics", _metrics(views)),
        ]
    )
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        if address.path is None:
            await web.TCPSite(runner, address.host, address.port).start()
            host, port = runner.addresses[0][:2]
            where = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        else:
            with contextlib.suppress(FileNotFoundError):
                _remove_socket(address.path)
            await web.UnixSite(runner, str(address.path)).start()
            address.path.chmod(0o660)
            where = f"unix:{address.path}"
        log.info("Health: %s/live, /ready, /metrics", where)
        yield where
    finally:
        await runner.cleanup()
        if address.path is not None:
            with contextlib.suppress(OSError):
                _remove_socket(address.path)


def _remove_socket(path: Path) -> None:
    """Remove a socket that an earlier run left behind; anything else is kept. Raises OSError if somebody listens."""
    if not path.is_socket():
        return
    if has_listener(path):
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), str(path))
    os.unlink(path)  # noqa: PTH108 - the socket itself, never the target of a link


def has_listener(path: Path) -> bool:
    """Return whether a program listens on a Unix socket. Returns at once."""
    with socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)  # noqa: FBT003 - the library's
        try:
            client.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:  # it has no time just now, or is not for us
            return True
    return True


def _answering(view: Callable[[], HealthResponse]) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        shown = view()
        return web.Response(status=200 if shown.ok else 503, text="\n".join(shown.lines) + "\n")

    return answer


def _metrics(views: Endpoints) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=views.metrics(), headers={"Content-Type": CONTENT_TYPE})

    return answer
