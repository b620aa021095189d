"""Health endpoints: `/live`, `/ready` and `/metrics` on loopback or on a Unix socket; off by default.

They show figures and states, and take no orders. Whoever may open them may read how many accounts there are and how
they fare; numbers and names are not in them.
"""

import contextlib
import logging
import os
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
class Answer:
    """What `/live` or `/ready` answers: whether it is so, and lines of reasons."""

    ok: bool
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Views:
    """What stands in each window, asked for each time somebody looks."""

    live: Callable[[], Answer]
    ready: Callable[[], Answer]
    metrics: Callable[[], bytes]


@asynccontextmanager
async def listening(address: Address, views: Views) -> AsyncIterator[str]:
    """Serve the windows; yields where they are. Raises OSError if nothing can listen there."""
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
    """Remove a socket that an earlier run has left; anything else at that place stays."""
    if path.is_socket():
        os.unlink(path)  # noqa: PTH108 - the socket itself, never what a link leads to


def _answering(view: Callable[[], Answer]) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        shown = view()
        return web.Response(status=200 if shown.ok else 503, text="\n".join(shown.lines) + "\n")

    return answer


def _metrics(views: Views) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=views.metrics(), headers={"Content-Type": CONTENT_TYPE})

    return answer
