"""Every public method of every store, and every call that it makes of SQLite: it hangs, fails, or is cancelled there.

Found by looking, not listed: a method that is added is tried by itself, with arguments made from its annotations. Time
is virtual. What a thread does that cannot be interrupted is in test_faults.
"""

import asyncio
import collections
import collections.abc
import contextlib
import dataclasses
import enum
import importlib
import inspect
import pkgutil
import shutil
import sqlite3
import types
import typing
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from aiosqlite import core

import storage
from controller.incidents import Changes
from storage.database import DEADLINE, GRACE, Database, StorageError, UnknownOutcomeError, open_database
from tests.virtual_time import pass_time, run_virtual, virtual_loop

NUMBER, OTHER_NUMBER = "+4915112345678", "+33612345678"
AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
PLAIN = {
    int: 7,
    str: NUMBER,
    bool: False,
    float: 1.5,
    bytes: b"x",
    timedelta: timedelta(days=1),
    datetime: AT,
    typing.Any: "x",
    object: "x",
}
CHOSEN = {(Changes, "incidents_gone"): (99,), (Changes, "notes_gone"): (99,)}
"""Where any value would not do: what is deleted must not be what is written beside it."""
KINDS = ("hang", "error", "cancel", "error and cancel at once", "error, then cancel in the rollback")


# --- what there is ---------------------------------------------------------------------------------------------------


def stores():
    """Every class of `storage` that is made from a database."""
    for found in pkgutil.iter_modules(storage.__path__):
        module = importlib.import_module(f"storage.{found.name}")
        for _, each in inspect.getmembers(module, inspect.isclass):
            hints = typing.get_type_hints(each.__init__) if each.__module__ == module.__name__ else {}
            if hints.get("database") is Database:
                yield each


def methods():
    """Every public coroutine of every store."""
    return [
        (store, name)
        for store in stores()
        for name, _ in inspect.getmembers(store, inspect.iscoroutinefunction)
        if not name.startswith("_")
    ]


def sample(hint):  # noqa: C901 - one case for each shape
    """Return a value of a type, with something in whatever can hold something."""
    origin, given = typing.get_origin(hint), typing.get_args(hint)
    if hint in PLAIN:
        return PLAIN[hint]
    if origin in {typing.Union, types.UnionType}:
        return sample(next(each for each in given if each is not type(None)))
    if origin is tuple:
        return tuple(sample(each) for each in given if each is not Ellipsis)
    if origin in {collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection, list}:
        return [sample(given[0])]
    if origin in {set, frozenset}:
        return origin({sample(given[0])})
    if origin in {dict, collections.abc.Mapping}:
        return {sample(given[0]): sample(given[1])}
    if origin is collections.abc.Callable:
        return lambda *_: sample(given[1])
    if inspect.isclass(hint) and issubclass(hint, enum.Enum):
        return next(iter(hint))
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        names = [field.name for field in dataclasses.fields(hint) if field.init]
        return hint(**{name: CHOSEN.get((hint, name)) or sample(hints[name]) for name in names})
    if hint in {None, type(None)}:
        return None
    raise AssertionError(f"no sample of {hint}: teach `sample` how to make one")


def arguments(call):
    """Return a value for each parameter, by name."""
    hints = typing.get_type_hints(call)
    given = {
        name: (sample(hints[name]),) if each.kind is each.VAR_POSITIONAL else sample(hints[name])
        for name, each in inspect.signature(call).parameters.items()
        if name not in {"self", "database"}
    }
    if call.__name__ == "add_account":
        given["account"] = dataclasses.replace(given["account"], number=OTHER_NUMBER)
    return given


def make(store, database):
    return store(database, **arguments(store.__init__))


async def run(store, name, database):
    instance = make(store, database)
    method = getattr(instance, name)
    given = inspect.BoundArguments(inspect.signature(method), collections.OrderedDict(arguments(getattr(store, name))))
    return await method(*given.args, **given.kwargs)


# --- what goes wrong -------------------------------------------------------------------------------------------------


class Fault:
    """Makes call number `at` of SQLite fail, and counts the calls."""

    def __init__(self) -> None:
        self.armed, self.kind, self.at, self.calls = False, "", -1, 0
        self.reached, self.rollback_reached, self.released = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.outcome = asyncio.get_running_loop().create_future()

    async def __call__(self, real, connection, fn, *args, **kwargs):
        if not self.armed:
            return await real(connection, fn, *args, **kwargs)
        self.calls += 1
        if self.calls - 1 == self.at + 1 and self.kind.endswith("rollback"):
            self.rollback_reached.set()
            await self.released.wait()
        if self.calls - 1 != self.at:
            return await real(connection, fn, *args, **kwargs)
        self.reached.set()
        if self.kind.startswith("error,") or self.kind == "error":
            self.fail()
        await self.outcome
        raise AssertionError("it is only ever set to an error")

    def fail(self) -> None:
        """Make the call fail with an error."""
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        if not self.outcome.done():
            self.outcome.set_exception(error)
            self.outcome.exception()  # where it is cancelled meanwhile, nobody reads it


