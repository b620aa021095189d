"""Listening addresses of the health endpoints: a Unix socket, or a port on loopback, and nothing else."""

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

LONGEST_PATH = 107
"""Bytes in the path of a Unix socket (unix(7))."""


@dataclass(frozen=True, slots=True)
class Address:
    """A Unix socket, or a host on loopback with a port (0: any free one)."""

    path: Path | None = None
    host: str = ""
    port: int = 0


def parse_address(text: str) -> Address:
    """Parse `unix:PATH` or `HOST:PORT` with a loopback host. Raises ValueError with one line for people."""
    if text.startswith("unix:"):
        path = Path(text.removeprefix("unix:"))
        if not path.is_absolute():
            raise ValueError("takes unix: with an absolute path, such as unix:/run/switchboard/health.sock")
        if len(os.fsencode(path)) > LONGEST_PATH:
            raise ValueError(f"takes unix: with a path of at most {LONGEST_PATH} bytes, which is the system's limit")
        return Address(path=path)
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    if not port.isdecimal() or int(port) > 65535:  # noqa: PLR2004 - the highest port
        raise ValueError("takes HOST:PORT such as 127.0.0.1:9464, or unix:PATH")
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise ValueError(
            "listens on loopback only, such as 127.0.0.1:9464; put a proxy before it to reach it from afar"
        )
    return Address(host=host, port=int(port))
