"""The soak in its short form, and that growth is reported: a table is worthless if it cannot be bad."""

import subprocess
import sys

import pytest

from tests.e2e.harness import ROOT
from tests.soak.measures import MIB, Measure, Sample, judge, table

MEMORY = Measure("memory", 40 * MIB, unit="MiB")
DISK = Measure("disk", 100, per_run=False)


def samples(name, *runs):
    return [Sample(run, 0, {name: float(value)}) for run, values in enumerate(runs) for value in values]


@pytest.mark.parametrize(
    ("measure", "runs", "is_wrong"),
    [
        (MEMORY, [[100 * MIB, 120 * MIB], [90 * MIB, 130 * MIB]], False),
        (MEMORY, [[100 * MIB, 110 * MIB], [90 * MIB, 131 * MIB]], True),
        (MEMORY, [[100 * MIB], [190 * MIB]], False),  # two starts: neither of them grew
        (MEMORY, [[100 * MIB, 900 * MIB, 120 * MIB]], False),  # it came down again
        (DISK, [[0, 50], [90, 99]], False),
        (DISK, [[0, 50], [90, 101]], True),
        (DISK, [[0]], True),
        (DISK, [], True),
    ],
)
def test_what_grows_is_wrong(measure, runs, is_wrong):
    row = judge(measure, samples(measure.name, *runs))
    assert bool(row.wrong) is is_wrong
    assert ("WRONG" in table([row])) is is_wrong


def test_a_row_shows_what_was_compared():
    row = judge(MEMORY, samples("memory", [100 * MIB, 300 * MIB, 120 * MIB]))
    assert row.cells == ("100.0 MiB", "120.0 MiB", "300.0 MiB", "20.0 MiB", "40.0 MiB")


@pytest.mark.e2e
@pytest.mark.chromium
@pytest.mark.timeout(900)
def test_two_minutes_of_it():
    command = [sys.executable, "-m", "tests.soak", "--seconds", "120", "--accounts", "6", "--every", "10"]
    done = subprocess.run(command, check=False, cwd=ROOT, text=True, capture_output=True, timeout=880)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 WRONG" in done.stdout
    assert "restart 2 (SIGKILL)" in done.stdout
    assert "accounts back" in done.stdout
