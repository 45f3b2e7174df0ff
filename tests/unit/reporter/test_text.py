"""Text from a heap does nothing but show."""

from __future__ import annotations

import pytest

from heapscope.reporter.text import markdown_code, markdown_text, plural, printable, shorten


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("java.util.HashMap$Node[]", "java.util.HashMap$Node[]"),
        ("naïve 数据 😀", "naïve 数据 😀"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x7f\x85\x00", "\\x7f\\x85\\x00"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("FileSystem$Cache$Key", "`FileSystem$Cache$Key`"),
        ("<script>@team #1", "`<script>@team #1`"),
        ("a|b", "a&#124;b"),
        ("a`b<i>", "a&#96;b&#60;i&#62;"),
        (" ", "(empty)"),
        ("a\nb", "`a\\nb`"),
    ],
)
def test_markdown_code(text: str, code: str) -> None:
    assert markdown_code(text) == code


def test_markdown_text_has_nothing_that_marks_up() -> None:
    assert markdown_text("KERB_TICKET_CACHE_PATH: (a, b)") == "KERB_TICKET_CACHE_PATH: (a, b)"
    assert markdown_text("_x_ *y* [z](u) <b>&amp; @me #1 $x$ a|b ~~c~~ `d`") == (
        "&#95;x&#95; &#42;y&#42; &#91;z&#93;(u) &#60;b&#62;&#38;amp; &#64;me &#35;1 &#36;x&#36; a&#124;b "
        "&#126;&#126;c&#126;&#126; &#96;d&#96;"
    )


def test_small_words() -> None:
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcdefg", 6) == "abcdef… (7 characters)"
    assert plural(1, "class", "classes") == "1 class"
    assert plural(1204, "class", "classes") == "1,204 classes"
    assert plural(0, "step") == "0 steps"
