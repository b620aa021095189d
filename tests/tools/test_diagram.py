"""The pages show the lifecycle as it is, and would show changes."""

import pytest

from controller.accounts.lifecycle.table import TABLE, Row
from controller.accounts.model import Stage, Timer
from controller.accounts.reasons import VERDICTS, State
from controller.accounts.reports import Heard
from tools import diagram


@pytest.mark.parametrize("name", diagram.PAGES)
def test_pages_are_current(name):
    page = (diagram.ROOT / name).read_text("utf-8")

    assert diagram.renewed(page, diagram.PAGES[name]) == page


def test_every_state_and_every_stage_is_drawn():
    states, stages = "\n".join(diagram.draw_states()), "\n".join(diagram.draw_stages())

    assert all(state in states for state in State)
    assert all(f"{stage.name}: {stage.value}" in stages for stage in Stage)


def test_a_new_move_appears(monkeypatch):
    rows = TABLE[State.IDLE] | {Timer.RETRY: Row(print, (State.CONNECTED,))}
    monkeypatch.setitem(TABLE, State.IDLE, rows)

    assert "    IDLE --> CONNECTED: retry due" in diagram.draw_states()


def test_a_move_without_words_is_refused(monkeypatch):
    rows = TABLE[State.IDLE] | {Heard: Row(print, (State.CONNECTED,))}
    monkeypatch.setitem(TABLE, State.IDLE, rows)

    with pytest.raises(KeyError, match="Heard"):
        list(diagram.draw_states())


def test_one_arrow_carries_all_that_leads_along_it():
    arrows = [line.split(":")[0] for line in diagram.draw_states() if "-->" in line]

    assert len(arrows) == len(set(arrows))


def test_every_reason_of_an_end_is_told():
    rows = list(diagram.list_reasons())[2:]

    assert [row.split("|")[1].strip(" `") for row in rows] == list(VERDICTS)
    assert all(cell.strip() for row in rows for cell in row.split("|")[1:5])


@pytest.mark.parametrize("page", ["", "<!-- generated: a -->", "<!-- generated: a --><!-- end of a -->" * 2])
def test_pages_without_their_markers_are_refused(page):
    with pytest.raises(ValueError, match="'a'"):
        diagram.renewed(page, {"a": lambda: iter(["text"])})


def test_what_stands_around_the_markers_stays():
    page = "before\n<!-- generated: a -->\nold\n<!-- end of a -->\nafter\n"

    renewed = diagram.renewed(page, {"a": lambda: iter([r"new \1"])})

    assert renewed == "before\n<!-- generated: a -->\nnew \\1\n<!-- end of a -->\nafter\n"
