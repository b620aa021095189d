"""The short form of `make chaos`, and that a failed row is reported: a table that cannot fail is worthless."""

import subprocess
import sys

import pytest

from tests.chaos import __main__ as chaos
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
    assert chaos.main(["--markdown", str(page), "--minutes", "0"], run=run) == 1
    assert "| browser killed |" in capsys.readouterr().out
    assert "WRONG: 2 attempts, not 1" in page.read_text(encoding="utf-8")

    async def well(_):
        return [Row("renderer killed", detected=0.1)]

    assert chaos.main(["--minutes", "0"], run=well) == 0


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
