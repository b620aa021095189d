"""One line per minute about all accounts' keep-alives; those of each account are logged at DEBUG."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from controller.accounts.status import Status
from controller.manager import utc_now

log = logging.getLogger(__name__)

EVERY = 60.0


async def log_keep_alives(
    statuses: Callable[[], Sequence[Status]], answered_within: float, *, clock: Callable[[], datetime] = utc_now
) -> None:
    """Log until cancelled, while accounts are connected.

    answered_within: an account counts as answered if its server was alive within so many seconds.
    """
    while True:
        await asyncio.sleep(EVERY)
        connected = [status for status in statuses() if status.is_connected]
        now = clock()
        ages = [(now - one.last_activity).total_seconds() for one in connected if one.last_activity is not None]
        answered = sum(age <= answered_within for age in ages)
        if connected:
            many = "1 account" if len(connected) == 1 else f"{len(connected)} accounts"
            log.info("Keep-alive heartbeat: %s, %d answered", many, answered)
