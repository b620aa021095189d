"""The samples contain what image and program need, and agree with each other."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from controller.cluster.ray_links import BROWSER, HOST
from switchboard import cluster
from switchboard.__main__ import _parser
from switchboard.data_dir import lock_data_dir
from switchboard.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
HEALTHCHECK = DEPLOY / "container" / "healthcheck.py"


def check(data_dir, path="/live", **settings):
    done = subprocess.run(
        [sys.executable, HEALTHCHECK, path],
        env={"DATA_DIR": str(data_dir)} | settings, check=False, capture_output=True, text=True,
    )  # fmt: skip
    return done.returncode, done.stderr


def test_alive_is_who_holds_its_data(tmp_path):
    assert check(tmp_path)[0] == 1
    with lock_data_dir(tmp_path):
        assert check(tmp_path) == (0, "")
    code, why = check(tmp_path)
    assert (code, "nobody holds" in why) == (1, True)


@pytest.mark.parametrize("at", ["127.0.0.1:{port}", "unix:{path}"])
async def test_where_windows_are_open_they_are_asked(tmp_path, unused_tcp_port, at):
    import asyncio

    from switchboard.monitoring.address import parse_address
    from switchboard.monitoring.endpoints import Endpoints, HealthResponse, serve_endpoints

    state = HealthResponse(ok=True, lines=())
    views = Endpoints(
        live=lambda: state, ready=lambda: HealthResponse(ok=False, lines=("not yet",)), metrics=lambda: b""
    )
    address = at.format(port=unused_tcp_port, path=tmp_path / "socket")
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


SAMPLES = [
    "compose.yaml",
    "deploy/kubernetes/switchboard.yaml",
    "deploy/cluster/compose.yaml",
    "deploy/kubernetes/kuberay.yaml",
]
NOT_OURS = re.compile(r"RAY_|POD_NAME$")


def environments(node):
    """Yield each variable that a sample sets, with its value if given."""
    if isinstance(node, list):
        for one in node:
            yield from environments(one)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in {"environment", "stringData"}:
                yield from value.items()
            elif key == "env":
                yield from ((one["name"], one.get("value")) for one in value)
            else:
                yield from environments(value)


@pytest.mark.parametrize("sample", SAMPLES)
def test_each_sample_is_read_and_sets_what_there_is(sample):
    documents = list(yaml.safe_load_all((ROOT / sample).read_text("utf-8")))
    told = dict(environments(documents))

    assert {name.lower() for name in told if not NOT_OURS.match(name)} <= Settings.model_fields.keys()
    assert told["DATA_DIR"] == "/data"
    for name, value in told.items():
        assert cluster.RAY_ENVIRONMENT.get(name, value) == value, "as `switchboard host` sets it"


def test_hosts_of_the_compose_sample_are_started_as_the_program_takes_them():
    sample = yaml.safe_load((DEPLOY / "cluster" / "compose.yaml").read_text("utf-8"))
    services = sample["services"]
    roles = [_parser().parse_args(one["command"][1:]) for one in services.values() if "host" in one["command"]]

    assert sorted((one.name, one.listen, one.join) for one in roles) == [
        ("first", "10.89.0.2", None), ("second", None, "10.89.0.2"),
    ]  # fmt: skip
    assert services["controller"]["environment"]["CLUSTER_ADDRESS"] == f"10.89.0.2:{cluster.PORT}"
    assert services["first"]["networks"]["cluster"]["ipv4_address"] == "10.89.0.2"
    assert sample["networks"]["cluster"]["internal"] is True


def test_hosts_of_the_kuberay_sample_have_the_resources_that_the_program_looks_for():
    *_, found = yaml.safe_load_all((DEPLOY / "kubernetes" / "kuberay.yaml").read_text("utf-8"))
    (group,) = found["spec"]["workerGroupSpecs"]
    told = json.loads(json.loads(group["rayStartParams"]["resources"]))

    assert told == {f"{HOST}$POD_NAME": 1, BROWSER: 10}
    assert not group["rayStartParams"].keys() & {"head"}


def test_units_of_a_cluster_start_what_there_is():
    unit = (DEPLOY / "switchboard-host.service").read_text("utf-8")
    words = re.search(r"^ExecStart=\S+ -m switchboard (.+)$", unit, re.MULTILINE)[1]
    args = _parser().parse_args(
        words.replace("${CLUSTER_ROLE}", "--join").replace("${CLUSTER_HEAD}", "10.0.0.1").split()
    )

    assert args.join == "10.0.0.1"
    told = (DEPLOY / "switchboard-cluster.conf").read_text("utf-8")
    assert re.search(r"^Environment=CLUSTER_ADDRESS=auto$", told, re.MULTILINE)


@pytest.mark.parametrize("sample", SAMPLES)
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


def test_what_the_image_copies_is_not_ignored():
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [
        source
        for line in (DEPLOY / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
        if source != "."
    ]
    assert "constraints.txt" in copied
    assert [source for source in copied if not kept & {source, *(str(each) for each in Path(source).parents)}] == []
