"""One machine is driven through the same seam as many, and needs nothing of what many need."""

import subprocess
import sys

import pytest

from controller.chromium import ChromiumDriver, ChromiumOptions
from controller.hosts import UnknownHostError


def one_machine(tmp_path):
    return ChromiumDriver(ChromiumOptions(page_url="https://web.example/", data_dir=tmp_path))


async def test_one_machine_names_no_machine(tmp_path):
    hosts = one_machine(tmp_path)

    assert (list(hosts.usage()), hosts.host_of("+491511234567")) == ([], "")
    assert await hosts.run() is None


async def test_one_machine_cannot_be_drained(tmp_path):
    with pytest.raises(UnknownHostError):
        one_machine(tmp_path).drain("b", draining=True)


@pytest.mark.parametrize("modules", ["switchboard.app, switchboard.__main__", "switchboard.cluster"])
def test_the_program_loads_without_what_many_machines_need(modules):
    blocked = f"import sys; sys.modules.update(ray=None, fsspec=None, s3fs=None); import {modules}"

    done = subprocess.run([sys.executable, "-c", blocked], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
