"""The borders between the parts, checked on the imports of every product file. docs/architecture.md has the map.

A rule is data, and carries a breach of itself: each is shown to catch what it forbids before it is trusted.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DISTRIBUTIONS = packages_distributions()
PRODUCT = ("switchboard", "controller", "handlers", "storage")
TIES = "switchboard"
"""The one room that knows every other."""

LAYERS = (
    ("switchboard",),
    ("handlers.telegram",),
    ("handlers.telegram.commands",),
    ("handlers.telegram.actions",),
    ("handlers.telegram.ui",),
    ("handlers.alerts",),
    ("handlers.alerts.escalation",),
    ("handlers.alerts.incidents",),
    ("handlers.texts",),
    ("handlers.chat",),
    ("handlers",),
    ("storage",),
    ("controller.cluster",),
    ("controller.chromium",),
    ("controller.chromium.page",),
    ("controller.chromium.playwright",),
    ("controller.chromium.profile",),
    ("controller.chromium.process",),
    ("controller.host",),
    ("controller.network",),
    ("controller",),
    ("controller.accounts.lifecycle",),
    ("controller.accounts",),
)
"""The rooms (folders) from the top to the bottom: a file imports from its own room and from those below."""


@dataclass(frozen=True)
class Rule:
    """What the files in `where` may not import, or the only things that they may. breach: a file and a line against it.

    where, but: files, or folders whose files are all meant; paths from the top. Modules stand for what is in them too.
    """

    says: str
    where: tuple[str, ...]
    breach: tuple[str, str]
    forbidden: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    but: tuple[str, ...] = ()

    def covers(self, path: str) -> bool:
        return _within(path, self.where) and not _within(path, self.but)

    def broken_by(self, path: str, source: str) -> list[str]:
        """Return the modules that a file imports against the rule."""
        if not self.covers(path):
            return []
        if self.only:
            return [name for name in imported(source, path) if not any(_is_in(name, other) for other in self.only)]
        return [name for name in imported(source, path) if any(_is_in(name, other) for other in self.forbidden)]


def _within(path: str, places: tuple[str, ...]) -> bool:
    return any(path == place or path.startswith(f"{place}/") for place in places)


def _is_in(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def imported(source: str, path: str) -> Iterator[str]:
    """Yield each module that a file names in an import, wherever that stands; for `from a import b`, `a.b`."""
    package = path.removesuffix(".py").split("/")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


RULES = (
    Rule(
        "the product knows neither sandbox nor tests nor bench nor tools",
        where=PRODUCT,
        forbidden=("sandbox", "tests", "bench", "tools"),
        breach=("switchboard/app.py", "from sandbox.whatsapp import server"),
    ),
    Rule(
        "only the program ties the parts together",
        where=("controller", "handlers", "storage", "sandbox", "bench"),
        but=("bench/__main__.py", "bench/figures.py", "sandbox/__main__.py", "sandbox/demo"),
        forbidden=("switchboard",),
        breach=("handlers/telegram/bot.py", "from switchboard.settings import Settings"),
    ),
    Rule(
        "the accounts' side knows nothing of Telegram or of SQL",
        where=("controller",),
        forbidden=("telegram", "handlers", "storage", "aiosqlite", "sqlite3"),
        breach=("controller/registry.py", "import storage.accounts"),
    ),
    Rule(
        "Playwright stays behind the driver's seam",
        where=PRODUCT,
        but=("controller/chromium",),
        forbidden=("playwright",),
        breach=("controller/manager.py", "from playwright.async_api import Page"),
    ),
    Rule(
        "only the program chooses a driver",
        where=PRODUCT,
        but=("controller/chromium", "controller/cluster/guard.py", TIES),
        forbidden=("controller.chromium",),
        breach=("controller/manager.py", "from controller import chromium"),
    ),
    Rule(
        "the driver decides nothing: it knows its seam and the words, not the lifecycle",
        where=("controller/chromium",),
        forbidden=(
            "controller.accounts.lifecycle",
            "controller.accounts.model",
            "controller.manager",
            "controller.registry",
        ),
        breach=("controller/chromium/session.py", "def f():\n    from ..accounts import lifecycle"),
    ),
    Rule(
        "people's side opens no browser and speaks no SQL",
        where=("handlers",),
        forbidden=("playwright", "sqlite3", "aiosqlite", "storage"),
        breach=("handlers/telegram/commands/accounts.py", "import aiosqlite as sql"),
    ),
    Rule(
        "messages, alerts and texts belong to no chat service",
        where=("handlers/chat", "handlers/alerts", "handlers/texts"),
        forbidden=("telegram", "handlers.telegram", "httpx"),
        breach=("handlers/alerts/worker.py", "from handlers.telegram.client import TelegramClient"),
    ),
    Rule(
        "the storage knows the accounts' words, and neither Telegram nor the browser",
        where=("storage",),
        forbidden=("switchboard", "handlers.telegram", "telegram", "playwright", "controller.chromium"),
        breach=("storage/accounts.py", "from controller.chromium import session"),
    ),
    Rule(
        "what an account is, is pure: no I/O, no clock, no asyncio",
        where=("controller/accounts",),
        only=("collections.abc", "dataclasses", "enum", "re", "typing", "controller.accounts"),
        but=("controller/accounts/notices.py", "controller/accounts/status.py"),  # moments, which others measure
        breach=("controller/accounts/lifecycle/endings.py", "from time import monotonic"),
    ),
    Rule(
        "who may run what is pure: no I/O, no clock, no asyncio, no Ray",
        where=("controller/cluster/leases.py",),
        only=("collections.abc", "dataclasses", "itertools", "controller.hosts"),
        breach=("controller/cluster/leases.py", "import time"),
    ),
    Rule(
        "the launcher runs where nothing is installed",
        where=("controller/chromium/process/launcher.py",),
        only=tuple(sys.stdlib_module_names),
        breach=("controller/chromium/process/launcher.py", "import psutil"),
    ),
    Rule(
        "the stand-ins share no code with what is tested against them",
        where=("sandbox/whatsapp", "sandbox/telegram"),
        forbidden=PRODUCT,
        breach=("sandbox/telegram/server.py", "from handlers.texts.phone_numbers import parse"),
    ),
)


def room_of(module: str) -> str:
    """Return the room that a module of the product lies in: the longest folder of `LAYERS` that holds it."""
    return max((room for layer in LAYERS for room in layer if _is_in(module, room)), key=len)


def climbs(path: str, source: str) -> list[str]:
    """Return what a file imports from a room that is not below its own."""
    floors = {room: floor for floor, layer in enumerate(LAYERS) for room in layer}
    own = room_of(path.removesuffix(".py").replace("/", "."))
    ours = [name for name in imported(source, path) if name.split(".")[0] in PRODUCT]
    return [name for name in ours if room_of(name) != own and floors[room_of(name)] <= floors[own]]


def circle_in(arrows: dict[str, set[str]]) -> list[str]:
    """Return one circle of the arrows as the names along it; empty where there is none."""
    done: set[str] = set()

    def walk(name: str, trail: tuple[str, ...]) -> list[str]:
        if name in trail:
            return [*trail[trail.index(name) :], name]
        if name in done:
            return []
        for other in sorted(arrows.get(name, ())):
            if found := walk(other, (*trail, name)):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(arrows) if (found := walk(name, ()))), [])


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _arrows(tops: tuple[str, ...]) -> dict[str, set[str]]:
    """Return which file of ours imports which."""
    known = {_module(path) for top in tops for path in files_in(top)}
    arrows: dict[str, set[str]] = {}
    for path in (path for top in tops for path in files_in(top)):
        for name in imported(_source(path), path):
            found = name if name in known else name.rpartition(".")[0]
            if found in known and found != _module(path) and not path.endswith("__init__.py"):
                arrows.setdefault(_module(path), set()).add(found)
    return arrows


def test_no_arrow_climbs():
    broken = {path: names for top in PRODUCT for path in files_in(top) if (names := climbs(path, _source(path)))}

    assert not broken


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("controller/accounts/model.py", "from controller.driver import Driver"),
        ("handlers/alerts/worker.py", "from handlers.telegram import client"),
        ("handlers/telegram/ui/cards.py", "from handlers.telegram.commands import router"),
        ("storage/accounts.py", "import handlers.alerts.incidents.book"),
        ("controller/chromium/process/tree.py", "from controller.chromium.profile.profile import Profile"),
    ],
)
def test_a_climbing_arrow_is_seen(path, source):
    assert climbs(path, source)


def test_no_file_imports_itself_by_a_detour():
    assert circle_in(_arrows((*PRODUCT, "sandbox"))) == []


def test_a_circle_is_seen():
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


def test_no_folder_holds_more_than_a_reader_can_hold():
    folders: dict[str, int] = {}
    for path in files():
        if not path.endswith("__init__.py"):
            folder = path.rpartition("/")[0]
            folders[folder] = folders.get(folder, 0) + 1

    assert {folder: count for folder, count in folders.items() if count > 16} == {}


def files() -> list[str]:
    return [path for top in (*PRODUCT, "sandbox") for path in files_in(top)]


def files_in(top: str) -> list[str]:
    found = (path.relative_to(ROOT) for path in (ROOT / top).rglob("*.py"))
    return sorted(path.as_posix() for path in found if "node_modules" not in path.parts)


def _source(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.says)
def test_rule_holds(rule):
    broken = {path: names for path in files() if (names := rule.broken_by(path, _source(path)))}

    assert not broken, f"{rule.says}, but: {broken}"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.says)
def test_rule_catches_a_breach(rule):
    path, source = rule.breach

    assert rule.broken_by(path, source)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.says)
def test_rule_names_places_that_exist(rule):
    covered = [path for path in files() if rule.covers(path)]

    assert covered
    assert all((ROOT / place).exists() for place in rule.where)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import a.b as c, d", ["a.b", "d"]),
        ("from a.b import c, d", ["a.b.c", "a.b.d"]),
        ("from . import x", ["p.q.x"]),
        ("from ..y import z", ["p.y.z"]),
        ("if 1:\n    def f():\n        import late", ["late"]),
    ],
)
def test_imports_are_found_wherever_and_however_they_are_written(source, names):
    assert list(imported(source, "p/q/r.py")) == names


@pytest.mark.parametrize(
    ("tops", "extras"),
    [
        (PRODUCT, ("monitoring",)),
        (("sandbox",), ("sandbox",)),
        (("tests", "bench", "tools"), ("sandbox", "dev", "monitoring")),
    ],
)
def test_each_import_is_of_a_declared_dependency(tops, extras):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *(one for extra in extras for one in project["optional-dependencies"][extra])]
    declared = {_plain(re.split(r"[<>=!~\[; ]", one)[0]) for one in wanted}
    ours = {*PRODUCT, "sandbox", "tests", "bench", "tools", *sys.stdlib_module_names}
    used = {
        name.split(".")[0] for top in tops for path in files_in(top) for name in imported(_source(path), path)
    } - ours

    undeclared = {name for name in used if not declared & {_plain(one) for one in DISTRIBUTIONS.get(name, [name])}}

    assert not undeclared


def _plain(distribution: str) -> str:
    return distribution.lower().replace("_", "-")


LONG = 450
"""Lines beyond which a module says in its head why it is so long."""


def too_long(source: str) -> bool:
    """Return whether a module is long without a word about it."""
    return source.count("\n") > LONG and "longer than" not in (ast.get_docstring(ast.parse(source)) or "")


def test_what_is_long_says_why():
    assert [path for path in files() if too_long(_source(path))] == []


def test_a_long_module_without_a_reason_is_seen():
    assert too_long('"""Things."""\n' + "x = 1\n" * LONG)


def test_every_module_says_what_lives_there():
    silent = [path for path in files() if path.startswith(PRODUCT) and not _docstring(path)]

    assert not silent


def _docstring(path: str) -> str | None:
    return ast.get_docstring(ast.parse(_source(path)))
