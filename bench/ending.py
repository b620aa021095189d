"""Ends what a bench has started, when it is itself told to end: browsers left over would spoil the next measurement."""

import contextlib
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import psutil

from controller.host.reaper import adopt_orphans

SIGNALS = (signal.SIGTERM, signal.SIGHUP)
"""Handled like SIGINT, for which asyncio unwinds what runs."""
ROUNDS = 20
"""So often is looked for processes that others started meanwhile, half a second apart."""


@contextmanager
def ends_children() -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP unwind a bench; kill whatever descends from it at its end. Also a decorator.

    Raises SystemExit if it was a signal that ended it. Orphans are adopted, so that none escapes by its parent's death.
    """
    adopt_orphans()
    told: list[int] = []

    def unwind(number: int, _frame: FrameType | None) -> None:
        told.append(number)
        signal.raise_signal(signal.SIGINT)

    # In the background of a script SIGINT is ignored, and asyncio replaces only Python's own handler.
    before = {signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler)}
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            before[number] = signal.signal(number, unwind)
    try:
        yield
    except KeyboardInterrupt:
        raise SystemExit(128 + (told or [signal.SIGINT])[0]) from None
    finally:
        _kill_children()
        for number, handler in before.items():
            signal.signal(number, handler)


def _kill_children() -> None:
    for _ in range(ROUNDS):
        if not (children := psutil.Process().children(recursive=True)):
            return
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(children, timeout=0.5)
