"""The composition root: makes every part, ties the ends together, runs them, and ends them in order.

The only place that knows the accounts' side, the operators' side and the database at once. Here is no rule of its own.
"""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import aiosqlite

from controller.accounts.notices import Transition
from controller.chromium import ChromiumDriver, ChromiumOptions
from controller.collector import tune_collector
from controller.manager import utc_now
from controller.outage import OutageWatch, Reach, by_proxy, reach
from controller.recorder import Recorder
from controller.registry import Registry
from controller.resource_watch import MIB, Budget, ResourceWatch
from handlers.chat.errors import TokenRefusedError
from handlers.telegram.assemble import assemble
from handlers.telegram.connection import TelegramConnection
from handlers.telegram.service import TelegramOptions, TelegramService
from storage.accounts import AccountRecords
from storage.database import Database, open_database
from storage.messages import MessageStore
from storage.outbox import Outbox
from switchboard.backup.schedule import BackupSchedule
from switchboard.data_dir import held
from switchboard.settings import Settings

log = logging.getLogger(__name__)

DATABASE = "switchboard.sqlite"
STORE_DEADLINE = 10.0
"""Seconds that storing the last transitions may take at the end."""
SAME_SIGNAL = 1.0
"""Seconds within which a repeated signal is the same one: a make or a shell passes on what its group got as well."""
TELL_DEADLINE = 10.0
"""Seconds that telling the last words in the chat may take at the end."""


_OTHER_WAYS = ("--proxy", "--host-resolver-rules", "--host-rules")
"""Arguments of Chromium by which it reaches hosts otherwise than this process does."""


@dataclass(frozen=True, slots=True)
class _Program:
    """The parts that run."""

    registry: Registry
    recorder: Recorder
    telegram: TelegramService
    fleet: OutageWatch
    resources: ResourceWatch
    backups: BackupSchedule | None


async def serve(settings: Settings) -> None:
    """Run the program until SIGINT or SIGTERM, and stop it in order (L15). A second signal ends it at once.

    Raises DataDirError, StorageError, VaultError, DriverError or TokenRefusedError, each with one line for people.
    """
    tune_collector()
    signals = _Signals()
    with held(settings.data_dir):
        driver = _driver(settings)
        log.info("Browser: %s", driver.find())
        async with open_database(settings.data_dir / DATABASE) as database:
            if orphans := await driver.end_orphans():
                log.warning("Ended %d browsers that an earlier run had left", orphans)
            parts = _assemble(settings, database, driver)
            async with (
                _running(parts.telegram.run(), "Telegram") as serving,
                _running(parts.resources.run(), "budgets"),
                _running(parts.fleet.run(), "fleet"),
                _running(_scheduled(parts.backups), "backups"),
            ):
                try:
                    await parts.registry.boot()
                    await _first(serving, signals.stop)
                finally:
                    log.info("Stopping")
                    await parts.registry.stop()
                    await parts.recorder.stop(STORE_DEADLINE)
                    await parts.telegram.stop(TELL_DEADLINE)
                    await driver.stop()
    log.info("Stopped")


def _driver(settings: Settings) -> ChromiumDriver:
    return ChromiumDriver(
        ChromiumOptions(
            page_url=settings.whatsapp_web_url,
            data_dir=settings.data_dir,
            executable=settings.chromium_path,
            extra_args=settings.browser_args,
            connect_timeout=settings.connect_timeout_seconds,
            presence=settings.keep_alive_presence,
            vault_key=settings.vault_key,
        )
    )


def _assemble(settings: Settings, database: Database, driver: ChromiumDriver) -> _Program:
    """Make the parts and tie them: what managers report is stored with its alerts, then passed to all who listen."""
    outbox = Outbox(database)

    async def owed(connection: aiosqlite.Connection, transitions: Sequence[Transition]) -> None:
        await outbox.write(connection, [one for each in transitions for one in telegram.owed(each)])

    records = AccountRecords(database, owed)
    recorder = Recorder(records)
    registry = Registry(
        records,
        driver=driver,
        policy=settings.policy(),
        listener=recorder,
        launch_slots=settings.launch_slots,
        full_numbers=settings.log_full_numbers,
    )
    telegram = assemble(
        TelegramConnection(settings.telegram_bot_token.get_secret_value(), settings.telegram_api_url),
        TelegramOptions(
            admins=settings.telegram_admin_ids,
            operators=settings.telegram_operator_ids,
            alert_chat=settings.telegram_alert_chat_id,
            region=settings.default_region,
            repeat_after=timedelta(seconds=settings.alert_repeat_seconds),
        ),
        accounts=registry,
        records=records,
        messages=MessageStore(database),
        outbox=outbox,
        clock=utc_now,
    )
    recorder.troubles = telegram
    fleet = OutageWatch(registry, telegram, _reach(settings))
    resources = ResourceWatch(registry, telegram, _budget(settings), settings.data_dir)
    recorder.listeners += [telegram.notify, fleet.note, resources.note]
    backups = None
    if settings.backup_dir is not None:
        backups = BackupSchedule(settings.data_dir, settings.backup_dir, settings.vault_key, telegram)
    return _Program(registry, recorder, telegram, fleet, resources, backups)


async def _scheduled(backups: BackupSchedule | None) -> None:
    if backups is not None:
        await backups.run()


def _reach(settings: Settings) -> Reach | None:
    """Return how WhatsApp's host is asked; None where the browsers go another way than we would."""
    if any(argument.startswith(_OTHER_WAYS) for argument in settings.browser_args) or by_proxy(
        settings.whatsapp_web_url
    ):
        return None
    return partial(reach, settings.whatsapp_web_url)


def _budget(settings: Settings) -> Budget:
    return Budget(
        account_memory=settings.account_memory_mib * MIB,
        free_memory=settings.host_free_memory_mib * MIB,
        free_disk=settings.host_free_disk_mib * MIB,
        daily=settings.recycle_after_seconds,
    )


@asynccontextmanager
async def _running(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_tell_if_failed)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _tell_if_failed(task: "asyncio.Task[None]") -> None:
    """Log at once what nobody waits for: whatever else runs goes on without it."""
    if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, TokenRefusedError):
        log.error("%s ended by a bug", task.get_name(), exc_info=error)


async def _first(serving: "asyncio.Task[None]", stop: asyncio.Event) -> None:
    """Wait for a signal, or for the Telegram side to fail; raises what it failed with."""
    waiting = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    if serving.done():
        serving.result()


class _Signals:
    """SIGINT and SIGTERM: the first asks for a stop in order, a second one ends the program at once (L15)."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._first_at = 0.0
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(number, self._take, number)

    def _take(self, number: signal.Signals) -> None:
        if not self.stop.is_set():
            log.info("%s: stopping; once more ends at once", number.name)
            self._first_at = self._loop.time()
            self.stop.set()
        elif self._loop.time() - self._first_at >= SAME_SIGNAL:
            log.warning("A second signal: ending at once")
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
