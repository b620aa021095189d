"""Installs the program into a virtual environment, in two steps of which the first seldom changes.

    python3 install.py packages FOLDER     what pyproject.toml asks for
    python3 install.py program FOLDER      the program itself, from the folder of its sources

constraints.txt pins everything that anybody needs, development too, and constraints-cluster.txt what many machines need
besides. Here their pins choose the versions, what the program itself needs is downloaded, and those files alone are
installed, each against the hashes of its pin. The variable EXTRAS names the extras, `monitoring` unless it is set.
"""

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

EXTRAS = os.environ.get("EXTRAS", "monitoring").split(",")
PINS = ("constraints.txt", *(["constraints-cluster.txt"] if "cluster" in EXTRAS else []))
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def install_packages(folder: Path, work: Path) -> None:
    """Install what the program needs."""
    text = pinned()
    blocks = {plain(match[1]): block for block in re.split(r"\n(?=\S)", text) if (match := PIN.match(block))}
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(one for extra in EXTRAS for one in project["optional-dependencies"][extra])]
    wheels, chosen = work / "wheels", work / "chosen.txt"
    pip(folder, "download", "--only-binary", ":all:", "--constraint", pins(work), "--dest", wheels, *wanted)
    needed = {plain(path.name.split("-")[0]) for path in wheels.iterdir()}
    if unpinned := needed - blocks.keys():
        sys.exit(f"{PINS[-1]} does not pin {', '.join(sorted(unpinned))}: make lock")
    chosen.write_text("\n".join(blocks[name] for name in sorted(needed)), encoding="utf-8")
    only_those = ("--no-index", "--find-links", wheels, "--only-binary", ":all:", "--no-deps")
    pip(folder, "install", *only_those, "--require-hashes", "--requirement", chosen)
    pip(folder, "check")


def install_program(folder: Path, work: Path) -> None:
    """Install the program's own wheel, and remove what installed it."""
    tools = work / "tools"
    pip(tools, "install", "--only-binary", ":all:", "--constraint", pins(work), "hatchling")
    pip(tools, "wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", work, ".")
    pip(folder, "install", "--no-index", "--no-deps", *work.glob("switchboard-*.whl"))
    pip(folder, "check")
    pip(folder, "uninstall", "--yes", "pip", "setuptools")


def pinned() -> str:
    """Return all pins with their hashes."""
    return "\n".join(Path(name).read_text(encoding="utf-8") for name in PINS)


def pins(work: Path) -> Path:
    """Write the versions that are pinned without their hashes, which pip takes as constraints only so."""
    found = PIN.finditer(pinned())
    path = work / "pins.txt"
    path.write_text("\n".join(dict.fromkeys(match[0].rstrip("\\") for match in found)), encoding="utf-8")
    return path


def plain(name: str) -> str:
    """Return a distribution's name as all its spellings have it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pip(environment: Path, *words: str | Path) -> None:
    """Run pip in an environment, which is made where need be. Raises CalledProcessError."""
    if not environment.exists():
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    quiet = ("--disable-pip-version-check", "--no-cache-dir", "--quiet")
    subprocess.run([environment / "bin" / "python", "-m", "pip", *words[:1], *quiet, *words[1:]], check=True)


if __name__ == "__main__":
    step, place = sys.argv[1:]
    with tempfile.TemporaryDirectory() as temporary:
        {"packages": install_packages, "program": install_program}[step](Path(place), Path(temporary))
