"""The short form of `make chaos`, and that a failed row is reported: a table that cannot fail is worthless."""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from dataclasses import asdict

import pytest

from tests.chaos import __main__ as chaos
from tests.chaos import parts
from tests.chaos.parts import Part
from tests.chaos.stage import Account, Transition
from tests.chaos.table import Row
from tests.chaos.trial import Expected, judge
from tests.e2e.harness import ROOT

BERLIN = Account("+4915112345601", "Berlin", 2001)


def told(state, reason, attempts=0, errors=0, detail=""):
    return Transition(1, 0.0, state, reason, None, detail, attempts, errors)


@pytest.mark.e2e
@pytest.mark.chromium
@pytest.mark.timeout(300)
def test_the_short_form_is_good_in_every_row():
    command = [sys.executable, "-m", "tests.chaos", "--quick", "--minutes", "0"]
    done = subprocess.run(command, check=False, cwd=ROOT, text=True, capture_output=True, timeout=290)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")][2:]
    assert len(rows) == len(chaos.QUICK) + len(chaos.QUICK_WATCHED) + 1, done.stdout
    assert "0 WRONG" in done.stdout


def test_a_wrong_row_is_told_and_is_the_exit_code(capsys, tmp_path):
    async def run(_):
        return [Row("renderer killed", detected=0.1), Row("browser killed", wrong=["2 attempts, not 1"])]

    page = tmp_path / "chaos.md"
    page.write_text("By hand, before.\n\n<!-- one run -->\nold\n<!-- end of one run -->\n\nBy hand, after.\n", "utf-8")
    assert chaos.main(["--markdown", str(page), "--minutes", "0"], run=run) == 1
    assert "| browser killed |" in capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    assert "WRONG: 2 attempts, not 1" in text
    assert text.startswith("By hand, before.\n\n<!-- one run -->\n`python -m tests.chaos --minutes 0")
    assert text.endswith(" |\n<!-- end of one run -->\n\nBy hand, after.\n")

    async def well(_):
        return [Row("renderer killed", detected=0.1)]

    assert chaos.main(["--minutes", "0"], run=well) == 0


async def test_a_run_whose_stand_ins_stood_still_says_so(monkeypatch):
    async def stands_still(*_):
        await asyncio.sleep(0)
        time.sleep(0.3)  # noqa: ASYNC251 - that is the fault
        await asyncio.sleep(0.1)

    monkeypatch.setattr(chaos, "MOST_STANDING", 0.1)
    monkeypatch.setattr(chaos, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(chaos, "_foreground", stands_still)
    told = argparse.Namespace(quick=False, only=["nothing"], part=Part(2, 2), rows=None)
    rows = await chaos.chaos(told)
    assert [(row.fault, row.wrong[0][:27]) for row in rows] == [("the run itself", "its stand-ins stood still f")]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_each_fault_is_in_one_part(count):
    all_parts = [Part(number, count) for number in range(1, count + 1)]
    for fault in (*chaos.QUICK, "two at a time"):
        assert sum(part.has(fault) and part.has_shared_program for part in all_parts) == 1, fault
    assert sum(part.has_programs_of_their_own for part in all_parts) == 1
    assert Part.parse("2/5") == Part(2, 5)
    with pytest.raises(ValueError, match="6/5"):
        Part.parse("6/5")


async def test_a_part_that_dies_and_one_that_ends_badly_are_told(monkeypatch, tmp_path, capsys):
    rows = [Row("renderer killed"), Row(parts.END, wrong=["it ended with -9"])]
    code = f"""
import pathlib, sys
pathlib.Path(sys.argv[-1]).write_text({jsonl(rows)!r})
sys.exit("1/2" in sys.argv and 3)
"""
    program = tmp_path / "program.py"
    program.write_text(f"#!{sys.executable}\n{code}", encoding="utf-8")
    program.chmod(0o700)
    monkeypatch.setattr(parts, "BETWEEN_STARTS", 0.1)
    monkeypatch.setattr(parts.sys, "executable", str(program))
    found = await parts.run_all(2, [], tmp_path)
    assert [(row.fault, row.wrong) for row in found] == [
        ("renderer killed", []),
        ("part 1/2", ["it ended with 3"]),
        ("renderer killed", []),
        (parts.END, ["it ended with -9"]),
    ]
    assert capsys.readouterr().out.count("renderer killed") == 2


def jsonl(rows: list[Row]) -> str:
    return "".join(json.dumps(asdict(row)) + "\n" for row in rows)


@pytest.mark.parametrize(
    ("log", "wrong"),
    [
        ([told("DISCONNECTED", "session_closed"), told("CONNECTED", "linked", 1)], []),
        ([told("DISCONNECTED", "session_closed"), told("CONNECTED", "linked", 2)], ["2 attempts, not 1"]),
        ([told("ERROR", "session_closed", 1, 1)], ["1 errors, not 0"]),
        (
            [told("DISCONNECTED", "stale", 1, detail="x")],
            ["Berlin went to DISCONNECTED by stale: x"],
        ),
    ],
)
def test_what_the_contract_does_not_allow_is_wrong(log, wrong):
    row = Row("")
    judge(row, Expected(reason="session_closed"), {BERLIN: log})
    assert row.wrong == wrong
