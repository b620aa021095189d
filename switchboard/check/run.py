"""Runs all checks and prints their results on one screen or as JSON; the exit code is the verdict's."""

import asyncio
import sys
from collections.abc import AsyncIterator

from switchboard.check.findings import Finding, Verdict, as_json, as_text, exit_code
from switchboard.settings import SettingsError, read_settings


def run_check(*, in_json: bool) -> int:
    """Run all checks, print them and return the exit code: 0, 2 if a person is needed, 75 if transient."""
    findings = asyncio.run(_all())
    sys.stdout.write(f"{as_json(findings) if in_json else as_text(findings)}\n")
    return exit_code(findings)


async def _all() -> list[Finding]:
    return [finding async for finding in _findings()]


async def _findings() -> AsyncIterator[Finding]:
    try:
        settings = read_settings()
    except SettingsError as error:
        for line in str(error).split("; "):
            yield Finding("settings", Verdict.MEND, line)
        return
    yield Finding("settings", Verdict.GOOD, "every name and value is known")
    from switchboard.app import chromium_options
    from switchboard.check.channels import check_channels
    from switchboard.check.host import check_host, python_is_for_others
    from switchboard.check.world import check_world

    if (finding := python_is_for_others()) is not None:
        yield finding
    for finding in check_host(settings):
        yield finding
    async for finding in check_world(settings, chromium_options(settings)):
        yield finding
    async for finding in check_channels(settings):
        yield finding
