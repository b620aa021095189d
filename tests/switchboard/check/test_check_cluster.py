"""`switchboard check` knows a cluster's roles: the controller, the first machine, and one that joins."""

import importlib.util
import socket

import pytest

from controller.chromium.profile.vault import new_key
from switchboard.check import cluster
from switchboard.check.findings import Verdict
from switchboard.settings import HostSettings, Settings
from tests.switchboard.check.test_check import found, run


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.chromium
def test_a_machine_that_joins_needs_no_token(tmp_path, listener):
    done = run(tmp_path, "check", "--join", listener, "--json", TELEGRAM_BOT_TOKEN="", TELEGRAM_ADMIN_IDS="")
    told = found(done)

    assert told["cluster"]["text"] == f"a first machine listens at {listener}"
    assert told["Ray"]["verdict"] == ("good" if importlib.util.find_spec("ray") else "mend")
    assert told["DATA_DIR"]["verdict"] == "good"
    assert told["browser"]["verdict"] in {"good", "note"}
    assert not {"Telegram", "database", "WhatsApp"} & told.keys()


async def test_where_nobody_listens_it_may_come_by_itself():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"

    finding = await cluster._head("--join", address)

    assert finding.verdict is Verdict.LATER
    assert address in finding.text


@pytest.mark.parametrize("address", ["10.0.0.1:x", "10.0.0.1:6379:1"])
async def test_what_is_no_address(address):
    assert (await cluster._head("--join", address)).verdict is Verdict.MEND
    assert cluster._own_address(address).verdict is Verdict.MEND


def test_the_first_machine_listens_at_an_address_of_its_own(listener):
    assert "cannot listen" in cluster._own_address(listener).text
    assert cluster._own_address("192.0.2.1").verdict is Verdict.MEND
    assert cluster._own_address("127.0.0.1:0").verdict is Verdict.NOTE


async def test_the_controller_looks_for_its_cluster(tmp_path, listener):
    settings = Settings(
        telegram_bot_token="1:x", telegram_admin_ids="1", data_dir=tmp_path, cluster_address=listener, _env_file=None
    )  # fmt: skip

    told = {finding.name: finding async for finding in cluster.check_controller(settings)}

    assert told.keys() == {"Ray", "cluster", "archives"}
    assert told["cluster"].verdict is Verdict.GOOD
    assert told["archives"].verdict is Verdict.NOTE


@pytest.mark.parametrize(
    ("key", "where", "verdict", "words"),
    [
        (None, "store", Verdict.NOTE, "unencrypted"),
        (new_key(), "store", Verdict.GOOD, "encrypted"),
        (None, "file/inside", Verdict.LATER, "CLUSTER_ARCHIVES"),
    ],
    ids=["plain", "encrypted", "gone"],
)
async def test_a_host_tries_the_archives(tmp_path, key, where, verdict, words):
    (tmp_path / "file").touch()
    settings = HostSettings(data_dir=tmp_path, profile_key=key, cluster_archives=str(tmp_path / where), _env_file=None)

    (told,) = [finding async for finding in cluster._archives(settings)]

    assert (told.name, told.verdict) == ("archives", verdict)
    assert words in told.text
