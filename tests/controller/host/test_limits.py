"""Limits as set by containers, in both versions of control groups, and once in a real one."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from controller.host.limits import MIB, HostLimits

V2_MOUNT = "30 1 0:1 {root} {mount} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1_MOUNT = "31 1 0:2 {root} {mount} rw,nosuid - cgroup cgroup rw,{name}\n"


def tree(folder, files):
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def make(tmp_path, *, cgroup, mountinfo, files):
    tree(tmp_path, {"proc/self/cgroup": cgroup, "proc/self/mountinfo": mountinfo} | files)
    return HostLimits(proc=tmp_path / "proc", host_free=lambda: 8000 * MIB, clock=lambda: 0.0)


def v2(tmp_path, files, *, path="/a/b", root="/"):
    return make(
        tmp_path, cgroup=f"0::{path}\n", mountinfo=V2_MOUNT.format(root=root, mount=tmp_path / "cg"),
        files={f"cg/{name}": text for name, text in files.items()},
    )  # fmt: skip


def test_without_control_groups_the_host_counts(tmp_path):
    limits = HostLimits(proc=tmp_path, host_free=lambda: 7)
    assert (limits.free_memory(), limits.memory_limit(), limits.free_processes()) == (7, None, None)
    assert limits.cause() == ""


@pytest.mark.parametrize(("largest", "high"), [("max", 330), (500, 330), (330, 400), (330, "max")])
def test_v2_what_slows_all_down_is_a_limit(tmp_path, largest, high):
    sizes = {"memory.max": largest, "memory.high": high, "memory.current": 300}
    limits = v2(tmp_path, {f"a/b/{name}": size if size == "max" else f"{size * MIB}\n" for name, size in sizes.items()})
    assert (limits.free_memory(), limits.memory_limit()) == (30 * MIB, 330 * MIB)


@pytest.mark.parametrize("level", ["a/b", "a"])
def test_v2_the_least_of_every_level_counts_without_the_cache(tmp_path, level):
    limits = v2(tmp_path, {
        "a/b/memory.max": "max\n", "a/b/memory.current": "1", "a/memory.max": "max", "a/memory.current": "1",
        "a/b/pids.max": "max", "a/b/pids.current": "5",
    } | {
        f"{level}/memory.max": f"{330 * MIB}\n", f"{level}/memory.current": f"{300 * MIB}\n",
        f"{level}/memory.stat": f"anon 1\ninactive_file {90 * MIB}\nactive_file {10 * MIB}\nslab_reclaimable 0\n",
        f"{level}/pids.max": "100\n", f"{level}/pids.current": "40\n",
    })  # fmt: skip
    assert limits.free_memory() == 130 * MIB
    assert limits.memory_limit() == 330 * MIB
    assert (limits.free_processes(), limits.process_limit()) == (60, 100)


def test_v1_the_least_of_every_level_counts_without_the_cache(tmp_path):
    cg = tmp_path / "cg"
    limits = make(
        tmp_path,
        cgroup="4:memory:/docker/x\n8:pids:/docker/x\n1:name=systemd:/\n0::/\n",
        mountinfo=V1_MOUNT.format(root="/", mount=cg / "memory", name="memory")
        + V1_MOUNT.format(root="/", mount=cg / "pids", name="pids")
        + V2_MOUNT.format(root="/", mount=cg / "unified"),
        files={
            "cg/memory/memory.limit_in_bytes": "9223372036854771712", "cg/memory/memory.usage_in_bytes": "1",
            "cg/memory/docker/memory.limit_in_bytes": str(500 * MIB),
            "cg/memory/docker/memory.usage_in_bytes": str(450 * MIB),
            "cg/memory/docker/memory.stat": f"inactive_file 1\ntotal_inactive_file {20 * MIB}\ntotal_active_file 0\n",
            "cg/memory/docker/x/memory.limit_in_bytes": "9223372036854771712",
            "cg/memory/docker/x/memory.usage_in_bytes": "1",
            "cg/memory/docker/x/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
            "cg/pids/docker/x/pids.max": "64", "cg/pids/docker/x/pids.current": "60",
            "cg/unified/cgroup.procs": "",
        },
    )  # fmt: skip
    assert limits.free_memory() == 70 * MIB
    assert limits.free_processes() == 4
    assert limits.take_kills() == 0, "what was before us is not ours"
    tree(cg, {"memory/docker/x/memory.oom_control": "oom_kill 5\n"})
    assert limits.take_kills() == 2


@pytest.mark.parametrize(("path", "root"), [("/", "/"), ("/../../x", "/"), ("/docker/x", "/docker/x"), ("/gone", "/")])
def test_a_container_that_sees_a_part_of_the_tree_reads_that(tmp_path, path, root):
    limits = v2(tmp_path, {"memory.max": str(50 * MIB), "memory.current": "0"}, path=path, root=root)
    assert limits.free_memory() == 50 * MIB


def test_the_cause_is_known_for_a_while(tmp_path):
    limits = v2(tmp_path, {"a/b/memory.max": str(330 * MIB), "a/b/memory.events": "oom_kill 1\n", "a/pids.max": "9"})
    now = 0.0
    limits.clock = lambda: now
    assert limits.cause() == ""
    tree(tmp_path, {"cg/a/b/memory.events": "low 0\noom 9\noom_kill 2\n"})
    assert limits.cause() == "the kernel ended a process for want of memory (the limit is 330 MiB)"
    now = 11.0
    assert limits.cause() == ""
    tree(tmp_path, {"cg/a/pids.events": "max 4\n"})
    assert limits.cause() == "no more processes may be started here (the limit is 9)"


EATER = """
import subprocess, sys
from controller.host.limits import HostLimits
limits = HostLimits()
print(limits.memory_limit() >> 20, limits.free_memory() >> 20, flush=True)
subprocess.run([sys.executable, "-c", "x = bytearray(200 << 20)"], check=False)
print(limits.take_kills(), limits.cause())
"""


def test_in_a_real_control_group(tmp_path):
    own = next(
        (line.split(":")[2] for line in Path("/proc/self/cgroup").read_text().splitlines() if ":memory:" in line), ""
    )
    parent = Path("/sys/fs/cgroup/memory") / own.strip("/") if own else Path("/sys/fs/cgroup")
    group = parent / f"switchboard-{uuid.uuid4().hex[:8]}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error.strerror}")
    try:
        limit = group / ("memory.limit_in_bytes" if own else "memory.max")
        if not limit.exists():
            pytest.skip("control groups here do not limit memory")
        limit.write_text(str(100 * MIB))
        script = f'echo $$ > "{group}/cgroup.procs" && exec "$0" -c "$1"'
        done = subprocess.run(
            ["sh", "-c", script, sys.executable, EATER], env=os.environ, capture_output=True, text=True, check=True,
            timeout=60,
        )  # fmt: skip
    finally:
        group.rmdir()
    first, second = done.stdout.splitlines()
    told, free = map(int, first.split())
    assert told == 100
    assert 50 < free <= 100
    assert second == "1 the kernel ended a process for want of memory (the limit is 100 MiB)"
