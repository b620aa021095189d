"""Which state of a profile is the newest: the table, row by row, and the real work under hypothesis.

There, two machines open, use, save and close one profile through a real store, one at a time as leases see to it. Power
fails and the store fails in the middle of anything, writes arrive late, and people choose. Whatever happens, a browser
is only ever started on the newest state or on what a person chose, and the newest state is never lost.
"""

import shutil
from contextlib import ExitStack
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from controller.chromium.archived_driver import OutdatedArchiveError, _Work
from controller.chromium.profile.archives import ArchiveError, ArchiveStore, Manifest
from controller.chromium.profile.history import Kind, Mark, Record, Source, decide, newest_use
from controller.chromium.profile.profile import Profile
from controller.chromium.profile.vault import Vault
from tests.memory import folder_in_memory

OPEN, CLOSED, SAVED, CHOSEN, REMOVED = Kind
NAME = "bcdfghjklmnpqrstbcdf"


@pytest.mark.parametrize(
    ("marks", "record", "source"),
    [
        ((), None, Source.EMPTY),
        ((), Record(1, 0), Source.FOLDER),
        ((), Record(3, 2, archived=True), Source.UNKNOWN),
        ((Mark(1, OPEN), Mark(1, CLOSED)), Record(1, 1, archived=True), Source.FOLDER),
        ((Mark(1, OPEN), Mark(1, CLOSED)), None, Source.ARCHIVE),
        ((Mark(1, CLOSED), Mark(2, OPEN)), Record(1, 1, archived=True), Source.UNKNOWN),
        ((Mark(1, CLOSED), Mark(2, OPEN)), Record(2, 1), Source.FOLDER),
        ((Mark(1, CLOSED), Mark(2, OPEN)), None, Source.UNKNOWN),
        ((Mark(1, CLOSED),), Record(2, 1), Source.FOLDER),  # 2 never got as far as announcing that it opens it
        ((Mark(2, OPEN), Mark(2, SAVED, 1)), None, Source.UNKNOWN),
        ((Mark(2, OPEN), Mark(2, SAVED, 1), Mark(3, CHOSEN)), None, Source.ARCHIVE),
        ((Mark(2, OPEN), Mark(3, CHOSEN)), Record(2, 1), Source.ARCHIVE),
        ((Mark(2, OPEN), Mark(3, CHOSEN), Mark(2, CLOSED)), Record(2, 2), Source.ARCHIVE),  # it came late
        ((Mark(4, REMOVED),), Record(2, 2), Source.EMPTY),
        ((Mark(4, REMOVED),), Record(5, 4), Source.FOLDER),
        ((Mark(4, CLOSED),), Record(-1, -1), Source.ARCHIVE),
    ],
)
def test_with_what_a_profile_is_opened(marks, record, source):
    assert decide(marks, record)[0] is source


def test_a_mark_is_its_name():
    for mark in (Mark(7, OPEN), Mark(1 << 40, SAVED, 12)):
        assert Mark.parse(mark.name) == mark
    for other in ("", "00000000000000000007.0000.other.json", "x.json", f"{Mark(7, OPEN).name}.tmp"):
        assert Mark.parse(other) is None


class PowerCut(BaseException):
    """The machine is off: nothing after this line happens."""


class Store(ArchiveStore):
    """A store with a fuse: at the n-th write from now, `how` it fails."""

    def __init__(self, url):
        super().__init__(url)
        self.fuse, self.how, self.late = None, "", []

    def _create(self, path, value):
        if self._burns():
            if self.how in {"cut after", "answer lost"}:
                super()._create(path, value)
            if self.how == "late":
                self.late.append((path, value))
            raise PowerCut if self.how.startswith("cut") else ArchiveError("the store is gone")
        super()._create(path, value)

    def _burns(self):
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse == 0:
                self.fuse = None
                return True
        return False

    def deliver(self):
        for path, value in self.late:
            super()._create(path, value)
        self.late.clear()


class Machine:
    def __init__(self, folder, name):
        self.name, self.profile, self.vault = name, Profile(folder, NAME), Vault(folder)
        self.work = None

    @property
    def version(self):
        return version_in(self.profile.folder)


def version_in(folder):
    path = folder / "Default" / "Local Storage" / "v"
    return int(path.read_text()) if path.exists() else 0


