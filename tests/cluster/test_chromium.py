"""Real Chromium on a real cluster: an account is linked, its browser crashes, it moves, and its session goes along.

In a process of its own, since a cluster has one controller: the product's own machines are driven here.
"""

from functools import partial

import pytest
import pytest_asyncio

from controller.chromium import ChromiumOptions
from controller.chromium.profile.profile import Profile
from sandbox.whatsapp import Options, Timings, WhatsAppStandIn
from switchboard.cluster import make_machine
from tests.cluster.conftest import World

pytest.importorskip("ray", reason="many machines need Ray: make cluster-test")
pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300), pytest.mark.chromium]

ACCOUNT = "+4915112345678"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def linked(cluster):
    """An account that is linked by a scan of its code, on one of three hosts that share DATA_DIR."""
    data_dir = cluster.folder / "data"
    async with WhatsAppStandIn(Options(timings=Timings().scaled(10))) as stand_in:
        options = ChromiumOptions(page_url=stand_in.url, data_dir=data_dir)
        made = World(cluster, partial(make_machine, options, 1, 1, 10.0), [ACCOUNT])
        made.scan = stand_in.phones.scan
        await made.begin()
        await made.connected(120)
        made.data_dir = data_dir
        yield made
        await made.end()


async def test_an_account_is_linked_on_a_host(linked):
    assert linked.hosts.host_of(ACCOUNT) in set("abc")
    assert (await linked.managers[ACCOUNT].usage()).processes > 1


async def test_a_browser_that_is_killed_comes_back_with_its_session(linked):
    linked.scan = None
    host = linked.hosts.host_of(ACCOUNT)
    node = linked.cluster.nodes[host]
    folder = str(Profile.of(linked.data_dir, ACCOUNT, host).folder)
    browser = next(one for one in node.named(f"--user-data-dir={folder}") if "--type=" not in " ".join(one.cmdline()))
    browser.kill()

    await linked.until(lambda: not linked.managers[ACCOUNT].get_status().is_connected, 20)
    await linked.connected(90)


async def test_a_killed_host_process_takes_its_browser_along_and_the_session_goes_on_elsewhere(linked):
    host = linked.hosts.host_of(ACCOUNT)
    node = linked.cluster.nodes[host]
    linked.hosts.drain(host, draining=True)  # so that it is opened elsewhere, whoever is quicker
    browsers = node.named("--user-data-dir=")
    assert browsers
    for one in node.named("ray::HostProcess"):
        one.kill()

    await linked.connected_elsewhere([ACCOUNT], host, linked.terms.fence + 60)
    assert not any(one.is_running() and one.status() != "zombie" for one in browsers)
    assert linked.alerts == []
    assert len(linked.incidents) <= 1
