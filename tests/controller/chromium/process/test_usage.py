"""What a browser uses: all processes of its session, their memory by share, and cheaply."""

import os
import signal
import subprocess

import psutil
import pytest

from controller.chromium.process import usage
from controller.chromium.process.usage import measure
from controller.driver import DriverError


@pytest.fixture
def family():
    """A process that leads a session, with two children of which one has a child of its own."""
    script = "sleep 60 & sh -c 'sleep 60 & wait' & echo there; wait"
    process = subprocess.Popen(["sh", "-c", script], start_new_session=True, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def asleep_in(family: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Its children that have started: what a process shares changes until then."""
    children = psutil.Process(family.pid).children(recursive=True)
    return [each for each in children if each.status() == psutil.STATUS_SLEEPING]


def test_all_processes_of_the_session_count_by_their_share(family):
    while [each.name() for each in asleep_in(family)].count("sleep") < 2:
        pass
    children = asleep_in(family)
    assert len(children) == 3
    share = lambda: sum(one.memory_full_info().pss for one in [psutil.Process(family.pid), *children])
    before, used, after = share(), measure(family.pid), share()
    assert used.processes == 4
    assert min(before, after) * 0.8 < used.memory < max(before, after) * 1.2


def test_it_reads_one_file_for_each_of_its_processes_and_none_of_others(family, monkeypatch):
    read, of = [], usage._pss
    monkeypatch.setattr(usage, "_pss", lambda name: read.append(name) or of(name))
    assert measure(family.pid).processes == len(read)


def test_a_browser_that_is_gone_is_told(family):
    os.killpg(family.pid, signal.SIGKILL)
    family.wait()
    with pytest.raises(DriverError, match="gone"):
        measure(family.pid)
