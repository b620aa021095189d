"""Two machines as docs/cluster.md says what to type: its very lines, in two network namespaces, with real Chromium.

Only the two services are faked. What is typed on the second machine runs at 10.0.0.2, behind a cable of its own.
"""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import psutil
import pytest

from controller.cluster.leases import Terms
from sandbox.telegram import TelegramStandIn
from sandbox.whatsapp import Options, Timings, WhatsAppStandIn
from tests.cluster.network import Network
from tests.cluster.relay import relay
from tests.e2e.harness import ADMIN, ROOT, World

pytest.importorskip("ray", reason="many machines need Ray: make cluster-test")
pytestmark = [pytest.mark.timeout(900), pytest.mark.chromium]

SHARED = Path("/srv/switchboard")
"""As in docs/cluster.md. /srv is a folder of this process's own: see the Makefile."""
IN_TIME = Terms().fence + 15


def typed(first_words):
    """Return the line that the manual says to type, without its comment."""
    text = (ROOT / "docs" / "cluster.md").read_text("utf-8")
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    (line,) = [line for line in lines if line.split("#")[0].rstrip().endswith(first_words)]
    return line.split("#")[0].strip()


def command(line, inside=()):
    return [*inside, "sh", "-c", f"exec env {line}"]


@pytest.fixture
def network():
    if not os.path.ismount("/srv"):
        pytest.skip("/srv must be a folder of this test's own: make cluster-test")
    shutil.rmtree(SHARED, ignore_errors=True)
    SHARED.mkdir()
    made = Network()
    yield made
    made.close()


@contextlib.asynccontextmanager
async def whatsapp_from(network, port):
    """Let the second machine reach WhatsApp's stand-in at the same address: not by the cable between the two."""
    path = "/srv/whatsapp"

    async def passed_on(reader, writer):
        await relay(reader, writer, asyncio.open_connection("127.0.0.1", port))

    async with await asyncio.start_unix_server(passed_on, path):
        passing = ("-m", "tests.cluster.relay", str(port), path)
        far = await asyncio.create_subprocess_exec(*network.inside, sys.executable, *passing, cwd=ROOT)
        try:
            yield
        finally:
            far.kill()
            await far.wait()


class Machine:
    """What was typed on a machine, with all its processes. lines of its output go to the test's own."""

    def __init__(self, name, line, inside=()):
        self.name, self.command = name, command(line, inside)
        self.process = None

    def start(self):
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "CHROMIUM_PATH") if name in os.environ}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, start_new_session=True, cwd="/srv",
            env=kept | {"PATH": path, "RAY_TMPDIR": "/srv"},
        )  # fmt: skip
        return self

    def die(self):
        """As by a power cut: all its processes at once."""
        processes = [psutil.Process(self.process.pid)]
        with contextlib.suppress(psutil.NoSuchProcess):
            processes += processes[0].children(recursive=True)
        for one in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        self.process.wait()

    def browsers(self):
        return [one for one in psutil.Process(self.process.pid).children(recursive=True) if is_browser(one)]

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.die()


def is_browser(process):
    try:
        command = process.cmdline()
    except psutil.Error:
        return False
    return any("--user-data-dir=" in part for part in command) and not any("--type=" in part for part in command)


async def hosts(here):
    """Ask /hosts, and return its newest answer."""
    before = max([message["message_id"] for message in here.chat()], default=0)
    await here.client.send(ADMIN, "/hosts")

    def answer():
        return next(
            (m["text"] for m in here.chat() if m["message_id"] > before and "accounts" in (m["text"] or "")), None
        )

    return await here.until(answer)


def text_of(here, message):
    return next(one["text"] for one in here.chat() if one["message_id"] == message["message_id"])


async def until_hosts(here, *patterns, within=120):
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + within
    said = await hosts(here)
    while not all(re.search(pattern, said) for pattern in patterns):
        assert loop.time() < ends_at, said
        await asyncio.sleep(4)  # a chat has a budget of messages
        said = await hosts(here)


async def test_two_machines_as_the_manual_says(network):
    first = Machine("first", typed("switchboard host --listen 10.0.0.1 --name first"))
    second = Machine("second", typed("switchboard host --join 10.0.0.1 --name second"), network.inside)
    serve = command(typed(" switchboard"))
    async with AsyncExitStack() as stack:
        telegram = await stack.enter_async_context(TelegramStandIn(0))
        whatsapp = await stack.enter_async_context(WhatsAppStandIn(Options(timings=Timings().scaled(10))))
        await stack.enter_async_context(whatsapp_from(network, int(whatsapp.url.rsplit(":", 1)[1].strip("/"))))
        telegram.client.add_user(ADMIN, "Ada")
        here = World(telegram, whatsapp, SHARED)
        for machine in (first, second):
            stack.callback(machine.stop)
        first.start()
        program = await stack.enter_async_context(
            here.program(command=serve, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        )
        # one machine: an account is linked there
        await until_hosts(here, r"first.* up")
        await here.link()
        await until_hosts(here, r"first.* 1 of 10 accounts")

        # another joins, and gets the account when the first one is drained
        second.start()
        await until_hosts(here, r"second.* up")
        before = len(here.transitions())
        await here.client.send(ADMIN, "/drain first")
        await here.until(lambda: here.says("moved to host second"))
        await here.until_connected(after=before)
        await until_hosts(here, r"first.* being drained, 0 of 10", r"second.* 1 of 10")
        assert len(second.browsers()) == 1
        assert first.browsers() == []
        await here.client.send(ADMIN, "/drain first off")
        await until_hosts(here, r"first.* up")

        # the second one dies: the account goes on at the first one, with its session, without a word
        device, before = here.phones.devices()[0]["device_id"], len(here.transitions())
        loop = asyncio.get_running_loop()
        died_at = loop.time()
        second.die()
        await here.until_connected(after=before)
        assert loop.time() - died_at <= IN_TIME
        assert len(first.browsers()) == 1
        assert here.phones.devices()[0]["device_id"] == device, "the same linked device"
        assert here.qr() is None

        # it comes back, and takes accounts again
        second.start()
        await until_hosts(here, r"second.* up, 0 of 10", r"first.* 1 of 10")
        assert here.says("🚨") is None
        assert here.says("host does not answer") is None

        # it stays away: one alert, which is edited when it is back
        second.die()
        alert = await here.until(lambda: here.says("host does not answer", "second"), within=150)
        second.start()
        await here.until(lambda: text_of(here, alert) != alert["text"], within=150)
        assert len([one for one in here.chat() if "host does not answer" in (one["text"] or "")]) <= 1

        # a stop closes everything in order, everywhere
        program.send(signal.SIGTERM)
        assert await program.ended(60) == 0
        assert first.browsers() == []
        assert "Traceback" not in program.text
