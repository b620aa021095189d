"""The findings of a check, their output and exit code."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum, unique

from switchboard.logs import one_line, redacted


@unique
class Verdict(StrEnum):
    """A finding's severity."""

    GOOD = "good"
    NOTE = "note"
    """Worth knowing; not a failure."""
    LATER = "later"
    """Fails now, but may recover by itself."""
    MEND = "mend"
    """A person must fix it first."""


_SIGNS = {Verdict.GOOD: "ok  ", Verdict.NOTE: "note", Verdict.LATER: "WAIT", Verdict.MEND: "FAIL"}
_CODES = {Verdict.GOOD: 0, Verdict.NOTE: 0, Verdict.LATER: 75, Verdict.MEND: 2}
_ORDER = (Verdict.GOOD, Verdict.NOTE, Verdict.LATER, Verdict.MEND)


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. text: one line."""

    name: str
    verdict: Verdict
    text: str


def worst(findings: Sequence[Finding]) -> Verdict:
    """Return the worst verdict."""
    return max((finding.verdict for finding in findings), key=_ORDER.index, default=Verdict.GOOD)


def exit_code(findings: Sequence[Finding]) -> int:
    """Return 0 if all is well, 2 if a person must fix something, else 75."""
    return _CODES[worst(findings)]


def as_text(findings: Sequence[Finding]) -> str:
    """Return one line per finding, and a summary."""
    width = max((len(finding.name) for finding in findings), default=0)
    lines = [f"{_SIGNS[each.verdict]}  {each.name:<{width}}  {_clean(each.text)}" for each in findings]
    over = {
        Verdict.GOOD: "All is well.",
        Verdict.NOTE: "All is well.",
        Verdict.LATER: "Not everything is there yet; it may come by itself.",
        Verdict.MEND: "What says FAIL must be mended first.",
    }[worst(findings)]
    return "\n".join([*lines, over])


def as_json(findings: Sequence[Finding]) -> str:
    """Return one object: verdict, and findings with name, verdict and text."""
    fields = {
        "verdict": worst(findings),
        "findings": [{"name": one.name, "verdict": one.verdict, "text": _clean(one.text)} for one in findings],
    }
    return json.dumps(fields, ensure_ascii=False, indent=2)


def _clean(text: str) -> str:
    return one_line(redacted(text))
