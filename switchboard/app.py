"""The composition root: creates every part, connects them, runs them, and shuts them down in order.

The only module that knows accounts, chat and database at once. It has no rules of its own.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from controller.accounts.notices import Publisher
from controller.accounts.status import Status
from controller.chromium import Bounds, ChromiumDriver, ChromiumOptions
from controller.chromium.profile.vault import Vault, read_key
from controller.host.host_watch import HostWatch
from controller.host.launch_policy import Machine, most_at_once
from controller.host.launch_pressure import LaunchPressure
from controller.host.limits import HostLimits
from controller.host.pressure import Pressure, cores
from controller.host.reaper import Reaper, adopt_orphans
from controller.host.resource_watch import MIB, Budget, ResourceWatch
from controller.hosts import Hosts
from controller.manager import utc_now
from controller.network.account_proxies import AccountProxies, ProxiedDriver
from controller.network.proxy import Proxy, parse_proxy
from controller.network.reach import Reach, UnknownRouteError, browsers_proxy
from controller.network.route_outages import RouteOutages
from controller.recorder import Recorder
from controller.registry import Registry
from controller.troubles import Trouble, Troubles
from handlers.alerts.escalation.escalator import EscalationPolicy
from handlers.alerts.incidents.policy import AlertPolicy
from handlers.chat.errors import TokenRefusedError
from handlers.telegram.assemble import assemble
from handlers.telegram.connection import ProxyError, TelegramConnection
from handlers.telegram.service import TelegramOptions, TelegramService
from handlers.telegram.telegram_clock import TelegramClock
from handlers.texts.vocabulary import use_time_zone
from storage.accounts import AccountRecords, ProxyRecords
from storage.chat_settings import ChatSettingRecords
from storage.database import Database, StorageError, is_transient, open_database
from storage.duty import DutyRecords
from storage.inbox import Inbox
from storage.incidents import IncidentRecords
from storage.messages import MessageStore
from storage.page_loads import PageLoads
from storage.people import PeopleRecords
from storage.retention import Retention
from switchboard.backup.restore import refuse_half_restored
from switchboard.backup.schedule import BackupSchedule
from switchboard.builds import BuildWatch
from switchboard.data_dir import lock_data_dir
from switchboard.escalation_policy import escalation_policy
from switchboard.housekeeping import Housekeeping
from switchboard.keep_alive_log import log_keep_alives
from switchboard.monitoring.absence import watch_gaps
from switchboard.monitoring.assemble import assemble as assemble_monitoring
from switchboard.monitoring.watch import Monitoring
from switchboard.settings import Settings, SettingsError
from switchboard.stopping import Stopping, StopRequested, give_up

log = logging.getLogger(__name__)

DATABASE = "switchboard.sqlite"
OPEN_PATIENCE = 30.0
"""Seconds for which a database that is temporarily unavailable is retried at start."""
RETRY_SECONDS = 5.0
CLOSE_DEADLINE = 22.0
"""Seconds for closing all browsers in parallel; each has a deadline of its own (L15)."""
STORE_DEADLINE = 5.0
"""Seconds for storing the last transitions at shutdown."""
TELL_DEADLINE = 5.0
"""Seconds for sending the last messages at shutdown."""
CHAT_DEADLINE = 9.0
"""Seconds for shutting the chat down in total."""
DRIVER_DEADLINE = 6.0
MOST_HOSTS = 1000
"""Effectively no limit over all machines: the number of concurrent launches is set per machine."""


@dataclass(frozen=True, slots=True)
class _Program:
    """The running parts."""

    registry: Registry
    recorder: Recorder
    telegram: TelegramService
    proxies: AccountProxies
    outages: RouteOutages
    resources: ResourceWatch
    launches: LaunchPressure | HostWatch
    backups: BackupSchedule | None
    housekeeping: Housekeeping
    builds: BuildWatch
    monitoring: Monitoring
    answered_within: float
    """Seconds within which a connected account hears from its server."""

    def statuses(self) -> list[Status]:
        """Return the status of all accounts."""
        return [self.registry.status(account.number) for account in self.registry.accounts()]


async def serve(settings: Settings) -> None:
    """Run the program until SIGINT, SIGTERM or SIGHUP, and stop it in order (L15). A second signal ends it at once.

    Raises SettingsError, DataDirError, StorageError, VaultError, DriverError or TokenRefusedError, each with one line
    for people.
    """
    escalation = escalation_policy(settings)
    adopt_orphans()
    stopping = Stopping()
    with lock_data_dir(settings.data_dir):
        refuse_half_restored(settings.data_dir)
        hosts = hosts_of(settings)
        log.info("Browser: %s", hosts.find())
        async with AsyncExitStack() as stack:
            try:
                async with stopping.interrupts():
                    await _identify(hosts)
                    database = await _opened(stack, settings.data_dir / DATABASE)
                    if orphans := await hosts.end_orphans():
                        log.warning("Ended %d browsers that an earlier run had left", orphans)
                    stack.push_async_callback(_end_hosts, hosts, stopping)
                    hosts.warm_up()
                    parts = _assemble(settings, database, hosts, escalation)
                    await _loaded(parts.telegram.load)
                    await _loaded(parts.proxies.load)
                    await parts.builds.load()
                await _run(parts, hosts, stopping)
            except StopRequested:
                stopping.begin()
    log.info("Stopped")


async def _identify(hosts: Hosts) -> None:
    """Fail at start if the browser is not usable. Raises DriverError."""
    try:
        await hosts.identify()
    except TimeoutError as error:  # a busy machine: it may be faster when it is needed
        log.warning("%s", error)


async def _opened(stack: AsyncExitStack, path: Path) -> Database:
    """Open the database, retrying for a while if it is locked or the disk is full. Raises StorageError."""
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + OPEN_PATIENCE
    while True:
        try:
            return await stack.enter_async_context(open_database(path))
        except StorageError as error:
            if not error.transient or loop.time() >= ends_at:
                raise
            log.warning("The database cannot be opened yet, trying on: %s", error)
        await asyncio.sleep(RETRY_SECONDS)


async def _end_hosts(hosts: Hosts, stopping: Stopping) -> None:
    """Shut down what browsers share, within its deadline."""
    await stopping.step("ending the browsers' driver", hosts.stop(), DRIVER_DEADLINE)


async def _run(parts: _Program, hosts: Hosts, stopping: Stopping) -> None:
    """Run the parts until a stop is requested or the chat fails for good; then end each within its deadline."""
    booted = asyncio.Event()
    serving = _start(_serve_chat(parts.telegram, booted), "Telegram")
    beside = [
        _keep(parts.resources.run, "budgets"),
        _keep(parts.launches.run, "launch pressure"),
        _keep(parts.outages.run, "outages"),
        _keep(partial(_scheduled, parts.backups, parts.telegram), "backups"),
        _keep(hosts.run, "hosts"),
        _keep(parts.housekeeping.run, "housekeeping"),
        _keep(parts.builds.run, "builds"),
        _keep(parts.monitoring.run, "monitoring"),
        _keep(Reaper().run, "reaper"),
        _keep(partial(log_keep_alives, parts.statuses, parts.answered_within), "keep-alive log"),
    ]
    parts.monitoring.parts = beside
    try:
        async with stopping.interrupts():
            await parts.registry.boot()
        booted.set()
        parts.monitoring.ready()
        sound = parts.telegram.alerts.announcer.sound
        beside.append(_keep(partial(parts.monitoring.report_absence, sound), "absence"))
        beside.append(_keep(partial(watch_gaps, parts.registry, sound), "gaps"))
        await _first(serving, stopping.asked)
    finally:
        log.info("Stopping")
        parts.monitoring.stopping()
        for name, work, seconds in (
            ("closing the browsers", parts.registry.stop(), CLOSE_DEADLINE),
            ("storing the last transitions", parts.recorder.stop(STORE_DEADLINE), STORE_DEADLINE + 1),
            ("ending the chat", parts.telegram.stop(TELL_DEADLINE), CHAT_DEADLINE),
            ("storing how it ended", parts.monitoring.ended(stopping.why or "by itself, see its log"), STORE_DEADLINE),
        ):
            await stopping.step(name, work, seconds)
        await asyncio.gather(*(give_up(task) for task in (serving, *beside)))


async def _serve_chat(telegram: TelegramService, booted: asyncio.Event) -> None:
    """Serve people once the accounts have been loaded."""
    await booted.wait()
    await telegram.run()


async def _loaded(load: Callable[[], Awaitable[None]]) -> None:
    """Load stored state before the first transition is stored. Raises OSError if the failure is permanent."""
    while True:
        try:
            return await load()
        except OSError as error:
            if not is_transient(error) and not (isinstance(error, StorageError) and error.transient):
                raise
            log.error("What an earlier run left cannot be read yet, trying on: %s", error)
        await asyncio.sleep(RETRY_SECONDS)


def hosts_of(settings: Settings) -> Hosts:
    """Return what runs the browsers: this machine, or those of a cluster."""
    options = chromium_options(settings)
    if settings.cluster_address is None:
        return ChromiumDriver(options)
    from switchboard.cluster import cluster_hosts  # one machine alone needs nothing of it

    return cluster_hosts(settings, options)


def chromium_options(settings: Settings) -> ChromiumOptions:
    """Return the browsers' options."""
    return ChromiumOptions(
        page_url=settings.whatsapp_web_url,
        data_dir=settings.data_dir,
        executable=settings.chromium_path,
        extra_args=settings.browser_args,
        savings=frozenset(settings.browser_savings),
        proxy=settings.proxy,
        connect_timeout=settings.connect_timeout_seconds,
        presence=settings.keep_alive_presence,
        vault_key=settings.vault_key,
        bounds=Bounds(memory=settings.account_memory_limit_mib * MIB, disk=settings.account_disk_limit_mib * MIB),
    )


