"""Pictures and documents: storing them, making Telegram's photo sizes, serving them.

Contents: the store and the picture rules. Not here: messages. Photos are re-encoded as the real servers
do (JPEG, 1280 pixels at most on the longer side); quality 80 is a conservative assumption for QR codes.
"""

import base64
import hashlib
import io
import itertools
import mimetypes
import secrets
from pathlib import PurePath

from PIL import Image, UnidentifiedImageError

from sandbox.telegram.errors import bad_request
from sandbox.telegram.model import File, Media

MAX_PHOTO = 10 * 1024 * 1024
MAX_DOWNLOAD = 20 * 1024 * 1024
MAX_SIDES = 10_000
MAX_RATIO = 20
JPEG_QUALITY = 80
SIZES = (90, 320, 800)
LARGEST = 1280


class FileStore:
    """All files of one stand-in, in memory."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._by_id: dict[str, Media] = {}
        self._by_path: dict[str, File] = {}
        self._by_unique: dict[str, File] = {}

    def add_photo(self, data: bytes, *, spoiler: bool = False) -> Media:
        """Store a picture; raises the server's errors for one that is too big, too long or not a picture."""
        if len(data) > MAX_PHOTO:
            raise bad_request(
                f"file of size {len(data)} bytes is too big for a photo; the maximum size is {MAX_PHOTO} bytes"
            )
        if not data:
            raise bad_request("file must be non-empty")
        try:
            with Image.open(io.BytesIO(data)) as opened:
                width, height = opened.size
                if width + height > MAX_SIDES or max(width, height) > MAX_RATIO * min(width, height):
                    raise bad_request("PHOTO_INVALID_DIMENSIONS")
                picture = _flat(opened)
        except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
            raise bad_request("IMAGE_PROCESS_FAILED") from None
        longest = max(picture.size)
        sides = [side for side in SIZES if side < longest] + [min(longest, LARGEST)]
        media = Media("photo", tuple(self._size(picture, side) for side in sides), spoiler)
        for file in media.files:
            self._by_id[file.file_id] = media
        return media

    def add_document(self, data: bytes, name: str, mime_type: str) -> Media:
        """Store a document unchanged."""
        if not data:
            raise bad_request("file must be non-empty")
        suffix = PurePath(name).suffix or mimetypes.guess_extension(mime_type) or ""
        file = self._keep(data, "documents", suffix, mime_type, name=name)
        media = Media("document", (file,))
        self._by_id[file.file_id] = media
        return media

    def by_id(self, file_id: str) -> Media | None:
        """Return the media that `file_id` belongs to."""
        return self._by_id.get(file_id)

    def file_of(self, file_id: str) -> File | None:
        """Return the file identified by `file_id`."""
        media = self._by_id.get(file_id)
        return next((file for file in media.files if file.file_id == file_id), None) if media else None

    def by_path(self, path: str) -> File | None:
        """Return the file whose getFile path is `path`."""
        return self._by_path.get(path)

    def by_unique_id(self, unique_id: str) -> File | None:
        """Return the file that a person's picture link refers to."""
        return self._by_unique.get(unique_id)

    def _size(self, picture: Image.Image, side: int) -> File:
        scale = side / max(picture.size)
        scaled = picture
        if scale < 1:
            width, height = (max(1, round(length * scale)) for length in picture.size)
            scaled = picture.resize((width, height), Image.Resampling.LANCZOS)
        encoded = io.BytesIO()
        scaled.save(encoded, "JPEG", quality=JPEG_QUALITY)
        return self._keep(encoded.getvalue(), "photos", ".jpg", "image/jpeg", size=scaled.size)

    def _keep(
        self,
        data: bytes,
        folder: str,
        suffix: str,
        mime_type: str,
        *,
        name: str | None = None,
        size: tuple[int, int] = (0, 0),
    ) -> File:
        number = next(self._numbers)
        digest = hashlib.sha256(number.to_bytes(8, "big") + data).digest()
        unique = base64.urlsafe_b64encode(digest[:12]).decode().rstrip("=")
        file_id = "AgACAgIAAxkD" + secrets.token_urlsafe(36) + unique
        file = File(file_id, unique, f"{folder}/file_{number}{suffix}", data, mime_type, name, *size)
        self._by_path[file.path] = file
        self._by_unique[unique] = file
        return file


def _flat(opened: Image.Image) -> Image.Image:
    """Return the picture as RGB, with transparency on white."""
    if opened.mode in {"RGBA", "LA", "P", "PA"}:
        layered = opened.convert("RGBA")
        ground = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(ground, layered).convert("RGB")
    return opened.convert("RGB")
