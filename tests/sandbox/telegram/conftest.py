"""Fixtures for the Telegram stand-in's tests: a manual clock, a running stand-in, plain HTTP calls."""

import io
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from PIL import Image

from sandbox.telegram import Limits, TelegramStandIn

START = 1_800_000_000.0
Caller = Callable[..., Awaitable[dict[str, Any]]]


class HandClock:
    """Seconds since 1970 that pass only on demand."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> float:
        return self.time

    def pass_by(self, seconds: float) -> None:
        self.time += seconds


def picture(color: str = "red", size: tuple[int, int] = (520, 520)) -> bytes:
    """Return a PNG of one colour."""
    encoded = io.BytesIO()
    Image.new("RGB", size, color).save(encoded, "PNG")
    return encoded.getvalue()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def tg(clock: HandClock) -> AsyncIterator[TelegramStandIn]:
    async with TelegramStandIn(now=clock) as stand_in:
        yield stand_in


@pytest.fixture
async def limited(clock: HandClock) -> AsyncIterator[TelegramStandIn]:
    async with TelegramStandIn(now=clock, limits=Limits()) as stand_in:
        yield stand_in


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield session


def caller(stand_in: TelegramStandIn, http: aiohttp.ClientSession) -> Caller:
    """Return a function that calls a Bot API method with JSON and returns the whole answer."""

    async def call(method: str, token: str | None = None, **parameters: Any) -> dict[str, Any]:
        url = f"{stand_in.url}/bot{token or stand_in.token}/{method}"
        async with http.post(url, json=parameters) as answer:
            body: dict[str, Any] = await answer.json()
            assert body.get("error_code", 200) == answer.status
            return body

    return call


@pytest.fixture
def call(tg: TelegramStandIn, http: aiohttp.ClientSession) -> Caller:
    return caller(tg, http)


@pytest.fixture
def call_limited(limited: TelegramStandIn, http: aiohttp.ClientSession) -> Caller:
    return caller(limited, http)
