"""Destinations of alerts as people write them."""

import pytest

from handlers.chat.destination import Destination, DestinationError, parse_destination


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("-1001234567890", Destination(-1001234567890)),
        (" -1001234567890:7 ", Destination(-1001234567890, 7)),
        ("-1001234567890:1", Destination(-1001234567890)),
        ("-4000000001", Destination(-4000000001)),
        ("1001", Destination(1001)),
        ("@our_team", Destination("@our_team")),
        ("@our_team:12", Destination("@our_team", 12)),
    ],
)
def test_ids_topics_and_names_are_taken(written, meant):
    assert parse_destination(written) == meant


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("our team", "takes a chat's id such as"),
        ("", "takes a chat's id such as"),
        ("0", "takes a chat's id such as"),
        ("-100…:7", "takes a chat's id such as"),
        ("@x", "takes a chat's id such as"),
        ("-1001234567890:", "takes a chat's id such as"),
        ("-1001234567890:0", "takes a topic's number"),
        ("1001:7", "takes a topic in a group alone"),
        ("9" * 40, "takes a chat's id such as"),
    ],
)
def test_what_is_no_destination_is_refused_in_one_line_with_an_example(written, why):
    with pytest.raises(DestinationError) as refused:
        parse_destination(written)
    assert str(refused.value).startswith(why)
    assert "\n" not in str(refused.value)
