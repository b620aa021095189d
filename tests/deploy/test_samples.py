"""The samples contain what image and program need, and agree with each other."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from switchboard.data_dir import lock_data_dir

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
HEALTHCHECK = DEPLOY / "container" / "healthcheck.py"


def check(data_dir, path="/live", **settings):
    done = subprocess.run(
        [sys.executable, HEALTHCHECK, path],
        env={"DATA_DIR": str(data_dir)} | settings, check=False, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    return done.returncode, done.stderr


def test_alive_is_who_holds_its_data(tmp_path):
    assert check(tmp_path)[0] == 1
    with lock_data_dir(tmp_path):
        assert check(tmp_path) == (0, "")
    code, why = check(tmp_path)
    assert (code, "nobody holds" in why) == (1, True)


@pytest.mark.parametrize("at", ["127.0.0.1:{port}", "unix:{path}"])
async def test_where_windows_are_open_they_are_asked(tmp_path, at):
    import asyncio

    from switchboard.monitoring.address import parse_address
    from switchboard.monitoring.endpoints import Endpoints, HealthResponse, serve_endpoints

    state = HealthResponse(ok=True, lines=())
    views = Endpoints(
        live=lambda: state, ready=lambda: HealthResponse(ok=False, lines=("not yet",)), metrics=lambda: b""
    )
    with __import__("socket").socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = at.format(port=port, path=tmp_path / "socket")
    assert (await asyncio.to_thread(check, tmp_path, HEALTH_LISTEN=address))[0] == 1
    async with serve_endpoints(parse_address(address), views):
        assert await asyncio.to_thread(check, tmp_path, HEALTH_LISTEN=address) == (0, "")
        code, why = await asyncio.to_thread(check, tmp_path, "/ready", HEALTH_LISTEN=address)
        assert (code, "not yet" in why) == (1, True)


def test_the_seccomp_profile_allows_what_a_sandbox_is_made_of_and_refuses_what_breaks_out():
    told = json.loads((DEPLOY / "seccomp.json").read_text("utf-8"))
    refused = {name for rule in told["syscalls"] for name in rule["names"]}
    assert told["defaultAction"] == "SCMP_ACT_ALLOW"
    assert not refused & {"clone", "clone3", "unshare", "chroot", "seccomp", "prctl", "pidfd_open"}
    assert {"bpf", "mount", "ptrace", "keyctl", "kexec_load", "open_by_handle_at", "userfaultfd", "setns"} <= refused


@pytest.mark.parametrize("sample", ["compose.yaml", "deploy/kubernetes/switchboard.yaml"])
def test_each_sample_locks_the_container_down(sample):
    text = (ROOT / sample).read_text("utf-8")
    for wanted in (r"read_only: true|readOnlyRootFilesystem: true", r"ALL", r"seccomp", r"/data", r"/tmp"):
        assert re.search(wanted, text), wanted
    grace = re.search(r"(?:stop_grace_period|terminationGracePeriodSeconds): (\d+)", text)
    assert int(grace[1]) >= 60, "longer than the stop's own last resort"


def test_the_image_runs_as_a_user_of_its_own_that_the_samples_know():
    image = (DEPLOY / "Dockerfile").read_text("utf-8")
    user = re.search(r"^USER (\d+):\1$", image, re.MULTILINE)[1]
    assert f"--uid {user}" in image
    assert f"runAsUser: {user}" in (DEPLOY / "kubernetes" / "switchboard.yaml").read_text("utf-8")
    assert 'ENTRYPOINT ["/usr/bin/tini"' in image
