"""The unmodified program on a wall clock that others move, by the file named by CHAOS_CLOCK.

Without the file the clock is right; while it is empty the clock stands still; a number in it is by how many seconds the
clock is ahead. Run as `python -m tests.chaos.clock` in place of `python -m tests.chaos.inside`. Not by libfaketime:
that ends threads' waits when it stops a clock, and makes every `time.sleep` fail (EINVAL) when it leaves the monotonic
clock alone.
"""

import datetime as dt
import importlib
import os
import sys
import time
from pathlib import Path
from typing import Any

_real_datetime, _real_time = dt.datetime, time.time
_file = Path(os.environ["CHAOS_CLOCK"])
_stood_at: list[float] = []


def _now() -> float:
    try:
        ahead = _file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        ahead = "0"
    if ahead:
        _stood_at.clear()
        return _real_time() + float(ahead)
    if not _stood_at:
        _stood_at.append(_real_time())
    return _stood_at[0]


class _AnyDatetime(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, _real_datetime)


class _Datetime(_real_datetime, metaclass=_AnyDatetime):
    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return _real_datetime.fromtimestamp(_now(), tz)


dt.datetime, time.time = _Datetime, _now

if __name__ == "__main__":
    sys.exit(importlib.import_module("tests.chaos.inside").main(sys.argv[1:]))
