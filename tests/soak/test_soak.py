"""The soak in its short form, and that growth is reported: a table that cannot fail is worthless."""

import subprocess
import sys

import pytest

from tests.e2e.harness import ROOT
from tests.soak.measures import MIB, Measure, Sample, judge, table

MEMORY = Measure("memory", 40 * MIB, unit="MiB")
TASKS = Measure("tasks", 3)
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
        (TASKS, [[32] * 14 + [36]], False),  # one moment of a long run
        (TASKS, [[32] * 12 + [36] * 3], True),
        (TASKS, [[32, 36]], True),
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
    assert row.cells == ("100.0 MiB", "120.0 MiB", "300.0 MiB", "20.0 MiB", "40.0 MiB", "–", "–")


@pytest.mark.parametrize(
    ("runs", "wrong"),
    [
        ([[80, *[100] * 11]], []),  # a warm-up is not a leak
        ([[80 + each for each in range(12)]], ["it creeps"]),
        ([[80 + each for each in range(11)]], []),  # too short to tell
        ([[100] * 12, [100] * 12, [80 + each for each in range(12)]], []),  # one run of three
        ([[100, *[90, 110] * 6]], []),  # it swings
    ],
)
def test_what_grows_slowly_behind_a_warm_up_is_wrong(runs, wrong):
    measure = Measure("memory", 40 * MIB, creep=2 * MIB, unit="MiB")
    assert judge(measure, samples("memory", *[[value * MIB for value in run] for run in runs])).wrong == wrong


@pytest.mark.e2e
@pytest.mark.chromium
@pytest.mark.timeout(600)
def test_a_short_form_of_it():
    command = [sys.executable, "-m", "tests.soak", "--seconds", "12", "--accounts", "2", "--every", "3"]
    done = subprocess.run(command, check=False, cwd=ROOT, text=True, capture_output=True, timeout=580)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 WRONG" in done.stdout
    assert "restart 2 (SIGKILL)" in done.stdout
    assert "accounts back" in done.stdout
