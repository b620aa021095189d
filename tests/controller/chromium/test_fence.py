"""A hostile page: what it cannot report, cannot open and cannot use up."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from controller.accounts.reasons import Reason
from controller.accounts.reports import Code, Ended
from controller.chromium import Bounds
from controller.chromium.page.channel import BURST, LONGEST_ANSWER, PageChannel
from controller.chromium.page.fence import MOST_LOADED, Fence
from controller.chromium.process import endless_loop
from sandbox.whatsapp import Options, Timings, WhatsAppStandIn
from sandbox.whatsapp.options import Heavy
from tests.controller.chromium.conftest import ACCOUNT, SPEED, Rig, eventually


class FakeCdp:
    """A DevTools session that notes what is sent and lets a test raise events."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []
        self.listeners: dict[str, Any] = {}

    def on(self, name: str, listener: Any) -> None:
        self.listeners[name] = listener

    async def send(self, method: str, parameters: Any = None) -> Any:
        self.sent.append((method, parameters))
        return {"frameTree": {"frame": {"id": "MAIN"}}} if method == "Page.getFrameTree" else {}

    def context(self, number: int, frame: str, *, default: bool = True) -> None:
        told = {"id": number, "auxData": {"frameId": frame, "isDefault": default}}
        self.listeners["Runtime.executionContextCreated"]({"context": told})


async def a_channel() -> tuple[FakeCdp, PageChannel, list[Any], list[bool]]:
    cdp, heard, floods = FakeCdp(), [], []
    channel = PageChannel(cdp, heard.append, lambda: floods.append(True))  # type: ignore[arg-type]
    await channel.install()
    cdp.context(1, "MAIN")
    return cdp, channel, heard, floods


def called(cdp: FakeCdp, channel: PageChannel, told: object, *, context: int = 1, secret: str | None = None) -> None:
    payload = (channel._secret if secret is None else secret) + json.dumps(told)
    event = {"name": channel._binding, "payload": payload, "executionContextId": context}
    cdp.listeners["Runtime.bindingCalled"](event)


async def test_only_our_script_in_the_pages_own_frame_is_heard() -> None:
    cdp, channel, heard, _ = await a_channel()
    cdp.context(2, "CHILD")
    cdp.context(3, "MAIN", default=False)
    called(cdp, channel, {"kind": "heard"})
    for context, secret in ((2, None), (3, None), (4, None), (1, ""), (1, "guessed")):
        called(cdp, channel, {"kind": "forged"}, context=context, secret=secret)
    assert heard == [{"kind": "heard"}]


async def test_what_is_too_long_or_no_message_is_not_heard() -> None:
    cdp, channel, heard, _ = await a_channel()
    called(cdp, channel, "x" * 20_000)
    event = {"name": channel._binding, "payload": channel._secret + "{", "executionContextId": 1}
    cdp.listeners["Runtime.bindingCalled"](event)
    cdp.listeners["Runtime.bindingCalled"]({**event, "payload": None})
    assert heard == []


async def test_a_flood_is_told_once_and_heard_no_more() -> None:
    cdp, channel, heard, floods = await a_channel()
    for _ in range(1000):
        called(cdp, channel, {"kind": "heard"})
    assert floods == [True]
    assert len(heard) <= BURST


async def test_frames_that_load_documents_without_end_are_told_once() -> None:
    cdp, told = FakeCdp(), []
    fence = Fence(None, cdp, "https://web.whatsapp.com/", told.append)  # type: ignore[arg-type]
    context, browser = FakeCdp(), FakeCdp()
    await fence.install(context, browser)  # type: ignore[arg-type]
    asked = {"requestId": "1", "frameId": "CHILD", "request": {"url": "https://web.whatsapp.com/x?" + "u" * 2_000_000}}
    for _ in range(MOST_LOADED - 1):
        cdp.listeners["Fetch.requestPaused"](asked)
    for _ in range(500):
        cdp.listeners["Fetch.requestPaused"](asked | {"frameId": "MAIN"})
    assert told == [], "the page itself is followed by others"
    for _ in range(500):
        cdp.listeners["Fetch.requestPaused"](asked)
    assert told == ["it kept loading frames"]
    await fence.stop()


