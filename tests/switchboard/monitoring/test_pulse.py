"""The pulse: each link is checked within its limit, and failures are reported by name and kind."""

import asyncio

import pytest

from switchboard.monitoring.pulse import GOOD, LOOP, Beat, CheckResult, Health, HealthCheck, Pulse
from tests.virtual_time import pass_time, virtual, virtual_loop


async def good() -> CheckResult:
    return GOOD


async def hanging() -> CheckResult:
    await asyncio.Event().wait()
    return GOOD


async def deaf_to_cancellation() -> CheckResult:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.Event().wait()  # until it is cancelled once more, at the end of the test
    return GOOD


async def refusing() -> CheckResult:
    raise OSError("database is locked")


async def away() -> CheckResult:
    return CheckResult(Health.AWAY, "Telegram cannot be reached")


@virtual
async def test_all_links_good():
    beat = await Pulse([HealthCheck("database", good), HealthCheck("alerts", good)]).beat()

    assert beat.is_good
    assert beat.is_alive
    assert str(beat) == "good"
    assert set(beat.results) == {LOOP, "database", "alerts"}


@pytest.mark.parametrize("look", [hanging, deaf_to_cancellation])
@virtual
async def test_what_hangs_is_named_at_its_limit_and_holds_up_nothing(look):
    began = virtual_loop().time()
    beat = await Pulse([HealthCheck("database", look, limit=5), HealthCheck("alerts", good)]).beat()

    assert virtual_loop().time() - began == pytest.approx(5)
    assert beat.results["database"] == CheckResult(Health.HUNG, "no answer in 5 s")
    assert beat.results["alerts"] == GOOD
    assert (beat.is_good, beat.is_alive) == (False, False)


@virtual
async def test_a_look_that_may_take_longer_than_to_the_next_beat_holds_up_no_beat():
    heard: list[tuple[float, Health]] = []
    answered = asyncio.Event()

    async def slow() -> CheckResult:
        await answered.wait()
        return GOOD

    pulse = Pulse(
        [HealthCheck("Telegram call", slow, limit=8)],
        [lambda beat: heard.append((virtual_loop().time(), beat.results["Telegram call"].health))],
        every=3,
    )
    running = asyncio.create_task(pulse.run())
    began = virtual_loop().time()
    await pass_time(13)
    answered.set()
    await pass_time(3)
    running.cancel()

    assert [(round(at - began), health) for at, health in heard] == [
        (3, Health.AWAY), (6, Health.AWAY), (8, Health.HUNG), (12, Health.HUNG), (13, Health.GOOD), (15, Health.GOOD),
    ]  # fmt: skip


@virtual
async def test_what_refuses_is_alive_and_not_good():
    beat = await Pulse([HealthCheck("database", refusing)]).beat()

    assert beat.results["database"] == CheckResult(Health.REFUSED, "database is locked")
    assert (beat.is_good, beat.is_alive) == (False, True)
    assert str(beat) == "database refused: database is locked"


@virtual
async def test_what_is_known_to_be_away_is_no_failure_and_is_said():
    beat = await Pulse([HealthCheck("Telegram poll", away)]).beat()

    assert (beat.is_good, beat.is_alive) == (True, True)
    assert str(beat) == "Telegram poll away: Telegram cannot be reached"


@virtual
async def test_a_late_loop_is_a_failure():
    pulse = Pulse([], lag_limit=30)

    assert (await pulse.beat(lag=29)).is_alive
    late = await pulse.beat(lag=31)
    assert late.results[LOOP] == CheckResult(Health.HUNG, "it was 31 s late")
    assert not late.is_alive


@virtual
async def test_it_beats_again_and_again_and_a_listener_that_fails_does_not_end_it():
    heard: list[Beat] = []

    def failing(beat: Beat) -> None:
        raise RuntimeError("a bug")

    pulse = Pulse([HealthCheck("alerts", good)], [failing, heard.append], every=15)
    assert (pulse.last, pulse.age) == (None, None)
    running = asyncio.create_task(pulse.run())
    await pass_time(46)

    assert len(heard) == 4
    assert pulse.last is heard[-1]
    assert pulse.age == pytest.approx(1)
    running.cancel()


@virtual
async def test_a_loop_that_stood_still_is_seen_in_the_next_beat():
    heard: list[Beat] = []
    pulse = Pulse([], [heard.append], every=15, lag_limit=30)
    running = asyncio.create_task(pulse.run())
    await pass_time(1)
    virtual_loop().jump(100)  # nothing ran meanwhile, as after SIGSTOP or a blocking call
    await pass_time(16)

    assert not heard[-1].is_alive or not heard[-2].is_alive
    running.cancel()
