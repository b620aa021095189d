"""The browser's command-line arguments and its user agent.

Playwright adds its own arguments; `launcher` merges repeated feature lists, so that none of them is lost.
Not here: where the browser is found and how it is started.
"""

import os
from typing import Any

from controller.chromium.process.find import Browser

_NOT_NEEDED = (
    # Hidden renderers of a full Chromium: some 45 MiB per account.
    "WebUIOmniboxPopup",
    "WebUIOmniboxAimPopup",
    "SpareRendererForSitePerProcess",
)


SAVINGS: dict[str, tuple[str, ...]] = {
    "gpu": ("--in-process-gpu",),
    "network": ("--enable-features=NetworkServiceInProcess2",),
    "zygote": ("--no-zygote",),
    "pictures": ("--blink-settings=imagesEnabled=false",),
    "fonts": ("--disable-remote-fonts",),
    "caches": ("--disk-cache-size=67108864", "--media-cache-size=1048576"),
    "layout": (),
    "webgl": ("--disable-gpu", "--disable-software-rasterizer"),
    "v8": ("--js-flags=--optimize-for-size",),
}
"""Arguments that save processes and memory, by their names in BROWSER_SAVINGS; `bench/flags.py` measures each.

What runs in the browser's own process takes the browser down if it crashes, which is then reopened within seconds.
Without zygotes there is no sandbox, so they are all dropped only where there is none anyway; where there is one, only
the zygote without a sandbox is, which has nothing to start once GPU and network are in the browser's process. Pictures
and fonts are not requested at all: no event tells the page, as if they were still on their way, and no request passes
through us. Without `webgl` everything is drawn without ANGLE; `v8` keeps heaps small, which costs nothing measurable
(its lite mode saves 4 MiB more and makes computing three times slower, so it is left out).
"""

_ZYGOTE_SANDBOXED = ("--no-unsandboxed-zygote",)
"""What the saving `zygote` is where Chromium's sandbox is on."""

SMALL_LAYOUT, LARGE_LAYOUT = (800, 600), (1280, 900)
"""Width and height of the page, with the saving `layout` and without; WhatsApp Web is laid out for 748 and more."""


def viewport(savings: frozenset[str]) -> tuple[int, int]:
    """Return the page's width and height."""
    return SMALL_LAYOUT if "layout" in savings else LARGE_LAYOUT


NOT_WANTED = ("--disable-popup-blocking", "--disable-ipc-flooding-protection")
"""Arguments of Playwright's that would let a page open windows, or change its address without end."""


def arguments(browser: Browser, extra: tuple[str, ...] = (), savings: frozenset[str] = frozenset(SAVINGS)) -> list[str]:
    """Return our arguments, in addition to Playwright's. extra: the operator's, which come last and take precedence."""
    by_name = SAVINGS | {"zygote": _ZYGOTE_SANDBOXED} if sandboxed() else SAVINGS
    return [
        *(argument for name in by_name if name in savings for argument in by_name[name]),
        f"--disable-features={','.join(_NOT_NEEDED)}",
        "--disable-background-networking",
        "--disable-domain-reliability",
        "--no-pings",
        # No UDP past a proxy, which would show this machine's own address. WhatsApp Web needs it for calls only.
        "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
        "--block-new-web-contents",  # for the headless shell: no page opens a window
        "--deny-permission-prompts",  # for a full Chromium: nobody is there to answer a prompt
        f"--user-agent={user_agent(browser)}",
        *extra,
    ]


def sandboxed() -> bool:
    """Whether Chromium's sandbox can be on: it refuses to run as root."""
    return os.geteuid() != 0


def user_agent(browser: Browser) -> str:
    """Return the user agent of the same Chromium with a window, without any hint of headless mode."""
    return (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        f"Chrome/{browser.major}.0.0.0 Safari/537.36"
    )


def user_agent_override(browser: Browser) -> dict[str, Any]:
    """Return parameters of CDP's Emulation.setUserAgentOverride: client hints, which no flag can change."""
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
