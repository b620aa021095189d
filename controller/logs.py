"""What the program writes: one line for each thing that happens, as text or JSON, with no secret in it.

Secrets are taken out here as the last line of defence, whoever wrote them: the bot's token wherever it stands,
also in the addresses that HTTP libraries log and in tracebacks.
"""

import json
import logging
import re
import sys
from datetime import UTC, datetime

TOKEN = re.compile(r"\b\d{5,}:[A-Za-z0-9_-]{20,}")
"""What a Telegram bot token looks like."""

_NOISY = ("httpx", "httpcore", "asyncio", "telegram", "apscheduler", "aiosqlite", "PIL")


class _Redacting(logging.Formatter):
    """Formats a record, and takes out every token."""

    def format(self, record: logging.LogRecord) -> str:
        return TOKEN.sub("<token>", super().format(record))


class _Json(_Redacting):
    """One JSON object for each record: at (ISO 8601, UTC), level, logger, message, and error where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            told["error"] = self.formatException(record.exc_info)
        return TOKEN.sub("<token>", json.dumps(told, ensure_ascii=False))


def set_up_logging(level: str, kind: str) -> None:
    """Send every record of at least `level` to standard error, as `console` lines or as `json` objects."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if kind == "json" else _Redacting("%(asctime)s %(levelname)-7s %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
