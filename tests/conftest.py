"""Orders the whole suite: the longest files start first, so that no worker is left with one at the end. Gives ports."""

import pytest

from tests.ports import free_port


@pytest.fixture
def unused_tcp_port() -> int:
    """Return a port that also another worker's tests leave alone, unlike pytest-asyncio's fixture of this name."""
    return free_port()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort files: the whole program first, then real browsers, then the rest; inside a file the order stays."""
    weights: dict[str, int] = {}
    for item in items:
        weight = 2 if item.get_closest_marker("e2e") else 1 if item.get_closest_marker("chromium") else 0
        file = item.nodeid.partition("::")[0]
        weights[file] = max(weights.get(file, 0), weight)
    items.sort(key=lambda item: -weights[item.nodeid.partition("::")[0]])
