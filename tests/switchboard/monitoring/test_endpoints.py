"""The health endpoints over real HTTP: on loopback and on a Unix socket, and nowhere else."""

import os
import stat
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from controller.accounts.notices import BuildLoaded
from controller.accounts.reasons import Reason, State
from controller.driver import Usage
from controller.hosts import HostState, HostUsage
from switchboard.monitoring.address import Address, parse_address
from switchboard.monitoring.endpoints import Endpoints, HealthResponse, serve_endpoints
from switchboard.monitoring.metrics import AccountFigures, Figures, Metrics
from switchboard.monitoring.pulse import Beat, CheckResult, Health
from tests.handlers.fakes import BERLIN as NUMBER
from tests.handlers.fakes import FakeAccounts
from tests.virtual_time import EPOCH


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9464", Address(host="127.0.0.1", port=9464)),
        ("localhost:0", Address(host="localhost", port=0)),
        ("[::1]:9464", Address(host="::1", port=9464)),
        ("unix:/run/switchboard/health.sock", Address(path=Path("/run/switchboard/health.sock"))),
    ],
)
def test_addresses(text, address):
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["0.0.0.0:9464", "9464", "example.com:80", "[::]:1", "127.0.0.1:65536", "unix:health"])
def test_whatever_others_could_reach_is_refused(text):
    with pytest.raises(ValueError, match=r"takes|loopback"):
        parse_address(text)


def figures() -> Figures:
    accounts = FakeAccounts()
    accounts.put(NUMBER, "Berlin", 1)
    accounts.move(NUMBER, State.CONNECTED, Reason.LINKED)
    beat = Beat(EPOCH, {"database": CheckResult(Health.HUNG, "no answer"), "Telegram poll": CheckResult(Health.AWAY)})
    connected = AccountFigures("a1b2c3", accounts.status(NUMBER), Usage(250 << 20, 7))
    return Figures(
        (connected,),
        alerts_owed=2,
        alerts_owed_age=61.5,
        poll_age=3.5,
        backup_age=7200.0,
        beat=beat,
        beat_age=3.0,
        host={"memory_free": 5.0, "oom_kills": 0.0},
    )


def families(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    return {
        family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples}
        for family in text_string_to_metric_families(text)
    }


def test_what_prometheus_reads():
    metrics = Metrics(figures, version="1.2.3")
    accounts = FakeAccounts()
    accounts.put(NUMBER, "Berlin", 1)
    metrics.note(accounts.move(NUMBER, State.DISCONNECTED, Reason.CONNECTION_LOST, alert=Reason.CONNECTION_LOST))
    metrics.note(BuildLoaded(NUMBER, EPOCH, "2.3000.1", frozenset(), frozenset()))
    metrics.note(BuildLoaded("+49159", EPOCH, "2.3000.2", frozenset(), frozenset()))
    metrics.note_call("getUpdates", "ok")
    metrics.note_call("sendMessage", "429")
    read = families(metrics.scrape().decode())

    assert read["switchboard_accounts"][("CONNECTED",)] == 1
    assert read["switchboard_account_browser_memory_bytes"] == {("a1b2c3",): 250 << 20}
    assert read["switchboard_page_build"] == {("2.3000.1",): 1}, "of accounts that there are"
    assert read["switchboard_alerts_owed"] == {(): 2}
    assert read["switchboard_pulse_link"] == {("database",): 0.0, ("Telegram poll",): 0.5}
    assert read["switchboard_pulse_good"] == {(): 0.0}
    assert read["switchboard_transitions"][("connection_lost", "DISCONNECTED")] == 1
    assert read["switchboard_telegram_calls"][("sendMessage", "429")] == 1
    assert read["switchboard_telegram_polls"][("ok",)] == 1
    assert NUMBER.removeprefix("+") not in metrics.scrape().decode()


