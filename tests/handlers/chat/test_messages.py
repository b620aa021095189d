"""Messages as data: what HTML may contain, and what is removed from text of people and pages."""

import pytest

from handlers.chat.messages import escape


@pytest.mark.parametrize(
    "kept", ["می\u200cخواهم", "क्\u200dष", "👨\u200d👩\u200d👧\u200d👦", "🏴\U000e0067\U000e0062\U000e007f", "a\tb\nc"]
)
def test_what_spells_a_word_or_an_emoji_is_kept(kept):
    assert escape(kept).strip("\u2068\u2069") == kept
    assert escape(kept, isolated=False) == kept


@pytest.mark.parametrize("sign", ["\u202e", "\u2066", "\u2069", "\u200f", "\x00", "\x1b", "\x7f", "\x9b", "\u2028"])
def test_controls_and_what_turns_the_writing_are_dropped(sign):
    assert escape(f"a{sign}b") == "ab"


@pytest.mark.parametrize("name", ["شركة الاختبار", "חנות 24", "Shop متجر"])
def test_what_is_written_from_right_to_left_turns_nothing_beside_it(name):
    assert escape(name) == f"\u2068{name}\u2069"
    assert escape(escape(name)) == escape(name)


def test_markup_is_text():
    assert escape("<b>&amp;</b>") == "&lt;b&gt;&amp;amp;&lt;/b&gt;"
