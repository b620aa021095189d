"""The Bot API's methods, one function each, registered by name.

Contents: reading a call's parameters and returning JSON. Not here: HTTP, and the rules of the state
(`posting`, `world`, `updates`).
"""

from sandbox.telegram.methods import bot, chats, messages
from sandbox.telegram.methods.registry import METHODS, Call, canonical_name

__all__ = ["METHODS", "Call", "bot", "canonical_name", "chats", "messages"]
