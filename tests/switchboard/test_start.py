"""What a start imports: counted, since seconds depend on the machine. Each module costs about half a millisecond."""

import subprocess
import sys

MOST_MODULES = 1010
"""1,001 in November 2026: 235 of our own, 182 of the Bot API, 93 of Playwright; Python and others have the rest."""
NOT_AT_THE_START = {"PIL", "aiohttp", "apprise", "prometheus_client", "pytest", "qrcode"}
"""Needed by a feature that is off, or with the first picture."""


def test_no_more_is_loaded_at_the_start_than_serving_needs():
    code = "import sys, switchboard.app; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {name.partition(".")[0] for name in told}.isdisjoint(NOT_AT_THE_START)
    assert len(told) <= MOST_MODULES
