"""Which numbers are one account's, and what is seen of a number."""

import pytest

from controller.accounts.numbers import is_same_account, mask


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("+5531988887777", "+553188887777"),
        ("+5531988887777", "+5531988887777"),
        ("+525512345678", "+5215512345678"),
        ("+491511234567", "+491511234567"),
    ],
)
def test_an_id_may_have_another_form_than_the_number(ours, theirs):
    assert is_same_account(ours, theirs)
    assert is_same_account(theirs, ours)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("+5531988887777", "+553188887778"),
        ("+5511933334444", "+551133334444"),  # the second is a landline
        ("+5531988887777", "+5532988887777"),
        ("+525512345678", "+5215512345679"),
        ("+491511234567", "+4911511234567"),
        ("+491511234567", "+49151123456"),
    ],
)
def test_another_number_is_another_account(ours, theirs):
    assert not is_same_account(ours, theirs)
    assert not is_same_account(theirs, ours)


def test_a_masked_number_shows_its_end_alone():
    assert mask("+491511234567") == "•••4567"
