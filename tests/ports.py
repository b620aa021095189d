"""Ports for programs that are told theirs: nothing else takes one between its being found and its being used.

The system gives out ports of its own range to whoever asks for any, such as other tests that run meanwhile. These are
below that range, and each worker of the tests has its own.
"""

import contextlib
import itertools
import os
import socket

FIRST, OF_ONE_WORKER = 20_000, 700
"""The system's own range begins at 32768 (on macOS at 49152)."""
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 16
_numbers = itertools.count(os.getpid())


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on, and that was not returned shortly before."""
    for number in itertools.islice(_numbers, OF_ONE_WORKER):
        port = FIRST + _WORKER * OF_ONE_WORKER + number % OF_ONE_WORKER
        with contextlib.suppress(OSError), socket.socket() as tried:
            tried.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")
