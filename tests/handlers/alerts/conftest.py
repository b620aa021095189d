"""Alerts are tested in virtual time: intervals of seconds must not depend on how busy the machine is."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.virtual_time import VirtualLoop

REAL_TIME = {"test_kills"}
"""Modules that run other processes, which know nothing of our clock."""


def pytest_asyncio_loop_factories(item: Any) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Give each async test of this folder a loop whose clock jumps."""
    module = item.getparent(pytest.Module)
    if module is not None and module.path.stem in REAL_TIME:
        return {"real": asyncio.SelectorEventLoop}
    return {"virtual": VirtualLoop}
