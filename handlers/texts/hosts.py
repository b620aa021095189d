"""What people read about the machines that run browsers."""

from collections.abc import Sequence

from controller.hosts import HostState, HostUsage
from handlers.chat.messages import escape

ONE_MACHINE = "There is only this one machine. docs/cluster.md says how to add others."
NONE_YET = "No host has joined yet."
HOW_TO_DRAIN = "Say which host, such as /drain b; /drain b off lets it be filled again. /hosts lists them."
_SIGNS = {HostState.UP: "🟢", HostState.DRAINING: "🟡", HostState.LOST: "🔴"}
_WORDS = {HostState.UP: "up", HostState.DRAINING: "being drained", HostState.LOST: "does not answer"}
_GIB = 1 << 30


def listed(usage: Sequence[HostUsage]) -> str:
    """Return all machines as HTML, one to a line."""
    return "\n".join(map(_line, usage)) if usage else NONE_YET


def _line(host: HostUsage) -> str:
    of = "" if host.capacity is None else f" of {host.capacity}"
    parts = [f"{_SIGNS[host.state]} <b>{escape(host.name)}</b> {_WORDS[host.state]}", _accounts(host.accounts, of)]
    if host.state is not HostState.LOST:
        parts += [
            f"{free / _GIB:.1f} GB of {what} free"
            for what, free in (("memory", host.free_memory), ("disk", host.free_disk))
            if free is not None
        ]
        parts += [f"version {escape(host.build)}"] if host.build else []
    return ", ".join(parts)


def unknown(name: str) -> str:
    """Return that there is no such machine."""
    return f"There is no host “{escape(name)}”. /hosts lists them."


def filled_again(name: str) -> str:
    """Return that a machine takes accounts again."""
    return f"Host <b>{escape(name)}</b> takes accounts again. Those that run elsewhere stay there."


def draining(name: str, moved: int, total: int, last: str = "") -> str:
    """Return how far a drain is. last: the last move, as HTML."""
    if not total:
        return f"Host <b>{escape(name)}</b> is drained: nothing ran there, and nothing is placed there any more."
    tail = f"\n{last}" if last else ""
    return f"Draining host <b>{escape(name)}</b>: {moved} of {_accounts(total)} moved.{tail}"


def moved(title: str, host: str, seconds: float) -> str:
    """Return one move. title: the account, as HTML."""
    return f"{title} moved to host {escape(host)} in {seconds:.0f} s."


def closed(title: str) -> str:
    """Return that an account had nothing open any more. title: the account, as HTML."""
    return f"{title} is closed."


def drained(name: str, moved: int, stayed: Sequence[str], last: str = "") -> str:
    """Return how a drain ended. stayed: accounts that are not connected elsewhere yet; last: the last move; as HTML."""
    tail = f"\n{last}" if last else ""
    if not stayed:
        return (
            f"Host <b>{escape(name)}</b> is drained: {_accounts(moved)} moved. Nothing is placed there until "
            f"/drain {escape(name)} off.{tail}"
        )
    return (
        f"Host <b>{escape(name)}</b>: {_accounts(moved)} moved. Not connected elsewhere yet, but tried on: "
        f"{', '.join(stayed)}.{tail}"
    )


def _accounts(number: int, of: str = "") -> str:
    return f"{number}{of} {'account' if number == 1 and not of else 'accounts'}"
