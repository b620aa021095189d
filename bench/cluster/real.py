"""`make bench-cluster`: three nodes of a real Ray cluster on this machine, with 100 idle accounts each.

Needs a network namespace of its own and Ray. Prints what the head carries: transitions, latencies, memory, and how long
after a node's death all are connected elsewhere.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import psutil

from bench.cluster.machine import make
from controller.accounts.reports import Loaded, Report
from controller.cluster.cluster_hosts import RemoteSession
from controller.driver import Opening
from controller.host.deadline import boot_time
from tests.cluster import conftest, nodes

ACCOUNTS, EXTRA, CAPACITY = 300, 30, 170
LAUNCHES = 24
CALLS = 100
"""Made on each of the extra accounts, without a pause."""


def percentiles(seconds: Sequence[float]) -> str:
    ordered = sorted(seconds)
    median, high = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
    return f"median {median * 1000:.1f} ms, p99 {high * 1000:.1f} ms"


def mebibytes(processes: Sequence[psutil.Process]) -> float:
    return sum(one.memory_full_info().pss for one in processes if one.is_running()) / (1 << 20)


async def of_calls(sessions: Sequence[RemoteSession]) -> None:
    """Print how many calls the controller makes if it does nothing else, and what one costs it."""

    async def ask(session: RemoteSession) -> None:
        for _ in range(CALLS):
            await session.heartbeat(ask=False)

    me = psutil.Process()
    began, used = boot_time(), sum(me.cpu_times()[:2])
    await asyncio.gather(*map(ask, sessions))
    made, seconds = CALLS * len(sessions), boot_time() - began
    cost = (sum(me.cpu_times()[:2]) - used) / made
    print(f"calls at once: {made / seconds:.0f}/s, {cost * 1000:.2f} ms of the controller's processor time each")


async def of_reports(world: Any) -> tuple[list[float], list[float]]:
    """Return the latencies of reports and of calls, all machines in parallel."""
    reports: list[float] = []
    calls: list[float] = []

    def take(report: Report) -> None:
        if isinstance(report, Loaded) and "." in report.build:
            reports.append(boot_time() - float(report.build))

    async def ask(session: RemoteSession) -> None:
        for _ in range(40):
            began = boot_time()
            await session.dismiss()
            calls.append(boot_time() - began)
            await asyncio.sleep(0.05)

    sessions = [await world.hosts.open(Opening(f"+4916099{i:05}"), take) for i in range(EXTRA)]
    await asyncio.gather(*map(ask, sessions))
    await of_calls(sessions)
    await asyncio.gather(*(session.close() for session in sessions))
    return reports, calls


async def measure(cluster: Any) -> None:
    numbers = [f"+49151123{i:05}" for i in range(ACCOUNTS)]
    world = cast("Any", conftest).World(cluster, partial(make, str(cluster.folder)), numbers, LAUNCHES)
    began = boot_time()
    await world.begin()
    opened = boot_time()
    await world.connected(300)
    print(f"{ACCOUNTS} accounts on 3 nodes, connected {boot_time() - opened:.1f} s after the leases allowed it")
    print(f"({boot_time() - began:.1f} s after the controller began to join)")

    began = boot_time()
    for manager in world.managers.values():
        manager.recycle("measured")
    await world.until(lambda: not world.all_connected(), 30)
    await world.connected(300)
    seconds = boot_time() - began
    print(f"all closed and opened again: {3 * ACCOUNTS / seconds:.0f} transitions/s ({seconds:.1f} s)")

    reports, calls = await of_reports(world)
    print(f"a report, from the browser's side to the account's: {percentiles(reports)}")
    print(f"a call and its answer: {percentiles(calls)}")

    me = psutil.Process()
    before = sum(me.cpu_times()[:2])
    await asyncio.sleep(30)
    print(f"the controller at rest: {(sum(me.cpu_times()[:2]) - before) / 30:.1%} of a core, {mebibytes([me]):.0f} MiB")
    for name, node in cluster.nodes.items():
        own = node.named("ray::HostProcess")
        whole = mebibytes(node.processes())
        print(f"node {name}: {whole:.0f} MiB, of which the host process {mebibytes(own):.0f} MiB")

    lost = world.on("c")
    cluster.nodes["c"].kill()
    seconds = await world.connected_elsewhere(lost, "c", 120)
    print(f"a node's death to its {len(lost)} accounts connected elsewhere: {seconds:.1f} s")
    await world.end()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="switchboard-cluster-") as folder:
        cluster = cast("Any", nodes).Cluster(Path(folder), capacity=CAPACITY)
        try:
            cluster.start()
            asyncio.run(measure(cluster))
        finally:
            cluster.stop()


if __name__ == "__main__":
    main()
