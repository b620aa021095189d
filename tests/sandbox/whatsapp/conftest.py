"""A fast stand-in for each test, and an HTTP client of its control."""

import pytest
from aiohttp import ClientSession

from sandbox.whatsapp import Options, Timings, WhatsAppStandIn


@pytest.fixture
async def whatsapp():
    async with WhatsAppStandIn(Options(timings=Timings().scaled(50))) as stand_in:
        yield stand_in


@pytest.fixture
async def http(whatsapp):
    async with ClientSession(whatsapp.url) as session:
        yield session
