"""Dependencies: pinned, with hashes, from no particular registry, under licences that the product can accept.

This is the half of the audit that needs no network; docs/security.md tells of the other.
"""

import re
import tomllib
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCK = (ROOT / "constraints.txt").read_text("utf-8")
CLUSTER_LOCK = (ROOT / "constraints-cluster.txt").read_text("utf-8")
"""What many machines need beside the product itself: in a file of its own, so that nobody else installs it."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

PINNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][A-Za-z0-9.+!]*(?: --hash=sha256:[0-9a-f]{64})+")
FREE = re.compile(
    r"\b(apache|mit\b|bsd|isc\b|psf|python software|hpnd|unlicense|mpl|mozilla|lgpl|lesser)", re.IGNORECASE
)
"""Permissive licences, and two that bind the library itself alone: MPL a file, LGPL a library."""
BINDING = re.compile(r"(?<!L)GPL|(?<!Lesser )General Public License", re.IGNORECASE)
UNTOLD = {"pyrage": "MIT"}
"""What says its licence nowhere in its metadata, and what its repository says."""


def requirements(lock: str) -> list[str]:
    """Return each requirement of a lock as one line."""
    joined = re.sub(r" *\\\n *", " ", lock)
    return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def unpinned(lock: str) -> list[str]:
    """Return whatever in a lock is no exact pin with hashes: ranges, addresses, options, paths."""
    return [line for line in requirements(lock) if PINNED.fullmatch(line) is None]


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def named(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return plain(found[0])


def test_everything_is_pinned_with_hashes_and_without_addresses():
    assert unpinned(LOCK) == []
    assert len(requirements(LOCK)) > 50


@pytest.mark.parametrize(
    "line",
    [
        "aiohttp",
        "aiohttp>=3",
        "aiohttp==3.14.5",
        "aiohttp==3.* --hash=sha256:" + "0" * 64,
        "aiohttp==3.14.5 --hash=md5:" + "0" * 32,
        "aiohttp @ https://mirror.example/aiohttp.zip",
        "--index-url https://mirror.example/simple",
        "-e .",
        "./aiohttp",
    ],
)
def test_what_is_no_pin_is_found(line):
    assert unpinned(f"{LOCK}\n{line}\n") == [line]


def test_everything_that_is_declared_is_pinned():
    declared = [
        *PROJECT["dependencies"],
        *(
            one
            for name, extra in PROJECT["optional-dependencies"].items()
            if name not in {"cluster", "s3"}
            for one in extra
        ),
    ]
    pinned = {named(line) for line in requirements(LOCK)}

    assert not [one for one in declared if named(one) not in pinned]


def test_many_machines_are_pinned_apart_and_to_the_same():
    pins, both = set(requirements(LOCK)), requirements(CLUSTER_LOCK)
    ours = {named(line) for line in pins}

    assert unpinned(CLUSTER_LOCK) == []
    for extra in ("cluster", "s3"):
        assert {named(one) for one in PROJECT["optional-dependencies"][extra]} <= {named(line) for line in both}
    assert not {line.split(" ")[0] for line in both if named(line) in ours} - {line.split(" ")[0] for line in pins}
    assert not {"ray", "s3fs"} & set(ours)
    assert "fsspec" not in {named(one) for one in PROJECT["dependencies"]}


def test_what_is_installed_is_what_is_pinned():
    pins = dict(line.split(" ", 1)[0].split("==") for line in requirements(LOCK))
    needed = product()

    assert {name: each.version for name, each in needed.items()} == {
        plain(name): version for name, version in pins.items() if plain(name) in needed
    }


def test_the_makefile_installs_by_hash():
    installs = [
        line for line in (ROOT / "Makefile").read_text("utf-8").splitlines() if "--requirement constraints" in line
    ]

    assert installs
    assert all("--require-hashes" in line for line in installs)


def test_the_product_carries_no_licence_that_would_bind_it():
    """What only tests use may be under the GPL: it is not handed on."""
    bound = {name: licence(each) for name, each in product().items() if binds(licence(each))}

    assert not bound


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("MIT", False), ("LGPL-3.0-only", False), ("Apache-2.0 OR BSD-2-Clause", False), ("MIT-CMU", False),
        ("", True), ("Limited permission", True), ("GPL-3.0-or-later", True), ("AGPL-3.0", True),
        ("License :: OSI Approved :: GNU General Public License v2 (GPLv2)", True),
        ("License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)", False),
    ],
)  # fmt: skip
def test_a_binding_licence_is_found(told, expected):
    assert binds(told) is expected


def binds(told: str) -> bool:
    return FREE.search(told) is None or BINDING.search(told) is not None


def product() -> dict[str, Distribution]:
    """Everything that the product itself needs, with what that needs in turn."""
    found: dict[str, Distribution] = {}
    waiting = [named(one) for one in PROJECT["dependencies"]]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found[name] = distribution(name)
        wanted = [one for one in found[name].requires or () if "extra ==" not in one]
        waiting += [named(one) for one in wanted if not _is_for_others(one)]
    return found


def _is_for_others(requirement: str) -> bool:
    """Whether a requirement's marker is about other systems or older Pythons: then it need not be here."""
    try:
        distribution(named(requirement))
    except ModuleNotFoundError:
        return ";" in requirement
    return False


def licence(each: Distribution) -> str:
    told = each.metadata
    classifiers = [one for one in told.get_all("Classifier") or () if one.startswith("License ::")]
    return "; ".join(filter(None, [told.get("License-Expression"), told.get("License"), *classifiers])) or UNTOLD.get(
        plain(told["Name"]), ""
    )
