"""Links over Ray: finds machines in a Ray cluster and maintains one actor on each. Imports Ray on first use.

A machine is a node with the resources `host:<name>` and `browser`, the latter one per account that it can run.
"""

import asyncio
import contextlib
import importlib
import logging
import os
import secrets
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.accounts.reasons import Reason
from controller.cluster.browser_host import BrowserHost, Figures
from controller.cluster.cluster_hosts import Link, LinkError
from controller.cluster.guard import start_guard
from controller.cluster.leases import Terms
from controller.driver import DriverError
from controller.host.deadline import Deadline, boot_time
from controller.hosts import MachineDriver

log = logging.getLogger(__name__)

NAMESPACE = "switchboard"
LOCK = "controller"
"""The name of the actor that only one controller can have."""
HOST = "host:"
"""Prefix of the resource that names a machine."""
BROWSER = "browser"
_CONNECT_SECONDS = 30.0
"""Time for the cluster to start, or for the name of a controller that has just ended to become free."""
_BEGIN_SECONDS = 60.0
_CALLS_AT_ONCE = 1000
_SHARE = 0.001


@dataclass(frozen=True, slots=True)
class Machine:
    """What a machine needs to run browsers. run: the folder of its pid files."""

    driver: MachineDriver
    run: Path
    figures: Callable[[], Figures]
    build: str = ""
    probe_timeout: float = 10.0


class HostProcess:
    """The actor: a process that lives as long as its lease. make: creates the `Machine` for a machine's name."""

    def __init__(self, name: str, terms: Terms, make: Callable[[str], Machine]) -> None:
        self._name, self._terms, self._make = name, terms, make
        self._host: BrowserHost | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._deadline: Deadline | None = None
        self._ends_at = 0.0

    async def begin(self) -> str:
        """End what an earlier life left here, then start. Returns the program's version."""
        machine = self._make(self._name)
        await machine.driver.end_orphans()
        machine.driver.warm_up()
        machine.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._deadline = Deadline()
        self._guard = start_guard(machine.run)
        self._host = BrowserHost(
            machine.driver, self._terms, clock=boot_time, arm=self._arm, figures=machine.figures,
            probe_timeout=machine.probe_timeout,
        )  # fmt: skip
        self._watch = asyncio.create_task(self._keep_guard(machine.run))
        return machine.build

    async def ask(self, method: str, arguments: tuple[Any, ...]) -> tuple[Any, tuple[str, str] | None]:
        """Call the host. Returns (result, None), or (None, (reason, detail)) if it raised a DriverError."""
        try:
            return await getattr(self._host, method)(*arguments), None
        except DriverError as error:
            return None, (error.reason, error.detail)

    def _arm(self, ends_at: float) -> None:
        assert self._deadline is not None
        self._ends_at = ends_at
        self._deadline.set(ends_at)
        self._update_guard()

    def _update_guard(self) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            with contextlib.suppress(OSError):  # it has exited, and is about to be replaced
                self._guard.stdin.write(f"{self._ends_at}\n".encode())
                self._guard.stdin.flush()

    async def _keep_guard(self, run: Path) -> None:
        while True:
            if self._guard is not None and self._guard.poll() is not None:
                log.warning("The guard has ended: another one takes its place")
                self._guard = start_guard(run)
                self._update_guard()
            await asyncio.sleep(0.5)


@dataclass(slots=True)
class RayLink:
    """Implements `cluster_hosts.Link` for an actor."""

    host: str
    life: str
    capacity: int
    actor: Any
    build: str = ""

    async def ask(self, method: str, *arguments: Any) -> Any:
        """Call a method of its `BrowserHost`. Raises LinkError, DriverError."""
        found, error = await _answer(self.actor.ask.remote(method, arguments))
        if error is not None:
            raise DriverError(Reason(error[0]), error[1])
        return found

    async def end(self) -> None:
        """Kill the actor, if it can be reached."""
        with contextlib.suppress(Exception):
            await asyncio.to_thread(_ray().kill, self.actor)