def _assemble(settings: Settings, database: Database, hosts: Hosts, escalation: EscalationPolicy) -> _Program:
    """Create the parts and connect them: notices are stored with their alerts, then passed to all listeners."""
    use_time_zone(None if settings.time_zone is None else ZoneInfo(settings.time_zone))
    records, notices = AccountRecords(database), Publisher()
    machine = Machine(cores(), settings.host_free_memory_mib * MIB)
    most = most_at_once(machine) if settings.launch_slots == "auto" else settings.launch_slots
    if settings.cluster_address is not None:
        most *= MOST_HOSTS
    proxies = AccountProxies(ProxyRecords(database), read_key(settings.vault_key))
    registry = Registry(
        records,
        driver=ProxiedDriver(hosts, proxies),
        policy=settings.policy(),
        listener=notices,
        launch_slots=most,
        full_numbers=settings.log_full_numbers,
    )

    async def try_proxy(proxy: Proxy) -> None:
        if (reach := reach_by(settings, proxy)) is not None:
            await reach()

    connection, telegram_clock = _connection(settings), TelegramClock(utc_now)
    connection.date_listeners.append(telegram_clock.read)
    telegram = assemble(
        connection,
        TelegramOptions(
            admins=settings.telegram_admin_ids,
            operators=settings.telegram_operator_ids,
            alert_chat=settings.telegram_alert_chat_id,
            region=settings.default_region,
            escalation=escalation,
            alert_policy=AlertPolicy(
                repeat_after=timedelta(seconds=settings.alert_repeat_seconds),
                unreachable_after=timedelta(seconds=settings.unreachable_after_seconds),
            ),
            common_proxy=None if settings.proxy is None else settings.proxy.server,
            try_proxy=try_proxy if reach_by(settings, Proxy("http", "any", 80)) else None,
            encrypts=settings.vault_key is not None,
        ),
        accounts=registry,
        records=records,
        messages=MessageStore(database),
        incidents=IncidentRecords(database),
        requests=Inbox(database),
        roster=DutyRecords(database),
        people_store=PeopleRecords(database),
        chat_settings_store=ChatSettingRecords(database),
        proxies=proxies,
        hosts=None if settings.cluster_address is None else hosts,
        clock=utc_now,
    )
    outages = RouteOutages(
        registry, telegram, proxies, reach=_reach(settings), reach_by=lambda proxy: reach_by(settings, proxy)
    )
    resources = ResourceWatch(registry, telegram, _budget(settings), settings.data_dir)
    if settings.cluster_address is None:
        launches: LaunchPressure | HostWatch = LaunchPressure(registry.slots, machine, Pressure(HostLimits()).look)
    else:
        launches = HostWatch(hosts, registry.slots, telegram, launches=most // MOST_HOSTS)
    builds = BuildWatch(telegram, store=PageLoads(database))
    registry.may_plan, registry.go_on = builds.may_plan, builds.go_on
    monitoring = assemble_monitoring(settings, database, registry, telegram, hosts)
    telegram.call_listeners.append(monitoring.note_call)
    recorder = Recorder(
        records,
        *(telegram.notify, outages.note, resources.note, builds.note, monitoring.note),
        absorb=telegram.alerts.absorb,
        troubles=telegram,
        not_stored=telegram.alerts.announcer.not_stored,
    )
    notices.subscribe(recorder)
    backups = None
    if settings.backup_dir is not None:
        backups = BackupSchedule(settings.data_dir, settings.backup_dir, settings.vault_key, telegram)
    vault = Vault(settings.data_dir, settings.vault_key)
    housekeeping = Housekeeping(
        Retention(database),
        vault,
        settings.data_dir,
        settings.history_days,
        confirmed_time=telegram_clock.confirmed,
        notify=telegram.alerts.announcer.sound,
    )
    answered_within = settings.keep_alive_seconds + settings.probe_timeout_seconds + 5
    return _Program(
        registry,
        recorder,
        telegram,
        proxies,
        outages,
        resources,
        launches,
        backups,
        housekeeping,
        builds,
        monitoring,
        answered_within,
    )


async def _scheduled(backups: BackupSchedule | None, troubles: Troubles) -> None:
    """Make backups; where none are made any more, what an earlier run reported of them is over."""
    if backups is None:
        await troubles.clear_trouble(Trouble.BACKUP)
    else:
        await backups.run()


def _connection(settings: Settings) -> TelegramConnection:
    """Return the connection to Telegram. Raises SettingsError if its proxy, or the environment's, is unusable."""
    proxy = settings.telegram_proxy
    try:
        return TelegramConnection(
            settings.telegram_bot_token.get_secret_value(),
            settings.telegram_api_url,
            None if proxy is None else parse_proxy(proxy.get_secret_value()).url,
        )
    except ProxyError as error:
        raise SettingsError(str(error)) from None


def _reach(settings: Settings) -> Reach | None:
    """Return a probe of WhatsApp's host over the browsers' network path; None if that cannot be reproduced."""
    try:
        return Reach(settings.whatsapp_web_url, browsers_proxy(settings.proxy, settings.browser_args))
    except UnknownRouteError as error:
        log.info("Browsers go their own way (%s): outages are noticed by lost accounts alone", error)
        return None


def reach_by(settings: Settings, proxy: Proxy) -> Reach | None:
    """Return a probe of WhatsApp's host through an account's own proxy; None if that cannot be reproduced."""
    arguments = [each for each in settings.browser_args if not each.startswith("--proxy-")]
    try:
        return Reach(settings.whatsapp_web_url, browsers_proxy(proxy, arguments))
    except UnknownRouteError:
        return None


def _budget(settings: Settings) -> Budget:
    return Budget(
        account_memory=settings.account_memory_mib * MIB,
        free_memory=settings.host_free_memory_mib * MIB,
        free_disk=settings.host_free_disk_mib * MIB,
        daily=settings.recycle_after_seconds,
    )


def _keep(part: Callable[[], Coroutine[Any, Any, None]], name: str) -> "asyncio.Task[None]":
    """Start a part, and again whenever the system refuses it something: files or memory may be there later."""

    async def run() -> None:
        while True:
            try:
                return await part()
            except OSError as error:
                log.error("%s failed, and begins anew: %s", name, error)
            await asyncio.sleep(RETRY_SECONDS)

    return _start(run(), name)


def _start(work: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_log_failure)
    return task


def _log_failure(task: "asyncio.Task[None]") -> None:
    """Log an error of a task that nobody awaits: the rest goes on without it."""
    if task.cancelled() or (error := task.exception()) is None or isinstance(error, TokenRefusedError):
        return
    if isinstance(error, OSError):
        log.error("%s ended: %s", task.get_name(), error)
    else:
        log.error("%s ended by a bug", task.get_name(), exc_info=error)


async def _first(serving: "asyncio.Task[None]", stop: asyncio.Event) -> None:
    """Wait for a signal or a failure of the chat side; raises the latter."""
    waiting = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    if serving.done():
        serving.result()
