"""Callback data: short, parsed back unchanged, and never misread."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.accounts.reasons import Remedy
from controller.registry import Account
from handlers.chat.button_codes import Press, StaleButtonError, Verb, button_code, read_code
from handlers.telegram.ui import keyboards
from tests.handlers.fakes import FakeAccounts

LIMIT = 64
"""Telegram's, in bytes."""
NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
SUBJECTS = st.from_regex(r"[1-9][0-9]{6,14}(\.[0-9]{1,16})?|\.[0-9]{1,16}", fullmatch=True)


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


def test_every_button_of_the_longest_number_reads_back():
    number, item, user = "+628953301823456", 2**31 - 1, 2**52 - 1
    account = Account(number, "Toko", user)
    accounts = FakeAccounts()
    accounts.put(number)
    asked = [(account, accounts.status(number))]
    subjects = (number, f"{number}.{item}", f".{item}", f"{number}.{int(NOW.timestamp())}")
    offered = [
        keyboards.detail(account, accounts.status(number)),
        keyboards.back(number),
        keyboards.turn_pages(Verb.ALL, 1, 3, ".1"),
        keyboards.copies(number, [(NOW.timestamp(), "20 Nov 2026")]),
        keyboards.end_silences([item]),
        *[keyboards.picker(verb, asked, user, NOW) for verb in Verb],
        *[keyboards.confirm(verb, subject, "Yes", user, NOW) for verb in Verb for subject in subjects],
        keyboards.next_step(number, Remedy),
        keyboards.under_card(number, Remedy),
    ]
    codes = [button.code for keyboard in offered for row in keyboard for button in row]
    codes += [button_code(verb, subject) for verb in Verb for subject in subjects]
    for code in codes:
        assert len(code.encode()) <= LIMIT
        press = read_code(code)
        assert press.number in {number, None}
        assert press.item in {None, 0, item, int(NOW.timestamp())}


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
    ("subject", "number", "item"),
    [
        ("4915112345678", "+4915112345678", None),
        ("4915112345678.7", "+4915112345678", 7),
        (".7", None, 7),
        ("", None, None),
    ],
)
def test_what_a_press_is_about(subject, number, item):
    press = Press(Verb.RECONNECT, subject)
    assert (press.number, press.item) == (number, item)
