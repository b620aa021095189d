"""The archives in a store that speaks S3: the same tests as on a folder, against a server on this machine."""

import os
import uuid

import pytest

from controller.chromium.profile.archives import ArchiveStore
from tests.controller.chromium.profile.test_archives import *  # noqa: F403


@pytest.fixture(scope="module", autouse=True)
def server():
    s3fs = pytest.importorskip("s3fs", reason="S3 is tested where switchboard[s3] is installed")
    moto = pytest.importorskip("moto.server", reason="S3 is tested where moto[server] is, beside it in .venv-cluster")
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    host, port = running.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip
    os.environ |= settings
    s3fs.S3FileSystem(skip_instance_cache=True).mkdir("bucket")
    yield
    for name in settings:
        del os.environ[name]
    running.stop()


@pytest.fixture
def store(server):
    return ArchiveStore(f"s3://bucket/{uuid.uuid4()}")
