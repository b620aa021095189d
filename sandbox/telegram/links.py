"""Which URLs a text link may carry, and how the server writes them.

What lives here: the check of a link's URL and the two `tg://` forms that mark-up knows. What never does: finding links
in plain text (`text`).
"""

import re
from urllib.parse import parse_qs, urlsplit

_DOMAIN = re.compile(r"(?:[^\s./:?#@]+\.)+[^\s./:?#@\d]{2,}|\d{1,3}(?:\.\d{1,3}){3}|localhost")
_USER = re.compile(r"tg:(?://)?user/?\?(.*)", re.IGNORECASE | re.DOTALL)


def checked_link(url: str) -> str:
    """Return `url` as the server keeps it (scheme added, an empty path made `/`), or "" where it is none."""
    url = url.strip()
    if re.match(r"(?i)(tg|ton|tonsite):", url):
        return url
    if not re.match(r"(?i)https?://", url):
        if re.match(r"(?i)[a-z][a-z0-9+.-]*://", url):
            return ""
        url = f"http://{url}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if not parts.hostname or not _DOMAIN.fullmatch(parts.hostname):
        return ""
    host = parts.hostname + (f":{port}" if port else "")
    rest = url.split("://", 1)[1]
    tail = re.sub(r"^[^/?#]*", "", rest)
    if not tail.startswith("/"):
        tail = f"/{tail}"
    return f"{parts.scheme.lower()}://{host}{tail}"


def linked_user(url: str) -> int | None:
    """Return the user id of a `tg://user?id=…` link, else None."""
    found = _USER.fullmatch(url.strip())
    if found is None:
        return None
    numbers = parse_qs(found.group(1).split("#", 1)[0]).get("id", [])
    return int(numbers[0]) if numbers and numbers[0].isdigit() and int(numbers[0]) > 0 else None


def linked_emoji(url: str) -> str:
    """Return the identifier of a `tg://emoji?id=…` link; raise ValueError with the server's reason."""
    scheme, _, rest = url.partition(":")
    if scheme.lower() != "tg":
        raise ValueError("Custom emoji URL must have scheme tg")
    host, _, query = rest.removeprefix("//").split("#", 1)[0].partition("?")
    if host.rstrip("/").lower() != "emoji":
        raise ValueError('Custom emoji URL must have host "emoji"')
    numbers = parse_qs(query).get("id", [])
    if not numbers:
        raise ValueError("Custom emoji URL must have an emoji identifier")
    if not numbers[0].isdigit() or numbers[0].startswith("0"):
        raise ValueError("Invalid custom emoji identifier specified")
    return numbers[0]
