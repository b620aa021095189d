"""Enforces the end of a lease in the kernel: a timer that kills this process, whatever state it is in.

A process that hangs, is stopped or gets no CPU cannot end itself in time, nor can one on a suspended machine before it
resumes. So a CLOCK_BOOTTIME timer sends SIGKILL to this process: this works on a stopped one, and after a suspension
the timer fires before any program continues. The kernel ends its browsers along with it (`launcher`, --kill).
Linux only.
"""

import ctypes
import os
import signal
import time

_ABSOLUTE = 1  # TIMER_ABSTIME
_SIGNAL = 0  # SIGEV_SIGNAL


def boot_time() -> float:
    """Return the seconds since this machine booted, including suspension."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class _Time(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Setting(ctypes.Structure):
    _fields_ = (("interval", _Time), ("value", _Time))


class _Event(ctypes.Structure):
    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("rest", ctypes.c_char * 48),
    )


class Deadline:
    """Kills this process at a time that can be changed. Raises OSError if the kernel has no such timer."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._timer = ctypes.c_void_p()
        event = _Event(None, signal.SIGKILL, _SIGNAL)
        self._check(
            self._libc.timer_create(time.CLOCK_BOOTTIME, ctypes.byref(event), ctypes.byref(self._timer)),
        )

    def set(self, at: float) -> None:
        """Change the time. at: on the clock of `boot_time`; a time in the past kills at once."""
        value = _Time(int(at), max(1, int(at % 1 * 1e9)))
        setting = _Setting(_Time(0, 0), value)
        self._check(self._libc.timer_settime(self._timer, _ABSOLUTE, ctypes.byref(setting), None))

    def cancel(self) -> None:
        """Disarm the timer."""
        self._check(self._libc.timer_delete(self._timer))

    @staticmethod
    def _check(result: int) -> None:
        if result:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))
