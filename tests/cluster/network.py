"""Two machines' network on this one: a network namespace beside this process's own, joined by a cable to cut.

Needs a network namespace of this process's own, as `make cluster-test` gives it: both addresses exist only there.
"""

import socket
import subprocess
import time
from pathlib import Path

import pytest

NEAR, FAR = "10.0.0.1", "10.0.0.2"


def in_own_network():
    """Skip where this process sees a network that it might disturb."""
    if [name for _, name in socket.if_nameindex()] != ["lo"]:
        pytest.skip("a Ray cluster is started in a network of its own only: make cluster-test")


def _run(*words):
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)


class Network:
    """This process is at NEAR; what is started behind `inside` is at FAR, with a loopback of its own."""

    def __init__(self):
        in_own_network()
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], stdin=subprocess.DEVNULL)
        namespace = Path(f"/proc/{self.holder.pid}/ns/net")
        ends_at = time.monotonic() + 30
        while namespace.readlink() == Path("/proc/self/ns/net").readlink():
            assert time.monotonic() < ends_at
            time.sleep(0.02)
        self.inside = ["nsenter", f"--net={namespace}"]
        _run("ip", "link", "add", "near", "type", "veth", "peer", "name", "far")
        _run("ip", "link", "set", "far", "netns", str(self.holder.pid))
        _run("ip", "address", "add", f"{NEAR}/24", "dev", "near")
        _run("ip", "link", "set", "near", "up")
        _run(*self.inside, "ip", "address", "add", f"{FAR}/24", "dev", "far")
        for name in ("far", "lo"):
            _run(*self.inside, "ip", "link", "set", name, "up")

    def cut(self):
        _run("ip", "link", "set", "near", "down")

    def mend(self):
        _run("ip", "link", "set", "near", "up")

    def close(self):
        _run("ip", "link", "delete", "near")
        self.holder.kill()
        self.holder.wait()
