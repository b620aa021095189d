"""Hosts that share no folder: real Chromium on a real cluster, profiles through archives in a store.

In a process of its own, since a cluster has one controller.
"""

import asyncio
import subprocess
from functools import partial

import pytest
import pytest_asyncio

from controller.accounts.reasons import Reason
from controller.chromium import ChromiumOptions
from controller.chromium.archive_files import ArchiveFiles
from controller.chromium.archived_driver import ArchiveOptions
from controller.chromium.profile.vault import new_key
from controller.cluster.cluster_hosts import HOST_PATIENCE
from controller.hosts import HostState
from controller.troubles import Trouble
from sandbox.whatsapp import Options, Timings, WhatsAppStandIn
from switchboard.cluster import make_machine
from tests.cluster.conftest import World

pytest.importorskip("ray", reason="many machines need Ray: make cluster-test")
pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(600), pytest.mark.chromium]

ACCOUNT = "+4915112345678"


def mount(*words):
    subprocess.run(["mount", *words], check=True, stdin=subprocess.DEVNULL)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def linked(cluster):
    """An account that is linked by a scan of its code, on one of three hosts, each with a DATA_DIR of its own."""
    store = cluster.folder / "archives"
    store.mkdir()
    mount("-t", "tmpfs", "none", str(store))  # one that can fail; `make cluster-test` has mounts of its own
    async with WhatsAppStandIn(Options(timings=Timings().scaled(10))) as stand_in:
        options = ChromiumOptions(page_url=stand_in.url, data_dir=cluster.folder / "nobody's")
        archives = ArchiveOptions(str(store), b"secret", new_key())
        files = ArchiveFiles(archives, cluster.folder / "controller")
        make = partial(make_machine, options, 1, 1, 10.0, archives=archives)
        made = World(cluster, make, [ACCOUNT], archives=files)
        made.scan = stand_in.phones.scan
        await made.begin()
        await made.connected(120)
        made.scan, made.phones = None, stand_in.phones
        yield made
        await made.end()


def status(linked):
    return linked.managers[ACCOUNT].get_status()


async def test_a_session_lives_and_moves_through_archives(linked):
    hosts, device = linked.hosts, linked.phones.devices()[0]["device_id"]
    first = hosts.host_of(ACCOUNT)
    assert {path.name for path in (linked.cluster.folder / "machines").iterdir()} >= {first}

    # drained: closed, archived, fetched elsewhere, connected without a code
    hosts.drain(first, draining=True)
    linked.managers[ACCOUNT].recycle("to another host")
    took = await linked.connected_elsewhere([ACCOUNT], first, 90)
    hosts.drain(first, draining=False)
    second = hosts.host_of(ACCOUNT)
    assert linked.phones.devices()[0]["device_id"] == device
    print(f"moved in {took:.1f} s")  # noqa: T201
    files = [path.name for path in (linked.cluster.folder / "archives").rglob("*.tar.gz*")]
    assert files
    assert all(name.endswith(".age") for name in files)
    assert linked.alerts == []

    # the store fails, and then its browser: that is one incident, which ends, and no host notices
    store = str(linked.cluster.folder / "archives")
    mount("-o", "remount,ro", store)
    await linked.until(lambda: bool(linked.incidents), 60)
    node = linked.cluster.nodes[second]
    next(one for one in node.named("--user-data-dir=") if "--type=" not in " ".join(one.cmdline())).kill()
    await linked.until(lambda: not status(linked).is_connected, 20)
    await asyncio.sleep(linked.terms.fence)
    assert not status(linked).is_connected
    assert set(linked.states().values()) == {HostState.UP}
    mount("-o", "remount,rw", store)
    await linked.connected(60)
    assert [reason for reason, _ in linked.incidents] == [Trouble.ARCHIVES]
    assert linked.alerts == []
    assert hosts.host_of(ACCOUNT) == second, "it alone has what the browser left"

    # its host dies: what the archives have is older, so a person is asked, once
    node.kill()
    within = linked.terms.fence + HOST_PATIENCE + 30
    await linked.until(lambda: status(linked).reason is Reason.ARCHIVE_OUTDATED, within)
    assert [alert.alert for alert in linked.alerts] == [Reason.ARCHIVE_OUTDATED]
    assert f"host {second} opened it" in status(linked).detail
    await asyncio.sleep(5)
    assert status(linked).reason is Reason.ARCHIVE_OUTDATED, "nothing goes on by itself"

    # it comes back, and a person says /reconnect: it goes on with the folder there
    await asyncio.to_thread(lambda: node.start().wait())
    await linked.up(second)
    await linked.managers[ACCOUNT].start()
    await linked.connected(90)
    assert hosts.host_of(ACCOUNT) == second
    assert linked.phones.devices()[0]["device_id"] == device

    # it dies for good: a person takes the older archive
    node.kill()
    await linked.until(lambda: status(linked).reason is Reason.ARCHIVE_OUTDATED, within)
    newest, *_ = await hosts.saved(ACCOUNT)
    await hosts.restore(ACCOUNT, newest.name)
    await linked.managers[ACCOUNT].start()
    await linked.connected_elsewhere([ACCOUNT], second, 90)
    assert linked.phones.devices()[0]["device_id"] == device
    assert len(linked.alerts) == 2
    lost = [detail for reason, detail in linked.incidents if reason is Trouble.HOST_LOST]
    assert len(lost) <= 2, "one for each of the two deaths"
