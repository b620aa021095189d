"""Ends with 0 while the program is alive, else with 1 and a line: for HEALTHCHECK and exec probes.

With HEALTH_LISTEN it is asked (`/live`, or the path that is given); without, it is alive while it holds its DATA_DIR.
It needs the standard library alone.
"""

import fcntl
import http.client
import os
import socket
import sys
from pathlib import Path

SECONDS = 4.0


def main(path: str) -> str | None:
    """Return what is wrong, in one line; None for nothing."""
    listens = os.environ.get("HEALTH_LISTEN", "").strip()
    try:
        return _ask(listens, path) if listens else _look(Path(os.environ.get("DATA_DIR") or "data"))
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__


def _ask(address: str, path: str) -> str | None:
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection("localhost", timeout=SECONDS)
    if address.startswith("unix:"):
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(SECONDS)
        connection.sock.connect(address.removeprefix("unix:"))
    else:
        connection.sock = socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS)
    connection.request("GET", path)
    answer = connection.getresponse()
    return None if answer.status == http.HTTPStatus.OK else answer.read(1000).decode(errors="replace")


def _look(data_dir: Path) -> str | None:
    with (data_dir / "switchboard.lock").open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
    return f"nobody holds {data_dir}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "/live"))
