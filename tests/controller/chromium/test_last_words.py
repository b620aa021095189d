"""Why a browser died, from its last lines: the fatal one is the cause wherever it stands, and noise never is."""

import pytest
from playwright.async_api import Error as PlaywrightError

from controller.accounts.reasons import Reason
from controller.chromium import ChromiumDriver, ChromiumOptions
from controller.chromium.playwright.errors import translate
from controller.driver import DriverError, Opening

NOISE = (
    "[7:7:1126/101500.1:ERROR:vaapi_wrapper.cc(1642)] vaInitialize failed: unknown libva error",
    "[7:21:1126/101500.2:ERROR:bus.cc(408)] Failed to connect to the bus: dbus/system_bus_socket",
    "#0 0x55d0c1a2b3c4 (/usr/lib/chromium/chromium-headless-shell+0x1)",
    "Received signal 6",
    "[end of stack trace]",
)


def said(*lines: str, signal: str = "SIGTRAP") -> str:
    log = "\n".join(f"  - [pid=7][err] {line}" for line in lines)
    error = PlaywrightError(
        f"BrowserType.launch: Target page, context or browser has been closed\nBrowser logs:\n{log}\n"
        f"  - [pid=7] <process did exit: exitCode=null, signal={signal}>"
    )
    told = translate(error, "start the browser", Reason.LAUNCH_FAILED)
    assert told.reason is Reason.LAUNCH_FAILED
    return told.detail


@pytest.mark.parametrize(
    "cause",
    [
        "[7:7:1126/101500.0:FATAL:platform_shared_memory_region_posix.cc(219)] Too many open files (24)",
        "[7:7:1126/101500.0:ERROR:file_util.cc(1)] Check failed: fd.is_valid(). : No space left on device (28)",
        "/usr/lib/chromium/chromium: error while loading shared libraries: libnss3.so: cannot open shared object file",
        "sh: 1: fork: Cannot allocate memory",
    ],
)
@pytest.mark.parametrize("place", [0, 2, len(NOISE)])
def test_the_fatal_line_is_the_cause_wherever_it_stands(cause, place):
    lines = [*NOISE[:place], cause, *NOISE[place:]]
    assert said(*lines) == f"could not start the browser: it ended (SIGTRAP) {cause}"


def test_of_several_fatal_lines_the_first_is_the_cause():
    first, second = "a:FATAL:one.cc(1)] Out of descriptors", "b:FATAL:two.cc(2)] The zygote is gone"
    assert said(first, second).endswith(first)


def test_without_a_fatal_line_the_last_that_is_no_noise_is_named():
    assert said("[7:7:ERROR:socket.cc(9)] bind: Address in use", *NOISE).endswith("bind: Address in use")


def test_where_there_is_only_noise_nothing_is_blamed():
    assert said(*NOISE, signal="SIGKILL") == "could not start the browser: it ended (SIGKILL)"


async def test_where_the_server_keeps_its_data_is_not_among_them(tmp_path, monkeypatch):
    """A cause is shown in the chat."""
    driver = ChromiumDriver(ChromiumOptions(page_url="", data_dir=tmp_path))
    cause = f"FATAL:lock.cc(1)] {tmp_path}/Lock: full"

    async def fail(*_):
        raise DriverError(Reason.LAUNCH_FAILED, said(cause))

    monkeypatch.setattr(driver, "_open", fail)
    with pytest.raises(DriverError) as failed:
        await driver.open(Opening("+491511234567"), lambda _: None)
    assert failed.value.detail == said(cause.replace(f"{tmp_path}/", ""))


async def test_where_the_server_keeps_its_browser_is_not_among_them(tmp_path):
    """It may be gone long after the start, as after an upgrade: each attempt says so in the chat then."""
    driver = ChromiumDriver(ChromiumOptions(page_url="", data_dir=tmp_path / "data", executable=tmp_path / "chrome"))
    with pytest.raises(DriverError) as failed:
        await driver.open(Opening("+491511234567"), lambda _: None)
    assert failed.value.detail == "CHROMIUM_PATH is no executable: chrome"


@pytest.mark.parametrize(
    ("detail", "told"),
    [
        ("/opt/my/chrome: error while loading libnss3.so", "chrome: error while loading libnss3.so"),
        ("Executable doesn't exist at '/opt/.cache/ms-playwright/chrome'", "Executable doesn't exist at 'chrome'"),
        ("http://a.example/b/c led to http://d.example/e/f", "http://a.example/b/c led to http://d.example/e/f"),
        ("it said either/or, and 3/4/5", "it said either/or, and 3/4/5"),
    ],
)  # fmt: skip
def test_of_a_path_only_the_name_is_told_and_an_address_stays(tmp_path, detail, told):
    driver = ChromiumDriver(ChromiumOptions(page_url="", data_dir=tmp_path))
    assert driver._explained(Reason.UNKNOWN, detail) == told
