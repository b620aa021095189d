"""Orders the whole suite so that its workers neither all wait nor all compute, and end together. Gives ports."""

from pathlib import Path

import pytest

from tests.ports import free_port

TESTS = Path(__file__).parent
WAITING = {"e2e": 8.0, "peers": 5.0, "chromium": 3.0}
"""Seconds that a test with this mark takes, most of which it waits for browsers and other programs."""
COMPUTING = 0.03
"""Seconds that any other test takes, nearly all of them on the processor."""
LONG = {
    "controller/test_field.py": 200, "controller/test_nasty.py": 160, "sandbox/people/test_page.py": 120,
    "sandbox/whatsapp/test_troubles.py": 80, "sandbox/whatsapp/test_page.py": 75, "e2e/test_chaos.py": 70,
    "e2e/test_stop.py": 60, "soak/test_soak.py": 50, "e2e/test_security.py": 45,
    "handlers/alerts/test_storms.py": 40, "controller/accounts/lifecycle/test_exhaustive.py": 30,
    "handlers/alerts/test_troubles.py": 20, "switchboard/test_backup.py": 20, "switchboard/test_every_kill.py": 20,
    "handlers/alerts/escalation/test_escalator.py": 18, "handlers/telegram/test_fuzz.py": 15,
    "controller/accounts/lifecycle/test_table.py": 14, "handlers/alerts/test_kills.py": 12,
    "handlers/telegram/test_intake.py": 10, "switchboard/test_every_await.py": 10, "handlers/chat/test_turns.py": 8,
    "controller/test_random_pages.py": 8, "switchboard/monitoring/test_watch.py": 8, "test_architecture.py": 7,
    "controller/accounts/lifecycle/test_model.py": 7, "switchboard/test_no_contradiction.py": 6,
}  # fmt: skip
"""Seconds of files of which that is far from true."""


@pytest.fixture
def unused_tcp_port() -> int:
    """Return a port that also another worker's tests leave alone, unlike pytest-asyncio's fixture of this name."""
    return free_port()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort files: those that wait and those that compute by turns, of each the longest first; inside one nothing moves.

    Workers take one file after the other, so that at any time some of them wait while others compute.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    waiting: dict[Path, float] = {}
    computing: dict[Path, float] = {}
    for path, tests in files.items():
        waits = sum(max((WAITING.get(mark.name, 0.0) for mark in each.iter_markers()), default=0.0) for each in tests)
        seconds = LONG.get(path.relative_to(TESTS).as_posix(), waits + COMPUTING * len(tests))
        (waiting if waits else computing)[path] = seconds
    items[:] = [item for path in _by_turns(waiting, computing) for item in files[path]]


def _by_turns(*kinds: dict[Path, float]) -> list[Path]:
    """Merge files, each kind's longest first, so that of each kind the same share of its seconds is left everywhere."""
    queues = [sorted(kind, key=lambda path, kind=kind: -kind[path]) for kind in kinds]  # type: ignore[misc]
    totals = [sum(kind.values()) for kind in kinds]
    left = totals.copy()
    merged = []
    while any(queues):
        place = max((place for place, queue in enumerate(queues) if queue), key=lambda at: left[at] / totals[at])
        merged.append(queues[place].pop(0))
        left[place] -= kinds[place][merged[-1]]
    return merged
