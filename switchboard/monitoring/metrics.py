"""Prometheus metrics: counters updated as things happen, and gauges read at a scrape.

Labels are bounded: states, reasons and outcomes are enumerations, and an account is a short stable id that reveals
nothing about its number. A scrape measures nothing that is not known already, so it costs no browser anything.
"""

import os
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from controller.accounts.model import Breaker
from controller.accounts.notices import BuildLoaded, Notice, Timed, Transition
from controller.accounts.reasons import State
from controller.accounts.status import Status
from controller.driver import Usage
from controller.hosts import HostState, HostUsage
from switchboard.monitoring.pulse import Beat, Health

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter that nobody asks for

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LATENCIES = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the buckets, in seconds; a longer probe or call has failed."""


@dataclass(frozen=True, slots=True)
class AccountFigures:
    """Known values of one account. id: short, stable, unrelated to the number. usage: the latest measurement.

    host: the machine of a cluster that runs its browser; "" if none does, or there is only one machine.
    """

    id: str
    status: Status
    usage: Usage | None = None
    host: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """Values read at a scrape. Ages and durations are seconds, sizes bytes; None if unknown.

    alerts_owed: messages that alerts still owe, over all chats. host: free and limit of memory, disk, processes, by
    the names `memory_free`, `memory_limit`, `disk_free`, `processes`, `processes_limit`, `oom_kills`. machines: those
    of a cluster; empty if there is only this one.
    """

    accounts: Sequence[AccountFigures] = ()
    launches_waiting: int = 0
    launch_slots: int = 0
    alerts_owed: int = 0
    alerts_owed_age: float | None = None
    poll_age: float | None = None
    backup_age: float | None = None
    host: Mapping[str, float] = field(default_factory=dict)
    machines: Sequence[HostUsage] = ()
    beat: Beat | None = None
    beat_age: float | None = None


class Metrics(Collector):
    """All metrics. `note` handles notices; `scrape` returns what Prometheus reads."""

    def __init__(self, read: Callable[[], Figures], *, version: str) -> None:
        self._read, self._version = read, version
        self._registry = CollectorRegistry(auto_describe=False)
        self._transitions = self._counter("transitions", "Transitions of accounts", ("state", "reason"))
        self._alerts = self._counter("alerts", "Alerts raised, by reason", ("reason",))
        self._sends = self._counter("telegram_calls", "Calls of the Bot API, by outcome", ("method", "outcome"))
        self._polls = self._counter("telegram_polls", "Polls of the Bot API, by outcome", ("outcome",))
        self._probes = self._histogram("probe_seconds", "How long health probes took")
        self._heartbeats = self._histogram("heartbeat_seconds", "How long keep-alive heartbeats took")
        self._builds: dict[str, str] = {}
        """The build of WhatsApp Web that each account's browser loaded last, by number."""
        self._registry.register(self)

    def note(self, notice: Notice) -> None:
        """Count a notice."""
        if isinstance(notice, Timed):
            (self._probes if notice.what == "probe" else self._heartbeats).observe(notice.seconds)
        if isinstance(notice, BuildLoaded):
            self._builds[notice.number] = notice.build
        if not isinstance(notice, Transition):
            return
        if not notice.within_state:
            self._transitions.labels(notice.state, notice.reason).inc()
        if notice.alert is not None:
            self._alerts.labels(notice.alert).inc()

    def note_call(self, method: str, outcome: str) -> None:
        """Count a call of the Bot API. outcome: `ok`, or the kind of error."""
        (self._polls.labels(outcome) if method.lower() == "getupdates" else self._sends.labels(method, outcome)).inc()

    def scrape(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self._registry)

    def write(self, path: Path) -> None:
        """Write everything for node_exporter's textfile collector, atomically. Raises OSError.

        It may be read by everybody: node_exporter is another user. The library would give it our private mode.
        """
        new = path.with_name(f".{path.name}.new")
        try:
            new.unlink(missing_ok=True)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "wb") as file:
                os.fchmod(file.fileno(), 0o644)
                file.write(self.scrape())
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)

    def collect(self) -> Iterable[Metric]:
        """Yield what is read at a scrape: the library's interface."""
        figures = self._read()
        info = InfoMetricFamily("switchboard_build", "The running program")
        info.add_metric((), {"version": self._version})
        yield info
        yield from _of_accounts(figures.accounts)
        yield from _of_pulse(figures)
        yield self._page_builds(figures.accounts)
        host = GaugeMetricFamily("switchboard_host", "Limits of the host or container, by name", labels=("figure",))
        for name, value in figures.host.items():
            host.add_metric((name,), value)
        yield host
        yield from _of_machines(figures)
        single: tuple[tuple[str, str, float | None], ...] = (
            ("launches_waiting", "Accounts that wait for a launch slot", figures.launches_waiting),
            ("launch_slots", "Browsers that may launch at once, as the machine takes them", figures.launch_slots),
            ("alerts_owed", "Messages that alerts still owe", figures.alerts_owed),
            ("alerts_owed_age_seconds", "Age of the oldest message owed", figures.alerts_owed_age or 0.0),
            ("telegram_poll_age_seconds", "Since a poll last came back", figures.poll_age),
            ("backup_age_seconds", "Since the newest backup was made", figures.backup_age),
        )
        for name, help_text, known in single:
            if known is not None:
                yield GaugeMetricFamily(f"switchboard_{name}", help_text, known)

    def _page_builds(self, accounts: Sequence[AccountFigures]) -> Metric:
        """Return how many accounts run on each build: bounded by what is loaded now."""
        known = {one.status.phone_number for one in accounts}
        self._builds = {number: build for number, build in self._builds.items() if number in known}
        family = GaugeMetricFamily(
            "switchboard_page_build", "Accounts on each build of WhatsApp Web", labels=("build",)
        )
        for build, count in sorted(Tally(self._builds.values()).items()):
            family.add_metric((build or "unknown",), count)
        return family

    def _counter(self, name: str, help_text: str, labels: tuple[str, ...]) -> Counter:
        return Counter(f"switchboard_{name}", help_text, labels, registry=self._registry)

    def _histogram(self, name: str, help_text: str) -> Histogram:
        return Histogram(f"switchboard_{name}", help_text, buckets=LATENCIES, registry=self._registry)


