"""kill -9 during a storm loses no alert. The long form, 200 kills, is `python -m bench.kills`."""

from pathlib import Path

from tests.handlers.alerts.kills import kill_again_and_again, kill_over_both_ways


async def test_killed_again_and_again_no_alert_is_lost(tmp_path: Path):
    (toll,) = await kill_again_and_again(tmp_path, kills=6)
    assert toll.alerts > toll.kills
    assert toll.lost == 0
    assert toll.twice <= toll.uncertain


async def test_killed_while_telegram_comes_and_goes_each_alert_arrives_somewhere(tmp_path: Path):
    toll = await kill_over_both_ways(tmp_path, kills=5)
    assert toll.alerts > toll.kills
    assert toll.lost == 0
    assert toll.outside > 0
