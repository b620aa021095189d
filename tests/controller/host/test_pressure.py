"""Pressure as kernels report it: with and without PSI, in both versions of control groups."""

from dataclasses import dataclass

import pytest

from controller.host.limits import HostLimits
from controller.host.pressure import Pressure, cores
from tests.controller.host.test_limits import V1_MOUNT, V2_MOUNT, tree


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self):
        return self.now


def psi(seconds):
    return f"some avg10=0.00 avg60=0.00 avg300=0.00 total={int(seconds * 1e6)}\nfull avg10=0.00 total=0\n"


def pressure(tmp_path, files):
    tree(tmp_path, {"proc/self/cgroup": "0::/a\n"} | files)
    (tmp_path / "proc/self/mountinfo").write_text(V2_MOUNT.format(root="/", mount=tmp_path / "cg"))
    clock = Clock()
    return Pressure(HostLimits(proc=tmp_path / "proc", host_free=lambda: 7), tmp_path / "proc", clock), clock


STAT = {"proc/stat": "cpu 1 2\nprocs_running 5\nprocs_blocked 0\n"}


def test_shares_are_of_the_time_since_the_last_look(tmp_path):
    measured, clock = pressure(tmp_path, STAT | {"proc/pressure/cpu": psi(10), "proc/pressure/io": psi(3)})
    tree(tmp_path, {"proc/pressure/cpu": psi(10.4), "proc/pressure/io": psi(3)})
    clock.now += 0.5
    strain = measured.look(0.2)
    assert (strain.cpu, strain.disk, strain.memory) == (pytest.approx(0.8), 0.0, None)
    assert (strain.lag, strain.free_memory) == (0.2, 7)
    clock.now += 0.5
    assert measured.look(0).cpu == 0.0


def test_the_worse_of_host_and_control_group_counts(tmp_path):
    files = {"proc/pressure/memory": psi(0), "cg/a/memory.pressure": psi(5), "cg/a/cpu.pressure": "garbage"}
    measured, clock = pressure(tmp_path, STAT | files)
    tree(tmp_path, {"cg/a/memory.pressure": psi(5.25)})
    clock.now += 1
    strain = measured.look(0)
    assert (strain.memory, strain.cpu) == (pytest.approx(0.25), None)


def test_a_kernel_without_pressure_leaves_the_queue(tmp_path):
    measured, _ = pressure(tmp_path, STAT)
    strain = measured.look(0)
    assert (strain.cpu, strain.memory, strain.disk) == (None, None, None)
    assert strain.queue == pytest.approx(4 / cores(tmp_path / "proc"))


@pytest.mark.parametrize(
    ("cgroup", "mount", "files"),
    [
        ("0::/a\n", V2_MOUNT, {"cg/a/cpu.max": "max 100000\n", "cg/cpu.max": "50000 100000\n"}),
        ("1:cpu,cpuacct:/a\n", V1_MOUNT, {"cg/a/cpu.cfs_quota_us": "25000\n", "cg/a/cpu.cfs_period_us": "50000\n"}),
    ],
)
def test_a_quota_of_processors_counts(tmp_path, cgroup, mount, files):
    tree(tmp_path, files | {"proc/self/cgroup": cgroup})
    where = mount.format(root="/", mount=tmp_path / "cg", name="cpu,cpuacct")
    (tmp_path / "proc/self/mountinfo").write_text(where)
    assert cores(tmp_path / "proc") == 0.5


def test_this_machine_can_be_looked_at():
    strain = Pressure(HostLimits()).look(0)
    assert strain.free_memory > 0
    assert cores() > 0
