"""systemd's notification protocol (sd_notify(3)): ready, stopping, a line of status, and the watchdog.

Datagrams to the socket named by NOTIFY_SOCKET. Without it every call does nothing, so that the program behaves the same
everywhere. Nothing here waits: a service manager that does not read must not block the program.
"""

import logging
import os
import socket
from collections.abc import Mapping
from typing import Self

log = logging.getLogger(__name__)

STATUS_LIMIT = 200
"""Characters of a status line; systemctl shows no more."""


class Notifier:
    """Notifies systemd. Create it with `from_environment`."""

    def __init__(self, address: str | None, watchdog: float | None = None) -> None:
        """address: the socket's path, "@…" for an abstract one, None for none. watchdog: seconds, None for none."""
        self.watchdog = watchdog
        self._address = "\0" + address[1:] if address and address.startswith("@") else address
        self._failed = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID."""
        try:
            watchdog = int(environment.get("WATCHDOG_USEC", "0")) / 1_000_000
            is_ours = int(environment.get("WATCHDOG_PID") or os.getpid()) == os.getpid()
        except (ValueError, OverflowError):
            watchdog, is_ours = 0.0, False
        return cls(environment.get("NOTIFY_SOCKET") or None, watchdog if watchdog > 0 and is_ours else None)

    def ready(self) -> None:
        """Report that the program is ready."""
        self._send("READY=1")

    def stopping(self) -> None:
        """Report that the program is stopping in order."""
        self._send("STOPPING=1")

    def status(self, line: str) -> None:
        """Show one line in `systemctl status`."""
        self._send(f"STATUS={' '.join(line.split())[:STATUS_LIMIT]}")

    def ping_watchdog(self) -> None:
        """Feed the watchdog."""
        if self.watchdog is not None:
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as out:
                out.connect(self._address)
                out.send(message.encode())
        except OSError as error:
            if not self._failed:
                log.warning("systemd cannot be notified (%s): %s", message.partition("=")[0], error.strerror or error)
            self._failed = True
        else:
            self._failed = False
