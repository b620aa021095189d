"""Logging: one line per event, as text or JSON, with all secrets redacted.

This is the last line of defence, whoever wrote the message: the bot's token is removed wherever it occurs, including
in URLs logged by HTTP libraries and in tracebacks, and so are linking codes. Control characters are escaped: a record
is one line, and text from a page or a person can neither start another one nor colour the terminal.

Only a thread of its own waits for whoever reads the log: journald, a container's log driver or a terminal (Ctrl-S) may
stand still, and the event loop must not.
"""

import copy
import errno
import json
import logging
import os
import queue
import re
import select
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from types import TracebackType
from typing import TextIO, TypeAlias

_SECRETS = (
    # A bot's token, also directly after "/bot" in a URL, where no word boundary is.
    (re.compile(r"(?<!\d)\d{5,}(?::|%3A)[A-Za-z0-9_-]{20,}", re.IGNORECASE), "<token>"),
    # A linking code: its ref with everything after it, and each of its keys by itself (32 bytes in base64).
    (re.compile(r"\d@[A-Za-z0-9+/=_-]{16,}(?:,[^\s,]+)*"), "<code>"),
    (re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{43}="), "<key>"),
    # An account's number as the name of its folder or file, as in the system's errors.
    (re.compile(r"((?:profiles|saved|run)/\.?)\d{3,11}(\d{4})(?!\d)"), r"\1•••\2"),
)
_NUMBERS = (
    re.compile(r"\+\d{3,11}(\d{4})(?!\d)"),
    re.compile(r"(?<![\da-f])00\d{3,11}(\d{4})(?![\da-f])", re.IGNORECASE),  # not within a hexadecimal name
    re.compile(r"(?<!\d)\d{3,11}(\d{4})(?=(?::\d+)?@(?:c\.us|s\.whatsapp\.net|lid))"),
)
"""Phone numbers as libraries write them: in a WhatsApp address, or with a plus or 00."""
_hidden: list[str] = []
"""Secrets of the settings, the longest first."""
_LEAST_HIDDEN = 6
"""Characters; something shorter would be found within other words."""
_UNSEEN = (*range(0x20), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))
"""Control characters of terminals, line ends, and characters that change the writing direction."""
_VISIBLE = {sign: (f"\\x{sign:02x}" if sign <= 0xFF else f"\\u{sign:04x}") for sign in _UNSEEN}  # noqa: PLR2004 - a byte
_VISIBLE[ord("\n")] = "\\n"
_ESCAPED = {sign: f"\\u{sign:04x}" for sign in _UNSEEN}

_TRUSTED = frozenset({"switchboard", "controller", "handlers", "storage", "sandbox", "root", "asyncio", "py"})
"""Top-level names of loggers that are logged verbatim. Libraries' records may contain anything."""
_LONG = 500
"""The longest record of a library, in characters."""

_SHORTAGES = {
    errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO,
}  # fmt: skip
"""What the system is short of, or refuses for good: no bug, and no traceback tells more than its words."""
_REPEAT_SECONDS = 60.0
"""Seconds for which the same shortage in the same place is one line: what meets it, meets it again at once."""

_MOST_WAITING = 10_000
"""Records that are kept while nobody reads the log."""
_FLUSH_SECONDS = 1.0

_NOISY = ("httpx", "httpcore", "asyncio", "telegram", "apscheduler", "aiosqlite", "PIL")

_Raised: TypeAlias = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)  # what sys.exc_info() returns


def hide(secrets: Iterable[str]) -> None:
    """Remove these texts, too, from whatever is logged from now on: a library may quote an address or a password."""
    _hidden[:] = sorted({*_hidden, *(each for each in secrets if len(each) >= _LEAST_HIDDEN)}, key=len, reverse=True)


def redacted(text: str) -> str:
    """Remove every token, linking code and hidden secret from text, and mask numbers in paths of accounts."""
    for secret, instead in _SECRETS:
        text = secret.sub(instead, text)
    for known in _hidden:
        text = text.replace(known, "<secret>")
    return text


def one_line(text: str) -> str:
    """Escape all invisible characters in text, including line ends."""
    return text.translate(_VISIBLE)


def masked(text: str) -> str:
    """Mask all but the last four digits of each phone number in text."""
    for number in _NUMBERS:
        text = number.sub(r"•••\1", text)
    return text


def _shortage(record: logging.LogRecord) -> OSError | None:
    error = record.exc_info[1] if record.exc_info else None
    return error if isinstance(error, OSError) and error.errno in _SHORTAGES else None


class _Repeated(logging.Filter):
    """Drops what is said of the same shortage in the same place within a minute."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[object, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write the record."""
        error, now = _shortage(record), time.monotonic()
        if error is None:
            return True
        self._said = {each: at for each, at in self._said.items() if now - at < _REPEAT_SECONDS}
        place = record.name, record.pathname, record.lineno, _first_line(record), error.errno
        if place in self._said:
            return False
        self._said[place] = now
        return True


def _first_line(record: logging.LogRecord) -> str:
    return record.getMessage().partition("\n")[0]