FOREIGN = """() => {
  const frame = document.createElement('iframe');
  document.body.append(frame);
  const own = new Set(Object.getOwnPropertyNames(frame.contentWindow));
  const names = Object.getOwnPropertyNames(frame.contentWindow);
  const inFrame = names.filter((name) => /^_[0-9a-f]{8}|playwright/i.test(name));
  frame.remove();
  const known = ['require', 'importNamespace', '__d', 'ErrorGuard', 'Debug'];
  return Object.getOwnPropertyNames(window).filter((name) => !own.has(name) && !known.includes(name)).concat(inFrame);
}"""


@pytest.mark.chromium
async def test_the_binding_is_not_to_be_found_by_the_page(rig: Rig, stand_in: Any) -> None:
    session = await rig.open()
    await eventually(lambda: session._documents.is_recognised)
    assert await session.channel.evaluate(FOREIGN, None) == []


TRICKS = {
    "plainly": "",
    "with a handler of ours spoilt": "Event.prototype.preventDefault = () => {};",
    "in a document that was opened": "document.open(); document.close();",
    "in a document that was written": "document.write(`<script>throw new Error(1)</script>`); document.close();",
    "in a frame that was opened": """
        const view = document.body.appendChild(document.createElement('iframe')).contentWindow;
        view.document.open();
        view.document.write(`<script>setTimeout(() => { throw new Error('in frame') })</script>`);
        view.document.close();""",
    "in a frame that is sandboxed": """
        const frame = Object.assign(document.createElement('iframe'), { sandbox: 'allow-scripts allow-modals' });
        frame.srcdoc = `<script>
          setTimeout(() => { throw new Error('sandboxed') });
          Promise.reject(new Error('sandboxed'));
          console.error('sandboxed');
          alert('sandboxed');
          setTimeout(() => parent.postMessage('done', '*'), 50);
        </script>`;
        const done = new Promise((resolve) => window.addEventListener('message', resolve));
        document.body.append(frame);
        await done;""",
    "in a frame of a data address": """
        const frame = document.createElement('iframe');
        frame.src = 'data:text/html,' + encodeURIComponent(`<script>
          setTimeout(() => { throw new Error('of data') });
          Promise.reject(new Error('of data'));
          console.error('of data');
          setTimeout(() => parent.postMessage('done', '*'), 50);
        </script>`);
        const done = new Promise((resolve) => window.addEventListener('message', resolve));
        document.body.append(frame);
        await done;""",
}
THROWS = """
    setTimeout(() => { throw new Error('thrown'); });
    Promise.reject(new Error('rejected'));
    console.error('printed');
    await new Promise((resolve) => setTimeout(resolve, 50));
    return true;"""


@pytest.mark.chromium
async def test_what_a_page_throws_prints_or_asks_stays_with_it_whatever_it_spoils(rig: Rig, stand_in: Any) -> None:
    stand_in.switches.set("no_csp", value=True)
    session = await rig.open()
    await eventually(lambda: session._documents.is_recognised)
    page, got_out = session._parts.page, []
    page.on("pageerror", lambda error: got_out.append(str(error)))
    page.on("console", lambda line: got_out.append(line.text))
    found = {}
    for how, trick in TRICKS.items():
        await session.channel.evaluate(f"async () => {{ {trick} {THROWS} }}", None)
        await session.relay()
        found[how] = got_out.copy()
        got_out.clear()
    assert {how: said for how, said in found.items() if said} == {}


class Measured:
    """A DevTools session that notes the longest thing that comes back."""

    def __init__(self, cdp: Any) -> None:
        self._cdp, self.longest = cdp, 0

    async def send(self, method: str, parameters: Any) -> Any:
        answer = await self._cdp.send(method, parameters)
        self.longest = max(self.longest, len(json.dumps(answer)))
        return answer


