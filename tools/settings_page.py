"""Writes docs/settings.md, a page that can be linked to, from .env.example, and checks that it is up to date.

`python -m tools.settings_page` writes, `--check` only compares. That .env.example has every setting with its real
default is checked in tests/test_repository.py.
Not here: descriptions of settings; they are in .env.example only.
"""

import argparse
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXAMPLE, PAGE = ROOT / ".env.example", ROOT / "docs" / "settings.md"

_SECTION = re.compile(r"# --- (.+?) -+")
_SETTING = re.compile(r"(?:# )?([A-Z][A-Z0-9_]*)=(.*)")
HEAD = """# Settings

<!-- Made from .env.example by `make settings`; change it there. -->

Settings are read once, at start, from the environment and from a file `.env` (copy
[.env.example](../.env.example)); the environment wins. Durations are in seconds and may be fractions. A value that
cannot be used is one line that names the setting, and exit code 2.
"""


@dataclass(slots=True)
class Block:
    """Settings that are explained together. settings: (name, default) as written, without comment signs."""

    words: list[str] = field(default_factory=list)
    settings: list[tuple[str, str]] = field(default_factory=list)


def blocks(example: str) -> list[tuple[str, list[Block]]]:
    """Return the sections of .env.example in order, each with its blocks."""
    sections: list[tuple[str, list[Block]]] = []
    block = Block()
    for line in example.splitlines():
        if found := _SECTION.fullmatch(line):
            sections.append((found[1], []))
            block = Block()
        elif not line.strip() or not sections:
            block = Block()
        elif found := _SETTING.fullmatch(line):
            if not block.settings:
                sections[-1][1].append(block)
            block.settings.append((found[1], found[2]))
        else:
            block.words.append(line.removeprefix("#").strip())
    return sections


def page(example: str) -> str:
    """Return the whole page."""
    lines = [HEAD]
    for title, found in blocks(example):
        lines += [f"## {title}", "", "| setting | default | what it does |", "|---|---|---|"]
        for block in found:
            names = "<br>".join(f'<a id="{name.lower()}"></a>`{name}`' for name, _ in block.settings)
            defaults = "<br>".join(f"`{value}`" if value else "–" for _, value in block.settings)
            lines.append(f"| {names} | {defaults} | {_cell(block.words)} |")
        lines.append("")
    return "\n".join(lines)


def _cell(words: list[str]) -> str:
    return " ".join(words).replace("|", "\\|")


def main(argv: list[str] | None = None) -> int:
    """Write the page, or with --check report whether it is up to date; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.settings_page", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit code 1 if the page is not current")
    args = parser.parse_args(argv)
    fresh = page(EXAMPLE.read_text("utf-8"))
    if args.check:
        if not PAGE.exists() or PAGE.read_text("utf-8") != fresh:
            print("docs/settings.md is not current: make settings", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(fresh, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
