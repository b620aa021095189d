"""Runs all checks and prints their results on one screen or as JSON; the exit code is the verdict's."""

import asyncio
import sys
from collections.abc import AsyncIterator

from switchboard.check.findings import Finding, Verdict, as_json, as_text, exit_code
from switchboard.logs import hide
from switchboard.settings import SettingsError, read_host_settings, read_settings


def run_check(*, in_json: bool, listen: str | None = None, join: str | None = None) -> int:
    """Run all checks, print them and return the exit code: 0, 2 if a person is needed, 75 if transient.

    listen, join: where it is given, this machine is checked as one that `switchboard host` is to run on.
    """
    findings = asyncio.run(_all(_findings() if listen is None and join is None else _of_a_host(listen, join)))
    sys.stdout.write(f"{as_json(findings) if in_json else as_text(findings)}\n")
    return exit_code(findings)


async def _all(findings: AsyncIterator[Finding]) -> list[Finding]:
    return [finding async for finding in findings]


async def _of_a_host(listen: str | None, join: str | None) -> AsyncIterator[Finding]:
    try:
        settings = read_host_settings()
    except SettingsError as error:
        for line in str(error).split("; "):
            yield Finding("settings", Verdict.MEND, line)
        return
    from switchboard.check import cluster

    async for finding in cluster.check_host(settings, listen=listen, join=join):
        yield finding


async def _findings() -> AsyncIterator[Finding]:
    try:
        settings = read_settings()
    except SettingsError as error:
        for line in str(error).split("; "):
            yield Finding("settings", Verdict.MEND, line)
        return
    hide(settings.secrets())
    yield Finding("settings", Verdict.GOOD, "every name and value is known")
    from switchboard.app import chromium_options
    from switchboard.check.channels import check_channels
    from switchboard.check.external import check_external
    from switchboard.check.host import check_host, python_is_for_others

    if (finding := python_is_for_others()) is not None:
        yield finding
    for finding in check_host(settings):
        yield finding
    async for finding in check_external(settings, chromium_options(settings)):
        yield finding
    async for finding in check_channels(settings):
        yield finding
    if settings.cluster_address is not None:
        from switchboard.check.cluster import check_controller

        async for finding in check_controller(settings):
            yield finding
