"""Many machines: the controller's hosts over a Ray cluster, and `switchboard host`, which lets a machine join one.

Ray itself is imported by neither the single process nor this module, until a cluster is asked for.
"""

import importlib.util
import logging
import os
import shutil
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from controller.chromium import ChromiumDriver, ChromiumOptions
from controller.chromium.archive_files import ArchiveFiles
from controller.chromium.archived_driver import ArchivedDriver, ArchiveOptions
from controller.chromium.profile.names import read_secret
from controller.chromium.profile.profile import run_folder
from controller.cluster.browser_host import Figures
from controller.cluster.cluster_hosts import ClusterHosts
from controller.cluster.leases import Terms
from controller.cluster.ray_links import BROWSER, HOST, Machine, RayLinks
from controller.host.deadline import boot_time
from controller.host.limits import MIB, HostLimits
from controller.host.resource_watch import FEWEST_FILES, free_files
from controller.hosts import MachineDriver
from switchboard.logs import flush, set_up_logging
from switchboard.settings import HostSettings, Settings, SettingsError

PORT = 6379
"""Ray's own default."""
RAY_ENVIRONMENT = {
    "RAY_ENABLE_AUTO_CONNECT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_health_check_timeout_ms": "5000",
    "RAY_health_check_period_ms": "3000",
    "RAY_health_check_failure_threshold": "5",
}
"""Environment of Ray's own processes. One that hangs is given up after five checks of 5 s, 3 s apart: some 40 s, so
that with the lease and a start its accounts are elsewhere within 90 s. By default Ray takes 65 s."""
_OBJECTS = 80_000_000
"""Bytes for Ray's shared objects, of which we have none: the least that Ray takes."""


def cluster_hosts(settings: Settings, options: ChromiumOptions) -> ClusterHosts:
    """Return the machines of the cluster at CLUSTER_ADDRESS. options: how browsers are started on each of them."""
    address = settings.cluster_address
    assert address is not None
    terms = Terms()
    free_memory, free_disk = settings.host_free_memory_mib * MIB, settings.host_free_disk_mib * MIB
    archived = archive_options(settings)
    make = partial(make_machine, replace(options, data_dir=options.data_dir.absolute()), free_memory, free_disk)
    links = RayLinks(address, partial(make, settings.probe_timeout_seconds, archives=archived), terms)
    return ClusterHosts(
        links, ChromiumDriver(options), terms, clock=boot_time, name=f"the cluster at {address}",
        archives=None if archived is None else ArchiveFiles(archived, options.data_dir),
    )  # fmt: skip


def archive_options(settings: Settings) -> ArchiveOptions | None:
    """Return where profiles are archived; None where the machines share DATA_DIR. Raises SettingsError."""
    if settings.cluster_archives is None:
        return None
    try:
        secret = read_secret(settings.data_dir.absolute())
    except OSError as error:
        raise SettingsError(f"DATA_DIR: {error}") from error
    return ArchiveOptions(settings.cluster_archives, secret, settings.vault_key)


def make_machine(
    options: ChromiumOptions, free_memory: int, free_disk: int, probe_timeout: float, name: str,
    *, archives: ArchiveOptions | None = None,
) -> Machine:  # fmt: skip
    """Return what runs browsers on this machine. name: its own. Called in Ray's process on that machine.

    free_memory, free_disk: bytes below which no browser is started here. CHROMIUM_PATH of this machine goes first, and
    with archives, DATA_DIR too: without them, all machines share that of the options.
    """
    set_up_logging("INFO", "console")
    own = os.environ.get("CHROMIUM_PATH")
    options = replace(options, host=name, executable=Path(own) if own else options.executable)
    if archives is not None and (folder := os.environ.get("DATA_DIR")):
        options = replace(options, data_dir=Path(folder).expanduser().absolute())
    limits = HostLimits()

    def measure() -> Figures:
        memory = limits.free_memory()
        disk: int | None
        try:
            disk = shutil.disk_usage(options.data_dir).free
            full = disk < free_disk or (free_disk > 0 and free_files(options.data_dir) < FEWEST_FILES)
        except OSError:  # the store is gone, and with it the disk
            disk, full = None, True
        return Figures(memory, disk, short=memory < free_memory or full)

    run = run_folder(options.data_dir, name)
    driver: MachineDriver = ChromiumDriver(options, limits)
    if archives is not None:
        driver = ArchivedDriver(driver, archives, options.data_dir, name)
    return Machine(driver, run, LatestFigures(measure), build(), probe_timeout)


class LatestFigures:
    """A machine's figures, measured in a thread: a store that hangs must not keep a beat from being answered.

    measure: may take as long as it likes. While it is late, nothing is placed here. The first time is waited for.
    """

    def __init__(self, measure: Callable[[], Figures]) -> None:
        self._measure, self._latest = measure, measure()
        self._thread: threading.Thread | None = None

    def __call__(self) -> Figures:
        """Return the latest figures, and have them measured anew for the next time."""
        is_late = self._thread is not None and self._thread.is_alive()
        latest = replace(self._latest, short=True) if is_late else self._latest
        if not is_late:
            self._thread = threading.Thread(target=self._take, name="figures", daemon=True)
            self._thread.start()
        return latest

    def _take(self) -> None:
        self._latest = self._measure()


def build() -> str:
    """Return this program's version, "" where it is not installed."""
    try:
        return version("switchboard")
    except PackageNotFoundError:
        return ""


def is_installed() -> bool:
    """Whether the extra is there."""
    return importlib.util.find_spec("ray") is not None


def host_command(settings: HostSettings, *, join: str | None, listen: str | None, name: str | None) -> list[str]:
    """Return the command that makes this machine one of a cluster's: Ray's own, which stays in the foreground.

    join: where the first machine listens; listen: this one is the first, and listens there (address or address:port).
    Raises SettingsError.
    """
    if not is_installed():
        raise SettingsError("many machines need Ray: install switchboard[cluster]")
    name = name or socket.gethostname()
    if not name.replace("-", "").replace(".", "").replace("_", "").isalnum():
        raise SettingsError(f"--name: {name!r} is no name of letters, digits, dots and hyphens")
    resources = f'{{"{HOST}{name}": 1, "{BROWSER}": {settings.accounts_per_host}}}'
    if listen is not None:
        address, _, port = listen.partition(":")
        where = ["--head", f"--node-ip-address={address}", f"--port={port or PORT}", "--include-dashboard=false"]
    else:
        assert join is not None
        where = [f"--address={join if ':' in join else f'{join}:{PORT}'}"]
    ray = str(Path(sys.executable).with_name("ray"))
    fixed = ["--num-cpus=0", "--block", "--disable-usage-stats", f"--object-store-memory={_OBJECTS}"]
    return [ray, "start", *where, f"--resources={resources}", *fixed]


def run_host(settings: HostSettings, *, join: str | None, listen: str | None, name: str | None) -> None:
    """Become Ray's process on this machine. Raises SettingsError."""
    command = host_command(settings, join=join, listen=listen, name=name)
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    logging.getLogger("switchboard").info("This machine takes %d accounts", settings.accounts_per_host)
    data_dir = {"DATA_DIR": str(settings.data_dir.absolute())}  # it may be known from a file only
    flush()
    os.execve(command[0], command, {**os.environ, **RAY_ENVIRONMENT, **data_dir})  # noqa: S606 - no shell is the point