@pytest.mark.chromium
async def test_no_question_brings_an_answer_of_any_length(rig: Rig, stand_in: Any) -> None:
    session = await rig.open()
    await eventually(lambda: session._documents.is_recognised)
    session.channel._cdp = measured = Measured(session.channel._cdp)  # type: ignore[assignment]
    for spoilt in (
        "String.prototype.slice = () => 'x'.repeat(1e6)",
        "Object.prototype.toJSON = () => 'x'.repeat(1e6)",
        "JSON.stringify = () => ({ toString: () => 'x'.repeat(1e6), length: 1 })",
        "document.querySelector = () => { throw new Error('x'.repeat(1e6)) }",
        "Promise.prototype.then = () => { throw new Error('x'.repeat(1e6)) }",
    ):
        await session._parts.page.evaluate(f"() => {{ {spoilt} }}")
        health = await session.probe()
        assert len(health.detail) < 100
        assert (await session.look()).words == ""
        assert measured.longest < 2 * LONGEST_ANSWER, spoilt


@pytest.mark.chromium
async def test_windows_and_foreign_frames_never_open(rig: Rig, stand_in: Any) -> None:
    stand_in.switches.set("no_csp", value=True)
    session = await rig.open()
    await eventually(lambda: session._documents.is_recognised)
    before = len(rig.processes("renderer"))
    other = rig.url.replace("127.0.0.1", "localhost")
    tried = """(url) => {
      for (let count = 0; count < 5; count++) {
        const link = Object.assign(document.createElement('a'), { href: '/frame', target: '_blank' });
        document.body.append(link);
        link.click();
        const frame = Object.assign(document.createElement('iframe'), { src: url });
        document.body.append(frame);
      }
    }"""
    await session.channel.evaluate(tried, f"{other}frame")
    await eventually(lambda: session.fence._tried["opening frames of others"] >= 5)
    assert len(session._parts.context.pages) == 1
    assert len(rig.processes("renderer")) <= before + 1


REACHES_OUT = """async ([http, udp, own]) => {
  const calls = new RTCPeerConnection({ iceServers: [{ urls: `stun:${own}:${udp}` }] });
  calls.createDataChannel('x');
  await calls.setLocalDescription(await calls.createOffer());
  const gathered = new Promise((resolve) => {
    calls.onicegatheringstatechange = () => calls.iceGatheringState === 'complete' && resolve();
  });
  const asked = fetch(`http://127.0.0.1:${http}/`, { mode: 'no-cors' });
  const read = await asked.then(() => 'read', () => 'refused');
  await Promise.race([gathered, new Promise((resolve) => setTimeout(resolve, 3000))]);
  return read;
}"""


@pytest.mark.chromium
async def test_a_page_reaches_neither_this_machine_nor_anybody_past_the_proxy(
    rig: Rig, stand_in: WhatsAppStandIn
) -> None:
    """As from a public address: the stand-in's own is a private one, from which more is allowed."""
    stand_in.switches.set("no_csp", value=True)
    rig.make(extra_args=(f"--ip-address-space-overrides=127.0.0.1:{stand_in.port}=public",))
    asked: list[bytes] = []

    class Datagrams(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, _: Any) -> None:
            asked.append(data)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if asks := await reader.readline():  # Chromium knows from a connection where it leads, and then asks nothing
            asked.append(asks)
        writer.close()

    datagrams, _ = await asyncio.get_running_loop().create_datagram_endpoint(Datagrams, local_addr=("0.0.0.0", 0))
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as health:
        session = await rig.open()
        await eventually(lambda: session._documents.is_recognised)
        ports = health.sockets[0].getsockname()[1], datagrams.get_extra_info("sockname")[1]
        assert await session.channel.evaluate(REACHES_OUT, [*ports, _own_address()]) == "refused"
    datagrams.close()
    assert asked == []


