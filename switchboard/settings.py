"""Settings: read once at start from the environment and `.env`. `.env.example` documents each of them.

A wrong value is one clear line naming the variable. Part of the composition root: it knows the settings of every part.
"""

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args
from urllib.parse import urlsplit
from urllib.request import getproxies_environment
from zoneinfo import ZoneInfo

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from controller.accounts.policy import Dialogs, Policy, Takeover
from controller.network.proxy import Proxy, parse_proxy
from handlers.chat.destination import Destination, parse_destination
from switchboard.monitoring.address import Address, parse_address
from switchboard.settings_files import (
    defaults_for,
    find_env_file,
    invisible,
    parts_of_secret,
    trimmed,
    unknown_names,
)

Seconds = Annotated[float, Field(ge=0, le=366 * 86400, allow_inf_nan=False)]
Period = Annotated[float, Field(gt=0, le=366 * 86400, allow_inf_nan=False)]
Saving = Literal["gpu", "network", "zygote", "pictures", "fonts", "caches", "layout", "webgl", "v8"]
Ids = Annotated[tuple[int, ...], NoDecode]
S = TypeVar("S", bound=BaseSettings)

_NOT_FOR_OPERATORS = ("remote-debugging", "remote-allow-origins", "user-data-dir")
"""Refused browser arguments: an unauthenticated port on a linked account, or a foreign profile."""
_SECRETS = {
    "TELEGRAM_BOT_TOKEN",
    "TELEGRAM_API_URL",
    "TELEGRAM_PROXY",
    "ALERT_FALLBACK_URLS",
    "BROWSER_ARGS",
    "HEARTBEAT_URL",
    "PROFILE_KEY",
    "PROXY_URL",
}
"""Never shown in errors: they are secrets, or may contain one (a proxy's password)."""
_PATHS = {"DATA_DIR", "CHROMIUM_PATH", "BACKUP_DIR", "HEALTH_TEXTFILE", "CLUSTER_ARCHIVES"}
"""A folder may really be called like that."""
_TOKEN = re.compile(r"\d+:[A-Za-z0-9_-]+(?:/test)?", re.ASCII)
"""With /test behind it where Telegram's test servers are meant."""


class SettingsError(ValueError):
    """A setting is wrong. The text is one line naming the variable."""