def test_what_prometheus_reads_of_many_machines():
    lost = HostUsage("b", HostState.LOST, 0)
    draining = HostUsage("a", HostState.DRAINING, 3, capacity=10, free_memory=5 << 30, free_disk=7 << 30)
    accounts = FakeAccounts()
    accounts.put(NUMBER, "Berlin", 1)
    known = Figures((AccountFigures("a1b2c3", accounts.status(NUMBER), host="a"),), machines=(draining, lost))
    read = families(Metrics(lambda: known, version="1").scrape().decode())

    assert read["switchboard_host_up"] == {("a",): 1, ("b",): 0}
    assert read["switchboard_host_draining"] == {("a",): 1, ("b",): 0}
    assert read["switchboard_host_accounts"] == {("a",): 3, ("b",): 0}
    assert read["switchboard_host_capacity"] == {("a",): 10}
    assert read["switchboard_host_memory_free_bytes"] == {("a",): 5 << 30}
    assert read["switchboard_host_disk_free_bytes"] == {("a",): 7 << 30}
    assert read["switchboard_account_host"] == {("a1b2c3", "a"): 1}


def test_what_is_not_known_is_not_shown():
    read = families(Metrics(Figures, version="1").scrape().decode())

    assert "switchboard_pulse_good" not in read
    assert "switchboard_backup_age_seconds" not in read


def test_the_textfile_is_whole(tmp_path):
    metrics = Metrics(figures, version="1.2.3")
    metrics.write(tmp_path / "switchboard.prom")

    assert (tmp_path / "switchboard.prom").read_bytes() == metrics.scrape()
    assert [path.name for path in tmp_path.iterdir()] == ["switchboard.prom"]


def test_the_textfile_can_be_read_by_node_exporter(tmp_path):
    """It runs as another user, and everything else of ours is private."""
    path = tmp_path / "switchboard.prom"
    before = os.umask(0o077)
    try:
        for _ in range(2):
            Metrics(figures, version="1.2.3").write(path)
            assert stat.S_IMODE(path.stat().st_mode) == 0o644
    finally:
        os.umask(before)


def test_a_textfile_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "switchboard.prom").mkdir()
    with pytest.raises(OSError, match="switchboard"):
        Metrics(figures, version="1.2.3").write(tmp_path / "switchboard.prom")
    assert [path.name for path in tmp_path.iterdir()] == ["switchboard.prom"]


def views(*, ok: bool = True) -> Endpoints:
    return Endpoints(
        live=lambda: HealthResponse(ok, ("good",) if ok else ("database hung: no answer in 10 s",)),
        ready=lambda: HealthResponse(ok, ("1/1 connected",)),
        metrics=Metrics(figures, version="1").scrape,
    )


async def test_on_loopback():
    async with serve_endpoints(parse_address("127.0.0.1:0"), views()) as where, aiohttp.ClientSession() as client:
        async with client.get(f"{where}/live") as answer:
            assert (answer.status, await answer.text()) == (200, "good\n")
        async with client.get(f"{where}/metrics") as answer:
            assert answer.status == 200
            assert "switchboard_accounts" in families(await answer.text())
        async with client.post(f"{where}/live") as answer:
            assert answer.status == 405


async def test_a_failure_is_503_with_its_reason():
    async with (
        serve_endpoints(parse_address("127.0.0.1:0"), views(ok=False)) as where,
        aiohttp.ClientSession() as client,
        client.get(f"{where}/live") as answer,
    ):
        assert (answer.status, await answer.text()) == (503, "database hung: no answer in 10 s\n")


async def test_on_a_unix_socket_that_an_earlier_run_has_left(tmp_path):
    path = tmp_path / "health.sock"
    for _ in range(2):
        async with serve_endpoints(Address(path=path), views()):
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
            async with (
                aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as client,
                client.get("http://switchboard/ready") as answer,
            ):
                assert await answer.text() == "1/1 connected\n"
    assert not path.exists()


async def test_a_socket_on_which_another_program_listens_is_left_to_it(tmp_path):
    path = tmp_path / "health.sock"
    async with serve_endpoints(Address(path=path), views()):
        with pytest.raises(OSError, match="in use"):
            async with serve_endpoints(Address(path=path), views(ok=False)):
                pass
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as client,
            client.get("http://switchboard/live") as answer,
        ):
            assert answer.status == 200


def test_a_path_that_no_socket_can_have_is_refused():
    with pytest.raises(ValueError, match="107 bytes"):
        parse_address(f"unix:/run/{'ä' * 52}")


async def test_a_file_that_is_no_socket_is_not_removed(tmp_path):
    path = tmp_path / "precious"
    path.write_text("kept")
    with pytest.raises(OSError, match="in use"):
        async with serve_endpoints(Address(path=path), views()):
            pass

    assert path.read_text() == "kept"
