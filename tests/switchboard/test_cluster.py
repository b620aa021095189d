"""What `switchboard host` becomes, and that a machine of a cluster drives real browsers under its own name."""

import pickle
import re
import threading
from functools import partial
from pathlib import Path

import pytest

from controller.chromium import ChromiumOptions
from controller.chromium.archived_driver import ArchivedDriver
from controller.cluster.browser_host import Figures
from controller.cluster.cluster_hosts import ClusterHosts
from switchboard import cluster
from switchboard.__main__ import _parser
from switchboard.app import hosts_of
from switchboard.settings import HostSettings, Settings, SettingsError


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(cluster, "is_installed", lambda: True)


def command(**more):
    given = {"join": None, "listen": None, "name": "b"} | more
    return cluster.host_command(HostSettings(_env_file=None, accounts_per_host=7), **given)


def test_the_first_machine_listens_at_its_own_address_alone(installed):
    made = command(listen="10.0.0.1")

    assert {"--head", "--node-ip-address=10.0.0.1", "--port=6379", "--disable-usage-stats", "--block"} <= set(made)
    assert '--resources={"host:b": 1, "browser": 7}' in made


@pytest.mark.parametrize(("join", "address"), [("10.0.0.1", "10.0.0.1:6379"), ("10.0.0.1:7000", "10.0.0.1:7000")])
def test_another_machine_joins(installed, join, address):
    assert f"--address={address}" in command(join=join)


def test_what_the_manual_says_to_type_is_what_the_program_takes():
    text = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text("utf-8")
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    typed = [line.split("#")[0].split() for line in lines]
    settings, words = ([[w for w in line if ("=" in w) is kind] for line in typed] for kind in (True, False))

    assert {word.split("=")[0].lower() for line in settings for word in line} <= Settings.model_fields.keys()
    assert [line[0] for line in words] == ["switchboard"] * 3
    args = [_parser().parse_args(line[1:]) for line in words]
    assert [(vars(one).get("listen"), vars(one).get("join"), vars(one).get("name")) for one in args] == [
        ("10.0.0.1", None, "first"), (None, None, None), (None, "10.0.0.1", "second"),
    ]  # fmt: skip


def test_a_name_that_would_be_no_resource_is_refused(installed):
    with pytest.raises(SettingsError, match="--name"):
        command(join="10.0.0.1", name='b": 1, "x')


def test_without_the_extra_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(cluster, "is_installed", lambda: False)

    with pytest.raises(SettingsError, match=r"switchboard\[cluster\]"):
        command(join="10.0.0.1")


def settings(tmp_path, **more):
    given = {"telegram_bot_token": "1:x", "telegram_admin_ids": "1", "data_dir": tmp_path}
    return Settings(_env_file=None, **(given | more))


def test_an_address_makes_many_machines_of_one(tmp_path):
    assert isinstance(hosts_of(settings(tmp_path, cluster_address="10.0.0.1:6379")), ClusterHosts)
    assert not isinstance(hosts_of(settings(tmp_path)), ClusterHosts)


def test_what_a_machine_is_made_of_can_be_sent_there(tmp_path, monkeypatch):
    monkeypatch.setenv("CHROMIUM_PATH", "/opt/chromium")
    monkeypatch.setattr(cluster, "set_up_logging", lambda *_: None)
    make = partial(cluster.make_machine, ChromiumOptions(page_url="https://web.example/", data_dir=tmp_path), 1, 1, 9.0)

    machine = pickle.loads(pickle.dumps(make))("b")

    assert machine.run == tmp_path / "run" / "b"
    assert machine.driver._options.host == "b"
    assert str(machine.driver._options.executable) == "/opt/chromium"
    assert machine.figures().short is False
    assert machine.probe_timeout == 9.0


def test_with_archives_a_machine_has_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "own"))
    monkeypatch.setattr(cluster, "set_up_logging", lambda *_: None)
    known = settings(tmp_path, cluster_address="10.0.0.1", cluster_archives=str(tmp_path / "archives"))
    archives = cluster.archive_options(known)
    options = ChromiumOptions(page_url="https://web.example/", data_dir=tmp_path)
    make = partial(cluster.make_machine, options, 1, 1, 9.0)

    archived = pickle.loads(pickle.dumps(partial(make, archives=archives)))("b")

    assert isinstance(archived.driver, ArchivedDriver)
    assert archived.run == tmp_path / "own" / "run" / "b"
    assert make("b").run == tmp_path / "run" / "b", "without, all share the controller's"
    assert archives.secret == (tmp_path / "names.key").read_bytes()
    assert repr(archives.secret) not in repr(archives)
    assert isinstance(hosts_of(known), ClusterHosts)


def test_archives_are_somewhere_that_all_machines_mean_alike(tmp_path):
    assert cluster.archive_options(settings(tmp_path)) is None
    with pytest.raises(ValueError, match="fsspec"):
        settings(tmp_path, cluster_archives="data/archives")


def test_a_store_that_hangs_delays_no_beat_and_lets_nothing_be_placed():
    goes_on, measured = threading.Event(), []

    def measure():
        measured.append(True)
        assert len(measured) == 1 or goes_on.wait(30)
        return Figures(free_memory=len(measured))

    figures = cluster.LatestFigures(measure)
    assert figures() == Figures(free_memory=1)
    for _ in range(3):
        assert figures() == Figures(free_memory=1, short=True)
    goes_on.set()
    figures._thread.join(30)

    assert figures() == Figures(free_memory=2)


def test_a_machine_whose_store_is_gone_takes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "set_up_logging", lambda *_: None)
    options = ChromiumOptions(page_url="https://web.example/", data_dir=tmp_path / "gone")

    assert cluster.make_machine(options, 1, 1, 9.0, "b").figures().short
