"""What a browser is told on its command line and about its own name.

Playwright adds its own list; repeated feature lists are joined by `launcher`, so that none of them is lost.
What never lives here: where the browser is found and how it is started.
"""

import os
from typing import Any

from controller.chromium.process.find import Browser

_NOT_NEEDED = (
    # Hidden renderers of a whole Chromium: some 45 MiB for each account.
    "WebUIOmniboxPopup",
    "WebUIOmniboxAimPopup",
    "SpareRendererForSitePerProcess",
)


SAVINGS = {
    "gpu": ("--in-process-gpu",),
    "network": ("--enable-features=NetworkServiceInProcess2",),
    "zygote": ("--no-zygote",),
}
"""What saves a browser processes, by the names of BROWSER_SAVINGS; `bench/flags.py` measures each.

A crash of what runs in the browser's own process is a crash of the browser, which is opened again in seconds. Without
zygotes there is no sandbox, so that they are spared only where there is none anyway.
"""

NOT_WANTED = ("--disable-popup-blocking",)
"""Of Playwright's own arguments those that would let a page open windows."""


def arguments(browser: Browser, extra: tuple[str, ...] = (), savings: frozenset[str] = frozenset(SAVINGS)) -> list[str]:
    """Return our arguments beside Playwright's. extra: the operator's, which come last and so win."""
    spared = [name for name in SAVINGS if name in savings and (name != "zygote" or not sandboxed())]
    return [
        *(argument for name in spared for argument in SAVINGS[name]),
        f"--disable-features={','.join(_NOT_NEEDED)}",
        "--disable-background-networking",
        "--disable-domain-reliability",
        "--no-pings",
        "--block-new-web-contents",  # the headless shell's: no page opens a window
        "--deny-permission-prompts",  # a whole Chromium's: nobody is there to answer one
        f"--user-agent={user_agent(browser)}",
        *extra,
    ]


def sandboxed() -> bool:
    """Chromium's sandbox is on wherever it can be: it refuses to run as root."""
    return os.geteuid() != 0


def user_agent(browser: Browser) -> str:
    """Say what the same Chromium with a window would: no word of being headless."""
    return (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        f"Chrome/{browser.major}.0.0.0 Safari/537.36"
    )


def user_agent_override(browser: Browser) -> dict[str, Any]:
    """Parameters of CDP's Emulation.setUserAgentOverride: the client hints, which no flag changes."""
    greased = {"brand": "Not:A-Brand", "version": "8"}
    return {
        "userAgent": user_agent(browser),
        "userAgentMetadata": {
            "brands": [greased, {"brand": "Chromium", "version": browser.major}],
            "fullVersionList": [
                {"brand": "Not:A-Brand", "version": "8.0.0.0"},
                {"brand": "Chromium", "version": browser.version},
            ],
            "platform": "Linux",
            "platformVersion": "",
            "architecture": "x86",
            "bitness": "64",
            "model": "",
            "mobile": False,
        },
    }
