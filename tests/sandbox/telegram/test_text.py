"""Markup is converted to text and entities, or rejected like the server does; lengths are UTF-16 units."""

import pytest

from sandbox.telegram.markup.html import MarkupError, parse_html
from sandbox.telegram.markup.markdown import parse_markdown, parse_markdown_v2
from sandbox.telegram.markup.text import Entity, find_entities, normalise, utf16_length
from sandbox.telegram.views import to_html


def html(source: str) -> tuple[str, list[tuple]]:
    text, entities = parse_html(source)
    return text, [(entity.type, entity.offset, entity.length) for entity in entities]


def markdown(source: str) -> tuple[str, list[tuple]]:
    text, entities = parse_markdown_v2(source)
    return text, [(entity.type, entity.offset, entity.length) for entity in entities]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plain", ("plain", [])),
        ("<b>bold</b> <i>it</i>", ("bold it", [("bold", 0, 4), ("italic", 5, 2)])),
        ("😀<b>x</b>", ("😀x", [("bold", 2, 1)])),
        ("<b><i>both</i></b>", ("both", [("bold", 0, 4), ("italic", 0, 4)])),
        ("1 &lt; 2 &amp;&amp; &#51; &gt; &#x32;", ("1 < 2 && 3 > 2", [])),
        ("&nbsp; & &unknown;", ("&nbsp; & &unknown;", [])),
        ('<pre><code class="language-py">x</code></pre>', ("x", [("pre", 0, 1)])),
        ("<code>1</code>", ("1", [("code", 0, 1)])),
        ('<span class="tg-spoiler">s</span>', ("s", [("spoiler", 0, 1)])),
        ("<blockquote expandable>q</blockquote>", ("q", [("expandable_blockquote", 0, 1)])),
        ("<b></b>", ("", [])),
        ("<B>case</B>", ("case", [("bold", 0, 4)])),
        ('<a href="nothing">x</a>', ("x", [])),
        ('<tg-time unix="1800000000" format="dt">then</tg-time>', ("then", [("date_time", 0, 4)])),
    ],
)
def test_html_that_is_understood(source: str, expected: tuple):
    assert html(source) == expected


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("a < b", 'Unsupported start tag "" at byte offset 2'),
        ("é <p>x</p>", 'Unsupported start tag "p" at byte offset 3'),
        ("<b>x", 'Can\'t find end tag corresponding to start tag "b"'),
        ("<b>x</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("<b", "Unclosed start tag at byte offset 0"),
        ("<b>x</b", "Unclosed end tag at byte offset 4"),
        ("<i =a>x</i>", 'Empty attribute name in the tag "i" at byte offset 0'),
        ('<span class="other">x</span>', 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
    ],
)
def test_html_that_is_refused(source: str, reason: str):
    with pytest.raises(MarkupError) as refused:
        parse_html(source)
    assert str(refused.value) == reason


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("*b* _i_ __u__ ~s~ ||p||", ("b i u s p", [("bold", 0, 1), ("italic", 2, 1), ("underline", 4, 1),
                                                     ("strikethrough", 6, 1), ("spoiler", 8, 1)])),
        (r"1\.5 \- done\!", ("1.5 - done!", [])),
        ("```py\nx = 1```", ("x = 1", [("pre", 0, 5)])),
        ("`a_b`", ("a_b", [("code", 0, 3)])),
        (">one\n>two\nthree", ("one\ntwo\nthree", [("blockquote", 0, 8)])),
        (">one||", ("one", [("expandable_blockquote", 0, 3)])),
        ("[x](https://example.org)", ("x", [("text_link", 0, 1)])),
        ("[x](tg://user?id=42)", ("x", [("text_mention", 0, 1)])),
    ],
)  # fmt: skip
def test_markdown_v2_that_is_understood(source: str, expected: tuple):
    assert markdown(source) == expected


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("1.5", r"Character '.' is reserved and must be escaped with the preceding '\'"),
        ("é *x", "Can't find end of Bold entity at byte offset 3"),
        ("_x", "Can't find end of Italic entity at byte offset 0"),
        ("`x", "Can't find end of Code entity at byte offset 0"),
        ("[x](y", "Can't find end of a URL at byte offset 4"),
        ("a>b", r"Character '>' is reserved and must be escaped with the preceding '\'"),
    ],
)
def test_markdown_v2_that_is_refused(source: str, reason: str):
    with pytest.raises(MarkupError) as refused:
        parse_markdown_v2(source)
    assert str(refused.value) == reason


def test_every_reserved_character_needs_its_backslash():
    for character in "_*[]()~`>#+-=|{}.!":
        assert parse_markdown_v2("\\" + character) == (character, [])
    for character in "])(>#+-=|{}.!":
        with pytest.raises(MarkupError):
            parse_markdown_v2("x" + character)


def test_legacy_markdown():
    text, entities = parse_markdown("*b* _i_ `c` [x](https://example.org) 1.5")
    assert text == "b i c x 1.5"
    assert [entity.type for entity in entities] == ["bold", "italic", "code", "text_link"]
    with pytest.raises(MarkupError, match="Can't find end of the entity starting at byte offset 2"):
        parse_markdown("a *b")


def test_ends_are_stripped_and_entities_clipped():
    rich = normalise("  x \n", [Entity("bold", 0, 5)])
    assert rich.text == "x"
    assert rich.entities == (Entity("bold", 0, 1),)


def test_nothing_is_marked_inside_code():
    rich = normalise("/start @someone", [Entity("code", 0, 15), Entity("bold", 0, 15)])
    assert [entity.type for entity in rich.entities] == ["code"]


def test_bold_is_split_around_code():
    rich = normalise("abc", [Entity("bold", 0, 3), Entity("code", 1, 1)])
    assert [(entity.type, entity.offset, entity.length) for entity in rich.entities] == [
        ("bold", 0, 1),
        ("code", 1, 1),
        ("bold", 2, 1),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/link +491511234567 Berlin", [("bot_command", 0, 5), ("phone_number", 6, 13)]),
        ("/status@switchboard_bot", [("bot_command", 0, 23)]),
        ("see https://example.org/x and a/b", [("url", 4, 21)]),
        ("@someone #tag", [("mention", 0, 8), ("hashtag", 9, 4)]),
        ("http://x/start", [("url", 0, 14)]),
    ],
)
def test_what_telegram_finds_by_itself(text: str, expected: list):
    assert [(entity.type, entity.offset, entity.length) for entity in find_entities(text)] == expected


def test_length_counts_utf16_units():
    assert utf16_length("a😀é") == 4


def test_a_view_shows_text_as_text():
    assert to_html(normalise("<script>&", [Entity("bold", 0, 8)])) == "<b>&lt;script&gt;</b>&amp;"


def test_a_view_keeps_a_quote_in_one_piece():
    rich = normalise("one two", [Entity("blockquote", 0, 7), Entity("bold", 4, 3), Entity("italic", 2, 4)])
    assert to_html(rich) == "<blockquote>on<i>e <b>tw</b></i><b>o</b></blockquote>"
