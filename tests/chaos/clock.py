"""The unmodified program on a wall clock that stands still while the file named by CHAOS_CLOCK exists.

Run as `python -m tests.chaos.clock` in place of `python -m tests.chaos.inside`. libfaketime can stop a clock too,
but also stops threads' waits.
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
    if not _file.exists():
        _stood_at.clear()
        return _real_time()
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
