"""HTML measured and split the way Telegram counts it, verified by the stand-in's own parser."""

from html import escape

from hypothesis import given
from hypothesis import strategies as st

from handlers.chat.html import rendered_length, split
from sandbox.telegram.markup.html import parse_html

WORDS = st.text(
    st.characters(codec="utf-8", exclude_characters="\n\r\x00", exclude_categories=("Cs", "Cc")), max_size=30
)
LINES = st.lists(st.tuples(st.sampled_from(["", "b", "i", "code"]), WORDS), min_size=1, max_size=8)


def html_of(lines) -> str:
    return "\n".join("".join(marked(*words) for words in line) for line in lines)


def marked(tag: str, text: str) -> str:
    return f"<{tag}>{escape(text)}</{tag}>" if tag else escape(text)


def plain(html: str) -> str:
    return parse_html(html)[0]


@given(st.lists(LINES, min_size=1, max_size=12), st.integers(4, 60))
def test_parts_fit_parse_and_lose_nothing(lines, limit):
    html = html_of(lines)
    parts = split(html, limit)
    assert all(rendered_length(part) <= limit for part in parts)
    assert "".join(plain(part) for part in parts).replace("\n", "") == plain(html).replace("\n", "")


@given(st.lists(LINES, min_size=1, max_size=4))
def test_length_is_counted_as_telegram_does(lines):
    html = html_of(lines)
    assert rendered_length(html) == len(plain(html).encode("utf-16-le")) // 2


def test_a_text_that_fits_stays_as_it_is():
    assert split("<b>one</b>\ntwo") == ["<b>one</b>\ntwo"]


def test_tags_are_closed_and_opened_again_at_a_cut():
    assert split("<b>" + "x" * 10 + "</b>", 4) == ["<b>xxxx</b>", "<b>xxxx</b>", "<b>xx</b>"]
