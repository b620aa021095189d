"""What buttons say: short, read back as they were written, and never misread."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.callbacks import LIMIT, Press, StaleButtonError, Verb, button_code, read_code

SUBJECTS = st.from_regex(r"[1-9][0-9]{6,14}(\.[0-9]{1,8})?|\.[0-9]{1,8}", fullmatch=True)


@given(
    verb=st.sampled_from(Verb),
    subject=SUBJECTS,
    confirm=st.none() | st.tuples(st.integers(1, 2**52), st.integers(0, 2**40)),
)
def test_codes_are_short_and_read_back(verb, subject, confirm):
    presser, until = confirm or (None, None)
    code = button_code(verb, subject, presser=presser, until=until)
    assert 1 <= len(code.encode()) <= LIMIT
    press = read_code(code)
    assert (press.verb, press.subject, press.presser, press.until) == (verb, subject, presser, until)


@given(st.text(max_size=64))
def test_what_is_none_of_ours_is_called_stale(code):
    try:
        press = read_code(code)
    except StaleButtonError:
        return
    assert code.startswith(f"1:{press.verb}:")


def test_every_code_is_its_own():
    assert len({button_code(Verb.RECONNECT, "+4915112345678") for _ in range(50)}) == 50


@pytest.mark.parametrize(
    ("subject", "number", "item", "about"),
    [
        ("4915112345678", "+4915112345678", None, True),
        ("4915112345678.7", "+4915112345678", 7, True),
        (".7", "+", 7, False),
    ],
)
def test_what_a_press_is_about(subject, number, item, about):
    press = Press(Verb.RECONNECT, subject)
    assert (press.number, press.item, press.about_account) == (number, item, about)