def set_version(folder, version):
    path = folder / "Default" / "Local Storage" / "v"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(version))


FAULTS = {
    "fuse": st.sampled_from([None, None, None, 1, 2]),
    "how": st.sampled_from(["cut before", "cut after", "gone", "answer lost", "late"]),
}


class TwoMachines(RuleBasedStateMachine):
    """`truth` is the version of the last use, or of what a person has chosen since."""

    def __init__(self):
        super().__init__()
        self.memory = ExitStack()
        self.folder = self.memory.enter_context(folder_in_memory())
        self.store = Store(f"memory://{uuid4()}")
        self.machines = [Machine(self.folder / name, name) for name in "ab"]
        self.epoch = self.truth = self.versions = 0
        self.running = None
        self.trouble = False

    def teardown(self):
        self.memory.close()

    def next_epoch(self):
        self.epoch += 1
        return self.epoch

    def light(self, fuse, how):
        self.store.fuse, self.store.how = fuse, how
        self.trouble = self.trouble or fuse is not None

    @precondition(lambda self: self.running is None)
    @rule(at=st.integers(0, 1), **FAULTS)
    def open(self, at, fuse, how):
        machine = self.machines[at]
        self.light(fuse, how)
        work = _Work(self.store, machine.vault, machine.profile, NAME, self.next_epoch(), machine.name, lambda: 1e9)
        try:
            work.prepare(empty=False)
        except PowerCut:
            return
        except OutdatedArchiveError:
            assert self.trouble, "nobody is asked for nothing"
            newest = newest_use(self.store.marks(NAME))
            is_its_own = newest is not None and newest.kind is OPEN and self.store.read(NAME, newest).host
            assert is_its_own != machine.name, "a machine goes on with its own folder"
            self.undo(work)
            return
        except ArchiveError:
            self.undo(work)
            return
        finally:
            self.store.fuse = None
        assert machine.version == self.truth, "an older state was resumed"
        self.running, machine.work = machine, work
        self.use()

    def undo(self, work):
        self.store.fuse = None
        work.close()

    def use(self):
        self.versions += 1
        self.truth = self.versions
        set_version(self.running.profile.folder, self.truth)

    @precondition(lambda self: self.running is not None)
    @rule(**FAULTS)
    def close(self, fuse, how):
        machine, self.running = self.running, None
        self.light(fuse, how)
        try:
            machine.work.close()
        except (ArchiveError, PowerCut):
            pass
        finally:
            self.store.fuse = None

    @precondition(lambda self: self.running is not None)
    @rule(**FAULTS)
    def save(self, fuse, how):
        self.light(fuse, how)
        try:
            self.running.work.save()
        except ArchiveError:
            pass
        except PowerCut:
            self.running = None
        finally:
            self.store.fuse = None

    @precondition(lambda self: self.running is not None)
    @rule()
    def die(self):
        self.running, self.trouble = None, True

    @precondition(lambda self: self.store.late)
    @rule()
    def arrive_late(self):
        self.store.deliver()

    @precondition(lambda self: self.running is None and self.truth)
    @rule(at=st.integers(0, 3))
    def choose(self, at):
        found = self.store.archives(NAME)
        if len(found) <= at:
            return
        self.store.write(NAME, Mark(self.next_epoch(), Kind.CHOSEN), found[at][1])
        self.truth = self.version_of(found[at][1])

    @precondition(lambda self: self.running is None and self.truth)
    @rule()
    def begin_anew(self):
        self.store.write(NAME, Mark(self.next_epoch(), Kind.CHOSEN), Manifest(1e9))
        self.truth = 0

    def version_of(self, manifest):
        other = Profile(self.folder / "looked at", NAME)
        path = other.data_dir / "copy.tar.gz"
        path.parent.mkdir(exist_ok=True)
        self.store.download(NAME, manifest, path)
        shutil.unpack_archive(path, other.folder, "gztar", filter="data")
        version = version_in(other.folder)
        shutil.rmtree(other.data_dir)
        return version

    @invariant()
    def the_newest_is_somewhere(self):
        there = {machine.version for machine in self.machines}
        if self.truth and self.truth not in there:
            assert self.truth in {self.version_of(manifest) for _, manifest in self.store.archives(NAME)}


TwoMachines.TestCase.settings = settings(
    max_examples=25, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
test_two_machines = TwoMachines.TestCase
