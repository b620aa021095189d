"""Checks of what is outside this program: the browser, WhatsApp's host, Telegram with the token, and the clock."""

import asyncio
import email.utils
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx

from controller.accounts.e164 import mask
from controller.accounts.reasons import Reason
from controller.chromium import ChromiumOptions
from controller.chromium.profile.vault import read_key
from controller.chromium.trial import try_browser
from controller.driver import DriverError
from controller.network.account_proxies import UNREADABLE, read_row
from controller.network.http_errors import HTTP_ERRORS
from controller.network.proxy import Proxy
from controller.network.reach import Reach, UnknownRouteError, UntrustedError, browsers_proxy
from storage.database import StorageError
from storage.summary import read_proxies
from switchboard.app import DATABASE, reach_by
from switchboard.check.findings import Finding, Verdict
from switchboard.settings import Settings

BROWSER_SECONDS = 40.0
TELEGRAM_SECONDS = 10.0
CLOCK_SECONDS = 60.0
"""How many seconds our clock may differ from Telegram's."""


async def check_external(settings: Settings, options: ChromiumOptions) -> AsyncIterator[Finding]:
    """Yield findings; takes a minute at most."""
    yield await check_browser(options)
    yield await _whatsapp(settings)
    for finding in await _own_proxies(settings):
        yield finding
    for finding in await _telegram(settings):
        yield finding


async def check_browser(options: ChromiumOptions) -> Finding:
    """Start a browser for a moment."""
    try:
        outcome = await try_browser(options, BROWSER_SECONDS)
    except DriverError as error:
        verdict = Verdict.MEND if error.reason is Reason.LAUNCH_FAILED else Verdict.LATER
        return Finding("browser", Verdict.LATER if "in time" in error.detail else verdict, error.detail)
    except OSError as error:
        return Finding("browser", Verdict.MEND, f"it could not be started: {error}")
    return Finding("browser", Verdict.NOTE if "WITHOUT" in outcome else Verdict.GOOD, outcome)


async def _whatsapp(settings: Settings) -> Finding:
    way = ""
    try:
        proxy = browsers_proxy(settings.proxy, settings.browser_args)
        way = f" through {proxy.server}" if proxy is not None else ""
        await Reach(settings.whatsapp_web_url, proxy)()
    except UnknownRouteError as error:
        return Finding("WhatsApp", Verdict.NOTE, f"browsers go their own way there ({error}), which is not tried here")
    except UntrustedError as error:
        return Finding("WhatsApp", Verdict.NOTE, f"{settings.whatsapp_web_url} answers{way}, but {error}")
    except (OSError, ValueError) as error:
        verdict = Verdict.MEND if "407" in str(error) else Verdict.LATER
        return Finding("WhatsApp", verdict, f"{settings.whatsapp_web_url} cannot be reached{way}: {error}")
    return Finding("WhatsApp", Verdict.GOOD, f"{settings.whatsapp_web_url} can be reached{way}")


async def _own_proxies(settings: Settings) -> list[Finding]:
    """Try the accounts' own proxies in parallel."""
    try:
        rows = await asyncio.to_thread(read_proxies, settings.data_dir / DATABASE)
    except StorageError as error:
        return [Finding("proxies", Verdict.NOTE, f"whether accounts have their own cannot be read: {error}")]
    identity = read_key(settings.vault_key)
    return await asyncio.gather(*(_own_proxy(settings, row.number, read_row(row, identity)) for row in rows))


async def _own_proxy(settings: Settings, number: str, proxy: Proxy | None) -> Finding:
    name = f"proxy of {mask(number)}"
    if proxy is None:
        return Finding(name, Verdict.MEND, UNREADABLE)
    reach = reach_by(settings, proxy)
    if reach is None:
        return Finding(name, Verdict.NOTE, "browsers go their own way there, which is not tried here")
    try:
        await reach()
    except UntrustedError as error:
        return Finding(name, Verdict.NOTE, f"WhatsApp answers through {proxy.server}, but {error}")
    except (OSError, ValueError) as error:
        verdict = Verdict.MEND if "407" in str(error) else Verdict.LATER
        return Finding(name, verdict, f"WhatsApp cannot be reached through {proxy.server}: {error}")
    return Finding(name, Verdict.GOOD, f"WhatsApp can be reached through {proxy.server}")


async def _telegram(settings: Settings) -> list[Finding]:
    """Query the bot's identity at Telegram, whose time serves as reference for the clock."""
    given: Any = getattr(settings, "telegram_proxy", None)
    proxy = None if given is None else given.get_secret_value()
    address = f"{settings.telegram_api_url.rstrip('/')}/bot{settings.telegram_bot_token.get_secret_value()}/getMe"
    try:
        async with (
            asyncio.timeout(TELEGRAM_SECONDS),
            httpx.AsyncClient(proxy=proxy, timeout=TELEGRAM_SECONDS) as client,
        ):
            answer = await client.get(address)
    except TimeoutError:
        return [Finding("Telegram", Verdict.LATER, f"no answer in {TELEGRAM_SECONDS:g} s")]
    except HTTP_ERRORS as error:
        what = str(error).replace(address, settings.telegram_api_url) or type(error).__name__
        return [Finding("Telegram", Verdict.LATER, f"{settings.telegram_api_url} cannot be reached: {what}")]
    return [_bot(settings, answer), *_clock(answer)]


def _bot(settings: Settings, answer: httpx.Response) -> Finding:
    try:
        body = answer.json()
        is_telegrams = isinstance(body, dict) and "ok" in body
    except ValueError:
        is_telegrams = False
    if not is_telegrams:
        what = (
            f"{settings.telegram_api_url} answers {answer.status_code}, and not as Telegram does: what stands between?"
        )
        return Finding("Telegram", Verdict.LATER, what)
    if body["ok"]:
        return Finding("Telegram", Verdict.GOOD, f"the bot is @{body['result'].get('username', '?')}")
    if answer.status_code in {401, 404}:
        return Finding(
            "Telegram", Verdict.MEND, "TELEGRAM_BOT_TOKEN: Telegram refuses it; @BotFather knows the right one"
        )
    return Finding("Telegram", Verdict.LATER, f"{answer.status_code} {body.get('description', '')}")


def _clock(answer: httpx.Response) -> list[Finding]:
    try:
        theirs = email.utils.parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return []
    off = time.time() - theirs
    if abs(off) <= CLOCK_SECONDS:
        return [Finding("clock", Verdict.GOOD, "it agrees with Telegram's")]
    way = "ahead" if off > 0 else "behind"
    return [Finding("clock", Verdict.MEND, f"it is {abs(off):.0f} s {way} of Telegram's: let NTP set it")]
