"""The table of Bot API methods.

Contents: the table, and what is passed to a method function. Not here: any method.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sandbox.telegram.params import Params
from sandbox.telegram.world import World


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a method: the state it acts on and its parameters."""

    world: World
    params: Params


Method = Callable[[Call], Any | Awaitable[Any]]
METHODS: dict[str, Method] = {}
_NAMES: dict[str, str] = {}


def method(name: str) -> Callable[[Method], Method]:
    """Register a function as the Bot API's method `name`; names are case-insensitive."""

    def register(function: Method) -> Method:
        METHODS[name.lower()] = function
        _NAMES[name.lower()] = name
        return function

    return register


def canonical_name(given: str) -> str:
    """Return the name as documented, or `given` if there is no such method."""
    return _NAMES.get(given.lower(), given)
