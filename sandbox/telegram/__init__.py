"""A stand-in for Telegram: the Bot API over HTTP, with people who are played over HTTP or in process.

Contents: everything that bots see of Telegram, kept in memory. Not here: the product's own code, and any
library made for bots. `TelegramStandIn` is the way in for tests, `python -m sandbox telegram` for people.
"""

from sandbox.telegram.budgets import Limits
from sandbox.telegram.server import TelegramStandIn

__all__ = ["Limits", "TelegramStandIn"]
