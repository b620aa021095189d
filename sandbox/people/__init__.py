"""The page for people: Telegram chats on the left, phones on the right, everything that can go wrong within reach.

Contents: a small server and the page it serves. Not here: the stand-ins, the product, and anything that
runs without somebody's click.
"""

from sandbox.people.server import PeoplePage

__all__ = ["PeoplePage"]
