"""Finds the file of settings in every layout described in the docs, and detects misspelt names in it.

The settings themselves are in `settings`.
"""

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from dotenv import dotenv_values

LOCAL = Path(".env")
SYSTEM = Path("/etc/switchboard.env")
"""The service's file, as installed by docs/deploy.md; commands typed by a person read it too."""
SYSTEM_DATA_DIR = Path("/var/lib/switchboard")
"""The service's DATA_DIR, which is set in its unit, not in that file."""

_ALIKE_IN_FILE, _ALIKE_AROUND = 0.75, 0.87
"""Similarity (0 to 1) above which a name counts as misspelt. The environment also has other programs' names."""
_LIKE_A_KEY = 16
"""Characters of a path or query that may hold a key; a shorter one, such as a topic, is a word that logs have too."""
_OTHERS = ("PLAYWRIGHT_", "PW_", "PTB_", "CHROME_", "CHROMIUM_FLAGS", "PYTHON", "SSL_", "LC_")


def find_env_file(chosen: Path | None = None) -> Path | None:
    """Return the file of settings: the chosen one, the folder's `.env`, or the service's if it is readable."""
    if chosen is not None:
        return chosen
    if os.path.exists(LOCAL):  # noqa: PTH110 - Path.exists raises in a folder that this user may not search
        return LOCAL
    return SYSTEM if os.access(SYSTEM, os.R_OK) else None


def trimmed(text: str, *, quotes: bool = True) -> str:
    """Return a value without spaces and line ends around it, and without one pair of quotes around all of it.

    Docker passes on the quotes in a file for `--env-file`, and a file written on Windows has other line ends.
    """
    text = _stripped(text)
    inner = text[1:-1]
    if quotes and len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" and text[0] not in inner:
        return _stripped(inner)
    return text


def _stripped(text: str) -> str:
    """Return text without spaces, line ends and invisible characters around it."""
    seen = [place for place, sign in enumerate(text) if sign.isprintable() and not sign.isspace()]
    return text[seen[0] : seen[-1] + 1] if seen else ""


def invisible(text: str) -> str:
    """Return which character of a text nobody can see, such as U+200B, and which is no space; "" if there is none.

    They are pasted along from web pages and chats.
    """
    return next((f"U+{ord(sign):04X}" for sign in text if not (sign.isprintable() or sign.isspace())), "")


def parts_of_secret(secret: str) -> Iterator[str]:
    """Yield a secret and, if it is an address, what a library may quote of it: user, password, path, query."""
    yield secret
    _, is_address, rest = secret.partition("://")
    if not is_address:
        return
    login, has_login, place = rest.rpartition("@")
    if has_login:
        yield login
        password = login.partition(":")[2]
        yield from (password, unquote(password))
    yield from (part for part in place.partition("/")[2].split("?") if len(part) >= _LIKE_A_KEY)


def defaults_for(env_file: Path | None) -> dict[str, Any]:
    """Return defaults implied by a file's layout, by the settings' names in lower case."""
    if env_file != SYSTEM or not SYSTEM_DATA_DIR.is_dir():
        return {}
    given = {name.upper() for name in (*os.environ, *dotenv_values(SYSTEM))}
    return {} if "DATA_DIR" in given else {"data_dir": str(SYSTEM_DATA_DIR)}


def unknown_names(known: Iterable[str], env_file: Path | None, around: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return each name that resembles one of ours but is not, with the closest right one. Raises OSError.

    known: in upper case. around: the environment.
    """
    known = sorted(known)
    in_file = dotenv_values(env_file) if env_file is not None and env_file.exists() else {}
    found: dict[str, str] = {}
    for names, alike in ((in_file, _ALIKE_IN_FILE), (around, _ALIKE_AROUND)):
        for name in names:
            upper = name.upper()
            if upper in known or upper.startswith(_OTHERS) or upper.endswith("_PROXY") or name in found:
                continue
            if nearest := difflib.get_close_matches(upper, known, n=1, cutoff=alike):
                found[name] = nearest[0]
    return list(found.items())
