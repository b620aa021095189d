"""The only channel between the page and us: our watcher's messages come in, single queries go out.

It is a DevTools protocol binding in this page only, not one of Playwright's, which keeps a list of bindings that the
page's scripts could find. Our script removes the function from `window` before any script of the page runs, and each
message begins with a secret known only to our script; other calls, and those from other frames, are ignored.
Incoming messages are limited in size and rate here as well, and handled immediately: there is no queue. Answers are
limited in the page: they pass through Playwright's driver, which the accounts share.
Not here: what a message or an answer means.
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
"""Characters. The watcher sends no longer ones."""
BURST = 200
"""Messages at once: more than the watcher sends during four reloads in a row."""
PER_SECOND = 10.0
"""Sustained messages per second: twice the watcher's maximum."""
DOING = "ask the page"
LONGEST_ANSWER = 100_000
"""Characters of an answer as JSON."""
_BOUNDED = """(async () => {{
  try {{
    const answer = JSON.stringify({{ value: await ({expression}) }});
    return typeof answer === "string" && answer.length <= {longest} ? answer : "";
  }} catch {{
    return "";
  }}
}})()"""
"""Returns an answer as JSON, or "" for an error and for one that is too long, whatever the page has made of built-ins:
the type and the length of a string cannot be replaced."""


class PageChannel:
    """receive: called with each message. flooded: called once if there are more than our script ever sends."""

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
        """Install our script ahead of everything that the page loads. Raises what Playwright raises."""
        self._frame = (await self._cdp.send("Page.getFrameTree"))["frameTree"]["frame"]["id"]
        self._cdp.on("Runtime.executionContextCreated", self._context_created)
        self._cdp.on("Runtime.executionContextDestroyed", self._context_destroyed)
        self._cdp.on("Runtime.executionContextsCleared", self._contexts_cleared)
        self._cdp.on("Runtime.bindingCalled", self._called)
        await self._cdp.send("Runtime.enable")  # contexts only get the binding after this
        await self._cdp.send("Runtime.addBinding", {"name": self._binding})
        source = {"source": watcher(self._binding, self._secret)}
        await self._cdp.send("Page.addScriptToEvaluateOnNewDocument", source)

    def close(self) -> None:
        """Ignore all further messages."""
        self._open = False

    def lose(self) -> None:
        """Fail all pending and future queries: the page has crashed."""
        if not self._gone.done():
            self._gone.set_result(None)

    def _context_created(self, event: dict[str, Any]) -> None:
        context = event["context"]
        data = context.get("auxData", {})
        self._contexts[context["id"]] = data.get("frameId") == self._frame and data.get("isDefault") is True
        self._count()

    def _context_destroyed(self, event: dict[str, Any]) -> None:
        self._contexts.pop(event["executionContextId"], None)

    def _contexts_cleared(self, _: dict[str, Any]) -> None:
        self._contexts.clear()

    def _count(self) -> bool:
        """Count one event from the page; returns whether it is within the limit."""
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
            message = json.loads(payload.removeprefix(self._secret))
        except (ValueError, RecursionError):
            return
        self._receive(message)

    async def ask(self, call: str) -> Any:
        """Call one of the functions of surfaces.js in the page, as in "live()". Raises DriverError; has no deadline."""
        return await self._run(question(call))

    async def evaluate(self, function: str, argument: Any) -> Any:
        """Run a function in the page with one argument. Raises DriverError; has no deadline."""
        return await self._run(f"({function})({json.dumps(argument)})")

    async def _run(self, expression: str) -> Any:
        # Not as a user gesture: with one, as in Playwright's own evaluate, the page could open a window.
        bounded = _BOUNDED.format(expression=expression, longest=LONGEST_ANSWER)
        asked = {"expression": bounded, "awaitPromise": True, "returnByValue": True, "userGesture": False}
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
        try:
            return json.loads(answer["result"]["value"]).get("value")
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
            raise DriverError(Reason.LAUNCH_FAILED, f"could not {DOING}: its script failed") from None
