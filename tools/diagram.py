"""Generates the parts of the docs that show the program's own tables, and checks that they are up to date.

`python -m tools.diagram` writes, `--check` only compares. Generated are the transitions of `table.TABLE`, as
Mermaid, and the meanings of `reasons.VERDICTS` and the commands of `router.COMMANDS`, as Markdown, between marker lines
in the files of `PAGES`.
Not here: anything that the running program needs.
"""

import argparse
import ast
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from controller.accounts import reasons
from controller.accounts.lifecycle.table import TABLE
from controller.accounts.model import (
    Boot,
    Closed,
    ConfirmNumber,
    DialogStays,
    LoggedOut,
    Phase,
    Recycle,
    Seen,
    SlotGranted,
    Stage,
    Start,
    Stop,
    StopLinking,
    Suspend,
    Timer,
)
from controller.accounts.reasons import VERDICTS, State, Verdict
from controller.accounts.reports import (
    Authenticated,
    Code,
    Dialog,
    DialogClosed,
    Ended,
    Health,
    Identified,
    PasskeyAnswered,
    PasskeyAsked,
    Ready,
    Reloaded,
    Scanned,
    Syncing,
)
from handlers.chat.people import Role
from handlers.telegram.commands.router import COMMANDS

ROOT = Path(__file__).parent.parent

_WORDS: dict[Any, str] = {
    Boot: "program starts",
    Start: "/link or /reconnect",
    Suspend: "/suspend",
    StopLinking: "nobody waits for its code",
    Stop: "program stops",
    SlotGranted: "launch slot free",
    Code: "code to scan",
    Scanned: "scanned",
    PasskeyAsked: "passkey asked",
    PasskeyAnswered: "passkey given",
    Authenticated: "account known",
    Syncing: "chats loading",
    Ready: "ready",
    Ended: "session ended",
    Health: "probes failed",
    Closed: "",  # a start or retry that waited for the earlier browser: it has a label already
    Recycle: "recycled",
    ConfirmNumber: "another account",
    Identified: "another account",
    LoggedOut: "logged out again",
    Reloaded: "page reloaded",
    Dialog: "dialog in the way",
    DialogClosed: "answered",
    DialogStays: "dialog in the way",
    Seen: "deadline passed",
    Timer.DEADLINE: "deadline passed",
    Timer.CODES: "not scanned",
    Timer.PERSON: "deadline passed",
    Timer.SYNC: "deadline passed",
    Timer.ATTEMPT: "deadline passed",
    Timer.STALE: "nothing heard",
    Timer.RETRY: "retry due",
    Timer.COOLDOWN: "cool-down over",
}
"""The label of an edge, by its key in the table."""

_BY_PHASE: dict[tuple[Phase, Any], str] = {
    (State.CONNECTED, Code): "logged out",
}
"""Labels of keys that mean something else in one phase."""

_BY_TARGET: dict[tuple[Any, Phase], str] = {
    (Ended, State.DISCONNECTED): "session lost",
    (Ended, State.ERROR): "failed",
    (Code, State.ERROR): "session not restored",
    (Code, State.DISCONNECTED): "not scanned",
    **dict.fromkeys(
        [(key, State.ERROR) for key in (PasskeyAsked, PasskeyAnswered, Authenticated, Syncing, Dialog, DialogStays)],
        "deadline passed",
    ),
    (Ready, Stage.LOGGING_OUT): "another account",
    (Authenticated, Stage.LOGGING_OUT): "another account",
    (Dialog, State.DISCONNECTED): "screen lock",
    (Reloaded, State.DISCONNECTED): "reloads itself",
    (Reloaded, State.ERROR): "reloads itself",
    (Timer.DEADLINE, State.DISCONNECTED): "not logged out",
    (Timer.DEADLINE, Stage.PASSKEY): "loading stalls",
    (Timer.DEADLINE, Stage.DIALOG): "loading stalls",
}
"""Labels of keys whose meaning depends on the target."""

_GIVEN_UP = "banned or enough tried"
"""Label of all edges to SUSPENDED: a ban, the last attempt, one error too many, or a failed trial (L2, L5)."""


class _Edge(NamedTuple):
    source: Phase
    target: Phase
    words: str


def _edges() -> Iterator[_Edge]:
    for phase, rows in TABLE.items():
        for key, row in rows.items():
            for target in row.to:
                if target is not phase:
                    yield _Edge(phase, target, _words(phase, key, target))


def _words(phase: Phase, key: Any, target: Phase) -> str:
    if target is State.SUSPENDED and key not in {Boot, Suspend}:
        return _GIVEN_UP
    return _BY_PHASE.get((phase, key)) or _BY_TARGET.get((key, target)) or _WORDS[key]


