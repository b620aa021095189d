"""The lease code in a cluster that fails all the time; the whole month is `python -m bench.cluster`."""

import pytest

from controller.cluster.leases import Terms
from tests.controller.cluster.simulation import DAY, Cluster


def test_no_account_ever_runs_twice():
    cluster = Cluster(10, 50, seed=7, mean_between_faults=DAY / 8).run(2 * DAY)

    assert cluster.overlaps == []
    assert sum(cluster.deaths.values()) > 100
    assert cluster.availability > 0.98


@pytest.mark.parametrize("wrong", [Terms(ttl=15.0, margin=0.5), Terms(margin=0.1)], ids=["shorter ttl", "no margin"])
def test_the_simulation_sees_a_controller_that_waits_too_short(wrong):
    cluster = Cluster(10, 50, seed=3, real=wrong, mean_between_faults=DAY / 12).run(DAY)

    assert cluster.overlaps
