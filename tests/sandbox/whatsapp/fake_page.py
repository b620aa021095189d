"""A page without a browser: speaks the stand-in's socket protocol with its own keys. For tests of the server only."""

import asyncio
import hashlib
from base64 import b64decode, b64encode
from typing import Any, Self

from aiohttp import ClientSession, ClientWebSocketResponse
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from sandbox.whatsapp import WhatsAppStandIn

DEADLINE = 45.0


class Profile:
    """The keys and the address that a browser profile keeps."""

    def __init__(self) -> None:
        self.noise = X25519PrivateKey.generate()
        self.identity = Ed25519PrivateKey.generate()
        self.wid: str | None = None

    def public(self) -> dict[str, str]:
        return {
            "static": b64encode(self.noise.public_key().public_bytes_raw()).decode(),
            "identity": b64encode(self.identity.public_key().public_bytes_raw()).decode(),
        }

    def qr(self, ref: str) -> str:
        keys = self.public()
        return f"{ref},{keys['static']},{keys['identity']},{b64encode(bytes(32)).decode()},1"

    def answer(self, challenge: dict[str, Any]) -> str:
        shared = self.noise.exchange(X25519PublicKey.from_public_bytes(b64decode(challenge["ephemeral"])))
        message = hashlib.sha256(b64decode(challenge["nonce"]) + shared).digest()
        return b64encode(self.identity.sign(message)).decode()


class FakePage:
    """One open page of a profile; an async context manager."""

    def __init__(self, stand_in: WhatsAppStandIn, profile: Profile | None = None, page: str = "fake") -> None:
        self.profile = profile or Profile()
        self._url = f"{stand_in.url}ws/chat?page={page}"
        self._session = ClientSession()
        self.socket: ClientWebSocketResponse

    async def __aenter__(self) -> Self:
        self.socket = await self._session.ws_connect(self._url)
        await self.socket.send_json({"type": "hello", **self.profile.public(), "wid": self.profile.wid})
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.close()
        await self._session.close()

    async def say(self, kind: str, **members: Any) -> None:
        await self.socket.send_json({"type": kind, **members})

    async def hear(self, kind: str, within: float = DEADLINE) -> dict[str, Any]:
        """Return the next frame of a kind; what comes before it is dropped."""
        async with asyncio.timeout(within):
            while (frame := await self.socket.receive_json())["type"] != kind:
                pass
        return frame

    async def is_silent(self, for_seconds: float = 0.2) -> bool:
        try:
            await self.socket.receive(timeout=for_seconds)
        except TimeoutError:
            return True
        return False

    async def log_in(self) -> dict[str, Any]:
        """Answer the challenge and return what the server makes of it: a success or a failure."""
        challenge = await self.hear("challenge")
        await self.say("answer", signature=self.profile.answer(challenge))
        async with asyncio.timeout(DEADLINE):
            verdict = await self.socket.receive_json()
        if verdict["type"] == "success":
            await self.say("state", state="CONNECTED", synced=True)
        return verdict


async def linked(stand_in: WhatsAppStandIn, number: str) -> Profile:
    """Link a new profile to a number."""
    async with FakePage(stand_in) as page:
        stand_in.phones.scan(page.profile.qr((await page.hear("ref"))["ref"]), number)
        page.profile.wid = (await page.hear("pair-success"))["wid"]
    return page.profile
