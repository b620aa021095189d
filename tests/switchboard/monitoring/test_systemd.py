"""What systemd is notified of, on a real datagram socket; nothing waits for it."""

import socket

import pytest

from switchboard.monitoring.systemd import STATUS_LIMIT, Notifier


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(1)
        yield listening


def told(manager: socket.socket) -> str:
    return manager.recv(4096).decode()


def test_ready_status_and_stopping(manager):
    notifier = Notifier(manager.getsockname())
    notifier.ready()
    notifier.status("38/40 connected,\nTelegram ok" + "x" * 500)
    notifier.stopping()

    assert told(manager) == "READY=1"
    assert told(manager) == "STATUS=38/40 connected, Telegram ok" + "x" * (
        STATUS_LIMIT - len("38/40 connected, Telegram ok")
    )
    assert told(manager) == "STOPPING=1"


def test_the_watchdog_is_fed_only_where_there_is_one(manager):
    Notifier(manager.getsockname(), watchdog=None).ping_watchdog()
    Notifier(manager.getsockname(), watchdog=30).ping_watchdog()

    assert told(manager) == "WATCHDOG=1"
    with pytest.raises(TimeoutError):
        manager.settimeout(0.05)
        told(manager)


def test_an_abstract_socket():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0switchboard-test-notify")
        listening.settimeout(1)
        Notifier("@switchboard-test-notify").ready()
        assert told(listening) == "READY=1"


def test_a_manager_that_does_not_read_is_not_waited_for(manager):
    notifier = Notifier(manager.getsockname())
    for _ in range(10_000):  # more than the socket's buffer holds
        notifier.status("x" * STATUS_LIMIT)


def test_a_socket_that_is_gone_is_logged_once(tmp_path, caplog):
    notifier = Notifier(str(tmp_path / "nobody"))
    notifier.ready()
    notifier.ping_watchdog()
    notifier.stopping()

    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("environment", "address", "watchdog"),
    [
        ({}, None, None),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "30000000"}, "/run/n", 30.0),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, "/run/n", None),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "soon"}, "/run/n", None),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "9" * 400}, "/run/n", None),
    ],
)
def test_the_environment_is_read(environment, address, watchdog):
    notifier = Notifier.from_environment(environment)

    assert (notifier._address, notifier.watchdog) == (address, watchdog)
