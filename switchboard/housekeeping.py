"""Periodic deletion of old data: history (HISTORY_DAYS), strangers, unused profiles.

docs/deploy.md lists what is deleted when. What is deleted is gone for good, so its age is never taken from the host's
clock alone, which may be years ahead.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

from controller.chromium.profile.tidy import tidy
from controller.chromium.profile.vault import Vault
from handlers.texts.vocabulary import count
from storage.retention import Retention

log = logging.getLogger(__name__)

FIRST_SECONDS = 60.0
EVERY_SECONDS = 6 * 3600.0
STRANGERS_DAYS = 90
"""How long reported strangers are remembered."""
STRANGE = (
    "⚠️ <b>DATA_DIR holds {}, and none belongs to an account that I know.</b>\n"
    "Was its database copied without its -wal file, or another database or names.key put there? I delete none of them. "
    "To go on with them, stop, and put the right files back, or restore a backup (switchboard restore-backup)."
)


class Housekeeping:
    """Deletes old data. Call `run` as a task. history_days: 0 keeps history for ever.

    confirmed_time: returns the time, None as long as it is not confirmed: then nothing is deleted. notify: sends admins
    a message (HTML).
    """

    def __init__(
        self,
        retention: Retention,
        vault: Vault,
        data_dir: Path,
        history_days: int,
        *,
        confirmed_time: Callable[[], datetime | None],
        notify: Callable[[str], Awaitable[None]],
    ) -> None:
        self._retention, self._vault, self._data_dir = retention, vault, data_dir
        self._history_days, self._confirmed_time, self._notify = history_days, confirmed_time, notify
        self._is_notified = False

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
        strange = await asyncio.to_thread(tidy, self._data_dir, self._vault, numbers, now)
        if strange and not self._is_notified:
            self._is_notified = True
            log.error("The sessions in DATA_DIR, %d, belong to no account here; none is deleted", strange)
            await self._notify(STRANGE.format(count(strange, "session")))
