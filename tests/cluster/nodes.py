"""Three Ray nodes on this machine, each a group of processes that can be killed, frozen or cut off by itself."""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from switchboard.cluster import RAY_ENVIRONMENT
from tests.cluster.network import FAR, NEAR

PORT = 6399
ADDRESS = f"127.0.0.1:{PORT}"
RAY = Path(sys.executable).with_name("ray")


class Node:
    """A Ray node. `processes` are all of it: what it started, and what lost its parent meanwhile.

    at: its own address; head: the first one's. inside: the command that starts what follows it in another network.
    data_dir: of its own, where the hosts share none.
    """

    def __init__(
        self, name, folder, capacity=10, *, data_dir, at="127.0.0.1", head="127.0.0.1", is_head=False, inside=()
    ):
        self.data_dir = data_dir
        self.name, self.folder, self.capacity, self.is_head = name, folder, capacity, is_head
        self.at, self.head, self.inside = at, head, inside
        self.process = None
        self.seen: dict[int, psutil.Process] = {}

    def start(self):
        # A path of Ray's sockets may have 107 characters.
        where = ["--head", f"--port={PORT}", f"--temp-dir={self.folder}", "--include-dashboard=false"]
        if not self.is_head:
            where = [f"--address={self.head}:{PORT}"]
        command = [
            *self.inside, RAY, "start", *where, f"--node-ip-address={self.at}", "--num-cpus=0", "--block",
            "--disable-usage-stats",
            f'--resources={{"host:{self.name}": 1, "browser": {self.capacity}}}', "--object-store-memory=80000000",
        ]  # fmt: skip
        self.log = self.folder / f"{self.name}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, **RAY_ENVIRONMENT, "DATA_DIR": str(self.data_dir)},
            )  # fmt: skip
        return self

    def wait(self):
        """Wait until it has started; where it did not (a busy machine), start it once more."""
        ends_at = time.monotonic() + 120
        while b"Ray runtime started" not in self.log.read_bytes():
            assert time.monotonic() < ends_at, self.log.read_text()[-2000:]
            if not self.alive():
                self.kill()
                self.start()
            time.sleep(0.2)
        return self

    def processes(self):
        """Return its living processes; those that were seen once are known for ever, by pid and start time."""
        for known in [psutil.Process(self.process.pid), *self.seen.values()] if self.alive() else self.seen.values():
            try:
                for one in [known, *known.children(recursive=True)]:
                    self.seen[one.pid] = one
            except psutil.NoSuchProcess:
                continue
        return [one for one in self.seen.values() if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def named(self, part):
        return [one for one in self.processes() if part in " ".join(_command(one))]

    def signal(self, number, processes=None):
        for one in self.processes() if processes is None else processes:
            try:
                one.send_signal(number)
            except psutil.NoSuchProcess:
                continue

    def kill(self):
        if self.process is None:
            return
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.signal(signal.SIGKILL)
        self.seen.clear()


def _command(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


class Cluster:
    """Nodes a, b and c, all at 127.0.0.1; with a network, a is near and the others are far."""

    def __init__(self, folder: Path, network=None, capacity=10):
        self.folder = folder
        self.ray_folder = Path(f"/tmp/sbray-{os.getpid()}")
        self.ray_folder.mkdir()
        (folder / "notes").mkdir(parents=True)
        near, far, inside = (NEAR, FAR, network.inside) if network is not None else ("127.0.0.1", "127.0.0.1", ())
        self.address = f"{near}:{PORT}"
        own = folder / "machines"
        own.mkdir()
        self.nodes = {
            name: Node(
                name, self.ray_folder, capacity, data_dir=own / name, at=near if name == "a" else far, head=near,
                is_head=name == "a", inside=() if name == "a" else inside,
            )
            for name in "abc"
        }  # fmt: skip

    def start(self):
        for node in self.nodes.values():
            node.start().wait()
        return self

    def stop(self):
        for node in self.nodes.values():
            node.kill()
        shutil.rmtree(self.ray_folder, ignore_errors=True)

    def clear(self):
        for note in (self.folder / "notes").iterdir():
            note.unlink()

    def spans(self):
        """Return for each account when each of its browsers ran: (first, last, host), by the boot clock."""
        found: dict[str, list[tuple[float, float, str]]] = {}
        for path in (self.folder / "notes").iterdir():
            account, host, *_ = path.name.split(".")
            lines = [float(line) for line in path.read_text().split("\n")[:-1] if line]
            if lines:
                found.setdefault(account, []).append((lines[0], lines[-1], host))
        return {account: sorted(spans) for account, spans in found.items()}

    def overlaps(self):
        """Return what ran twice: each span must end before the next one of its account begins."""
        return [
            (account, one, other)
            for account, spans in self.spans().items()
            for one, other in itertools.pairwise(spans)
            if other[0] <= one[1]
        ]
