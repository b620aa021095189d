"""What `bench.peers` makes of its figures: a count at which an engine did not start is shown as such."""

import pytest

from bench.peer_tables import Start, fit, growth_table

MIB = 1 << 20


def of(count: int, each: int) -> Start:
    return Start(boot=5, boot_cpu=2, memory=(300 + each * count) * MIB, processes=2 * count, idle=0, recovery=4)


def test_a_count_that_one_engine_did_not_start_has_no_figures_and_no_part_in_the_fit() -> None:
    grown = {"product": {1: of(1, 40), 2: of(2, 40), 4: of(4, 40)}, "peer": {1: of(1, 150), 2: of(2, 150)}}
    table = growth_table(grown)
    assert "| 2 | 5.0 s | 2.0 s | 380 MiB | 4 | 5.0 s | 2.0 s | 600 MiB | 4 |" in table
    assert "| 4 | 5.0 s | 2.0 s | 460 MiB | 8 | – | – | – | – |" in table
    assert "peer 300 MiB + 150.0 MiB for each account" in table
    assert f"| 8 GiB | {int((8 * 1024 * 0.85 - 300) / 40)} | {int((8 * 1024 * 0.85 - 300) / 150)} |" in table


def test_the_fit_is_the_straight_line_through_points_on_one() -> None:
    assert fit({1: 340, 2: 380, 8: 620}) == pytest.approx((300, 40))