@pytest.fixture
def fault(monkeypatch):
    real, injected = core.Connection._execute, []

    async def execute(self, fn, *args, **kwargs):
        return await (injected[-1](real, self, fn, *args, **kwargs) if injected else real(self, fn, *args, **kwargs))

    monkeypatch.setattr(core.Connection, "_execute", execute)

    def inject():
        injected.append(Fault())
        return injected[-1]

    return inject


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A database in which each table that can be filled has something."""
    path = tmp_path_factory.mktemp("template") / "db"

    async def fill():
        async with open_database(path) as database:
            for store, name in methods():
                if name.startswith("add_"):
                    await run(store, name, database)
            async with (
                database.transaction() as connection
            ):  # the account of all other calls; it can be added once more
                await connection.execute("UPDATE accounts SET number = ?", (NUMBER,))
            for store, name in methods():
                if not name.startswith(("add_", "remove", "delete", "end", "forget", "move", "accept")):
                    with contextlib.suppress(StorageError):
                        await run(store, name, database)
            for store, name in methods():
                if name == "accept":
                    await run(store, name, database)

    run_virtual(fill())
    return path


def dump(path):
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_the_template_has_rows_to_lose(template):
    with closing(sqlite3.connect(template)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        filled = [name for name in tables if connection.execute(f"SELECT 1 FROM {name}").fetchone()]
    assert {"accounts", "transitions", "incidents", "inbox", "account_proxies", "people"} <= set(filled)
    assert len(filled) > len(tables) * 0.7, set(tables) - set(filled)


def test_every_store_is_found():
    found = {store.__name__ for store in stores()}
    assert {"AccountRecords", "IncidentRecords", "Inbox", "PulseRecords", "Retention"} <= found
    assert len(methods()) > 50


@pytest.mark.parametrize(("store", "name"), methods(), ids=lambda each: getattr(each, "__name__", each))
def test_whatever_sqlite_does_at_any_call_nobody_hangs_and_nothing_is_written_by_halves(
    store, name, template, tmp_path, fault
):
    run_virtual(try_all(store, name, template, tmp_path, fault))


async def try_all(store, name, template, tmp_path, inject):
    path = tmp_path / "db"
    shutil.copy(template, path)
    counting = inject()
    async with open_database(path) as database:
        counting.armed = True
        await run(store, name, database)
        counting.armed = False
    assert counting.calls, "it makes no call of SQLite"
    after = dump(path)
    for kind in KINDS:
        for at in range(counting.calls):
            shutil.copy(template, path)
            await try_one(store, name, path, inject(), kind, at, after)


async def try_one(store, name, path, fault, kind, at, after):
    here = f"{kind} at call {at}"
    async with open_database(path) as database:
        before = dump(path)
        fault.kind, fault.at, fault.armed = kind, at, True
        began = virtual_loop().time()
        task = asyncio.create_task(run(store, name, database))
        await asyncio.wait({task, reached := asyncio.create_task(fault.reached.wait())}, return_when="FIRST_COMPLETED")
        assert fault.reached.is_set(), here
        await reached
        if kind.endswith("rollback"):
            await fault.rollback_reached.wait()
        if kind == "error and cancel at once":
            fault.fail()
        if "cancel" in kind:
            task.cancel()
        await asyncio.wait({task}, timeout=DEADLINE + 2 * GRACE)
        assert task.done(), f"{here}: it waits for what hangs"
        took = virtual_loop().time() - began
        if "cancel" in kind:
            assert task.cancelled(), f"{here}: the cancellation is gone: {task.exception()!r}"
            assert took <= GRACE, here
        else:
            error = task.exception()
            assert isinstance(error, StorageError), f"{here}: {error!r}"
            assert error.transient, here
            assert took <= (DEADLINE + GRACE if kind == "hang" else GRACE), here
        fault.released.set()
        fault.fail()
        if not task.cancelled() and isinstance(task.exception(), UnknownOutcomeError):
            assert not await task.exception().committed(), here
        await pass_time(GRACE + 1)
        assert dump(path) in (before, after), f"{here}: something was written by halves"
        fault.armed = False
        async with asyncio.timeout(1):
            await database.rows("SELECT 1")  # the next one goes on