class ProfileSettings(BaseSettings):
    """Where sessions are stored: the settings that commands for saved profiles need."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    data_dir: Path = Path("data")
    profile_key: SecretStr | None = None

    @model_validator(mode="before")
    @classmethod
    def _trimmed(cls, given: Any) -> Any:
        """Trim what surrounds a value, except that quotes in BROWSER_ARGS are a shell's; refuse what nobody can see."""
        if not isinstance(given, dict):
            return given
        values = {
            name: trimmed(value, quotes=name != "browser_args") if isinstance(value, str) else value
            for name, value in given.items()
        }
        known = [name for name in cls.model_fields if name.upper() not in _PATHS]
        problems = [
            f"{name.upper()}: has an invisible character in it ({sign}): type it anew, or paste it as plain text"
            for name in known
            if isinstance(value := values.get(name), str) and (sign := invisible(value))
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return {name: value for name, value in values.items() if value != ""}

    @field_validator("data_dir", "chromium_path", "backup_dir", "health_textfile", check_fields=False)
    @classmethod
    def _at_home(cls, value: Path | None) -> Path | None:
        try:
            return None if value is None else value.expanduser()
        except RuntimeError:
            raise ValueError("begins with a home folder that is not known: write the path from / on") from None

    @property
    def vault_key(self) -> str | None:
        """PROFILE_KEY in plain text, for the vault only."""
        return None if self.profile_key is None else self.profile_key.get_secret_value()


class HostSettings(ProfileSettings):
    """All that a machine needs which runs browsers for another machine's controller."""

    accounts_per_host: int = Field(default=10, ge=1)
    chromium_path: Path | None = None
    cluster_archives: str | None = None

    @field_validator("cluster_archives")
    @classmethod
    def _store(cls, value: str | None) -> str | None:
        if value is not None and "://" not in value and not Path(value).is_absolute():
            raise ValueError("takes an address that fsspec knows, such as s3://bucket/folder, or a path from / on")
        return value


class Settings(HostSettings):
    """All settings, with their defaults. Durations are in seconds, may be fractional; sizes are MiB."""

    telegram_bot_token: SecretStr
    telegram_api_url: str = "https://api.telegram.org"
    telegram_proxy: SecretStr | None = None
    telegram_admin_ids: Ids
    telegram_operator_ids: Ids = ()
    telegram_alert_chat_id: Annotated[Destination | None, NoDecode] = None
    default_region: str | None = None
    time_zone: str | None = None
    whatsapp_web_url: str = "https://web.whatsapp.com/"
    proxy_url: SecretStr | None = None
    browser_args: Annotated[tuple[str, ...], NoDecode] = ()
    browser_savings: Annotated[tuple[Saving, ...], NoDecode] = get_args(Saving)
    cluster_address: str | None = None
    launch_slots: int | Literal["auto"] = "auto"
    reconnect_delays: Annotated[tuple[Seconds, ...], NoDecode] = (1, 2, 4, 8, 16, 30)
    max_reconnect_attempts: int = Field(default=10, ge=1)
    breaker_threshold: int = Field(default=5, ge=1)
    breaker_cooldown_seconds: Period = 60
    suspended_retry_seconds: Seconds = 0
    qr_debounce_seconds: Period = 2
    qr_timeout_seconds: Period = 120
    health_check_seconds: Period = 30
    probe_timeout_seconds: Period = 10
    keep_alive_seconds: Period = 60
    keep_alive_presence: bool = False
    stale_after_seconds: Period = 300
    stable_after_seconds: Seconds = 300
    connect_timeout_seconds: Period = 60
    sync_timeout_seconds: Period = 180
    takeover: Takeover = Takeover.ASK
    dialogs: Dialogs = Dialogs.ASK
    alert_repeat_seconds: Seconds = 14400
    unreachable_after_seconds: Seconds = 300
    alert_fallback_urls: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    alert_fallback_after_seconds: Period = 180
    escalate_after_seconds: Seconds = 900
    account_memory_mib: int = Field(default=1500, ge=0)
    account_memory_limit_mib: int = Field(default=3000, ge=0)
    account_disk_limit_mib: int = Field(default=5000, ge=0)
    host_free_memory_mib: int = Field(default=300, ge=0)
    host_free_disk_mib: int = Field(default=500, ge=0)
    recycle_after_seconds: Seconds = 86400
    heartbeat_url: SecretStr | None = None
    heartbeat_seconds: Period = 60
    health_listen: Annotated[Address | None, NoDecode] = None
    health_textfile: Path | None = None
    backup_dir: Path | None = None
    history_days: int = Field(default=365, ge=0, le=36500)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["console", "json"] = "console"
    log_full_numbers: bool = False

    @field_validator("telegram_bot_token")
    @classmethod
    def _bot_token(cls, value: SecretStr) -> SecretStr:
        if not _TOKEN.fullmatch(value.get_secret_value()):
            raise ValueError("is no bot's token, such as 123456789:AAE…: copy it again from @BotFather")
        return value

    @field_validator("telegram_admin_ids", "telegram_operator_ids", "reconnect_delays", mode="before")
    @classmethod
    def _comma_separated(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("alert_fallback_urls", mode="before")
    @classmethod
    def _space_separated(cls, value: Any) -> Any:
        return value.split() if isinstance(value, str) else value

    @field_validator("browser_savings", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return () if value.strip().lower() == "none" else [part.strip().lower() for part in value.split(",")]

    @field_validator("telegram_alert_chat_id", mode="before")
    @classmethod
    def _destination(cls, value: Any) -> Any:
        return parse_destination(value) if isinstance(value, str) else value

    @field_validator("health_listen", mode="before")
    @classmethod
    def _listen_address(cls, value: Any) -> Any:
        return parse_address(value) if isinstance(value, str) else value

    @field_validator("heartbeat_url")
    @classmethod
    def _web_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _refuse_incomplete(value.get_secret_value(), "https://hc-ping.com/…")
        return value

    @field_validator("launch_slots", mode="plain")
    @classmethod
    def _number_or_auto(cls, value: Any) -> Any:
        text = str(value).strip().lower()
        if text != "auto" and not (text.isdecimal() and int(text) >= 1):
            raise ValueError("takes a whole number from 1 on, or auto")
        return text if text == "auto" else int(text)

    @field_validator("browser_args", mode="before")
    @classmethod
    def _shell_split(cls, value: Any) -> Any:
        return shlex.split(value) if isinstance(value, str) else value

    @field_validator("browser_args")
    @classmethod
    def _ours_alone(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        taken = next((arg for arg in value if arg.lower().lstrip("-").startswith(_NOT_FOR_OPERATORS)), None)
        if taken is not None:
            raise ValueError(f"cannot take {taken.partition('=')[0]}: it would open the accounts' browsers to others")
        return value

    @field_validator("proxy_url")
    @classmethod
    def _proxy(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            proxy = parse_proxy(value.get_secret_value())
            if proxy.scheme == "socks5" and proxy.user:
                raise ValueError(
                    "cannot be SOCKS5 with a password, which Chromium does not speak: name the proxy's HTTP port, or"
                    " let this machine in without one"
                )
        return value

    @property
    def proxy(self) -> Proxy | None:
        """PROXY_URL, parsed."""
        return None if self.proxy_url is None else parse_proxy(self.proxy_url.get_secret_value())

    @field_validator("log_level", "log_format", "takeover", "dialogs", mode="before")
    @classmethod
    def _any_case(cls, value: Any, info: Any) -> Any:
        return value.upper() if info.field_name == "log_level" else value.lower()

    @field_validator("default_region")
    @classmethod
    def _region(cls, value: str | None) -> str | None:
        if value is not None and not (len(value) == 2 and value.isalpha()):  # noqa: PLR2004 - ISO 3166 alpha-2
            raise ValueError("takes a two-letter country code such as DE")
        return value.upper() if value else None

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, value: str | None) -> str | None:
        if not value:
            return None
        try:
            return ZoneInfo(value).key
        except (KeyError, ValueError, OSError):  # missing, not a name, a folder
            raise ValueError("takes the name of a time zone such as Europe/Berlin") from None

    @field_validator("telegram_api_url", "whatsapp_web_url")
    @classmethod
    def _address(cls, value: str) -> str:
        _refuse_incomplete(value, "https://web.whatsapp.com/")
        return value

    @field_validator("telegram_proxy")
    @classmethod
    def _telegrams_proxy(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse_proxy(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        _refuse_proxies_of_environment()
        if not self.telegram_admin_ids:
            raise SettingsError("TELEGRAM_ADMIN_IDS: at least one Telegram user id is needed, e.g. 123456789")
        if not self.reconnect_delays:
            raise SettingsError("RECONNECT_DELAYS: at least one number of seconds is needed, e.g. 1,2,4,8,16,30")
        if self.keep_alive_seconds + self.probe_timeout_seconds >= self.stale_after_seconds:
            raise SettingsError(
                "STALE_AFTER_SECONDS: must be more than KEEP_ALIVE_SECONDS and PROBE_TIMEOUT_SECONDS together, or "
                "accounts that are well would be taken for stale"
            )
        return self

    def secrets(self) -> Iterator[str]:
        """Yield whatever must never be shown: each secret, and the parts of one that is an address."""
        for value in (getattr(self, name) for name in type(self).model_fields):
            for each in value if isinstance(value, tuple) else (value,):
                if isinstance(each, SecretStr):
                    yield from parts_of_secret(each.get_secret_value())

    def policy(self) -> Policy:
        """Return the lifecycle's policy."""
        return Policy(
            delays=self.reconnect_delays,
            max_attempts=self.max_reconnect_attempts,
            breaker_threshold=self.breaker_threshold,
            breaker_cooldown=self.breaker_cooldown_seconds,
            suspended_retry=self.suspended_retry_seconds,
            qr_debounce=self.qr_debounce_seconds,
            qr_timeout=self.qr_timeout_seconds,
            health_check=self.health_check_seconds,
            probe_timeout=self.probe_timeout_seconds,
            keep_alive=self.keep_alive_seconds,
            stale_after=self.stale_after_seconds,
            stable_after=self.stable_after_seconds,
            connect_timeout=self.connect_timeout_seconds,
            sync_timeout=self.sync_timeout_seconds,
            takeover=self.takeover,
            dialogs=self.dialogs,
        )


def _refuse_incomplete(address: str, example: str) -> None:
    """Raise ValueError if it is no web address with a host."""
    if any(map(str.isspace, address)):
        raise ValueError("has a space in it, which no address has")
    if not address.startswith(("http://", "https://")):
        raise ValueError("takes an address that begins with http:// or https://")
    try:
        parts = urlsplit(address)
        is_whole = bool(parts.hostname and parts.hostname.encode("idna")) and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole:
        raise ValueError(f"takes an address with a host, such as {example}")


def _refuse_proxies_of_environment() -> None:
    """Raise SettingsError for a proxy that our HTTP library refuses, whichever part would meet it first."""
    found = getproxies_environment()
    for scheme in {"http", "https", "all"} & set(found):
        address = found[scheme].replace("socks5h://", "socks5://", 1)
        try:
            parse_proxy(address if "://" in address else f"http://{address}")
        except ValueError as error:
            raise SettingsError(f"The proxy in the environment ({scheme.upper()}_PROXY): {error}") from None


class _Files:
    """The file of settings chosen on the command line, if any."""

    chosen: Path | None = None


def choose_env_file(path: Path | None) -> None:
    """Read settings from this file from now on (`--env-file`); None to search for one. Raises SettingsError."""
    if path is not None and not path.is_file():
        raise SettingsError(f"--env-file: {path} is no file")
    _Files.chosen = path


def read_settings(env_file: Path | None = None) -> Settings:
    """Read the settings. Raises SettingsError with one line, naming every wrong variable."""
    return _read(Settings, env_file)


def read_profile_settings() -> ProfileSettings:
    """Read where sessions are stored. Raises SettingsError."""
    return _read(ProfileSettings)


def read_host_settings() -> HostSettings:
    """Read what `switchboard host` needs. Raises SettingsError."""
    return _read(HostSettings)


def _read(kind: type[S], env_file: Path | None = None) -> S:
    env_file = find_env_file(env_file or _Files.chosen)
    try:
        if env_file is not None and env_file.is_file() and b"\0" in env_file.read_bytes():  # or text of 16 bits
            raise SettingsError(f"{env_file} cannot be read: it is not UTF-8")
        known = {name.upper() for name in Settings.model_fields}
        if unknown := unknown_names(known, env_file, os.environ):
            raise SettingsError(
                "; ".join(
                    f"{ascii(name)[1:-1]}: there is no such setting, the nearest is {right}" for name, right in unknown
                )
            )
        return kind(_env_file=env_file, **defaults_for(env_file))
    except ValidationError as error:
        raise SettingsError("; ".join(_told(problem) for problem in error.errors())) from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError(f"{env_file} cannot be read: {why}") from None


def log_format() -> str:
    """Return LOG_FORMAT, or `console`, so that even errors in the settings are logged in that format."""
    try:
        in_file = dotenv_values(find_env_file(_Files.chosen)).get("LOG_FORMAT")
    except (OSError, UnicodeDecodeError):
        in_file = None
    return "json" if trimmed(os.environ.get("LOG_FORMAT") or in_file or "").lower() == "json" else "console"


def has_token() -> bool:
    """Return whether a bot token is set in the environment or in `.env`."""

    class _Token(BaseSettings):
        model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore")
        telegram_bot_token: str = ""

    try:
        return bool(trimmed(_Token().telegram_bot_token))
    except (OSError, UnicodeDecodeError):
        return True  # there is a `.env`; the program itself will report what is wrong with it


def _told(problem: Any) -> str:
    name = str(problem["loc"][0]).upper() if problem["loc"] else ""
    if problem["type"] == "missing":
        return f"{name}: is not set"
    message = str(problem["msg"]).removeprefix("Value error, ")
    if not name:
        return message
    given = "" if name in _SECRETS else f" (it is {os.environ.get(name, problem.get('input'))!r})"
    return f"{name}: {message[:1].lower()}{message[1:]}{given}"