class _Queued(QueueHandler):
    """Gives formatted records to a thread that writes them. Those for which there is no room are counted."""

    queue: "queue.Queue[logging.LogRecord | None]"

    def __init__(self, stream: TextIO) -> None:
        super().__init__(queue.Queue(_MOST_WAITING))
        self._missing = 0
        self._writer = _Writer(self.queue, stream)
        self._writer.start()

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            if self._missing:
                text, known = "%d lines are missing here: nobody read the log", (self._missing,)
                note = logging.LogRecord(__name__, logging.WARNING, "", 0, text, known, None)
                self.queue.put_nowait(self.prepare(note))
                self._missing = 0
            self.queue.put_nowait(record)
        except queue.Full:
            self._missing += 1

    def flush(self) -> None:
        """Wait until everything is written, but not for long."""
        done = self.queue.all_tasks_done
        with done:
            done.wait_for(lambda: not self.queue.unfinished_tasks, _FLUSH_SECONDS)

    def close(self) -> None:
        with suppress(queue.Full):
            self._writer.enqueue_sentinel()
        super().close()


class _Writer(QueueListener):
    """Writes past the stream's buffer, whose lock Python would need at its end, while this may be waiting."""

    def __init__(self, records: "queue.Queue[logging.LogRecord | None]", stream: TextIO) -> None:
        super().__init__(records)
        self._descriptor, self._encoding = stream.fileno(), stream.encoding

    def handle(self, record: logging.LogRecord) -> None:
        line = f"{record.msg}\n".encode(self._encoding, "backslashreplace")
        while line:
            try:
                line = line[os.write(self._descriptor, line) :]
            except BlockingIOError:  # whoever else writes to it made it so
                select.select([], [self._descriptor], [])
            except OSError:  # it is closed, or its disk is full
                return


class _Console(logging.Formatter):
    """One line per record, with an ISO 8601 time including the UTC offset; a traceback follows indented.

    So no line of a traceback can be mistaken for a record.
    """

    full_numbers = False

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802, ARG002 - the library's
        return datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")

    def format(self, record: logging.LogRecord) -> str:
        text = redacted(super().format(_tamed(record)))
        return text if self.full_numbers else masked(text)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        return one_line(super().formatMessage(record))

    def formatException(self, ei: _Raised) -> str:  # noqa: N802 - the library's name
        return "\n".join(f"    {one_line(line)}" for line in super().formatException(ei).split("\n"))


class _Json(logging.Formatter):
    """One JSON object per record: at (ISO 8601, UTC), level, logger, message, and error if there is one."""

    full_numbers = False

    def format(self, record: logging.LogRecord) -> str:
        record = _tamed(record)
        fields = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": redacted(record.getMessage()),
        }
        if record.exc_info:
            fields["error"] = redacted(self.formatException(record.exc_info))
        if not self.full_numbers:
            fields = {name: text if name == "at" else masked(text) for name, text in fields.items()}
        return json.dumps(fields, ensure_ascii=False).translate(_ESCAPED)


def _tamed(record: logging.LogRecord) -> logging.LogRecord:
    """Return a library's record as one line of bounded length, since it may hold a whole update.

    Ours are unchanged, but for the traceback of a shortage.
    """
    if (shortage := _shortage(record)) is not None:
        record = copy.copy(record)
        record.msg, record.args = f"{_first_line(record)}: {shortage.strerror}", ()
        record.exc_info = record.exc_text = record.stack_info = None
    if record.name.partition(".")[0] in _TRUSTED:
        return record
    text = record.getMessage()
    if record.exc_info and record.exc_info[1] is not None:
        text += f" ({type(record.exc_info[1]).__name__}: {record.exc_info[1]})"
    tamed = copy.copy(record)
    tamed.msg, tamed.args = text if len(text) <= _LONG else f"{text[:_LONG]}…", ()
    tamed.exc_info = tamed.exc_text = tamed.stack_info = None
    return tamed


def set_up_logging(level: str, kind: str, *, full_numbers: bool = False) -> None:
    """Write every record of at least `level` to standard error, as `console` lines or as `json` objects.

    full_numbers: do not mask phone numbers, not even in records of libraries.

    Warnings and uncaught errors of threads are logged as well; a record that cannot be formatted is dropped.
    """
    flush()
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    with suppress(OSError, RuntimeError):  # a stream without a descriptor; no thread can be started
        handler = _Queued(sys.stderr)
    formatter = _Json() if kind == "json" else _Console("%(asctime)s %(levelname)-7s %(message)s")
    formatter.full_numbers = full_numbers
    handler.setFormatter(formatter)
    handler.addFilter(_Repeated())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False
    threading.excepthook = _note_end_of_thread
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)


def say(line: str) -> None:
    """Write a line that is no record to standard error, behind the records before it."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _Queued):
            handler.enqueue(logging.makeLogRecord({"msg": line}))
            return
    with suppress(OSError):
        sys.stderr.write(f"{line}\n")


def flush() -> None:
    """Wait until everything is written, but not for long: for an end of the process that Python itself does not see."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _Queued):
            handler.flush()


def logs_json() -> bool:
    """Return whether every line must be a JSON object."""
    return any(isinstance(handler.formatter, _Json) for handler in logging.getLogger().handlers)


def _note_end_of_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        logging.getLogger(__name__).error(
            "A thread failed", exc_info=(args.exc_type, args.exc_value, args.exc_traceback)
        )
