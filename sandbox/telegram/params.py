"""A call's parameters, however they were sent: query, urlencoded, multipart or JSON.

Contents: decoding, as lenient as the official server's. Not here: what a parameter
means.
"""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import BodyPartReader, web

from sandbox.telegram.errors import ApiError, bad_request

MAX_BODY = 64 * 1024 * 1024
MAX_UPLOAD = 50 * 1024 * 1024
_TRUE = frozenset({"true", "yes", "1"})
ATTACH = "attach://"


@dataclass(frozen=True, slots=True)
class Upload:
    """One uploaded file."""

    name: str
    data: bytes
    content_type: str


class Params:
    """Reads parameters as the official server does: all are text, or JSON where a structure is expected."""

    def __init__(self, values: dict[str, str], uploads: dict[str, Upload]) -> None:
        self.values = values
        self.uploads = uploads

    def __contains__(self, name: str) -> bool:
        return bool(self.values.get(name)) or name in self.uploads

    def text(self, name: str) -> str:
        """Return the parameter, "" if missing."""
        return self.values.get(name, "")

    @property
    def said(self) -> str:
        """The text that the call would send to a chat: its text, its caption, or the caption of its media."""
        return "\n".join(self.text(name) for name in ("text", "caption", "media"))

    def integer(self, name: str, default: int = 0, low: int | None = None, high: int | None = None) -> int:
        """Return an integer, `default` if missing or not an integer, clamped to `low` and `high`."""
        try:
            number = int(self.values.get(name, "").strip() or default)
        except ValueError:
            number = default
        if low is not None:
            number = max(low, number)
        return number if high is None else min(high, number)

    def boolean(self, name: str) -> bool:
        """Return whether the parameter is true, yes or 1."""
        return self.values.get(name, "").strip().lower() in _TRUE

    def structure(self, name: str, what: str) -> Any:
        """Return the decoded JSON of `name`, None if missing; `what` names it in the error text."""
        raw = self.values.get(name, "").strip()
        if not raw:
            return None
        try:
            return json.loads(raw)
        except ValueError:
            raise bad_request(f"can't parse {what} JSON object") from None

    def upload(self, name: str) -> Upload | None:
        """Return the file sent as `name`, directly or by `attach://`."""
        value = self.values.get(name, "")
        if value.startswith(ATTACH):
            return self.uploads.get(value.removeprefix(ATTACH))
        return self.uploads.get(name)

    def recorded(self) -> dict[str, Any]:
        """Return the parameters for the journal: structures decoded, files by name and size."""
        found: dict[str, Any] = {}
        for name, value in self.values.items():
            found[name] = value
            if value[:1] in {"{", "["}:
                try:
                    found[name] = json.loads(value)
                except ValueError:
                    found[name] = value
        for name, upload in self.uploads.items():
            found[name] = {"upload": upload.name, "size": len(upload.data), "content_type": upload.content_type}
        return found


async def read_params(request: web.Request) -> Params:
    """Decode a request; raises ApiError if the body does not match its content type, or is too large."""
    # The body counts whatever the HTTP method, as on the official server; pyTelegramBotAPI sends GET with one.
    values = dict(request.query)
    uploads: dict[str, Upload] = {}
    kind = request.content_type
    try:
        if not request.can_read_body:
            pass
        elif kind == "application/json":
            values.update(_from_json(await request.read()))
        elif kind.startswith("multipart/"):
            await _read_multipart(request, values, uploads)
        else:
            body = (await request.read()).decode(errors="replace")
            values.update(parse_qsl(body, keep_blank_values=True))
    except web.HTTPRequestEntityTooLarge:
        raise ApiError(413, "Request Entity Too Large") from None
    return Params(values, uploads)


def _from_json(body: bytes) -> dict[str, str]:
    try:
        decoded = json.loads(body or b"{}")
    except ValueError:
        decoded = None
    if not isinstance(decoded, dict):
        raise ApiError(400, "Bad Request: can't parse request JSON: expected an Object")
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in decoded.items()
        if value is not None
    }


async def _read_multipart(request: web.Request, values: dict[str, str], uploads: dict[str, Upload]) -> None:
    total = 0
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.name is None:
            continue
        if part.filename is None:
            values[part.name] = await part.text()
            continue
        data = bytes(await part.read())
        total += len(data)
        if total > MAX_UPLOAD:
            raise ApiError(413, "Request Entity Too Large")
        kind = part.headers.get("Content-Type", "application/octet-stream")
        uploads[part.name] = Upload(part.filename, data, kind)
