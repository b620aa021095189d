"""The virtual loop looks for data on its way before a long jump, and only where there may be some."""

import asyncio
import selectors
import socket

import pytest

from tests.virtual_time import LOOK, virtual


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The looks of real time so far."""
    select, found = selectors.DefaultSelector.select, []

    def counted(self: selectors.BaseSelector, timeout: float | None = None) -> object:
        if timeout == LOOK:
            found.append(timeout)
        return select(self, timeout)

    monkeypatch.setattr(selectors.DefaultSelector, "select", counted)
    return found


@virtual
async def test_a_look_that_found_nothing_is_repeated_only_after_something_was_opened_sent_or_closed(looks):
    for _ in range(100):
        await asyncio.sleep(5)
    assert len(looks) == 1, "nothing has happened since"
    ours, theirs = socket.socketpair()
    with theirs:
        _, writer = await asyncio.open_connection(sock=ours)
        for happens in (lambda: None, lambda: writer.write(b"x"), lambda: theirs.send(b"x"), writer.close):
            before = len(looks)
            happens()
            for _ in range(3):
                await asyncio.sleep(5)
            assert len(looks) == before + 1
        await writer.wait_closed()