def _of_accounts(accounts: Sequence[AccountFigures]) -> Iterable[Metric]:
    states = GaugeMetricFamily("switchboard_accounts", "Accounts in each state", labels=("state",))
    for state in State:
        states.add_metric((state,), sum(one.status.state is state for one in accounts))
    yield states
    each: tuple[tuple[str, str, Callable[[AccountFigures], float | None]], ...] = (
        ("connected", "Whether the account is connected", lambda one: float(one.status.is_connected)),
        ("attempts", "Attempts since the counters were zero", lambda one: one.status.reconnect_attempts),
        ("errors", "Errors since the counters were zero", lambda one: one.status.error_count),
        ("breaker_open", "Whether its circuit is open", lambda one: float(one.status.breaker is not Breaker.CLOSED)),
        ("uptime_seconds", "Since it was connected", lambda one: one.status.uptime),
        ("browser_memory_bytes", "Memory of its browser", lambda one: one.usage.memory if one.usage else None),
        ("browser_processes", "Processes of its browser", lambda one: one.usage.processes if one.usage else None),
    )
    for name, help_text, value_of in each:
        family = GaugeMetricFamily(f"switchboard_account_{name}", help_text, labels=("account",))
        for one in accounts:
            if (value := value_of(one)) is not None:
                family.add_metric((one.id,), value)
        yield family


def _of_machines(figures: Figures) -> Iterable[Metric]:
    """Yield what is known of a cluster's machines, each by its name."""
    if not figures.machines:
        return
    each: tuple[tuple[str, str, Callable[[HostUsage], float | None]], ...] = (
        ("up", "Whether it answers", lambda one: float(one.state is not HostState.LOST)),
        ("draining", "Whether it is being drained", lambda one: float(one.state is HostState.DRAINING)),
        ("accounts", "Accounts placed on it", lambda one: one.accounts),
        ("capacity", "Accounts that it takes", lambda one: one.capacity),
        ("memory_free_bytes", "Its free memory", lambda one: one.free_memory),
        ("disk_free_bytes", "The free space of its DATA_DIR", lambda one: one.free_disk),
    )
    for name, help_text, value_of in each:
        family = GaugeMetricFamily(f"switchboard_host_{name}", f"{help_text}, by host of a cluster", labels=("host",))
        for one in figures.machines:
            if (value := value_of(one)) is not None:
                family.add_metric((one.name,), value)
        yield family
    where = GaugeMetricFamily("switchboard_account_host", "The host that runs its browser", labels=("account", "host"))
    for account in figures.accounts:
        if account.host:
            where.add_metric((account.id, account.host), 1)
    yield where


def _of_pulse(figures: Figures) -> Iterable[Metric]:
    if (beat := figures.beat) is None:
        return
    links = GaugeMetricFamily("switchboard_pulse_link", "1 good, 0.5 known to be away, 0 failed", labels=("link",))
    for name, finding in beat.results.items():
        links.add_metric((name,), {Health.GOOD: 1.0, Health.AWAY: 0.5}.get(finding.health, 0.0))
    yield links
    yield GaugeMetricFamily("switchboard_pulse_good", "Whether the whole way to people works", float(beat.is_good))
    yield GaugeMetricFamily("switchboard_pulse_age_seconds", "Since the newest beat", figures.beat_age)
    yield GaugeMetricFamily("switchboard_loop_lag_seconds", "How late the event loop was at the last beat", beat.lag)