class RayLinks:
    """Implements `cluster_hosts.Links`. address: `auto`, or where the cluster's head listens."""

    def __init__(self, address: str, make: Callable[[str], Machine], terms: Terms) -> None:
        self._address, self._make, self._terms = address, make, terms
        self._lock: Any = None
        self._starting: dict[str, asyncio.Task[RayLink | None]] = {}

    async def connect(self) -> None:
        """Join the cluster as its one controller, trying for a while. Raises DriverError."""
        os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"  # otherwise a call after the end would start a new cluster
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        ray, loop = _ray(), asyncio.get_running_loop()
        ends_at = loop.time() + _CONNECT_SECONDS
        while True:
            try:
                self._init(ray)
                self._lock = ray.remote(_Lock).options(name=LOCK, num_cpus=0, max_restarts=0).remote()
                return await asyncio.wait_for(_answer(self._lock.ping.remote()), _CONNECT_SECONDS)
            except Exception as error:  # Ray has no single error type for this
                if loop.time() >= ends_at:
                    what = "another controller runs in the" if ray.is_initialized() else "there is no Ray"
                    detail = f"{what} cluster at {self._address} ({_line(error)})"
                    raise DriverError(Reason.LAUNCH_FAILED, detail) from error
            await asyncio.sleep(1)

    def _init(self, ray: Any) -> None:
        handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        quiet = {"log_to_driver": False, "configure_logging": False, "include_dashboard": False}
        try:
            ray.init(address=self._address, namespace=NAMESPACE, ignore_reinit_error=True, **quiet)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)  # Ray replaces them by its own

    async def look(self, living: Sequence[str]) -> list[Link]:
        """Start a life on each machine that has none; return the new links."""
        try:
            nodes = await asyncio.to_thread(_ray().nodes)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next look may see
            log.warning("The cluster's machines cannot be seen: %s", _line(error))
            return []
        for node in nodes:
            resources = node.get("Resources", {}) if node.get("Alive") else {}
            name = next((key.removeprefix(HOST) for key in resources if key.startswith(HOST)), None)
            if name is not None and name not in living and name not in self._starting:
                self._starting[name] = asyncio.create_task(self._begin(name, int(resources.get(BROWSER, 0))))
        done = [name for name, task in self._starting.items() if task.done()]
        begun = [self._starting.pop(name).result() for name in done]
        return [link for link in begun if link is not None]

    async def _begin(self, name: str, capacity: int) -> RayLink | None:
        options = {
            "num_cpus": 0, "max_restarts": 0, "max_task_retries": 0, "max_concurrency": _CALLS_AT_ONCE,
            "resources": {f"{HOST}{name}": _SHARE},
        }  # fmt: skip
        actor = _ray().remote(HostProcess).options(**options).remote(name, self._terms, self._make)
        link = RayLink(name, f"{name}/{secrets.token_hex(6)}", capacity, actor)
        try:
            async with asyncio.timeout(_BEGIN_SECONDS):
                link.build = await _answer(actor.begin.remote())
        except (LinkError, TimeoutError) as error:
            log.warning("Host %s could not begin: %s", name, error or "no answer in time")
            await link.end()
            return None
        return link

    async def stop(self) -> None:
        """Leave the cluster, which also ends the remaining actors."""
        for task in self._starting.values():
            task.cancel()
        await asyncio.to_thread(_ray().shutdown)


class _Lock:
    async def ping(self) -> None:
        """Answer."""


async def _answer(ref: Any) -> Any:
    """Wait for an answer. Raises LinkError for any failure of the transport."""
    try:
        return await ref
    except (asyncio.CancelledError, DriverError):
        raise
    except Exception as error:
        raise LinkError(_line(error)) from error


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"[:200]


def _ray() -> Any:
    """Return the `ray` module. Raises DriverError if the extra is not installed."""
    try:
        return importlib.import_module("ray")
    except ModuleNotFoundError as error:
        detail = "many machines need Ray: install switchboard[cluster]"
        raise DriverError(Reason.LAUNCH_FAILED, detail) from error
