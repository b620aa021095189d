"""The borders between the parts, read from the imports of every product file. CONTRIBUTING.md draws the map.

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
PRODUCT = ("controller", "handlers", "storage")
COMPOSITION_ROOT = tuple(f"controller/{name}.py" for name in ("__main__", "app", "persistence", "settings"))
PURE = tuple(f"controller/{name}.py" for name in ("driver", "lifecycle", "link", "move", "numbers", "reasons"))


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
        "the product knows neither sandbox nor tests nor bench",
        where=PRODUCT,
        forbidden=("sandbox", "tests", "bench"),
        breach=("controller/app.py", "from sandbox.whatsapp import server"),
    ),
    Rule(
        "the controller knows nothing of Telegram or of SQL; only the composition root does",
        where=("controller",),
        but=COMPOSITION_ROOT,
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
        "only the composition root chooses a driver",
        where=PRODUCT,
        but=("controller/chromium", *COMPOSITION_ROOT),
        forbidden=("controller.chromium",),
        breach=("controller/manager.py", "from controller import chromium"),
    ),
    Rule(
        "the driver decides nothing: it knows its seam and the words, not the lifecycle",
        where=("controller/chromium",),
        forbidden=("controller.lifecycle", "controller.manager", "controller.registry", "controller.app"),
        breach=("controller/chromium/session.py", "def f():\n    from .. import lifecycle"),
    ),
    Rule(
        "the chat opens no browser and speaks no SQL",
        where=("handlers",),
        forbidden=("playwright", "sqlite3", "aiosqlite", "storage"),
        breach=("handlers/commands.py", "import aiosqlite as sql"),
    ),
    Rule(
        "the storage knows none of us, neither Telegram nor the browser",
        where=("storage",),
        forbidden=("controller", "handlers", "telegram", "playwright"),
        breach=("storage/accounts.py", "from controller.reasons import State"),
    ),
    Rule(
        "the lifecycle and its words are pure: no I/O, no clock, no asyncio",
        where=PURE,
        only=(
            "collections.abc", "dataclasses", "enum", "re", "typing",
            "controller.driver", "controller.link", "controller.move", "controller.numbers", "controller.reasons",
        ),
        breach=("controller/lifecycle.py", "from time import monotonic"),
    ),
    Rule(
        "the launcher runs where nothing is installed",
        where=("controller/chromium/launcher.py",),
        only=tuple(sys.stdlib_module_names),
        breach=("controller/chromium/launcher.py", "import psutil"),
    ),
    Rule(
        "the stand-ins share no code with what is tested against them",
        where=("sandbox/whatsapp", "sandbox/telegram"),
        forbidden=PRODUCT,
        breach=("sandbox/telegram/server.py", "from handlers.numbers import parse"),
    ),
)  # fmt: skip


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
    ("tops", "extras"), [(PRODUCT, ()), (("sandbox",), ("sandbox",)), (("tests", "bench"), ("sandbox", "dev"))]
)
def test_each_import_is_of_a_declared_dependency(tops, extras):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *(one for extra in extras for one in project["optional-dependencies"][extra])]
    declared = {_plain(re.split(r"[<>=!~\[; ]", one)[0]) for one in wanted}
    ours = {*PRODUCT, "sandbox", "tests", "bench", *sys.stdlib_module_names}
    used = {
        name.split(".")[0] for top in tops for path in files_in(top) for name in imported(_source(path), path)
    } - ours

    undeclared = {name for name in used if not declared & {_plain(one) for one in DISTRIBUTIONS.get(name, [name])}}

    assert not undeclared


def _plain(distribution: str) -> str:
    return distribution.lower().replace("_", "-")


def test_every_module_says_what_lives_there():
    silent = [path for path in files() if path.startswith(PRODUCT) and not _docstring(path)]

    assert not silent


def _docstring(path: str) -> str | None:
    return ast.get_docstring(ast.parse(_source(path)))
