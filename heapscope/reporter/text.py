"""Text from a heap, made fit to show: nothing in it may steer a terminal, a page or a ticket.

Class names, thread names and environment values are bytes that some program chose; a dump
may be hostile.
"""

from __future__ import annotations

import re
import unicodedata

from heapscope.units import format_count

# Controls, format characters (bidirectional overrides, zero width), surrogates that are no
# pair, line and paragraph separators: all of them act on a reader instead of being read.
_ACTING_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_PLAIN = re.compile(r"[ -~]*")
# Safe between the bars of a Markdown table as they are; the rest becomes an entity.
_MARKDOWN_UNSAFE = re.compile(
    r"""[^A-Za-z0-9 .,:;/=+()%?!'"_\x7f-\U0010ffff-]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"""
)


def printable(text: str) -> str:
    r"""The text, every control or invisible character written out: ``\x1b``, ``\u202e``, ``\n``."""
    if _PLAIN.fullmatch(text):
        return text
    return "".join(
        _escape(char) if unicodedata.category(char) in _ACTING_CATEGORIES else char for char in text
    )


def shorten(text: str, limit: int) -> str:
    """At most ``limit`` characters; what was cut is counted at the end."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… ({len(text):,} characters)"


def format_rate(value: float) -> str:
    """A rate with its sign: ``+8,031``, ``+12.5``, ``+0.042``."""
    if abs(value) >= 100:
        value = round(value)  # tenths say nothing beside thousands
    return f"{value:+.2g}" if 0 < abs(value) < 1 else format_count(value, signed=True)


def plural(count: int, singular: str, plural_form: str | None = None) -> str:
    """``1 class``, ``1,204 classes``.

    Parameters
    ----------
    count : int
    singular : str
    plural_form : str, optional
        By default the singular with an s.
    """
    return f"{count:,} {singular if count == 1 else plural_form or singular + 's'}"


def markdown_text(text: str) -> str:
    """Plain text for GitHub-flavoured Markdown, also in a table cell: nothing in it is markup."""
    return _MARKDOWN_UNSAFE.sub(lambda match: f"&#{ord(match[0])};", printable(text))


def markdown_code(text: str) -> str:
    """A code span, in which Markdown, mentions and formulas have no effect; else `markdown_text`.

    A backtick would end the span, and a bar would end the table cell before the span is seen.
    """
    text = printable(text)
    if not text.strip():
        return "(empty)"
    if "|" in text or "`" in text:
        return markdown_text(text)
    return f"`{text}`"


def _escape(char: str) -> str:
    code = ord(char)
    if char in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[char]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
