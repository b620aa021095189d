"""The one way between a page and us: messages of our watcher come in, single questions go out.

It is a binding of the DevTools protocol's own, in this page alone, and not one of Playwright's, which keeps a list of
them where a page's script finds it. Our script takes the function out of `window` before any script of the page runs,
and each message begins with a secret that only our script knows; what calls it otherwise, or from another frame than
the page's own, is not heard.
What comes in is bounded here once more, in size and rate, and handled at once: there is no queue.
What never lives here: what a message or an answer means.
"""

import asyncio
import json
import secrets
from collections.abc import Callable
from typing import Any

from playwright.async_api import CDPSession

from controller.accounts.reasons import Reason
from controller.chromium.page.script import question, watcher
from controller.chromium.playwright.errors import GONE, translated
from controller.driver import DriverError

LONGEST_MESSAGE = 10_000
"""Letters. The watcher sends no longer ones."""
BURST = 200
"""Messages at once: more than the watcher sends through four reloads in a row."""
PER_SECOND = 10.0
"""Messages each second for good: twice what the watcher sends at most."""
DOING = "ask the page"


class PageChannel:
    """receive: called with each message. flooded: called once, when there is more than any page of ours sends."""

    def __init__(self, cdp: CDPSession, receive: Callable[[Any], None], flooded: Callable[[], None]) -> None:
        self._cdp, self._receive, self._flooded = cdp, receive, flooded
        self._binding = f"_{secrets.token_hex(8)}"
        self._secret = secrets.token_hex(16)
        self._allowed = float(BURST)
        self._refilled_at = asyncio.get_running_loop().time()
        self._frame = ""
        self._contexts: dict[int, bool] = {}
        self._open = True
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def install(self) -> None:
        """Put our script before everything that the page will load. Raises what Playwright raises."""
        self._frame = (await self._cdp.send("Page.getFrameTree"))["frameTree"]["frame"]["id"]
        self._cdp.on("Runtime.executionContextCreated", self._context_created)
        self._cdp.on("Runtime.executionContextDestroyed", self._context_destroyed)
        self._cdp.on("Runtime.executionContextsCleared", self._contexts_cleared)
        self._cdp.on("Runtime.bindingCalled", self._called)
        await self._cdp.send("Runtime.enable")  # without it no context has the binding
        await self._cdp.send("Runtime.addBinding", {"name": self._binding})
        source = {"source": watcher(self._binding, self._secret)}
        await self._cdp.send("Page.addScriptToEvaluateOnNewDocument", source)

    def close(self) -> None:
        """Hear nothing more."""
        self._open = False

    def lose(self) -> None:
        """Take it that the page has crashed: nothing that it is asked is ever answered."""
        if not self._gone.done():
            self._gone.set_result(None)

    def _context_created(self, event: dict[str, Any]) -> None:
        context = event["context"]
        told = context.get("auxData", {})
        self._contexts[context["id"]] = told.get("frameId") == self._frame and told.get("isDefault") is True
        self._count()

    def _context_destroyed(self, event: dict[str, Any]) -> None:
        self._contexts.pop(event["executionContextId"], None)

    def _contexts_cleared(self, _: dict[str, Any]) -> None:
        self._contexts.clear()

    def _count(self) -> bool:
        """Count one event of the page's; returns whether it is still one of those that a page may have."""
        if not self._open:
            return False
        now = asyncio.get_running_loop().time()
        self._allowed = min(float(BURST), self._allowed + (now - self._refilled_at) * PER_SECOND)
        self._refilled_at = now
        if self._allowed < 1:
            self.close()
            self._flooded()
            return False
        self._allowed -= 1
        return True

    def _called(self, event: dict[str, Any]) -> None:
        if (
            event.get("name") != self._binding
            or not self._count()
            or not self._contexts.get(event["executionContextId"])
        ):
            return
        payload = event.get("payload")
        if not isinstance(payload, str) or len(payload) > LONGEST_MESSAGE or not payload.startswith(self._secret):
            return
        try:
            told = json.loads(payload.removeprefix(self._secret))
        except (ValueError, RecursionError):
            return
        self._receive(told)

    async def ask(self, call: str) -> Any:
        """Call one of the functions of surfaces.js in the page, as in "live()". Raises DriverError; has no deadline."""
        return await self._run(question(call))

    async def evaluate(self, function: str, argument: Any) -> Any:
        """Run a function in the page with one argument. Raises DriverError; has no deadline."""
        return await self._run(f"({function})({json.dumps(argument)})")

    async def _run(self, expression: str) -> Any:
        # Without a gesture of a user's: with one, as Playwright's own evaluate has it, the page might open a window.
        asked = {"expression": expression, "awaitPromise": True, "returnByValue": True, "userGesture": False}
        asking = asyncio.ensure_future(self._cdp.send("Runtime.evaluate", asked))
        try:
            waiting: set[asyncio.Future[Any]] = {asking, self._gone}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise DriverError(Reason.SESSION_CLOSED, GONE)
            with translated(DOING):
                answer = asking.result()
        finally:
            if not asking.done():
                asking.add_done_callback(lambda done: done.cancelled() or done.exception())
                asking.cancel()
        if "exceptionDetails" in answer:
            raise DriverError(Reason.LAUNCH_FAILED, f"could not {DOING}: its script failed")
        return answer.get("result", {}).get("value")
