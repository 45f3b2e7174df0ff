"""Text in HTML: where its lines may break, and what of it is code."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

# What a reader types or looks up: quoted words, commands, variables, options, dotted names, paths, calls.
_WHOLE = 24  # characters of code that a line takes whole, on a phone too

_CODE = re.compile(
    r"""
    (?<!\w)'(?P<quoted>[A-Za-z_./-][^'\s]*(?:\ [^'\s]+){0,4})'(?!\w)
  | (?P<plain>
        (?<=:\ )heapscope\ [a-z-]+\ .+$
      | (?<![\w$.])(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|[A-Z]{2,}\d[A-Z0-9]{2,})(?![\w$])(?:=[\w./:-]*\w)?
      | (?<![\w-])--?[A-Za-z](?:[\w:+.=/-]*\w)?
      | (?<![\w$./])[a-z_][\w$]*(?:\.[\w$]+){2,}(?:\[\])*(?:=[\w.]*\w)?(?:\(\))?
      | (?<![\w$./])[A-Z][\w]*(?:[.$][A-Za-z_]\w*)+(?:\[\])*(?:\(\))?
      | (?<![\w/.:])/(?:[\w.{}*-]+/)+[\w{}*-][\w.{}*-]*(?<!\.)
      | (?<![\w.-])(?:kinit|klist|kdestroy|jcmd|jmap|jstack|pmap|kubectl|systemctl)(?![\w-])
      | (?<![\w$.])\w+\(\)
    )
    """,
    re.VERBOSE,
)


_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?: \d\d:\d\d(?::\d\d)?(?: UTC)?)?")


def breakable(text: str) -> Markup:
    """Escaped; lines may break after dots, dollars, slashes and the like, and not within numbers."""
    parts = re.split(r"(?<=[.$/:;,=&_])(?<!\d[.,:](?=\d))", text)
    return Markup("<wbr>").join(escape(part) for part in parts if part)


def words(text: str) -> Markup:
    """Escaped as `breakable` does, but lines break between words where they can."""
    return Markup(" ").join(
        Markup('<span class="w">{}</span>').format(breakable(word)) for word in text.split(" ")
    )


def coded(text: str) -> Markup:
    """Prose, escaped, with variables, options, paths, commands and names of classes in the type of code."""
    made, end = Markup(), 0
    for found in _CODE.finditer(text):
        code = found["plain"] if found["quoted"] is None else found["quoted"]
        made += breakable(text[end : found.start()])
        is_whole = len(code) <= _WHOLE
        made += Markup('<code class="whole">{}</code>' if is_whole else "<code>{}</code>").format(
            code if is_whole else breakable(code)
        )
        end = found.end()
    return made + breakable(text[end:])


def dated(text: str) -> Markup:
    """Escaped; no line breaks within a date and its time."""
    made, end = Markup(), 0
    for found in _MOMENT.finditer(text):
        made += escape(text[end : found.start()]) + Markup('<span class="nowrap">{}</span>').format(found[0])
        end = found.end()
    return made + escape(text[end:])


def json_block(rows: Sequence[Any]) -> Markup:
    """JSON to put into a ``<script type="application/json">``: no text in it can end that element."""
    text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))
