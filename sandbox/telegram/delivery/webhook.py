"""Updates pushed to the bot's own server.

Contents: the task that delivers updates to a webhook one by one, with retries. Not here:
polling.
"""

import asyncio
from http import HTTPStatus

import aiohttp

from sandbox.telegram.delivery.updates import Update, Updates, Webhook
from sandbox.telegram.world import World

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the header's name
DEADLINE = 10.0
RETRIES = (0.2, 0.5, 1.0, 2.0, 5.0)


async def deliver_for_ever(world: World) -> None:
    """Push pending updates whenever a webhook is set; the caller cancels it."""
    updates = world.updates
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=DEADLINE)) as session:
        failures = 0
        while True:
            updates.pushed.clear()
            webhook = updates.webhook
            if not webhook.url or not updates.pending:
                await updates.pushed.wait()
                continue
            if await _delivered(session, world, webhook, updates.pending[0]):
                failures = 0
                continue
            await asyncio.sleep(RETRIES[min(failures, len(RETRIES) - 1)])
            failures += 1


async def _delivered(session: aiohttp.ClientSession, world: World, webhook: Webhook, update: Update) -> bool:
    headers = {SECRET_HEADER: webhook.secret_token} if webhook.secret_token else {}
    try:
        async with session.post(webhook.url, json=update.to_json(), headers=headers) as answer:
            await answer.read()
            problem = None
            if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
                problem = f"Wrong response from the webhook: {answer.status} {answer.reason}"
    except (aiohttp.ClientError, TimeoutError) as error:
        problem = "Connection timed out" if isinstance(error, TimeoutError) else "Connection refused"
    if problem is None:
        _confirm(world.updates, update)
        return True
    webhook.last_error_at, webhook.last_error = world.now(), problem
    return False


def _confirm(updates: Updates, update: Update) -> None:
    updates.pending = [pending for pending in updates.pending if pending.number != update.number]
