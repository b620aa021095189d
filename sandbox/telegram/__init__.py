"""A stand-in for Telegram: the Bot API over HTTP, with people operated over HTTP or in process.

Contents: everything that bots see of Telegram, in memory. Not here: the product's own code, and any bot
library. Tests start with `TelegramStandIn`, people with `python -m sandbox telegram`.
"""

from sandbox.telegram.budgets import Limits
from sandbox.telegram.server import TelegramStandIn

__all__ = ["Limits", "TelegramStandIn"]
