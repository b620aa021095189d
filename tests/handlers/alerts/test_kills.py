"""kill -9 in the middle of a storm loses no alert. The long form, 200 kills, is `python -m bench.kills`."""

from pathlib import Path

from tests.handlers.alerts.kills import kill_again_and_again


async def test_killed_again_and_again_no_alert_is_lost(tmp_path: Path):
    toll = await kill_again_and_again(tmp_path, kills=6)
    assert toll.alerts > toll.kills
    assert toll.lost == 0
    assert toll.twice <= toll.uncertain
