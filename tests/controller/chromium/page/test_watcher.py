"""What the watcher hears of a page that replaces or spoils its models, says too much, or gets a passkey."""

from typing import Any

import pytest

from controller.accounts.reports import Code, PasskeyAnswered, PasskeyAsked, Scanned
from controller.chromium.page import channel as channel_module
from controller.chromium.page.script import watcher
from sandbox.whatsapp import Options, Timings, WhatsAppStandIn
from tests.controller.chromium.conftest import Rig, eventually
from tests.waiting import until

AUTHENTICATOR = """
CredentialsContainer.prototype.get = () =>
  new Promise((resolve) => { window.givePasskey = () => resolve({ id: "x" }); });
"""
REPLACE = """() => {
  const found = require("WAWebSocketModel");
  const { state, stream, hasSynced } = found.Socket;
  found.Socket = window.replaced = Object.assign(new found.SocketImpl(), { state, stream, hasSynced });
  replaced.on = function (...given) {
    window.isWatched = true;
    return found.SocketImpl.prototype.on.apply(this, given);
  };
}"""
SCAN = """() => {
  replaced.state = "PAIRING";
  setTimeout(() => (replaced.state = "UNPAIRED"), 30);
}"""
FLOOD_AND_ASK = """() => {
  for (let count = 0; count < 200; count++) replaced.state = count % 2 ? "UNPAIRED" : "OPENING";
  navigator.credentials.get({ publicKey: { challenge: new Uint8Array(8), rpId: "whatsapp.com" } });
}"""


SPOIL = """() => {
  window.isWatched = false;
  const refuse = () => { throw new Error("no"); };
  const spoilt = new Proxy(function () {}, { get: refuse, has: refuse, apply: refuse });
  require("WAWebStreamModel").Stream = require("WAWebCmd").Cmd = require("WAWebCollections").Msg = spoilt;
  require("WAWebUserPrefsMeUser").getMaybeMeUser = () => ({ user: 1n, get _serialized() { return spoilt; } });
  require("WAWebConnModel").Conn.ref = Symbol("ref");
}"""


@pytest.mark.chromium
async def test_what_is_said_once_is_heard(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_module, "watcher", lambda *told: AUTHENTICATOR + watcher(*told))
    async with WhatsAppStandIn(Options(timings=Timings().scaled(20))) as stand_in:
        stand_in.switches.set("keys_hang", value=True)
        rig = Rig(tmp_path / "data", stand_in.url)
        try:
            session = await rig.open()
            await rig.seen(Code)  # as drawn: what it is made of never comes
            await session.channel.evaluate(REPLACE, None)
            watched = lambda: session.channel.evaluate("() => window.isWatched === true", None)
            await until(watched, "the new model is found")
            await session.channel.evaluate(SCAN, None)
            await rig.seen(Scanned)  # for 30 ms

            await session.channel.evaluate(SPOIL, None)
            await session.channel.evaluate(REPLACE, None)
            await until(watched, "the model beside the spoilt ones is found")
            before = len(rig.reports)
            await session.channel.evaluate(SCAN, None)
            await rig.seen(Scanned, after=before)  # whatever the other models are

            await session.channel.evaluate(FLOOD_AND_ASK, None)
            await rig.seen(PasskeyAsked)
            assert PasskeyAnswered() not in rig.reports
            await session.channel.evaluate("() => givePasskey()", None)
            await eventually(lambda: PasskeyAnswered() in rig.reports)
        finally:
            for session in rig.sessions:
                await session.close()
            await rig.driver.stop()
