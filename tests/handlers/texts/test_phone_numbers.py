"""Numbers as typed by people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.texts.phone_numbers import (
    NAME_LIMIT,
    WrongNameError,
    WrongNumberError,
    check_name,
    ending,
    parse_number,
    show_number,
    split_number_and_name,
    split_numbers,
)


@pytest.mark.parametrize(
    ("typed", "region", "number"),
    [
        ("+491511234567", None, "+491511234567"),
        ("+49 1511 2345678", None, "+4915112345678"),
        ("0049 (1511) 234-5678", None, "+4915112345678"),
        ("\u202a+49\u00a01511\u2011234 5678\u202c".replace("\u2011", "-"), None, "+4915112345678"),
        ("01511 2345678", "DE", "+4915112345678"),
        ("(202) 555-0123", "US", "+12025550123"),
        ("+٤٩١٥١١٢٣٤٥٦٧٨", None, "+4915112345678"),
    ],
)
def test_numbers_are_taken_as_people_type_them(typed, region, number):
    assert parse_number(typed, region) == number


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", "is missing"),
        ("abc", "is not a phone number"),
        ("+49", "is not a phone number"),
        ("01511234567", "has no country code."),
        ("+999123456", "has no country code that exists"),
        ("+4915112345678901234", "is too long"),
        ("+4915", "is too short"),
        ("+49x", "is not a phone number"),
    ],
)
def test_refusals_say_what_was_wrong_and_show_one_right_example(typed, why):
    with pytest.raises(WrongNumberError) as refused:
        parse_number(typed, None)
    assert why in str(refused.value)
    assert str(refused.value).endswith(" like +491511234567.")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("typed", ["491511234567", "49 1511 234567", "4915112345678"])
def test_a_number_that_lacks_only_its_plus_is_shown_with_it(typed):
    with pytest.raises(WrongNumberError, match=rf"no \+ .* \+{typed.replace(' ', '')}\.$"):
        parse_number(typed, None)


def test_the_example_is_right_itself_and_of_the_region_that_is_set():
    for region in (None, "DE", "US", "IN"):
        with pytest.raises(WrongNumberError) as refused:
            parse_number("abc", region)
        example = str(refused.value).rsplit(" ", 1)[-1].rstrip(".")
        assert parse_number(example, region) == example


@pytest.mark.parametrize(
    ("typed", "number", "name"),
    [
        ("+491511234567", "+491511234567", ""),
        ("+491511234567 Support Berlin", "+491511234567", "Support Berlin"),
        ("+49 1511 234567   Support   Berlin", "+491511234567", "Support Berlin"),
        ("+491511234567 2nd office", "+491511234567", "2nd office"),
        ("+491511234567 24", "+491511234567", "24"),
        ("+49 1511 2345678 24 h shop", "+4915112345678", "24 h shop"),
        ("\u202a+49 1511 234567\u202c Support Berlin", "+491511234567", "Support Berlin"),
        ("\u200e+49\u200b1511234567\u202c می\u200cخواهم", "+491511234567", "می\u200cخواهم"),
        ("+491511234567 👨\u200d👩\u200d👧 Familie", "+491511234567", "👨\u200d👩\u200d👧 Familie"),
        ("+491511234567 \u202cShop", "+491511234567", "Shop"),
        ("+49 \u202c 1511234567", "+491511234567", ""),
        ("+491511234567 №① ﬁne", "+491511234567", "№① ﬁne"),
        ("tel:+49-1511-234-5679 شركة", "+4915112345679", "شركة"),
        ("Tel. +49 1511 2345679 Shop", "+4915112345679", "Shop"),
    ],
)
def test_a_name_may_follow(typed, number, name):
    assert split_number_and_name(typed, None) == (number, name)


def test_a_name_has_its_limits():
    assert check_name("x" * NAME_LIMIT) == "x" * NAME_LIMIT
    with pytest.raises(WrongNameError, match="41 characters; 40 are allowed"):
        check_name("x" * (NAME_LIMIT + 1))
    assert check_name("a\u202eb\x07 \n c") == "ab c"
    assert check_name("\u2066evil\u2069\x9b") == "evil"


@given(st.text(max_size=80))
def test_whatever_is_typed_is_a_number_or_refused(typed):
    try:
        number, name = split_number_and_name(typed, "DE")
    except (WrongNumberError, WrongNameError) as refused:
        assert str(refused)
    else:
        assert number.startswith("+")
        assert number[1:].isdecimal()
        assert parse_number(number, None) == number
        assert len(name) <= NAME_LIMIT


def test_shown_as_people_read_them():
    assert show_number("+4915112345678") == "+49 1511 2345678"
    assert ending("••• 5678") == "5678"
    assert ending("567") is None
    assert ending("Berlin") is None


@pytest.mark.parametrize(
    ("typed", "found", "refused"),
    [
        ("+4915112345678 Berlin, +33612345678 Paris", [("+4915112345678", "Berlin"), ("+33612345678", "Paris")], 0),
        ("+4915112345678; +33612345678", [("+4915112345678", ""), ("+33612345678", "")], 0),
        ("+4915112345678\n\n+33612345678\n", [("+4915112345678", ""), ("+33612345678", "")], 0),
        ("+4915112345678, Support, Berlin", [("+4915112345678", "Support, Berlin")], 0),
        ("+4915112345678\n+4915112345678 Berlin", [("+4915112345678", "Berlin")], 0),
        ("+4915112345678\n+49 12\nnobody", [("+4915112345678", "")], 2),
        ("+4915112345678 und +33612345678", [("+4915112345678", ""), ("+33612345678", "")], 0),
        ("+4915112345678 & 0033612345678 Paris", [("+4915112345678", ""), ("+33612345678", "Paris")], 0),
        ("+4915112345678 Berlin +33 612 345678 Paris", [("+4915112345678", "Berlin"), ("+33612345678", "Paris")], 0),
        ("+49 1511 2345678 +33 6 12 34 56 78", [("+4915112345678", ""), ("+33612345678", "")], 0),
        ("+4915112345678; https://wa.me/33612345678 Paris", [("+4915112345678", ""), ("+33612345678", "Paris")], 0),
        ("Tel: +4915112345678, mobile +33612345678", [("+4915112345678", ""), ("+33612345678", "")], 0),
        ("+4915112345678 Shop +1", [("+4915112345678", "Shop +1")], 0),
        ("", [], 0),
    ],
)
def test_several_numbers_in_one_message(typed, found, refused):
    numbers, problems = split_numbers(typed, None)
    assert numbers == found
    assert len(problems) == refused
