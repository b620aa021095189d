"""Which URLs a text link may have, and how the server writes them.

Contents: the check of a link's URL and the two `tg://` forms known to mark-up. Not here: finding links
in plain text (`text`).
"""

import re
from urllib.parse import parse_qs, urlsplit

_DOMAIN = re.compile(r"(?:[^\s./:?#@]+\.)+[^\s./:?#@\d]{2,}|\d{1,3}(?:\.\d{1,3}){3}|localhost")
_NUMBER = re.compile(r"[1-9]\d{0,18}")
_TIME_FORMAT = re.compile(r"[rR]|[tTdDwW]*")
_USER = re.compile(r"tg:(?://)?user/?\?(.*)", re.IGNORECASE | re.DOTALL)


def checked_link(url: str) -> str:
    """Return `url` as the server stores it (scheme added, an empty path made `/`), or "" if it is not a URL."""
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


def linked_mark(url: str) -> tuple[str, str, str]:
    """Return the parts of a `tg://emoji?id=…` or `tg://time?unix=…&format=…` link: kind, number, format.

    Raises ValueError with the server's reason.
    """
    scheme, _, rest = url.partition(":")
    host, _, query = rest.removeprefix("//").split("#", 1)[0].partition("?")
    kind = host.rstrip("/").lower()
    arguments = parse_qs(query)
    number = arguments.get({"emoji": "id", "time": "unix"}.get(kind, ""), [""])[0]
    if scheme.lower() != "tg" or not _NUMBER.fullmatch(number):
        raise ValueError("Invalid tg://emoji or tg://time URL specified")
    return kind, number, checked_time_format(arguments.get("format", [""])[0])


def checked_time_format(given: str) -> str:
    """Return a date's format; raise ValueError with the server's reason."""
    if not _TIME_FORMAT.fullmatch(given):
        raise ValueError("Invalid date format used")
    return given