def _state_of(phase: Phase) -> State:
    return State.CONNECTING if isinstance(phase, Stage) else phase


def _drawn(edges: Iterable[tuple[str, str, str]], names: dict[str, str]) -> Iterator[str]:
    """Yield a Mermaid state diagram: one arrow per pair of nodes, with all its labels.

    edges: (from, to, label). names: display names of nodes.
    """
    along: dict[tuple[str, str], list[str]] = {}
    for source, target, words in edges:
        labels = along.setdefault((source, target), [])
        if words and words not in labels:
            labels.append(words)
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield from (f"    {short}: {name}" for short, name in names.items())
    for (source, target), labels in along.items():
        yield f"    {source} --> {target}" + (f": {'<br/>'.join(labels)}" if labels else "")
    yield "```"


def draw_states() -> Iterator[str]:
    """Yield the transitions between the six states."""
    moves = ((_state_of(edge.source), _state_of(edge.target), edge.words) for edge in _edges())
    yield from _drawn([("[*]", State.IDLE, ""), *(move for move in moves if move[0] is not move[1])], names={})


def draw_stages() -> Iterator[str]:
    """Yield the stages of an attempt, from the first one to CONNECTED."""
    inside = {*Stage, State.CONNECTED}
    names = {stage.name: stage.value for stage in Stage}
    moves = (
        (edge.source.name, edge.target.name, edge.words)
        for edge in _edges()
        if isinstance(edge.source, Stage) and edge.target in inside
    )
    yield from _drawn([("[*]", Stage.QUEUED.name, ""), *moves], names)


def list_reasons() -> Iterator[str]:
    """Yield the table of what each end means."""
    docstrings = _docstrings()
    yield "| reason | means | state | what follows | alert |"
    yield "|---|---|---|---|---|"
    for reason, verdict in VERDICTS.items():
        alert = ("at once, silent where it was connected" if verdict.heals else "at once") if verdict.alert else ""
        yield f"| `{reason}` | {docstrings[reason.name]} | {_places(verdict)} | {verdict.then.value} | {alert} |"


def _places(verdict: Verdict) -> str:
    if verdict.connecting is None:
        return verdict.state
    return f"{verdict.state}; {verdict.connecting} if not yet CONNECTED"


def _docstrings() -> dict[str, str]:
    """Return the docstring of each member of `Reason`, by name; it exists only in the source."""
    (body,) = (
        node.body
        for node in ast.parse(inspect.getsource(reasons)).body
        if isinstance(node, ast.ClassDef) and node.name == reasons.Reason.__name__
    )
    found = {}
    for member, docstring in pairwise(body):
        match member, docstring:
            case ast.Assign(targets=[ast.Name(id=name)]), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = text.rstrip(".")
    return found


def list_commands() -> Iterator[str]:
    """Yield the table of the bot's commands."""
    yield "| command | does |"
    yield "|---|---|"
    for row in COMMANDS:
        who = " (admins)" if row.role is Role.ADMIN else ""
        yield f"| `{row.line}` | {row.help}{who} |"


PAGES: dict[str, dict[str, Callable[[], Iterator[str]]]] = {
    "README.md": {"states": draw_states, "commands": list_commands},
    "docs/lifecycle.md": {"states": draw_states, "stages": draw_stages, "reasons": list_reasons},
}
"""file → marker → generator of the lines between `<!-- generated: marker -->` and `<!-- end of marker -->`."""


def renewed(page: str, parts: dict[str, Callable[[], Iterator[str]]]) -> str:
    """Return a page with its generated parts renewed. Raises ValueError unless each pair of markers occurs once."""
    for marker, draw in parts.items():
        begin, end = f"<!-- generated: {marker} -->", f"<!-- end of {marker} -->"
        head, found, rest = page.partition(begin)
        _, ended, tail = rest.partition(end)
        if not (found and ended) or begin in tail:
            raise ValueError(f"the markers of '{marker}' do not stand there exactly once")
        page = head + "\n".join([begin, *draw(), end]) + tail
    return page


def main() -> int:
    """Generate, or with --check report what is out of date. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.diagram", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if something is out of date")
    checking = parser.parse_args().check
    stale = False
    for name, parts in PAGES.items():
        path = ROOT / name
        before = path.read_text("utf-8")
        after = renewed(before, parts)
        if after != before and checking:
            print(f"{name} does not show the program's tables as they are: run make diagram", file=sys.stderr)
            stale = True
        elif after != before:
            path.write_text(after, "utf-8")
            print(f"{name} drawn anew")
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