def _own_address() -> str:
    """This machine's address in its network; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


FILL = """async () => {
  const opened = indexedDB.open('fill', 1);
  opened.onupgradeneeded = () => opened.result.createObjectStore('all', { autoIncrement: true });
  await new Promise((resolve) => (opened.onsuccess = resolve));
  for (let count = 0; count < 200; count++) {
    const writing = opened.result.transaction('all', 'readwrite');
    writing.objectStore('all').add(crypto.getRandomValues(new Uint8Array(65536)));
    const failed = await new Promise((resolve) => {
      writing.oncomplete = () => resolve(null);
      writing.onabort = () => resolve(writing.error.name);
    });
    if (failed) return [count, failed];
  }
  return [200, null];
}"""


@pytest.mark.chromium
async def test_a_page_stores_no_more_than_it_may(rig: Rig, stand_in: Any) -> None:
    rig.make(bounds=Bounds(disk=4 << 20))
    session = await rig.open()
    await eventually(lambda: session._documents.is_recognised)
    stored, why = await session.channel.evaluate(FILL, None)
    assert (0 < stored <= 64, why) == (True, "QuotaExceededError")


@pytest.mark.chromium
async def test_a_page_at_another_address_is_the_end(rig: Rig, stand_in: Any) -> None:
    session = await rig.open()
    await eventually(lambda: session._documents.is_recognised)
    away = rig.url.replace("127.0.0.1", "localhost") + "frame"
    await session.channel.evaluate("(url) => { setTimeout(() => { location.href = url }, 50) }", away)
    ended = await eventually(lambda: next((each for each in rig.reports if isinstance(each, Ended)), None))
    assert ended == Ended(Reason.NAVIGATED, "the page went to http://localhost")


@pytest.mark.chromium
@pytest.mark.timeout(150)
async def test_a_page_in_an_endless_loop_is_ended(
    rig: Rig, stand_in: WhatsAppStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endless_loop, "LONGEST_TASK", 2.0)  # of processor time, of which a busy machine has little
    await rig.open()
    await rig.seen(Code)
    stand_in.hub.pages[next(iter(stand_in.hub.pages))].order("harm", how="busy")
    ended = await eventually(lambda: next((each for each in rig.reports if isinstance(each, Ended)), None), 100)
    assert ended.reason is Reason.PAGE_MISBEHAVES
    assert "without a pause" in ended.detail
    await eventually(lambda: rig.processes() == [])


@asynccontextmanager
async def starved(rig: Rig, runs: float = 3.0, rests: float = 5.0) -> AsyncIterator[None]:
    """Let renderers run and rest by turns, in seconds, as an overloaded machine does, but without a load for others."""

    async def starve() -> None:
        while True:
            await asyncio.sleep(runs)
            renderers = rig.processes("renderer")
            for each in renderers:
                each.suspend()
            try:
                await asyncio.sleep(rests)
            finally:
                for each in renderers:
                    with suppress(psutil.NoSuchProcess):
                        each.resume()

    starving = asyncio.create_task(starve())
    try:
        yield
    finally:
        starving.cancel()
        await asyncio.wait([starving])


@pytest.mark.chromium
async def test_a_heavy_page_on_an_overloaded_machine_is_not_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endless_loop, "LONGEST_TASK", 3.0)  # its own tasks end after 2.5 s of work
    options = Options(timings=Timings().scaled(SPEED), heavy=Heavy(stored=20))
    async with WhatsAppStandIn(options) as stand_in:
        rig = Rig(tmp_path / "data", stand_in.url)
        try:
            await rig.open()
            await rig.seen(Code)
            async with starved(rig):
                stand_in.hub.pages[next(iter(stand_in.hub.pages))].order("harm", how="long_tasks")
                await asyncio.sleep(9)  # a turn, and a little more
            assert not [each for each in rig.reports if isinstance(each, Ended)]
        finally:
            for session in rig.sessions:
                await session.close()
            await rig.driver.stop()


@pytest.mark.chromium
async def test_a_page_past_its_memory_is_ended_within_seconds(rig: Rig, stand_in: Any) -> None:
    rig.make(bounds=Bounds(memory=600 << 20))
    await rig.open()
    await eventually(lambda: stand_in.hub.pages)
    began = asyncio.get_running_loop().time()
    stand_in.hub.pages[next(iter(stand_in.hub.pages))].order("harm", how="memory")
    ended = await eventually(lambda: next((each for each in rig.reports if isinstance(each, Ended)), None))
    assert ended.reason is Reason.PAGE_MISBEHAVES
    assert "MiB" in ended.detail
    await eventually(lambda: rig.processes() == [])
    assert asyncio.get_running_loop().time() - began < 30
    assert ACCOUNT not in ended.detail
