"""Checks of a cluster: of the controller's settings, and of a machine that is to run browsers for a controller."""

import asyncio
import socket
from collections.abc import AsyncIterator

from controller.chromium import ChromiumOptions
from controller.chromium.archive_files import ArchiveFiles
from controller.chromium.archived_driver import ArchiveOptions
from switchboard.check.external import check_browser
from switchboard.check.findings import Finding, Verdict
from switchboard.check.host import check_machine
from switchboard.cluster import PORT, build, is_installed
from switchboard.settings import HostSettings, Settings

CONNECT_SECONDS = 5.0
AUTO = "auto"


async def check_controller(settings: Settings) -> AsyncIterator[Finding]:
    """Yield what concerns the machines of a cluster. CLUSTER_ADDRESS must be set."""
    assert settings.cluster_address is not None
    yield _ray()
    yield await _head("CLUSTER_ADDRESS", settings.cluster_address)
    async for finding in _archives(settings):
        yield finding


async def check_host(settings: HostSettings, *, listen: str | None, join: str | None) -> AsyncIterator[Finding]:
    """Yield whether this machine can be one of a cluster's. listen, join: as for `switchboard host`."""
    yield Finding("settings", Verdict.GOOD, f"it takes {settings.accounts_per_host} accounts (ACCOUNTS_PER_HOST)")
    yield _ray()
    if join is not None:
        yield await _head("--join", join)
    if listen is not None:
        yield _own_address(listen)
    if settings.cluster_archives is not None:
        async for finding in _archives(settings):
            yield finding
    least = {name: Settings.model_fields[name].default for name in ("host_free_memory_mib", "host_free_disk_mib")}
    for finding in check_machine(settings.data_dir, least["host_free_memory_mib"], least["host_free_disk_mib"]):
        yield finding
    options = ChromiumOptions(page_url="about:blank", data_dir=settings.data_dir, executable=settings.chromium_path)
    yield await check_browser(options)


async def _archives(settings: HostSettings) -> AsyncIterator[Finding]:
    """Write, read and delete a small file in the store."""
    if settings.cluster_archives is None:
        where = "all machines must share DATA_DIR: CLUSTER_ARCHIVES is not set"
        yield Finding("archives", Verdict.NOTE, where)
        return
    files = ArchiveFiles(ArchiveOptions(settings.cluster_archives, b"", settings.vault_key), settings.data_dir)
    if why := await files.check():
        yield Finding("archives", Verdict.LATER, f"{why} (CLUSTER_ARCHIVES)")
    elif settings.vault_key is None:
        yield Finding("archives", Verdict.NOTE, "they can be used, unencrypted: PROFILE_KEY is not set")
    else:
        yield Finding("archives", Verdict.GOOD, "they can be used, and are encrypted")


def _ray() -> Finding:
    if not is_installed():
        return Finding("Ray", Verdict.MEND, "many machines need it: pip install 'switchboard[cluster]'")
    return Finding("Ray", Verdict.GOOD, f"it is installed, beside Switchboard {build() or 'of unknown version'}")


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.partition(":")
    return host, int(port or PORT)


async def _head(name: str, address: str) -> Finding:
    """Connect to the first machine, without saying anything."""
    if address == AUTO:
        return Finding(
            "cluster", Verdict.NOTE, f"{name} is {AUTO}: the cluster of this machine, looked for at the start"
        )
    try:
        host, port = _split(address)
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except ValueError:
        return Finding("cluster", Verdict.MEND, f"{name}: {address} is no address[:port]")
    except (OSError, TimeoutError) as error:
        why = getattr(error, "strerror", None) or "no answer"
        return Finding("cluster", Verdict.LATER, f"no first machine listens at {address} ({name}): {why}")
    writer.close()
    return Finding("cluster", Verdict.GOOD, f"a first machine listens at {address}")


def _own_address(address: str) -> Finding:
    """Bind to it for a moment."""
    try:
        host, port = _split(address)
        with socket.create_server((host, port)):
            pass
    except ValueError:
        return Finding("cluster", Verdict.MEND, f"--listen: {address} is no address[:port]")
    except OSError as error:
        return Finding("cluster", Verdict.MEND, f"this machine cannot listen at {address}: {error.strerror or error}")
    if host.startswith("127."):
        return Finding("cluster", Verdict.NOTE, f"{address} is this machine's alone: no other one can join")
    text = f"{address} is free; Ray listens on all interfaces, so close its ports to everybody else"
    return Finding("cluster", Verdict.NOTE, text)
