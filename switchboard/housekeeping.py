"""Periodic deletion of old data: history (HISTORY_DAYS), strangers, unused profiles.

docs/deploy.md lists what is deleted when. What is deleted is gone for good, so its age is never taken from the host's
clock alone, which may be years ahead.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from controller.chromium.profile.tidy import tidy
from controller.chromium.profile.vault import Vault
from storage.retention import Retention

log = logging.getLogger(__name__)

FIRST_SECONDS = 60.0
EVERY_SECONDS = 6 * 3600.0
STRANGERS_DAYS = 90
"""How long reported strangers are remembered."""


class Housekeeping:
    """Deletes old data. Call `run` as a task. history_days: 0 keeps history for ever.

    confirmed_time: returns the time, None as long as it is not confirmed: then nothing is deleted.
    """

    def __init__(
        self,
        retention: Retention,
        vault: Vault,
        data_dir: Path,
        history_days: int,
        *,
        confirmed_time: Callable[[], datetime | None],
    ) -> None:
        self._retention, self._vault, self._data_dir = retention, vault, data_dir
        self._history_days, self._confirmed_time = history_days, confirmed_time

    async def run(self) -> None:
        """Delete what is due periodically, until cancelled."""
        await asyncio.sleep(FIRST_SECONDS)
        while True:
            now = self._confirmed_time()
            if now is not None:
                await self._delete(now)
            await asyncio.sleep(FIRST_SECONDS if now is None else EVERY_SECONDS)

    async def _delete(self, now: datetime) -> None:
        for work in (self._rows, self._folders):
            try:
                await work(now)
            except OSError as error:
                log.warning("Housekeeping: %s; tried again later", error)
            except Exception:
                log.exception("Housekeeping ended by a bug; tried again later")

    async def _rows(self, now: datetime) -> None:
        if self._history_days:
            deleted = await self._retention.delete_history(now, timedelta(days=self._history_days))
            if deleted:
                log.info("Deleted %d rows of history older than %d days", deleted, self._history_days)
        await self._retention.delete_strangers(now - timedelta(days=STRANGERS_DAYS))

    async def _folders(self, now: datetime) -> None:
        numbers = await self._retention.accounts()
        await asyncio.to_thread(tidy, self._data_dir, self._vault, numbers, now)
