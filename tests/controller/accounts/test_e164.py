"""Which numbers belong to the same account, and how numbers are masked."""

import pytest

from controller.accounts.e164 import is_same_account, mask, mask_apart, may_be_same_account


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("+5531988887777", "+553188887777"),
        ("+5531988887777", "+5531988887777"),
        ("+525512345678", "+5215512345678"),
        ("+541123456789", "+5491123456789"),
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


@pytest.mark.parametrize(
    ("one", "other", "may"),
    [
        ("+491511234567", "+4911511234567", True),
        ("+6591123456", "+651123456", True),
        ("+541123456789", "+5411923456789", True),
        ("+2290197123456", "+22997123456", True),  # Benin, since 2024
        ("+2250712345678", "+22512345678", True),  # Côte d'Ivoire, since 2021
        ("+229019712345", "+2299712345601", False),
        ("+22997123456", "+97123456", False),
        ("+4915112345678", "+491511234567", False),  # the last digit is the subscriber's own
        ("+491511234567", "+4915112345467", False),
        ("+491511234567", "+491511234568", False),
        ("+491511234567", "+491511234567", False),
        ("+491511234567", "+49151123456700", False),
        ("+491511234567", "+1511234567", False),
    ],
)
def test_one_digit_more_or_less_is_for_a_person_to_judge(one, other, may):
    assert may_be_same_account(one, other) is may
    assert may_be_same_account(other, one) is may


@pytest.mark.parametrize(
    ("one", "other", "shown"),
    [
        ("+4915119999999", "+491511234567", ("•••9999", "•••4567")),
        ("+6591123456789", "+651123456789", ("659•••6789", "65•••6789")),
        ("+491511236789", "+491521236789", ("•••1•••6789", "•••2•••6789")),
    ],
)
def test_two_masked_numbers_show_what_they_differ_in(one, other, shown):
    assert mask_apart(one, other) == shown
    assert mask_apart(other, one) == shown[::-1]
