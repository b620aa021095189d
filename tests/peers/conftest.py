"""The marker of the peers' tests."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "peers: runs others' unmodified clients from npm")
