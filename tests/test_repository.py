"""Promises of the repository apart from code: documented settings, and nothing of anybody's machine."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from switchboard.settings import Settings, read_settings

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / ".env.example"
SETTING = re.compile(r"^(# )?([A-Z][A-Z0-9_]*)=(.*)$")
NEEDED = {"TELEGRAM_BOT_TOKEN": "123456:not-a-token", "TELEGRAM_ADMIN_IDS": "1001"}

SLASH, WHEEL = "/", ".whl"  # so that the examples below are not what they are examples of
INSTALLED_AT = Path("/opt/switchboard")  # where docs/deploy.md puts it: there its own path is no secret
PLACES = "|".join([r"/[r]oot/", r"/home/\w", r"/Users/\w", *([f"{ROOT}/"] if ROOT != INSTALLED_AT else [])])
MACHINE_PATH = re.compile(rf"(?<![\w.])(?:{PLACES})")
REGISTRY = re.compile(
    r"https?://(?![\w.-]+\.example/)"  # such a host is nobody's
    r"(?:registry\.|pypi\.|files\.pythonhosted|[^\s\"]*(?:/simple/|\.(?:whl|tgz|tar\.gz|deb)\b))"
)


@pytest.fixture
def bare_environment(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def documented() -> dict[str, str]:
    found = (SETTING.match(line) for line in EXAMPLE.read_text("utf-8").splitlines())
    return {match[2]: match[3] for match in found if match}


def test_each_setting_is_documented_and_nothing_else():
    assert set(documented()) == {name.upper() for name in Settings.model_fields}


def test_documented_defaults_are_the_real_ones(bare_environment, tmp_path):
    as_documented, as_built = tmp_path / "documented", tmp_path / "built"
    needed = [f"{name}={value}" for name, value in NEEDED.items()]
    as_documented.write_text("\n".join([*(f"{name}={value}" for name, value in documented().items()), *needed]))
    as_built.write_text("\n".join(needed))

    assert read_settings(as_documented) == read_settings(as_built)


def test_documented_defaults_are_shown_wherever_there_is_one():
    empty = {name for name, value in documented().items() if not value}

    assert empty == {
        name.upper() for name, field in Settings.model_fields.items() if field.is_required() or not _has_default(field)
    }


def _has_default(field) -> bool:
    return field.default is not None and field.default != ()


def test_each_setting_follows_a_line_of_explanation():
    block: list[str] = []
    bare = []
    for line in [*EXAMPLE.read_text("utf-8").splitlines(), ""]:
        if line.strip():
            block.append(line)
            continue
        names = [match[2] for row in block if (match := SETTING.match(row))]
        if names and SETTING.match(block[0]):
            bare += names
        block = []

    assert not bare


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: nobody says which files are tracked")
    return [path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]


@pytest.mark.parametrize("forbidden", [MACHINE_PATH, REGISTRY], ids=["machine paths", "registry addresses"])
def test_tracked_files_hold_nothing_of_a_machine(forbidden):
    found = []
    for path in tracked():
        lines = path.read_text("utf-8", errors="replace").splitlines()
        found += [
            f"{path.relative_to(ROOT)}:{i}: {line[:100]}" for i, line in enumerate(lines, 1) if forbidden.search(line)
        ]

    assert not [one for one in found if not one.startswith("tests/test_repository.py:")]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (MACHINE_PATH, "see /home/ada/notes"),
        (MACHINE_PATH, f'"{SLASH}root{SLASH}.cache"'),
        (REGISTRY, '"resolved": "https://registry.acme.test/x"'),
        (REGISTRY, f"https://mirror.acme.test/a/b-1.0{WHEEL}"),
    ],
)
def test_patterns_catch_what_they_are_for(pattern, text):
    assert pattern.search(text)


def test_secrets_are_never_tracked():
    names = {path.relative_to(ROOT).as_posix() for path in tracked()}

    assert not [name for name in names if name == ".env" or name.startswith(("data/", ".venv/"))]


# --- what the pages name ----------------------------------------------------------------------------------------------

CODE_BLOCK, CODE, LINK = re.compile(r"```.*?```", re.DOTALL), re.compile(r"`([^`\n]+)`"), re.compile(r"\]\(([^)#\s]+)")
FILE = re.compile(r"[\w.-]+(/[\w.-]+)*\.(py|js|md|sh|toml|ya?ml|json|conf|service|txt)")
TEST = re.compile(r"test_\w+")
MODULE = re.compile(r"(controller|handlers|storage|switchboard|sandbox|bench|tools|tests)(\.\w+)+")
NOT_OURS = {"whatsapp-web.js"}


def tracked_paths() -> set[str]:
    """Return all tracked files and their folders, each also by the ends of its path: pages name `page/reader.py`."""
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    whole = {str(place) for name in names for place in (Path(name), *Path(name).parents)}
    return {"/".join(path.split("/")[at:]) for path in whole for at in range(path.count("/") + 1)}


@cache
def all_tests() -> set[str]:
    """Return the names of all test functions, and of the files that have them."""
    files = list((ROOT / "tests").rglob("test_*.py"))
    defined = re.compile(r"^ *(?:async )?def (test_\w+)", re.MULTILINE)
    return {path.stem for path in files} | {name for path in files for name in defined.findall(path.read_text("utf-8"))}


def missing(page: str, paths: set[str], folder: Path = ROOT) -> list[str]:
    """Return what a page names and the repository does not have."""
    tops = {path for path in paths if (ROOT / path).is_dir() and "/" not in path}
    words = [word for code in CODE.findall(CODE_BLOCK.sub("", page)) for word in code.split()]
    found = [
        word for word in words
        if (FILE.fullmatch(word) or ("/" in word and word.split("/")[0] in tops))
        and word.rstrip("/") not in paths | NOT_OURS
    ]  # fmt: skip
    for word in words:
        module = word.replace(".", "/")
        if MODULE.fullmatch(word) and not {module, f"{module}.py", f"{module.rpartition('/')[0]}.py"} & paths:
            found.append(word)
    found += [word for word in words if TEST.fullmatch(word) and word not in all_tests()]
    links = [link for link in LINK.findall(page) if not re.match(r"\w+:", link)]
    return found + [link for link in links if not (folder / link).exists()]


PAGES = sorted(path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_exists(page):
    assert missing(page.read_text("utf-8"), tracked_paths(), page.parent) == []


@pytest.mark.parametrize(
    "text",
    [
        "`page/gone.py`",
        "see `handlers/gone/`",
        "`python -m bench.gone`",
        "[a page](docs/gone.md)",
        "`storage.gone.Name`",
        "`test_what_is_gone`",
    ],
)
def test_a_name_of_nothing_is_seen(text):
    assert len(missing(text, tracked_paths())) == 1


@pytest.mark.parametrize(
    "text",
    ["`page/reader.py`", "`handlers/alerts/`", "`bench.kills`", "`docs/alerts.md`", "`test_a_name_of_nothing_is_seen`"],
)
def test_a_name_of_something_is_not(text):
    assert missing(text, tracked_paths()) == []
