"""What a start imports: counted, since seconds depend on the machine. Each module costs about half a millisecond."""

import subprocess
import sys

OURS = {"controller", "handlers", "storage", "switchboard"}
MOST_OF_OTHERS = 775
"""773 in November 2026: 182 of the Bot API, 93 of Playwright, 7 of socksio; Python and others have the rest."""
MOST_OF_OURS = 260
"""247: a subject more is a file more, which costs little; a package that serving does not need is noticed."""
NOT_AT_THE_START = {"PIL", "aiohttp", "apprise", "prometheus_client", "pytest", "qrcode"}
"""Needed by a feature that is off, or with the first picture."""


def test_no_more_is_loaded_at_the_start_than_serving_needs():
    code = "import sys, switchboard.app; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {name.partition(".")[0] for name in told}.isdisjoint(NOT_AT_THE_START)
    ours = [name for name in told if name.partition(".")[0] in OURS]
    assert len(told) - len(ours) <= MOST_OF_OTHERS
    assert len(ours) <= MOST_OF_OURS
