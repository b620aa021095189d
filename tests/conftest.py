"""Orders the whole suite: the longest files start first, so that no worker is left with one at the end. Gives ports."""

import pytest

from tests.ports import free_port


@pytest.fixture
def unused_tcp_port() -> int:
    """Return a port that also another worker's tests leave alone, unlike pytest-asyncio's fixture of this name."""
    return free_port()


LONG = {
    "test_escalator.py", "test_every_await.py", "test_every_kill.py", "test_exhaustive.py", "test_fuzz.py",
    "test_storms.py", "test_troubles.py",
}  # fmt: skip
"""Files that take twenty seconds and more without a browser."""


def weight(item: pytest.Item) -> int:
    if item.get_closest_marker("e2e"):
        return 3
    if item.get_closest_marker("chromium") or item.get_closest_marker("peers"):
        return 2
    return 1 if item.path.name in LONG else 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort files: the whole program first, real browsers, what is long, the rest; inside a file the order stays."""
    weights: dict[str, int] = {}
    for item in items:
        file = item.nodeid.partition("::")[0]
        weights[file] = max(weights.get(file, 0), weight(item))
    items.sort(key=lambda item: -weights[item.nodeid.partition("::")[0]])
