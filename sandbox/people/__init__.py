"""The sandbox's web page: Telegram chats on the left, phones on the right, and controls for every failure.

Contents: a small server and the page it serves. Not here: the stand-ins, the product, and anything that
happens without a click.
"""

from sandbox.people.server import PeoplePage

__all__ = ["PeoplePage"]
