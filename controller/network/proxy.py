"""The proxy (PROXY_URL) used by browsers and by whatever acts in their place. Its password never appears in texts."""

from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

SCHEMES = {"http": 80, "https": 443, "socks5": 1080}
"""Schemes that both browsers and our HTTP library support, with the default port."""
FORM = "http://, https:// or socks5://, then [user:password@]host:port"


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy. scheme: one of `SCHEMES`."""

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def server(self) -> str:
        """Its address without user and password, safe for logs and command lines."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def url(self) -> str:
        """Its full address, including the password."""
        if not self.user:
            return self.server
        scheme, _, host = self.server.partition("://")
        return f"{scheme}://{quote(self.user, safe='')}:{quote(self.password, safe='')}@{host}"


def parse_proxy(text: str) -> Proxy:
    """Parse an address such as http://user:password@proxy.example:3128. Raises ValueError, without the text in it."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise ValueError(f"takes {FORM}") from None
    is_host = bool(parts.hostname) and not set(parts.hostname or "") & set("=;, ")
    if parts.scheme not in SCHEMES or not is_host or parts.path not in {"", "/"} or parts.query or port == 0:
        raise ValueError(f"takes {FORM}")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if password and not user:
        raise ValueError(f"has a password without a user: it takes {FORM}")
    return Proxy(parts.scheme, parts.hostname or "", port or SCHEMES[parts.scheme], user, password)
