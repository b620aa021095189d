"""Creates the monitoring from the settings, for one run of the program."""

import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from controller.chromium.profile.names import name_of
from controller.host.limits import HostLimits
from controller.hosts import Hosts
from controller.registry import Registry
from storage.database import Database
from storage.pulse import PulseRecords
from switchboard.backup.schedule import backups_in
from switchboard.monitoring.absence import read_oom_kills
from switchboard.monitoring.watch import ChatSide, Monitoring, Options
from switchboard.settings import Settings

ID_LETTERS = 8
"""Letters of a profile's name that identify its account in metrics: enough for a million accounts."""

FALLBACK_GRACE = 60.0
"""Seconds for which an alert that Telegram has not accepted is the fallback channel's, before the heartbeat fails."""


def assemble(settings: Settings, database: Database, registry: Registry, chat: ChatSide, hosts: Hosts) -> Monitoring:
    """Return the monitoring, ready to run."""
    limits = HostLimits()

    def host() -> dict[str, float]:
        figures = {
            "memory_free": limits.free_memory(),
            "memory_limit": limits.memory_limit(),
            "processes_free": limits.free_processes(),
            "processes_limit": limits.process_limit(),
            "disk_free": shutil.disk_usage(settings.data_dir).free,
            "oom_kills": read_oom_kills(),
        }
        return {name: float(value) for name, value in figures.items() if value is not None}

    def backup_age() -> float | None:
        if settings.backup_dir is None:
            return None
        with suppress(OSError):
            now = datetime.now(UTC)
            return min(((now - at).total_seconds() for at, _ in backups_in(settings.backup_dir)), default=None)
        return None

    url = settings.heartbeat_url
    options = Options(
        unsent_too_long=settings.alert_fallback_after_seconds + (FALLBACK_GRACE if settings.alert_fallback_urls else 0),
        heartbeat="" if url is None else url.get_secret_value(),
        heartbeat_every=settings.heartbeat_seconds,
        health=settings.health_listen,
        textfile=settings.health_textfile,
    )
    records = PulseRecords(database, boot_id=boot_id(), started_at=datetime.now(UTC), oom_kills=read_oom_kills)

    def account_id(number: str) -> str:
        return name_of(settings.data_dir, number.removeprefix("+"))[:ID_LETTERS]

    return Monitoring(
        options,
        registry=registry,
        chat=chat,
        records=records,
        account_id=account_id,
        used=hosts.used,
        host=host,
        machines=hosts.usage,
        host_of=hosts.host_of,
        backup_age=backup_age,
    )


def boot_id() -> str:
    """Return the kernel's boot id; "" if unknown."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""
