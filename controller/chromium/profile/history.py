"""What has happened to a profile across machines that share no folder, and which of its states is the newest. Pure.

The history is a set of marks in the archives. Each carries the epoch of the placement that made it: epochs only ever
increase, and no two placements have the same one. So no mark is ever overwritten, and one that arrives late counts as
what it is. A machine has a `Record` of what its own folder holds. `decide` compares both.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum, unique


@unique
class Kind(StrEnum):
    """What a mark says about its epoch."""

    OPEN = "open"
    """A browser may have used the profile, on the machine that the mark names."""
    CLOSED = "closed"
    """That browser has ended, and what it left is archived."""
    SAVED = "saved"
    """A copy was archived while the browser was running: it may be older than the profile's last use."""
    CHOSEN = "chosen"
    """A person chose with what to go on: an archive, or an empty profile."""
    REMOVED = "removed"
    """The account was removed. Whatever any machine still has of it must not be used again."""


_NAME = re.compile(r"(\d{20})\.(\d{4})\.([a-z]+)\.json")


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark. number: of several saved copies of an epoch."""

    epoch: int
    kind: Kind
    number: int = 0

    @property
    def name(self) -> str:
        """Its file name. Names sort by age."""
        return f"{self.epoch:020}.{self.number:04}.{self.kind}.json"

    @classmethod
    def parse(cls, name: str) -> "Mark | None":
        """Return the mark of a file name; None for any other file."""
        found = _NAME.fullmatch(name)
        if found is None or found[3] not in set(Kind):
            return None
        return cls(int(found[1]), Kind(found[3]), int(found[2]))


@dataclass(frozen=True, slots=True)
class Record:
    """What a machine's own folder holds.

    epoch: of the last placement here. of: the epoch whose state the folder held before that placement's browser was
    started; 0 if the archives knew nothing of the profile. archived: the archives have all that is in the folder.
    name: the account's, in the archives.
    """

    epoch: int
    of: int
    archived: bool = False
    name: str = ""


@unique
class Source(Enum):
    """With what a machine must open the profile."""

    FOLDER = "its own folder, which is the newest"
    ARCHIVE = "the archive that the newest mark names"
    EMPTY = "an empty profile"
    UNKNOWN = "nothing without a person's choice: the newest state is elsewhere, or gone"


def newest_use(marks: Iterable[Mark]) -> Mark | None:
    """Return the mark of the profile's last use, or of what a person has decided since; None if there is none."""
    uses = [mark for mark in marks if mark.kind is not Kind.SAVED]
    # The same placement opened and then closed it.
    return max(uses, key=lambda mark: (mark.epoch, mark.kind is not Kind.OPEN), default=None)


def decide(marks: Iterable[Mark], record: Record | None) -> tuple[Source, Mark | None]:
    """Return with what to open a profile, and the newest mark. record: of the machine that is to open it.

    A folder is the newest if its own machine made the newest mark, or took over the newest state and never got as far
    as announcing that it opens it.
    """
    newest = newest_use(marks)
    epoch = 0 if newest is None else newest.epoch
    if record is not None and epoch in {record.epoch, record.of}:
        return Source.FOLDER, newest
    if newest is None:
        # Without a record, nothing tells what a folder holds. With one, the archives have lost what they knew.
        return Source.EMPTY if record is None else Source.UNKNOWN, None
    match newest.kind:
        case Kind.OPEN:
            return Source.UNKNOWN, newest
        case Kind.REMOVED:
            return Source.EMPTY, newest
        case _:
            return Source.ARCHIVE, newest
